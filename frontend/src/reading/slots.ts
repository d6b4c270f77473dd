import type { Slot } from "../api/types.ts";
import type { PaneId } from "../viewer/pane.ts";

/** The pane on which a slot's outline is drawn. */
export const PANE_OF: Record<Slot, PaneId> = { CT: "ct", SPECT: "spect" };

export const other = (slot: Slot): Slot => (slot === "CT" ? "SPECT" : "CT");

export function slotOfPane(id: PaneId | undefined): Slot | null {
  if (id === "ct") return "CT";
  return id === "spect" ? "SPECT" : null;
}
