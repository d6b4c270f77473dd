import { IDBFactory } from "fake-indexeddb";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { LocalCopy } from "./autosave.ts";
import { ANSWER_MS, draftKey, FIND_MS, type LocalDrafts, openLocalDrafts } from "./local_drafts.ts";
import { mergeDrafts } from "./merge.ts";

const copy: LocalCopy = {
  key: "k1",
  base_version: 3,
  document: { answers: { call: "benign" }, outlines: { CT: null, SPECT: null }, looks: {}, focus: [1, 2, 3] },
};
const DAY = 24 * 3600 * 1000;
let drafts: LocalDrafts;
beforeEach(() => {
  drafts = openLocalDrafts(new IDBFactory());
});

describe("local copies", () => {
  it("come back as they were kept", async () => {
    await drafts.put("a", copy, 0);
    expect(await drafts.get("a", 10)).toMatchObject(copy);
  });
  it("are apart for each user and case", async () => {
    await drafts.put(draftKey("ada", "K7"), copy, 0);
    expect(await drafts.get(draftKey("bob", "K7"), 0)).toBeNull();
    expect(await drafts.get(draftKey("ada", "K8"), 0)).toBeNull();
  });
  it("are overwritten by the next one and gone after removal", async () => {
    await drafts.put("a", copy, 0);
    await drafts.put("a", { ...copy, key: "k2" }, 0);
    expect((await drafts.get("a", 0))?.key).toBe("k2");
    await drafts.remove("a");
    expect(await drafts.get("a", 0)).toBeNull();
  });
  it("are counted while they wait", async () => {
    expect(await drafts.count()).toBe(0);
    await drafts.put(draftKey("ada", "K7"), copy, 0);
    await drafts.put(draftKey("ada", "K8"), copy, 0);
    expect(await drafts.count()).toBe(2);
    await drafts.remove(draftKey("ada", "K7"));
    expect(await drafts.count()).toBe(1);
  });
  it("are forgotten after fourteen days", async () => {
    await drafts.put("a", copy, 0);
    expect(await drafts.get("a", 14 * DAY)).not.toBeNull();
    expect(await drafts.get("a", 14 * DAY + 1)).toBeNull();
    expect(await drafts.get("a", 0)).toBeNull();
  });
});

describe("a browser's store that never answers", () => {
  const silent = { open: () => ({}) } as unknown as IDBFactory;
  beforeEach(() => {
    vi.useFakeTimers();
    drafts = openLocalDrafts(silent);
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each([
    ["put", () => drafts.put("a", copy, 0), ANSWER_MS],
    ["remove", () => drafts.remove("a"), ANSWER_MS],
    ["get", () => drafts.get("a", 0), FIND_MS],
    ["count", () => drafts.count(), FIND_MS],
  ] as const)("ends %s with an error after its time", async (_, ask, ms) => {
    const answer = ask().then(
      () => "done",
      (error: Error) => error.message,
    );
    await vi.advanceTimersByTimeAsync(ms - 1);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await answer).toBe("This browser's store does not answer.");
  });
});

describe("a conflict decided item by item", () => {
  const mine = { ...copy.document, answers: { call: "benign", comment: "mine" } };
  const server = { ...copy.document, answers: { call: "metastasis", confidence: 4 } };

  it("keeps the server's version unless something else was chosen", () => {
    expect(mergeDrafts(mine, server, {}).answers).toEqual({
      call: "metastasis",
      comment: null,
      confidence: 4,
    });
  });
  it("takes the chosen items from this desk", () => {
    expect(mergeDrafts(mine, server, { call: "mine", comment: "mine" }).answers).toEqual({
      call: "benign",
      comment: "mine",
      confidence: 4,
    });
  });
  it("chooses outlines per slot", () => {
    const drawn = {
      vertices: [],
      sop_instance_uid: "2.25.1",
      frame: 1,
      frame_of_reference_uid: null,
      kind: "points" as const,
      copy: null,
    };
    const withCt = { ...mine, outlines: { CT: drawn, SPECT: drawn } };
    const merged = mergeDrafts(withCt, server, { "outline-CT": "mine" });
    expect(merged.outlines).toEqual({ CT: drawn, SPECT: null });
  });
});
