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
  random = 0.5;
  keepsNothing = false;
  keepsSlowly = false;
  onDrop = (): void => undefined;
  signals: (AbortSignal | null | undefined)[] = [];
  #timers: { id: number; due: number; run: () => void }[] = [];
  #ids = 0;
  #dropping = Promise.resolve();

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
      random: () => this.random,
      uuid: () => `key-${this.sent.length + 1}`,
      keep: async (copy) => {
        if (this.keepsNothing) throw new Error("storage is switched off");
        if (this.keepsSlowly) await new Promise((resolve) => setImmediate(resolve));
        this.kept = copy;
      },
      drop: async () => {
        await this.#dropping;
        this.onDrop();
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

  /** From now on the browser is slow to drop a copy, until the answer is called. */
  holdDrop(): () => void {
    let dropped = (): void => undefined;
    this.#dropping = new Promise((resolve) => {
      dropped = resolve;
    });
    return dropped;
  }

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
    this.signals.push(init.signal);
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
  ])("of status %i end saving", async (status, body, kind) => {
    world.replies = [{ status, body }];
    world.change(1);
    await world.pass(1000);
    expect(world.autosave.status.kind).toBe(kind);
    world.change(2);
    await world.pass(60_000);
    expect(world.sent).toHaveLength(1);
  });
  it.each([401, 403])(
    "of a signed-out user (%i) keep everything and go on after signing in",
    async (status) => {
      world.replies = [{ status }];
      world.change(1);
      await world.pass(1000);
      expect(world.autosave.status.kind).toBe("signed-out");
      expect(world.kept).not.toBeNull();
      world.autosave.retryNow();
      await world.pass(0);
      expect(world.autosave.status.kind).toBe("saved");
      expect(world.sent[1]?.key).toBe(world.sent[0]?.key);
    },
  );
  it("of a malformed draft name the field and keep the local copy", async () => {
    world.replies = [{ status: 422, body: { field: "answers.x", detail: "unknown" } }];
    world.change(1);
    await world.pass(1000);
    expect(world.autosave.status).toEqual({ kind: "refused", field: "answers.x", detail: "unknown" });
    expect(world.kept).not.toBeNull();
  });
  it("of a malformed draft do not hold back what was changed meanwhile", async () => {
    world.replies = [{ status: 422, body: { field: "answers.x", detail: "unknown" } }];
    world.change(1);
    world.autosave.saveNow();
    world.change(2);
    world.autosave.saveNow();
    await world.pass(0);
    expect(world.sent.map(({ document }) => document.answers.confidence)).toEqual([1, 2]);
    expect(world.autosave.status.kind).toBe("saved");
  });
});

describe("what changes while a copy waits for its answer", () => {
  it.each(["broken", { status: 401 }, { status: 503 }] as const)(
    "is kept in this browser too (%j)",
    async (reply) => {
      world.replies = [reply, reply, reply];
      world.change(1);
      await world.pass(QUIET_MS);
      world.change(2);
      await world.pass(QUIET_MS);
      expect(world.kept).toMatchObject({
        key: "key-1",
        base_version: 7,
        document: { answers: { confidence: 1 } },
        later: { answers: { confidence: 2 } },
      });
      world.autosave.retryNow();
      await world.pass(20_000);
      world.autosave.retryNow();
      await world.pass(20_000);
      world.autosave.retryNow();
      await world.pass(0);
      expect(world.sent.at(-1)?.document.answers.confidence).toBe(2);
      expect(world.kept).toBeNull();
    },
  );
  it("is never out of this browser before it is sent", async () => {
    world.change(1);
    world.autosave.saveNow();
    world.change(2);
    world.autosave.saveNow();
    const kept: unknown[] = [];
    world.onDrop = () => kept.push("dropped");
    await world.pass(0);
    expect(world.sent).toHaveLength(2);
    expect(kept).toEqual(["dropped"]);
  });
  it("is kept beside what meets a conflict", async () => {
    const document = { answers: {}, outlines: { CT: null, SPECT: null }, looks: {}, focus: null };
    world.replies = [{ status: 409, body: { version: 12, document } }];
    world.change(1);
    world.autosave.saveNow();
    world.change(2);
    await world.pass(0);
    expect(world.kept?.later?.answers.confidence).toBe(2);
  });
});

describe("answers that acknowledge nothing", () => {
  it.each([[{}], [{ version: "8" }], [[]]])("are no save: 200 with %j", async (body) => {
    world.replies = [{ status: 200, body }];
    world.change(1);
    await world.pass(QUIET_MS);
    expect(world.autosave.status.kind).toBe("retrying");
    expect(world.kept).not.toBeNull();
    await world.pass(2000);
    expect(world.sent.map(({ key, version }) => [key, version])).toEqual([
      ["key-1", '"7"'],
      ["key-1", '"7"'],
    ]);
    expect(world.autosave.version).toBe(9);
  });
  it("are given up when nothing comes for half a minute", async () => {
    world.change(1);
    await world.pass(QUIET_MS);
    expect(world.signals[0]).toBeInstanceOf(AbortSignal);
  });
  it("of a server that lost the draft lead to a save of all there is on its version", async () => {
    world.replies = [{ status: 409, body: { version: 0, document: null } }];
    world.change(1);
    await world.pass(QUIET_MS);
    expect(world.sent.map(({ version }) => version)).toEqual(['"7"', '"0"']);
    expect(world.autosave.status.kind).toBe("saved");
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
  it("goes on through every other try of a server that cannot be reached", async () => {
    world.replies = ["broken", { status: 503 }];
    world.change(1);
    const settled = world.autosave.settle();
    await world.pass(0);
    expect(world.autosave.status.kind).toBe("retrying");
    await world.pass(5000);
    expect([await settled, world.sent.length]).toEqual([true, 3]);
  });
  it.each([
    [401, "signed-out"],
    [422, "refused"],
    [423, "readonly"],
  ])("resolves to false after status %i", async (status, kind) => {
    world.replies = [{ status }];
    world.change(1);
    const settled = world.autosave.settle();
    await world.pass(0);
    expect([await settled, world.autosave.status.kind]).toEqual([false, kind]);
  });
  it.each([true, false])(
    "includes what changes while the last save's copy is dropped (slow to keep: %s)",
    async (keepsSlowly) => {
      world.change(1);
      world.autosave.saveNow();
      const dropped = world.holdDrop();
      await world.pass(0);
      world.keepsSlowly = keepsSlowly;
      world.change(2);
      const settled = world.autosave.settle();
      if (!keepsSlowly) await world.pass(0);
      expect(world.autosave.status.kind).toBe("saving");
      dropped();
      await world.pass(0);
      expect([await settled, world.autosave.isUnsaved]).toEqual([true, false]);
      expect(world.sent.map(({ document }) => document.answers.confidence)).toEqual([1, 2]);
      expect(world.statuses.map(({ kind }) => kind).indexOf("saved")).toBe(world.statuses.length - 1);
    },
  );
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

describe("the pauses between tries", () => {
  it.each([
    [0, 0.8],
    [0.5, 1],
    [1, 1.2],
  ])("are 1, 2, 4, 8, 15, 30, 30 … s, with chance %f times %f", async (random, factor) => {
    world.random = random;
    world.replies = Array<Reply>(9).fill("broken");
    world.change(1);
    await world.pass(QUIET_MS);
    const pauses: number[] = [];
    while (pauses.length < 8) {
      const { status } = world.autosave;
      if (status.kind !== "retrying") throw new Error(status.kind);
      pauses.push(status.seconds);
      await world.pass(status.seconds * 1000);
    }
    [1, 2, 4, 8, 15, 30, 30, 30].forEach((seconds, k) => {
      expect(pauses[k]).toBeCloseTo(seconds * factor, 9);
    });
  });
  it("start anew after a save that went through", async () => {
    world.replies = ["broken", "broken", { status: 200 }, "broken"];
    world.change(1);
    await world.pass(10_000);
    world.change(2);
    await world.pass(QUIET_MS);
    expect(world.autosave.status).toEqual({ kind: "retrying", seconds: 1 });
  });
  it.each([
    ["7", 7],
    ["0", 1],
    ["-3", 1],
    ["soon", 1],
    ["Wed, 21 Oct 2026 07:28:00 GMT", 1],
  ])("are what the server asks for with Retry-After: %s", async (header, seconds) => {
    world.replies = [{ status: 429, headers: { "Retry-After": header } }];
    world.change(1);
    await world.pass(QUIET_MS);
    expect(world.autosave.status).toEqual({ kind: "retrying", seconds });
  });
  it("are cut short by the connection coming back, which leaves no second try behind", async () => {
    world.replies = ["broken"];
    world.change(1);
    await world.pass(QUIET_MS);
    world.autosave.retryNow();
    await world.pass(60_000);
    expect(world.sent).toHaveLength(2);
  });
});

describe("answers that are not what they should be", () => {
  it.each([400, 405, 413, 422])(
    "status %i without a body is a refusal that names its status",
    async (status) => {
      world.replies = [{ status, body: {} }];
      world.change(1);
      await world.pass(1000);
      expect(world.autosave.status).toEqual({ kind: "refused", field: "", detail: `status ${status}` });
    },
  );
  it("a conflict without the server's document is no conflict that could be decided", async () => {
    world.replies = [{ status: 409, body: { version: 3 } }];
    world.change(1);
    await world.pass(1000);
    expect(world.autosave.status.kind).toBe("refused");
  });
  it.each([500, 502, 503, 504, 507])("status %i is tried again", async (status) => {
    world.replies = [{ status }];
    world.change(1);
    await world.pass(5000);
    expect(world.autosave.status.kind).toBe("saved");
    expect(world.sent).toHaveLength(2);
  });
  it("after a refusal the next change is sent with a new key on the same version", async () => {
    world.replies = [{ status: 422, body: { field: "answers.x", detail: "unknown" } }];
    world.change(1);
    await world.pass(1000);
    world.change(2);
    await world.pass(1000);
    expect(world.sent.map(({ version }) => version)).toEqual(['"7"', '"7"']);
    expect(world.sent[0]?.key).not.toBe(world.sent[1]?.key);
    expect(world.autosave.status.kind).toBe("saved");
  });
});

describe("stopping", () => {
  it("sends nothing afterwards, whatever waited", async () => {
    world.change(1);
    world.autosave.stop();
    await world.pass(60_000);
    expect(world.sent).toEqual([]);
    expect(world.autosave.isUnsaved).toBe(false);
  });
  it("takes no notice of an answer that comes later", async () => {
    world.replies = [{ status: 409, body: { version: 9, document: {} } }];
    world.change(1);
    world.autosave.saveNow();
    world.autosave.stop();
    await world.pass(0);
    expect(world.autosave.status.kind).toBe("saving");
    expect(world.saved).toEqual([]);
  });
  it("a browser that can keep no copy still saves", async () => {
    world.keepsNothing = true;
    world.change(1);
    await world.pass(1000);
    expect(world.autosave.status.kind).toBe("saved");
  });
});

describe("any run of a bad connection", () => {
  const BAD: Reply[] = [
    "broken",
    { status: 503 },
    { status: 429 },
    { status: 200 },
    { status: 500 },
    { status: 200 },
  ];
  const isPassing = (reply: Reply): boolean => reply !== "broken" && reply.status === 200;
  it.each(Array.from({ length: 30 }, (_, seed) => seed))(
    "ends with the last change on the server (run %i)",
    async (seed) => {
      const at = (k: number): number => ((seed + 1) * 7919 + k * 104729 + ((k * k * seed) % 97)) >>> 2;
      world.replies = Array.from({ length: 12 }, (_, k) => BAD[at(k) % BAD.length] as Reply);
      const planned = [...world.replies];
      for (let k = 1; k <= 15; k += 1) {
        world.change(k);
        await world.pass(at(k + 50) % 4000);
        if (at(k) % 5 === 0) world.autosave.retryNow();
      }
      await world.pass(400_000);
      expect(world.autosave.status.kind).toBe("saved");
      expect(world.autosave.isUnsaved).toBe(false);
      expect(world.kept).toBeNull();
      expect(world.sent.at(-1)?.document.answers.confidence).toBe(15);
      const bodies = new Map<string, string>();
      world.sent.forEach(({ key, document }, k) => {
        const body = JSON.stringify(document);
        expect(bodies.get(key) ?? body).toBe(body);
        bodies.set(key, body);
        const before = world.sent[k - 1];
        const passed = k > 0 && isPassing(planned[k - 1] ?? { status: 200 });
        if (before !== undefined) expect(key === before.key).toBe(!passed);
      });
    },
  );
});
