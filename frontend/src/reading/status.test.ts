import { describe, expect, it } from "vitest";
import { caseFixture } from "../api/case_fixture.ts";
import type { Case, CaseState, Preferences } from "../api/types.ts";
import { openStore } from "../roi/outline_store.ts";
import type { SaveStatus } from "./autosave.ts";
import { initialState, nextLayout } from "./desk_state.ts";
import { saveText } from "./status.tsx";

const document = { answers: {}, outlines: { CT: null, SPECT: null }, looks: {}, focus: null };
const all: [SaveStatus, RegExp][] = [
  [{ kind: "saved", at: null }, /^No changes yet$/],
  [{ kind: "saved", at: "2026-03-02T10:42:07" }, /^Saved 10:42:07$/],
  [{ kind: "saving" }, /^Saving/],
  [{ kind: "retrying", seconds: 3.2 }, /not saved – retrying in 4 s/i],
  [{ kind: "conflict", version: 2, document }, /conflict/i],
  [{ kind: "refused", field: "answers", detail: "x" }, /not saved/i],
  [{ kind: "signed-out" }, /signed out/],
  [{ kind: "readonly", state: "locked" }, /read-only/i],
  [{ kind: "gone" }, /closed to you/],
];

describe("the status region", () => {
  it.each(all)("of %j says so in words", (status, words) => {
    expect(saveText(status)).toMatch(words);
  });
  it("never claims that something is saved while it is not", () => {
    for (const [status] of all) {
      if (status.kind !== "saved") expect(saveText(status)).not.toMatch(/^saved/i);
    }
  });
});

describe("a case when it opens", () => {
  const state = (change: Partial<Case> = {}) => {
    const opened = caseFixture();
    Object.assign(opened.case, change);
    return initialState(opened, openStore({ CT: null, SPECT: null }));
  };
  const axial: Preferences = { ...caseFixture().case.preferences, layout: "axial" };
  it("has no answer selected and nothing drawn", () => {
    const { answers, mode, ghost } = state();
    expect([answers, mode.kind, ghost]).toEqual([{}, "view", false]);
  });
  it("hangs six panes to read and two to outline, unless the reader prefers otherwise", () => {
    expect(state().layout).toBe("six");
    expect(state({ task: "outline" }).layout).toBe("pair");
    expect(state({ preferences: axial }).layout).toBe("axial");
  });
  it.each([
    ["assigned", true],
    ["draft", true],
    ["submitted", false],
    ["locked", false],
    ["missing", false],
  ] as [CaseState, boolean][])("%s may change: %s", (is, may) => {
    expect(state({ state: is }).readOnly === null).toBe(may);
  });
  it("goes round the layouts and comes back from the single pane", () => {
    expect([nextLayout("six"), nextLayout("pair"), nextLayout("axial")]).toEqual(["pair", "axial", "six"]);
    expect(nextLayout("single")).toBe("six");
  });
});
