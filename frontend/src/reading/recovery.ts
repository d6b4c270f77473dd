import { isSame } from "../ui/same.ts";
import type { Desk } from "./desk.ts";
import { draftKey, type LocalDrafts } from "./local_drafts.ts";

/** An unacknowledged draft of this browser wins if the server has not moved on; else both are shown.
 *
 * True where it was found and is being sent.
 */
export async function recover(desk: Desk, drafts: LocalDrafts): Promise<boolean> {
  const { owner, code, draft } = desk.case;
  const key = draftKey(owner, code);
  const copy = await drafts.get(key, Date.now()).catch(() => null);
  if (copy === null || desk.state.readOnly !== null) return false;
  const mine = copy.later ?? copy.document;
  desk.takeOver(mine);
  if (copy.base_version === draft.version) {
    desk.autosave.replay(copy);
    if (copy.later !== undefined) desk.changed();
    return true;
  }
  if (draft.document === null || isSame(copy.document, draft.document)) {
    // the server fell behind this copy, as after a restore, or its answer was never seen
    if (!isSame(mine, draft.document)) desk.changed("now");
    else await drafts.remove(key).catch(() => undefined);
    return false;
  }
  if (isSame(mine, draft.document)) await drafts.remove(key).catch(() => undefined);
  else desk.autosave.conflict(draft.version, draft.document);
  return false;
}
