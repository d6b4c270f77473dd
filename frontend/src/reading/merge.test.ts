import { describe, expect, it } from "vitest";
import type { Answer, DraftDocument, Outline } from "../api/types.ts";
import { mergeDrafts, type Side } from "./merge.ts";

const outline = (x: number): Outline => ({
  vertices: [[x, 0, 0]],
  sop_instance_uid: "2.25.1",
  frame: 1,
  frame_of_reference_uid: null,
  kind: "points",
  copy: null,
});
const draft = (answers: Record<string, Answer>, ct: number | null, spect: number | null): DraftDocument => ({
  answers,
  outlines: { CT: ct === null ? null : outline(ct), SPECT: spect === null ? null : outline(spect) },
  looks: { ct: { zoom: ct ?? 1 } },
  focus: [1, 2, 3],
});
const mine = draft({ call: "benign", confidence: 2, comment: "mine" }, 1, null);
const server = draft({ call: "metastasis", confidence: 4, uptake: "increased" }, null, 2);
const ITEMS = ["call", "confidence", "comment", "uptake", "outline-CT", "outline-SPECT"];
const EVERY: Record<string, Side>[] = Array.from({ length: 2 ** ITEMS.length }, (_, bits) =>
  Object.fromEntries(ITEMS.map((item, k) => [item, (bits >> k) & 1 ? "mine" : "server"])),
);

describe("a conflict decided in every possible way", () => {
  it("takes each item from the side that was chosen for it, and nothing from elsewhere", () => {
    for (const choices of EVERY) {
      const side = (item: string): DraftDocument => (choices[item] === "mine" ? mine : server);
      const merged = mergeDrafts(mine, server, choices);
      for (const id of ITEMS.slice(0, 4)) expect(merged.answers[id]).toBe(side(id).answers[id] ?? null);
      expect(merged.outlines.CT).toBe(side("outline-CT").outlines.CT);
      expect(merged.outlines.SPECT).toBe(side("outline-SPECT").outlines.SPECT);
    }
  });
  it("changes neither of the two", () => {
    const before = JSON.stringify([mine, server]);
    for (const choices of EVERY) mergeDrafts(mine, server, choices);
    expect(JSON.stringify([mine, server])).toBe(before);
  });
  it("all of one side is that side, but for answers that it never had", () => {
    const all = (side: Side): Record<string, Side> => Object.fromEntries(ITEMS.map((item) => [item, side]));
    expect(mergeDrafts(mine, server, all("mine")).answers).toEqual({ ...mine.answers, uptake: null });
    expect(mergeDrafts(mine, server, all("server")).answers).toEqual({ ...server.answers, comment: null });
    expect(mergeDrafts(mine, server, all("mine")).outlines).toEqual(mine.outlines);
  });
  it("keeps the view of this desk, which nobody has to choose", () => {
    expect(mergeDrafts(mine, server, {})).toMatchObject({ looks: mine.looks, focus: mine.focus });
  });
  it("two equal drafts are that draft, whatever is chosen", () => {
    for (const choices of EVERY) expect(mergeDrafts(mine, mine, choices)).toEqual(mine);
  });
});
