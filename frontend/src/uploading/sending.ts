/** What came back for one request: the status, the parsed body, and how long the server asks to wait. */
export interface Answer {
  status: number;
  body: unknown;
  retryAfterS: number | null;
}

/** A request that will not succeed by being sent again. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, sentence: string) {
    super(sentence);
    this.status = status;
  }
}

export const TRIES = 5;
const BACK_OFF_S = [1, 2, 4, 8];
const PASSING = new Set([0, 408, 425, 429, 500, 502, 503, 504]);
const SIGNED_OUT = "You have been signed out; sign in again, then choose the same files to go on.";
const UNREACHABLE = "The server could not be reached; choose the same files again to go on where it stopped.";

const sentenceOf = (answer: Answer): string => {
  if (answer.status === 401) return SIGNED_OUT;
  const detail = (answer.body as { detail?: unknown } | null)?.detail;
  return typeof detail === "string" ? detail : UNREACHABLE;
};

/** Sends until it is answered: five tries with growing pauses for what may pass, none for a refusal. */
export async function persistently(
  send: () => Promise<Answer>,
  wait: (seconds: number) => Promise<void>,
): Promise<unknown> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await send();
    if (answer.status >= 200 && answer.status < 300) return answer.body;
    if (!PASSING.has(answer.status) || attempt === TRIES)
      throw new Refused(answer.status, sentenceOf(answer));
    await wait(Math.max(answer.retryAfterS ?? 0, BACK_OFF_S[attempt - 1] ?? 8));
  }
}
