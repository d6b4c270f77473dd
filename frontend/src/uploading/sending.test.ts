import { expect, test } from "vitest";
import { type Answer, persistently, Refused, TRIES } from "./sending.ts";

const answer = (status: number, body: unknown = null, retryAfterS: number | null = null): Answer => ({
  status,
  body,
  retryAfterS,
});

/** Plays the answers in turn, the last one for ever; notes the pauses. */
function play(...answers: Answer[]) {
  const pauses: number[] = [];
  let sent = 0;
  const run = persistently(
    () => {
      sent += 1;
      return Promise.resolve(answers[Math.min(sent, answers.length) - 1] as Answer);
    },
    (s) => {
      pauses.push(s);
      return Promise.resolve();
    },
  );
  return { run, pauses, sent: () => sent };
}

test("a good answer is taken at once", async () => {
  const { run, pauses } = play(answer(200, { a: 1 }));
  expect(await run).toEqual({ a: 1 });
  expect(pauses).toEqual([]);
});

test("a lost connection is tried again after growing pauses", async () => {
  const { run, pauses } = play(answer(0), answer(502), answer(0), answer(201, "in"));
  expect(await run).toBe("in");
  expect(pauses).toEqual([1, 2, 4]);
});

test("the server's own wish to wait counts where it is longer", async () => {
  const { run, pauses } = play(answer(503, null, 60), answer(200));
  await run;
  expect(pauses).toEqual([60]);
});

test("after five tries it gives up, and says how to go on", async () => {
  const { run, pauses, sent } = play(answer(0));
  await expect(run).rejects.toThrow("choose the same files again to go on");
  expect(sent()).toBe(TRIES);
  expect(pauses).toEqual([1, 2, 4, 8]);
});

test.each([400, 403, 404, 409, 413, 422])(
  "a refusal %d is not repeated, its sentence is shown",
  async (status) => {
    const { run, sent } = play(answer(status, { detail: "This import has ended." }));
    await expect(run).rejects.toThrow("This import has ended.");
    expect(sent()).toBe(1);
  },
);

test("signed out meanwhile: the sentence says so", async () => {
  const { run } = play(answer(401, { detail: "x" }));
  await expect(run).rejects.toThrow("signed out");
});

test("the refusal carries its status", async () => {
  const fault = await play(answer(409, { detail: "No." })).run.catch((e: unknown) => e);
  expect(fault).toBeInstanceOf(Refused);
  expect((fault as Refused).status).toBe(409);
});
