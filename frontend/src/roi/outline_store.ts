import type { Outline, Outlines, Slot } from "../api/types.ts";
import { isSame } from "../ui/same.ts";

/** The single truth about outlines: what is drawn now, and every step that led here. */
export interface OutlineState {
  present: Outlines;
  revision: Record<Slot, number>;
  past: Step[];
  future: Step[];
}
interface Step {
  slot: Slot;
  before: Outline | null;
  after: Outline | null;
}

export const HISTORY_STEPS = 500;

export const openStore = (present: Outlines): OutlineState => ({
  present,
  revision: { CT: 0, SPECT: 0 },
  past: [],
  future: [],
});

const place = (state: OutlineState, slot: Slot, outline: Outline | null): OutlineState => ({
  ...state,
  present: { ...state.present, [slot]: outline },
  revision: { ...state.revision, [slot]: state.revision[slot] + 1 },
});

/** One undoable step: a slot gets another outline, or none. */
export function commit(state: OutlineState, slot: Slot, outline: Outline | null): OutlineState {
  const step = { slot, before: state.present[slot], after: outline };
  return { ...place(state, slot, outline), past: [...state.past, step].slice(-HISTORY_STEPS), future: [] };
}

export function undo(state: OutlineState): OutlineState {
  const step = state.past.at(-1);
  if (step === undefined) return state;
  return {
    ...place(state, step.slot, step.before),
    past: state.past.slice(0, -1),
    future: [...state.future, step],
  };
}

export function redo(state: OutlineState): OutlineState {
  const step = state.future.at(-1);
  if (step === undefined) return state;
  return {
    ...place(state, step.slot, step.after),
    past: [...state.past, step],
    future: state.future.slice(0, -1),
  };
}

const SLOTS: Slot[] = ["CT", "SPECT"];

/** Another draft takes the place of this one, as steps that can be undone. */
export const replaceAll = (state: OutlineState, next: Outlines): OutlineState =>
  SLOTS.filter((slot) => !isSame(state.present[slot], next[slot])).reduce(
    (changed, slot) => commit(changed, slot, next[slot]),
    state,
  );

/** Puts the versions that led to the opened draft, oldest first, before the steps made since. */
export function remember(state: OutlineState, opened: Outlines, versions: readonly Outlines[]): OutlineState {
  const known = versions.findLastIndex((version) =>
    SLOTS.every((slot) => isSame(version[slot], opened[slot])),
  );
  const [first, ...rest] = versions.slice(0, known + 1);
  if (first === undefined) return state;
  const { past, revision } = rest.reduce(replaceAll, openStore(first));
  return {
    ...state,
    past: [...past, ...state.past].slice(-HISTORY_STEPS),
    revision: { CT: revision.CT + state.revision.CT, SPECT: revision.SPECT + state.revision.SPECT },
  };
}

/** The slot the next undo (or redo) touches, to show its pane. */
export const undoSlot = (state: OutlineState): Slot | null => state.past.at(-1)?.slot ?? null;
export const redoSlot = (state: OutlineState): Slot | null => state.future.at(-1)?.slot ?? null;
