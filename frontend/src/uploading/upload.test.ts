import { expect, test } from "vitest";
import type { Chosen } from "./batches.ts";
import type { Answer } from "./sending.ts";
import { type Import, type Ports, type Progress, Upload } from "./upload.ts";

const ok = (body: unknown): Answer => ({ status: 200, body, retryAfterS: null });
const row = (outcomes: Record<string, number>, ended: string | null = null): Import => ({
  code: "abc",
  study: "bone",
  warning: "",
  started_at: "2026-01-01T00:00:00Z",
  ended_at: ended,
  outcomes,
  problems: [],
});
const chosen = (...names: string[]): Chosen[] =>
  names.map((name) => {
    const file = new Blob([name]);
    return { file, name, size: file.size };
  });

interface World {
  ports: Ports;
  calls: string[];
  names: string[][];
}

/** A server that knows the files named in `known` and fails a batch's first `faults` sendings. */
function world({ known = [] as string[], faults = 0, hasDigests = true } = {}): World {
  const calls: string[] = [];
  const names: string[][] = [];
  let left = faults;
  let time = 0;
  let taken = 0;
  const post = async (path: string, body: unknown): Promise<Answer> => {
    calls.push(`POST ${path}`);
    if (!path.endsWith("known/")) return ok(row({ ready: taken }, path.endsWith("end/") ? "now" : null));
    const { files } = body as { files: { sha256: string }[] };
    return ok({ known: files.map((f) => known.includes(f.sha256)) });
  };
  const put = async (path: string, form: FormData, onBytes: (n: number) => void): Promise<Answer> => {
    calls.push(`PUT ${path}`);
    names.push(form.getAll("names").map(String));
    onBytes(1000);
    if (left > 0) {
      left -= 1;
      return { status: 0, body: null, retryAfterS: null };
    }
    taken += form.getAll("files").length;
    return ok(row({ ready: taken }));
  };
  const sha256 = hasDigests ? (file: Blob): Promise<string> => file.text() : null;
  const now = (): number => {
    time += 100;
    return time;
  };
  return { ports: { post, put, wait: () => Promise.resolve(), now, sha256 }, calls, names };
}

test("an import begins, asks, sends and ends", async () => {
  const { ports, calls, names } = world();
  const told: Progress[] = [];
  const ended = await new Upload(ports, (p) => told.push(p)).run(chosen("a/1", "a/2"), true);
  expect(calls).toEqual(["POST ", "POST abc/known/", "PUT abc/batches/2/", "POST abc/end/"]);
  expect(names).toEqual([["a/1", "a/2"]]);
  expect(ended.outcomes).toEqual({ ready: 2 });
  expect(told.at(-1)).toMatchObject({ stage: "done", files: 2, filesDone: 2, bytes: 6, bytesDone: 6 });
});

test("what the server has is not sent", async () => {
  const { ports, names } = world({ known: ["1", "3"] });
  await new Upload(ports, () => undefined).run(chosen("1", "2", "3"), false);
  expect(names).toEqual([["2"]]);
});

test("when everything is known nothing is sent and the import still ends", async () => {
  const { ports, calls } = world({ known: ["1"] });
  await new Upload(ports, () => undefined).run(chosen("1"), false);
  expect(calls).toEqual(["POST ", "POST abc/known/", "POST abc/end/"]);
});

test("without digests everything is sent", async () => {
  const { ports, calls } = world({ hasDigests: false });
  await new Upload(ports, () => undefined).run(chosen("1", "2"), false);
  expect(calls).toEqual(["POST ", "PUT abc/batches/1/", "POST abc/end/"]);
});

test("a batch whose answer was lost goes again under its own number", async () => {
  const { ports, calls } = world({ faults: 2 });
  await new Upload(ports, () => undefined).run(chosen("1"), false);
  expect(calls.filter((c) => c.startsWith("PUT"))).toEqual(Array(3).fill("PUT abc/batches/2/"));
});

test("a server that stays away stops the upload with a sentence, and the import stays open", async () => {
  const { ports, calls } = world({ faults: 99 });
  await expect(new Upload(ports, () => undefined).run(chosen("1"), false)).rejects.toThrow(
    "could not be reached",
  );
  expect(calls).not.toContain("POST abc/end/");
});

test("an answer of another shape is refused in words", async () => {
  const { ports } = world();
  const odd = { ...ports, post: () => Promise.resolve(ok({ code: 7 })) };
  await expect(new Upload(odd, () => undefined).run(chosen("1"), false)).rejects.toThrow("not understood");
});

test("bytes on the wire, which are more than those of the files, never show beyond the whole", async () => {
  const { ports } = world({ faults: 1 });
  const told: Progress[] = [];
  await new Upload(ports, (p) => told.push(p)).run(chosen("11", "22", "33"), false);
  const done = told.map((p) => p.bytesDone);
  expect(Math.max(...done)).toBe(6);
});
