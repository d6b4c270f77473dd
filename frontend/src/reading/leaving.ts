import type { LocalDrafts } from "./local_drafts.ts";

export const UNSENT =
  "This browser holds work that the server has not got yet. Open the case again to send it. Sign out and lose it?";

/** Whether signing out, which empties this browser, may go on: nothing waits, or the reader says so. */
export async function maySignOut(
  drafts: Pick<LocalDrafts, "count">,
  ask: (question: string) => boolean,
): Promise<boolean> {
  const waiting = await drafts.count().catch(() => 0);
  return waiting === 0 || ask(UNSENT);
}
