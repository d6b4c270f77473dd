import { describe, expect, it } from "vitest";
import type { Outline } from "../api/types.ts";
import {
  commit,
  HISTORY_STEPS,
  openStore,
  redo,
  redoSlot,
  remember,
  replaceAll,
  undo,
  undoSlot,
} from "./outline_store.ts";

const outline = (x: number): Outline => ({
  vertices: [
    [x, 0, 0],
    [x + 4, 0, 0],
    [x, 4, 0],
  ],
  sop_instance_uid: "2.25.1",
  frame: 1,
  frame_of_reference_uid: null,
  kind: "points",
  copy: null,
});
const empty = openStore({ CT: null, SPECT: null });

describe("the outline store", () => {
  it("starts with what was saved and nothing to undo", () => {
    const state = openStore({ CT: outline(1), SPECT: null });
    expect(undo(state)).toBe(state);
    expect(redo(state)).toBe(state);
    expect(state.present.CT).toEqual(outline(1));
  });
  it("leaves the earlier state as it was", () => {
    commit(empty, "CT", outline(1));
    expect(empty.present.CT).toBeNull();
    expect(empty.past).toHaveLength(0);
  });
  it("undoes across both modalities in the order of the steps", () => {
    const both = commit(commit(empty, "CT", outline(1)), "SPECT", outline(2));
    expect(undoSlot(both)).toBe("SPECT");
    expect(undo(both).present).toEqual({ CT: outline(1), SPECT: null });
    expect(undo(undo(both)).present).toEqual({ CT: null, SPECT: null });
  });
  it("redoes what was undone", () => {
    const both = commit(commit(empty, "CT", outline(1)), "CT", outline(2));
    const back = undo(undo(both));
    expect(redoSlot(back)).toBe("CT");
    expect(redo(redo(back)).present).toEqual(both.present);
  });
  it("forgets the redo after a new step", () => {
    const back = undo(commit(empty, "CT", outline(1)));
    expect(redo(commit(back, "SPECT", outline(3))).present.CT).toBeNull();
  });
  it("brings a deleted outline back", () => {
    const gone = commit(commit(empty, "CT", outline(1)), "CT", null);
    expect(undo(gone).present.CT).toEqual(outline(1));
  });
  it("counts a revision up at every change, undo included", () => {
    const once = commit(empty, "CT", outline(1));
    expect([once.revision.CT, undo(once).revision.CT, once.revision.SPECT]).toEqual([1, 2, 0]);
  });
  it("keeps at least two hundred steps", () => {
    let state = empty;
    for (let k = 0; k < HISTORY_STEPS + 50; k += 1) state = commit(state, "CT", outline(k));
    for (let k = 0; k < 200; k += 1) state = undo(state);
    expect(state.present.CT).toEqual(outline(HISTORY_STEPS + 49 - 200));
  });
});

describe("the versions that the server keeps", () => {
  const versions = [
    { CT: null, SPECT: null },
    { CT: null, SPECT: outline(1) },
    { CT: outline(2), SPECT: outline(1) },
  ];
  const opened = { CT: outline(2), SPECT: outline(1) };

  it("are undone after a reload, one change at a time, newest first", () => {
    const state = remember(openStore(opened), opened, versions);
    expect(undoSlot(state)).toBe("CT");
    expect(undo(state).present).toEqual({ CT: null, SPECT: outline(1) });
    expect(undo(undo(state)).present).toEqual({ CT: null, SPECT: null });
    expect(undo(undo(undo(state)))).toEqual(undo(undo(state)));
  });
  it("come before the steps made since the case was opened", () => {
    const drawn = commit(openStore(opened), "SPECT", outline(3));
    const state = remember(drawn, opened, versions);
    expect(state.present.SPECT).toEqual(outline(3));
    expect(undo(state).present).toEqual(opened);
    expect(undo(undo(state)).present.CT).toBeNull();
  });
  it("are redone as they were undone", () => {
    const state = remember(openStore(opened), opened, versions);
    expect(redo(redo(undo(undo(state)))).present).toEqual(opened);
  });
  it("count as revisions, so that a copy names another revision than before the reload", () => {
    const state = remember(openStore(opened), opened, versions);
    expect(state.revision).toEqual({ CT: 1, SPECT: 1 });
  });
  it("that are newer than the opened draft are left out", () => {
    const older = { CT: null, SPECT: outline(1) };
    const state = remember(openStore(older), older, versions);
    expect(state.past).toHaveLength(1);
    expect(undo(state).present).toEqual({ CT: null, SPECT: null });
  });
  it("of another draft change nothing", () => {
    const state = openStore({ CT: outline(9), SPECT: null });
    expect(remember(state, state.present, versions)).toBe(state);
    expect(remember(state, state.present, [])).toBe(state);
  });
  it("never fill the history beyond its length", () => {
    const many = Array.from({ length: HISTORY_STEPS + 50 }, (_, k) => ({ CT: outline(k), SPECT: null }));
    const last = many.at(-1) ?? { CT: null, SPECT: null };
    expect(remember(openStore(last), last, many).past).toHaveLength(HISTORY_STEPS);
  });
});

describe("another draft in place of this one", () => {
  it("is one step for each outline that differs, and can be undone", () => {
    const mine = openStore({ CT: outline(1), SPECT: outline(2) });
    const taken = replaceAll(mine, { CT: outline(5), SPECT: outline(2) });
    expect(taken.past).toHaveLength(1);
    expect(undo(taken).present).toEqual(mine.present);
  });
  it("is nothing if it is the same", () => {
    const mine = openStore({ CT: outline(1), SPECT: null });
    expect(replaceAll(mine, { CT: outline(1), SPECT: null })).toBe(mine);
  });
});
