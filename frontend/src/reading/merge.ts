import type { DraftDocument } from "../api/types.ts";

export type Side = "mine" | "server";

/** One draft out of two, item by item. */
export function mergeDrafts(
  mine: DraftDocument,
  server: DraftDocument,
  choices: Record<string, Side>,
): DraftDocument {
  const isMine = (id: string): boolean => choices[id] === "mine";
  const ids = new Set([...Object.keys(mine.answers), ...Object.keys(server.answers)]);
  const answers = [...ids].map((id) => [id, (isMine(id) ? mine : server).answers[id] ?? null] as const);
  return {
    ...mine,
    answers: Object.fromEntries(answers),
    outlines: {
      CT: (isMine("outline-CT") ? mine : server).outlines.CT,
      SPECT: (isMine("outline-SPECT") ? mine : server).outlines.SPECT,
    },
  };
}
