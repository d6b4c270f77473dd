import { beforeEach, describe, expect, it } from "vitest";
import type { DraftDocument, SaveAnswer } from "../api/types.ts";
import { Autosave, LATEST_MS, type LocalCopy, QUIET_MS, type SaveStatus } from "./autosave.ts";

type Reply = { status: number; body?: object; headers?: Record<string, string> } | "broken";

interface Sent {
  version: string;
  key: string;
  document: DraftDocument;
}

/** A world with its own clock, a server that answers from a list, and one place to keep a copy. */
class World {
  now = 0;
  replies: Reply[] = [];
  sent: Sent[] = [];
  statuses: SaveStatus[] = [];
  saved: SaveAnswer[] = [];
  kept: LocalCopy | null = null;
  answers = 0;
  #timers: { id: number; due: number; run: () => void }[] = [];
  #ids = 0;

  readonly autosave = new Autosave(
    {
      fetch: (_, init) => this.#answer(init),
      setTimer: (run, ms) => {
        this.#ids += 1;
        this.#timers.push({ id: this.#ids, due: this.now + ms, run });
        return this.#ids;
      },
      clearTimer: (id) => {
        this.#timers = this.#timers.filter((timer) => timer.id !== id);
      },
      random: () => 0.5,
      uuid: () => `key-${this.sent.length + 1}`,
      keep: async (copy) => {
        this.kept = copy;
      },
      drop: async () => {
        this.kept = null;
      },
    },
    { onStatus: (status) => this.statuses.push(status), onSaved: (answer) => this.saved.push(answer) },
    { url: "/draft", csrf: "token", version: 7 },
    () => ({
      answers: { confidence: this.answers },
      outlines: { CT: null, SPECT: null },
      looks: {},
      focus: null,
    }),
  );

  change(value: number): void {
    this.answers = value;
    this.autosave.changed();
  }

  async pass(ms: number): Promise<void> {
    const until = this.now + ms;
    for (;;) {
      await settle();
      const next = this.#timers.filter(({ due }) => due <= until).sort((a, b) => a.due - b.due)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter(({ id }) => id !== next.id);
      this.now = Math.max(this.now, next.due);
      next.run();
    }
    this.now = until;
    await settle();
  }

  async #answer(init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    this.sent.push({
      version: headers.get("If-Match") ?? "",
      key: headers.get("Idempotency-Key") ?? "",
      document: JSON.parse(String(init.body)) as DraftDocument,
    });
    const reply = this.replies.shift() ?? { status: 200 };
    if (reply === "broken") throw new TypeError("network");
    const problems = { answers: {}, outlines: { CT: [], SPECT: [] } };
    const stored = { version: 7 + this.sent.length, saved_at: "2026-01-01T10:42:07Z", problems };
    return new Response(JSON.stringify(reply.body ?? stored), {
      status: reply.status,
      headers: reply.headers ?? {},
    });
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 12; turn += 1) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
}

let world: World;
beforeEach(() => {
  world = new World();
});

describe("saving", () => {
  it("waits until it has been quiet for 0.8 s", async () => {
    world.change(1);
    await world.pass(QUIET_MS - 1);
    expect(world.sent).toHaveLength(0);
    await world.pass(1);
    expect(world.sent).toHaveLength(1);
  });
  it("saves at the latest five seconds after the first change", async () => {
    for (let k = 0; k < 12; k += 1) {
      world.change(k);
      await world.pass(500);
    }
    expect(world.sent.length).toBe(1);
    expect(world.now).toBeGreaterThanOrEqual(LATEST_MS);
  });
  it("sends the version it builds on and a key of its own", async () => {
    world.change(1);
    await world.pass(1000);
    world.change(2);
    await world.pass(1000);
    expect(world.sent.map(({ version }) => version)).toEqual(['"7"', '"8"']);
    expect(new Set(world.sent.map(({ key }) => key)).size).toBe(2);
    expect(world.autosave.version).toBe(9);
  });
  it("says saved with the server's time, and is unsaved before", async () => {
    world.change(1);
    expect(world.autosave.isUnsaved).toBe(true);
    expect(world.autosave.status.kind).toBe("saving");
    await world.pass(1000);
    expect(world.autosave.status).toEqual({ kind: "saved", at: "2026-01-01T10:42:07Z" });
    expect(world.autosave.isUnsaved).toBe(false);
  });
  it("keeps a local copy until the server acknowledged", async () => {
    world.replies = ["broken"];
    world.change(1);
    await world.pass(QUIET_MS);
    expect(world.kept).toMatchObject({ base_version: 7, document: { answers: { confidence: 1 } } });
    await world.pass(5000);
    expect(world.kept).toBeNull();
  });
  it("lets later changes wait for the answer and go together", async () => {
    world.change(1);
    world.autosave.saveNow();
    world.change(2);
    world.autosave.saveNow();
    world.change(3);
    world.autosave.saveNow();
    await world.pass(2000);
    expect(world.sent.map(({ document }) => document.answers.confidence)).toEqual([1, 3]);
  });
});

describe("a server that cannot be reached", () => {
  it("gets the same key and body again, ever more slowly", async () => {
    world.replies = ["broken", { status: 503 }, { status: 502 }, { status: 429 }, { status: 504 }];
    world.change(5);
    await world.pass(QUIET_MS);
    const times: number[] = [];
    while (world.sent.length < 6) {
      const before = world.sent.length;
      await world.pass(500);
      if (world.sent.length > before) times.push(world.now);
    }
    expect(new Set(world.sent.map(({ key }) => key))).toEqual(new Set(["key-1"]));
    const gaps = times.slice(1).map((time, k) => time - (times[k] as number));
    expect(gaps).toEqual([...gaps].sort((a, b) => a - b));
    expect(world.autosave.status.kind).toBe("saved");
  });
  it("is tried after the time it asked for", async () => {
    world.replies = [{ status: 503, headers: { "Retry-After": "20" } }];
    world.change(1);
    await world.pass(QUIET_MS);
    expect(world.autosave.status).toEqual({ kind: "retrying", seconds: 20 });
    await world.pass(19_000);
    expect(world.sent).toHaveLength(1);
    await world.pass(1500);
    expect(world.sent).toHaveLength(2);
  });
  it("is tried at once when the connection is back", async () => {
    world.replies = ["broken"];
    world.change(1);
    await world.pass(QUIET_MS);
    world.autosave.retryNow();
    await world.pass(0);
    expect(world.sent).toHaveLength(2);
    expect(world.autosave.status.kind).toBe("saved");
  });
  it("gets what changed meanwhile with the next version", async () => {
    world.replies = ["broken"];
    world.change(1);
    await world.pass(QUIET_MS);
    world.change(2);
    await world.pass(5000);
    expect(world.sent.map(({ document }) => document.answers.confidence)).toEqual([1, 1, 2]);
  });
});

describe("refusals", () => {
  const server: DraftDocument = {
    answers: { call: "benign" },
    outlines: { CT: null, SPECT: null },
    looks: {},
    focus: null,
  };

  it("stop saving on a conflict, until it is decided", async () => {
    world.replies = [{ status: 409, body: { version: 12, document: server } }];
    world.change(1);
    await world.pass(1000);
    expect(world.autosave.status).toEqual({ kind: "conflict", version: 12, document: server });
    world.change(2);
    await world.pass(10_000);
    expect(world.sent).toHaveLength(1);
    world.autosave.resolve(12);
    await world.pass(0);
    expect(world.sent.at(-1)?.version).toBe('"12"');
    expect(world.autosave.status.kind).toBe("saved");
  });
  it.each([
    [423, { state: "locked" }, "readonly"],
    [404, {}, "gone"],
    [403, {}, "gone"],
  ])("of status %i end saving", async (status, body, kind) => {
    world.replies = [{ status, body }];
    world.change(1);
    await world.pass(1000);
    expect(world.autosave.status.kind).toBe(kind);
    world.change(2);
    await world.pass(60_000);
    expect(world.sent).toHaveLength(1);
  });
  it("of a signed-out user keep everything and go on after signing in", async () => {
    world.replies = [{ status: 401 }];
    world.change(1);
    await world.pass(1000);
    expect(world.autosave.status.kind).toBe("signed-out");
    expect(world.kept).not.toBeNull();
    world.autosave.retryNow();
    await world.pass(0);
    expect(world.autosave.status.kind).toBe("saved");
    expect(world.sent[1]?.key).toBe(world.sent[0]?.key);
  });
  it("of a malformed draft name the field and keep the local copy", async () => {
    world.replies = [{ status: 422, body: { field: "answers.x", detail: "unknown" } }];
    world.change(1);
    await world.pass(1000);
    expect(world.autosave.status).toEqual({ kind: "refused", field: "answers.x", detail: "unknown" });
    expect(world.kept).not.toBeNull();
  });
});

describe("waiting for the acknowledgement", () => {
  it("resolves to true once everything is saved", async () => {
    world.change(1);
    const settled = world.autosave.settle();
    await world.pass(0);
    expect(await settled).toBe(true);
  });
  it("resolves to true at once when nothing is unsaved", async () => {
    expect(await world.autosave.settle()).toBe(true);
  });
  it("resolves to false when the server cannot be reached", async () => {
    world.replies = ["broken"];
    world.change(1);
    const settled = world.autosave.settle();
    await world.pass(0);
    expect(await settled).toBe(false);
  });
});

describe("a copy left by a crash", () => {
  it("goes out under its old key and version", async () => {
    const document = {
      answers: { confidence: 3 },
      outlines: { CT: null, SPECT: null },
      looks: {},
      focus: null,
    };
    world.autosave.replay({ key: "old", base_version: 7, document });
    await world.pass(0);
    expect(world.sent).toEqual([{ version: '"7"', key: "old", document }]);
    expect(world.autosave.status.kind).toBe("saved");
  });
});
