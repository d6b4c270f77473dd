import { describe, expect, it } from "vitest";
import type { Outline, Vec3 } from "../api/types.ts";
import {
  copyOutline,
  copyRefusal,
  copyTarget,
  freehandOutline,
  insertVertex,
  moveToSlice,
  moveVertex,
  pointsOutline,
  removeVertex,
  shiftOutline,
  toSend,
  vertexAt,
} from "./editing.ts";
import type { BoundImage } from "./geometry.ts";

const image = (z: number, change: Partial<BoundImage> = {}): BoundImage => ({
  rows: 128,
  columns: 128,
  spacing_mm: [4.4179, 4.4179],
  position: [-280.53665, -280.53665, z],
  row_cosines: [1, 0, 0],
  column_cosines: [0, 1, 0],
  sop_instance_uid: `2.25.${Math.round(z)}`,
  frame: 1,
  frame_of_reference_uid: "2.25.9",
  ...change,
});
const SPECT = image(31.1339);
const CT = Array.from({ length: 60 }, (_, k) => image(-45 + 2.5 * k));
const LESION: Vec3 = [18, 70, 30];
const SQUARE: Vec3[] = [
  [10, 60, 31.1339],
  [26, 60, 31.1339],
  [26, 80, 31.1339],
  [10, 80, 31.1339],
];
const square = pointsOutline(SPECT, SQUARE);
const source = { slot: "SPECT", revision: 3, image: SPECT } as const;

describe("copying an outline from SPECT to CT", () => {
  const index = copyTarget(SPECT, CT, LESION);
  const copied = copyOutline(square, source, CT[index] as BoundImage);

  it("goes to the nearest slice, z = 30", () => {
    expect(index).toBe(30);
  });
  it("keeps the in-plane coordinates and lands on the target plane", () => {
    copied.vertices.forEach((vertex, k) => {
      expect(vertex[0]).toBeCloseTo(SQUARE[k]?.[0] as number, 9);
      expect(vertex[1]).toBeCloseTo(SQUARE[k]?.[1] as number, 9);
      expect(vertex[2]).toBeCloseTo(30, 9);
    });
  });
  it("records source, revision and the signed distance of the planes", () => {
    expect(toSend(copied)?.copy).toEqual({
      source: "SPECT",
      source_revision: 3,
      plane_distance_mm: -1.1339,
      shift_mm: [0, 0],
      slices_moved: 0,
      edited_after_copy: false,
    });
  });
  it("accumulates the shift along row and column", () => {
    const target = CT[index] as BoundImage;
    const shifted = shiftOutline(shiftOutline(copied, target, 0.5, 0), target, 0.5, -0.1);
    expect(toSend(shifted)?.copy?.shift_mm).toEqual([1, -0.1]);
    expect(shifted.vertices[0]?.[0]).toBeCloseTo(11, 9);
    expect(shifted.vertices[0]?.[1]).toBeCloseTo(59.9, 9);
    expect(shifted.copy?.edited_after_copy).toBe(false);
  });
  it("counts slices moved and the distance gained", () => {
    const moved = moveToSlice(copied, CT[index] as BoundImage, CT[index + 1] as BoundImage, 1);
    expect(moved.copy?.slices_moved).toBe(1);
    expect(moved.copy?.plane_distance_mm).toBeCloseTo(1.3661, 9);
    expect(moved.vertices[0]?.[2]).toBeCloseTo(32.5, 9);
    expect(moved.sop_instance_uid).toBe(CT[index + 1]?.sop_instance_uid);
  });
  it("is marked as edited when a vertex moves", () => {
    expect(moveVertex(copied, 0, [9, 60, 30]).copy?.edited_after_copy).toBe(true);
  });
});

describe("the target slice on a tie", () => {
  const between = image(31.25);
  it("is the one nearer to the lesion", () => {
    expect(copyTarget(between, CT, [0, 0, 40])).toBe(31);
    expect(copyTarget(between, CT, [0, 0, 20])).toBe(30);
  });
  it("is the lower one if both are equally near", () => {
    expect(copyTarget(between, CT, [0, 0, 31.25])).toBe(30);
  });
});

describe("V8: copying is refused", () => {
  it.each([
    ["without a common frame of reference", [image(0, { frame_of_reference_uid: "2.25.8" })]],
    ["between planes that are not parallel", [image(0, { column_cosines: [0, 0.985, 0.174] })]],
    ["without images on the other side", []],
  ] as [string, BoundImage[]][])("%s", (_, targets) => {
    expect(copyRefusal(SPECT, targets)).not.toBeNull();
  });
  it("not between parallel slices in one space, whichever way they are turned", () => {
    expect(copyRefusal(SPECT, CT)).toBeNull();
    expect(copyRefusal(SPECT, [image(0, { row_cosines: [-1, 0, 0] })])).toBeNull();
  });
});

describe("editing vertices", () => {
  it("inserts half-way to the next vertex, also across the closing edge", () => {
    expect(insertVertex(square, 0).vertices[1]).toEqual([18, 60, 31.1339]);
    expect(insertVertex(square, 3).vertices[4]?.[1]).toBe(70);
  });
  it("removes a vertex but never leaves fewer than three", () => {
    const three = removeVertex(square, 1);
    expect(three.vertices).toHaveLength(3);
    expect(removeVertex(three, 0)).toBe(three);
  });
  it("finds the vertex under the pointer within reach", () => {
    expect(vertexAt(square, [25.5, 79.8, 31.1339], 1)).toBe(2);
    expect(vertexAt(square, [18, 70, 31.1339], 1)).toBeNull();
  });
  it("drops the repeated first point of a freehand stroke", () => {
    expect(freehandOutline(SPECT, [...SQUARE, SQUARE[0] as Vec3]).vertices).toHaveLength(4);
  });
  it("is sent with four decimals and nothing computed", () => {
    const sent = toSend({ ...square, vertices: [[31.133899688720703, 1 / 3, -0.00001]] }) as Outline;
    expect(sent.vertices).toEqual([[31.1339, 0.3333, -0]]);
    expect(Object.keys(sent).sort()).toEqual(
      ["copy", "frame", "frame_of_reference_uid", "kind", "sop_instance_uid", "vertices"].sort(),
    );
    expect(toSend(null)).toBeNull();
  });
});
