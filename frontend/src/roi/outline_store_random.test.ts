import { describe, expect, it } from "vitest";
import type { Outline, Outlines, Slot } from "../api/types.ts";
import {
  commit,
  HISTORY_STEPS,
  type OutlineState,
  openStore,
  redo,
  redoSlot,
  replaceAll,
  undo,
  undoSlot,
} from "./outline_store.ts";

const outline = (x: number): Outline => ({
  vertices: [[x, 0, 0]],
  sop_instance_uid: "2.25.1",
  frame: 1,
  frame_of_reference_uid: null,
  kind: "points",
  copy: null,
});
type Act = "CT" | "SPECT" | "delete CT" | "delete SPECT" | "undo" | "redo";
const ACTS: Act[] = ["CT", "SPECT", "delete CT", "delete SPECT", "undo", "undo", "redo"];

/** What a plain list of whole pictures and a place in it would do: a second way to the same answers. */
class Plain {
  pictures: Outlines[] = [{ CT: null, SPECT: null }];
  place = 0;
  do(act: Act, k: number): void {
    if (act === "undo") this.place = Math.max(0, this.place - 1);
    else if (act === "redo") this.place = Math.min(this.pictures.length - 1, this.place + 1);
    else {
      const slot: Slot = act.endsWith("SPECT") ? "SPECT" : "CT";
      const drawn = act.startsWith("delete") ? null : outline(k);
      this.pictures = [...this.pictures.slice(0, this.place + 1), { ...this.now, [slot]: drawn }];
      this.place += 1;
    }
  }
  get now(): Outlines {
    return this.pictures[this.place] as Outlines;
  }
}
function perform(state: OutlineState, act: Act, k: number): OutlineState {
  if (act === "undo") return undo(state);
  if (act === "redo") return redo(state);
  const slot: Slot = act.endsWith("SPECT") ? "SPECT" : "CT";
  return commit(state, slot, act.startsWith("delete") ? null : outline(k));
}
const actsOf = (seed: number, count: number): Act[] =>
  Array.from(
    { length: count },
    (_, k) => ACTS[(((seed + 1) * 7919 + k * 104729 + ((seed * k * k) % 31)) >>> 3) % ACTS.length] as Act,
  );

describe("drawing, deleting, undoing and redoing in any order", () => {
  it.each(Array.from({ length: 40 }, (_, seed) => seed))(
    "equals a list of whole pictures (run %i)",
    (seed) => {
      let state = openStore({ CT: null, SPECT: null });
      const plain = new Plain();
      actsOf(seed, 120).forEach((act, k) => {
        state = perform(state, act, k);
        plain.do(act, k);
        expect(state.present).toEqual(plain.now);
        expect([state.past.length, state.future.length]).toEqual([
          plain.place,
          plain.pictures.length - 1 - plain.place,
        ]);
      });
    },
  );
  it("all undone is the beginning and all redone is the end, at every place", () => {
    const end = actsOf(3, 60).filter((act) => act !== "undo" && act !== "redo");
    let state = end.reduce(perform, openStore({ CT: null, SPECT: null }));
    const { present } = state;
    for (const _ of end) state = undo(state);
    expect(state.present).toEqual({ CT: null, SPECT: null });
    expect(undoSlot(state)).toBeNull();
    for (const _ of end) state = redo(state);
    expect(state.present).toEqual(present);
    expect(redoSlot(state)).toBeNull();
  });
  it("a revision never comes twice with another outline, so a copy names its source for good", () => {
    let state = openStore({ CT: null, SPECT: null });
    const seen = new Map<string, string>();
    actsOf(5, 200).forEach((act, k) => {
      state = perform(state, act, k);
      for (const slot of ["CT", "SPECT"] as const) {
        const name = `${slot} ${state.revision[slot]}`;
        const drawn = JSON.stringify(state.present[slot]);
        expect(seen.get(name) ?? drawn).toBe(drawn);
        seen.set(name, drawn);
      }
    });
  });
  it("the slot named beforehand is the only one that an undo or redo changes", () => {
    let state = openStore({ CT: null, SPECT: null });
    actsOf(8, 150).forEach((act, k) => {
      const slot = act === "undo" ? undoSlot(state) : act === "redo" ? redoSlot(state) : null;
      const next = perform(state, act, k);
      if (act === "undo" || act === "redo") {
        const other: Slot = slot === "CT" ? "SPECT" : "CT";
        expect(next.present[other]).toBe(state.present[other]);
      }
      state = next;
    });
  });
  it("more steps than the history holds lose the oldest, never the newest", () => {
    let state = openStore({ CT: null, SPECT: null });
    for (let k = 0; k < HISTORY_STEPS + 3; k += 1) state = commit(state, "CT", outline(k));
    for (let k = 0; k < HISTORY_STEPS + 10; k += 1) state = undo(state);
    expect(state.present.CT).toEqual(outline(2));
  });
  it("another draft and back is two undos from where it began", () => {
    const mine = commit(openStore({ CT: null, SPECT: null }), "CT", outline(1));
    const theirs = replaceAll(mine, { CT: outline(5), SPECT: outline(6) });
    expect(undo(undo(theirs)).present).toEqual(mine.present);
  });
});
