import { beforeEach, describe, expect, it } from "vitest";
import type { TimingEvent } from "../api/types.ts";
import { Timing } from "./timing.ts";

interface Batch {
  page_load: string;
  events: TimingEvent[];
}
let now = 0;
let status = 204;
let batches: Batch[] = [];
let accepted: Batch[] = [];
let sent: RequestInit[] = [];
let held: Promise<void> | null = null;
let timing: Timing;

beforeEach(() => {
  now = 1000;
  status = 204;
  batches = [];
  accepted = [];
  sent = [];
  timing = new Timing(
    {
      now: () => now,
      uuid: () => "page",
      fetch: async (_, init) => {
        if (status === 0) throw new TypeError("network");
        const batch = JSON.parse(String(init.body)) as Batch;
        await held;
        batches.push(batch);
        sent.push(init);
        if (status < 300) accepted.push(batch);
        return new Response(null, { status });
      },
    },
    "/events",
    "token",
  );
});
const kinds = (): string[] => batches.flatMap(({ events }) => events.map(({ kind }) => kind));

describe("timing events", () => {
  it("count from the case document on the monotonic clock", async () => {
    now = 1234.6;
    timing.record("first_image");
    await timing.flush();
    expect(batches[0]?.events[0]).toEqual({ seq: 0, t_ms: 235, kind: "first_image", detail: {} });
  });
  it("have no gap in their numbers over several batches", async () => {
    for (let k = 0; k < 5; k += 1) {
      timing.record("window");
      await timing.flush();
    }
    expect(batches.flatMap(({ events }) => events.map(({ seq }) => seq))).toEqual([0, 1, 2, 3, 4]);
  });
  it("are sent again, in order, when the server was not reached", async () => {
    status = 0;
    timing.record("link");
    await timing.flush();
    timing.record("layout");
    status = 204;
    await timing.flush();
    expect(kinds()).toEqual(["link", "layout"]);
  });
  it("are sent again after a server error, not after a refusal", async () => {
    timing.record("link");
    status = 503;
    await timing.flush();
    status = 400;
    await timing.flush();
    await timing.flush();
    expect(batches).toHaveLength(2);
  });
  it.each([401, 403, 408, 429])(
    "are sent again after status %i, which signing in or waiting mends",
    async (code) => {
      timing.record("link");
      status = code;
      await timing.flush();
      status = 204;
      timing.record("layout");
      await timing.flush();
      expect(accepted.flatMap(({ events }) => events.map(({ seq }) => seq))).toEqual([0, 1]);
    },
  );
  it("go out in requests of at most 500", async () => {
    for (let k = 0; k < 1201; k += 1) timing.record("shift");
    await timing.flush();
    expect(batches.map(({ events }) => events.length)).toEqual([500, 500, 201]);
  });
  it("are all there once a later flush has ended", async () => {
    let answer = (): void => undefined;
    held = new Promise((resolve) => {
      answer = resolve;
    });
    timing.record("link");
    const first = timing.flush();
    await Promise.resolve();
    timing.record("submit_pressed");
    const second = timing.flush().then(() => accepted.length);
    held = null;
    answer();
    await first;
    expect(await second).toBe(2);
  });
  it("send nothing when there is nothing", async () => {
    await timing.flush();
    expect(batches).toHaveLength(0);
  });
});

describe("attention", () => {
  it("tells the first input once", async () => {
    timing.input();
    timing.input();
    await timing.flush();
    expect(kinds()).toEqual(["first_input"]);
  });
  it("is idle after a minute without input and active with the next", async () => {
    timing.input();
    now += 59_999;
    timing.tick();
    now += 1;
    timing.tick();
    now += 30_000;
    timing.tick();
    timing.input();
    await timing.flush();
    expect(kinds()).toEqual(["first_input", "idle", "active"]);
    expect(batches[0]?.events.map(({ t_ms }) => t_ms)).toEqual([0, 60_000, 90_000]);
  });
  it("counts scrolling per pane in spells of five seconds", async () => {
    for (let k = 0; k < 7; k += 1) timing.scrolled("ct");
    timing.scrolled("spect");
    now += 5000;
    timing.tick();
    timing.scrolled("ct");
    await timing.flush();
    expect(batches[0]?.events.map(({ detail }) => detail)).toEqual([{ ct: 7, spect: 1 }, { ct: 1 }]);
  });
});

describe("leaving the page", () => {
  it("sends what waits with keepalive, scrolling included", async () => {
    timing.scrolled("ct");
    timing.record("hidden");
    await timing.flush(true);
    expect(kinds()).toEqual(["hidden", "scroll"]);
    expect(sent[0]).toMatchObject({ method: "POST", keepalive: true, credentials: "same-origin" });
  });
  it("carries the token and the page's own name", async () => {
    timing.record("visible");
    await timing.flush();
    expect(new Headers(sent[0]?.headers).get("X-CSRFToken")).toBe("token");
    expect(batches[0]?.page_load).toBe("page");
  });
});

describe("numbers and times", () => {
  it("never run backwards, and no number is missing, over any mix of failures", async () => {
    for (let k = 0; k < 40; k += 1) {
      now += (k * 7919) % 3000;
      timing.record("window");
      status = [204, 0, 503, 204][k % 4] as number;
      await timing.flush();
    }
    status = 204;
    await timing.flush();
    // the server keeps each number once: what it took before a lost answer comes again and adds nothing
    const taken = new Map(
      accepted.flatMap(({ events }) => events.map(({ seq, t_ms }) => [seq, t_ms] as const)),
    );
    expect([...taken.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, k) => k));
    const times = [...taken.entries()].sort(([a], [b]) => a - b).map(([, t]) => t);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });
  it("an idle spell is told once and only an input ends it", async () => {
    now += 60_000;
    timing.tick();
    now += 60_000;
    timing.tick();
    timing.record("window");
    timing.input();
    timing.input();
    await timing.flush();
    expect(kinds()).toEqual(["idle", "window", "first_input", "active"]);
  });
  it("idle begins a minute after the last input, not after the first", async () => {
    timing.input();
    now += 40_000;
    timing.input();
    now += 59_999;
    timing.tick();
    await timing.flush();
    expect(kinds()).toEqual(["first_input"]);
  });
});
