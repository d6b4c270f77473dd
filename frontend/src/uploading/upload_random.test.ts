import { describe, expect, it } from "vitest";
import { type Chosen, inBatches } from "./batches.ts";
import { Rate, readableBytes, readableWait } from "./rate.ts";
import type { Answer } from "./sending.ts";
import { type Import, type Ports, type Progress, Upload } from "./upload.ts";

const at = (seed: number, k: number): number =>
  ((seed + 1) * 7919 + k * 104729 + ((k * k * (seed + 3)) % 97)) >>> 2;

describe("any files in batches", () => {
  it.each(Array.from({ length: 25 }, (_, seed) => seed))(
    "lose none, keep their order and their bounds (run %i)",
    (seed) => {
      const files = Array.from({ length: at(seed, 0) % 60 }, (_, k) => ({ id: k, size: at(seed, k) % 40 }));
      const bounds = { maxFiles: 1 + (at(seed, 1) % 7), maxBytes: 10 + (at(seed, 2) % 60) };
      const batches = inBatches(files, bounds);
      expect(batches.flat()).toEqual(files);
      batches.forEach((batch, k) => {
        const bytes = batch.reduce((sum, { size }) => sum + size, 0);
        expect(batch.length).toBeGreaterThan(0);
        expect(batch.length).toBeLessThanOrEqual(bounds.maxFiles);
        if (batch.length > 1) expect(bytes).toBeLessThanOrEqual(bounds.maxBytes);
        const next = batches[k + 1]?.[0];
        const hasRoom =
          next !== undefined && batch.length < bounds.maxFiles && bytes + next.size <= bounds.maxBytes;
        expect(hasRoom).toBe(false);
      });
    },
  );
});

/** A server that keeps what it was sent by batch number, knows some files, and loses answers now and then. */
class Server {
  readonly batches = new Map<string, string[]>();
  readonly told: Progress[] = [];
  open = 0;
  mostOpen = 0;
  ended = false;
  #turn = 0;
  #time = 0;
  readonly seed: number;
  readonly known: Set<string>;

  constructor(seed: number, known: Iterable<string> = []) {
    this.seed = seed;
    this.known = new Set(known);
  }

  readonly ports: Ports = {
    post: async (path, body) => this.#post(path, body),
    put: async (path, form, onBytes) => this.#put(path, form, onBytes),
    wait: () => Promise.resolve(),
    now: () => {
      this.#time += 50;
      return this.#time;
    },
    sha256: (file) => file.text(),
  };

  #row(): Import {
    const outcomes = { ready: [...this.batches.values()].flat().length };
    const ended_at = this.ended ? "now" : null;
    return { code: "abc", study: "bone", warning: "", started_at: "t", ended_at, outcomes, problems: [] };
  }

  #post(path: string, body: unknown): Answer {
    const ok = (value: unknown): Answer => ({ status: 200, body: value, retryAfterS: null });
    if (path.endsWith("known/")) {
      const { files } = body as { files: { sha256: string }[] };
      return ok({ known: files.map(({ sha256 }) => this.known.has(sha256)) });
    }
    if (path.endsWith("end/")) this.ended = true;
    return ok(this.#row());
  }

  async #put(path: string, form: FormData, onBytes: (sent: number) => void): Promise<Answer> {
    this.open += 1;
    this.mostOpen = Math.max(this.mostOpen, this.open);
    await Promise.resolve();
    onBytes(3);
    this.open -= 1;
    this.#turn += 1;
    // what was taken stays taken, whether or not the answer arrives
    this.batches.set(path, form.getAll("names").map(String));
    const isLost = at(this.seed, this.#turn) % 3 === 0;
    return isLost
      ? { status: 0, body: null, retryAfterS: null }
      : { status: 200, body: this.#row(), retryAfterS: null };
  }
}
const chosen = (count: number): Chosen[] =>
  Array.from({ length: count }, (_, k) => {
    const file = new Blob([`file ${k}`]);
    return { file, name: `exam/${k}`, size: file.size };
  });

describe("an upload over a bad line", () => {
  it.each(Array.from({ length: 12 }, (_, seed) => seed))(
    "brings every unknown file once, and ends (run %i)",
    async (seed) => {
      const files = chosen(450 + (at(seed, 9) % 300));
      const known = files.filter((_, k) => at(seed, k) % 4 === 0);
      const server = new Server(seed, await Promise.all(known.map(({ file }) => file.text())));
      await new Upload(server.ports, (progress) => server.told.push(progress)).run(files, true);
      const sent = [...server.batches.values()].flat();
      const wanted = files.filter((file) => !known.includes(file)).map(({ name }) => name);
      expect([...sent].sort()).toEqual([...wanted].sort());
      expect(server.ended).toBe(true);
      expect(server.mostOpen).toBeLessThanOrEqual(2);
    },
  );
  it.each([0, 1, 2, 3])("counts files up to all, never down, and never beyond (run %i)", async (seed) => {
    const files = chosen(500);
    const server = new Server(seed);
    await new Upload(server.ports, (progress) => server.told.push(progress)).run(files, false);
    const done = server.told.map(({ filesDone }) => filesDone);
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(done.at(-1)).toBe(500);
    for (const { bytesDone, bytes } of server.told) expect(bytesDone).toBeLessThanOrEqual(bytes);
    expect(server.told.at(-1)).toMatchObject({
      stage: "done",
      bytesDone: server.told[0]?.bytes,
      secondsLeft: null,
    });
  });
  it("of nothing begins and ends an empty import", async () => {
    const server = new Server(1);
    const ended = await new Upload(server.ports, () => undefined).run([], false);
    expect([ended.ended_at, server.batches.size]).toEqual(["now", 0]);
  });
});

describe("what is shown of bytes and waits", () => {
  it("never shows more than three digits before the unit, below petabytes", () => {
    for (let power = 0; power < 14.9; power += 0.01) {
      const [value] = readableBytes(Math.floor(10 ** power)).split(" ");
      expect(Number(value)).toBeLessThan(1000);
    }
  });
  it("never says a shorter wait than there is, and at most a minute more", () => {
    for (let seconds = 0.1; seconds < 20_000; seconds += 7.3) {
      const text = readableWait(seconds);
      const hours = Number(/(\d+) h/.exec(text)?.[1] ?? 0);
      const minutes = Number(/(\d+) min/.exec(text)?.[1] ?? 0);
      const rest = Number(/(\d+) s/.exec(text)?.[1] ?? 0);
      const said = 3600 * hours + 60 * minutes + rest;
      expect(said).toBeGreaterThanOrEqual(seconds);
      expect(said - seconds).toBeLessThanOrEqual(60);
    }
  });
  it("the pace of an even line is that line's, whenever it is asked for", () => {
    const rate = new Rate();
    for (let second = 0; second < 60; second += 1) {
      rate.add(1000 * second, 2500 * second);
      if (second > 0) expect(rate.bytesPerSecond).toBeCloseTo(2500, 9);
    }
    expect(rate.secondsLeft(25_000)).toBeCloseTo(10, 9);
  });
  it("a clock that stands still tells no pace", () => {
    const rate = new Rate();
    rate.add(5, 0);
    rate.add(5, 1000);
    expect(rate.bytesPerSecond).toBeNull();
  });
});
