import type { Answers, CaseDocument, LayoutName, Preferences, Problems, Slot, Vec3 } from "../api/types.ts";
import type { OutlineState } from "../roi/outline_store.ts";
import type { PaneId } from "../viewer/pane.ts";
import type { Tool } from "../viewer/pointer.ts";
import type { SaveStatus } from "./autosave.ts";

export type Mode =
  | { kind: "view" }
  | {
      kind: "outline";
      slot: Slot;
      tool: "freehand" | "points";
      cursor: Vec3 | null;
      selected: number | null;
      open: Vec3[];
    }
  | { kind: "shift"; slot: Slot };
export type DialogName = "help" | "summary" | "conflict" | "replace" | null;

/** Everything the panels show; panes keep their own pictures. */
export interface DeskState {
  active: PaneId;
  layout: LayoutName;
  tool: Tool;
  isLinked: boolean;
  crosshair: boolean;
  marks: boolean;
  ghost: boolean;
  mode: Mode;
  outlines: OutlineState;
  answers: Answers;
  problems: Problems;
  save: SaveStatus;
  dialog: DialogName;
  announcement: string;
  alert: string;
  progress: string;
  isOnline: boolean;
  readOnly: string | null;
  looks: number;
  preferences: Preferences;
}

export const NO_PROBLEMS: Problems = { answers: {}, outlines: { CT: [], SPECT: [] } };

const READ_ONLY: Partial<Record<CaseDocument["case"]["state"], string>> = {
  submitted: "This read is submitted.",
  locked: "This read is locked.",
  missing: "This case is recorded as missing.",
};

export function initialState(document: CaseDocument, outlines: OutlineState): DeskState {
  const { preferences, task, state, draft } = document.case;
  return {
    active: "ct",
    layout: preferences.layout ?? (task === "outline" ? "pair" : "six"),
    tool: "window",
    isLinked: true,
    crosshair: false,
    marks: true,
    ghost: false,
    mode: { kind: "view" },
    outlines,
    answers: draft.document?.answers ?? {},
    problems: NO_PROBLEMS,
    save: { kind: "saved", at: null },
    dialog: null,
    announcement: "",
    alert: "",
    progress: "",
    isOnline: true,
    readOnly: READ_ONLY[state] ?? null,
    looks: 0,
    preferences,
  };
}

const LAYOUTS: LayoutName[] = ["six", "pair", "axial"];
export const nextLayout = (layout: LayoutName): LayoutName =>
  LAYOUTS[(LAYOUTS.indexOf(layout) + 1) % LAYOUTS.length] as LayoutName;
