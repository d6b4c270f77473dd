import { describe, expect, it } from "vitest";
import type { Vec3 } from "../api/types.ts";
import { directionLetters, focusOnPlane, nearestSlice, outwards } from "./link.ts";

const CT_SLICES: Vec3[] = Array.from({ length: 60 }, (_, k) => [-249, -249, -45 + 2.5 * k]);
const SPECT_FRAMES: Vec3[] = Array.from({ length: 80 }, (_, k) => [-280, -280, 199.0141 - 4.4179 * (79 - k)]);
const UP: Vec3 = [0, 0, 1];

describe("the slice nearest to the focus", () => {
  it("is CT slice 31 and SPECT frame 42 at the reference lesion", () => {
    expect(nearestSlice(CT_SLICES, UP, [18, 70, 30])).toBe(30);
    expect(nearestSlice(SPECT_FRAMES, UP, [18, 70, 30])).toBe(41);
    expect(SPECT_FRAMES[41]?.[2]).toBeCloseTo(31.1339, 6);
  });
  it("is the lower one on a tie", () => {
    expect(nearestSlice(CT_SLICES, UP, [0, 0, 31.25])).toBe(30);
  });
  it("is the last one beyond the end of the stack", () => {
    expect(nearestSlice(CT_SLICES, UP, [0, 0, 900])).toBe(59);
  });
  it("depends on the distance along the normal alone", () => {
    expect(nearestSlice(CT_SLICES, UP, [400, -300, 30])).toBe(30);
  });
  it("equals a plain search over tilted planes at many points", () => {
    const normal: Vec3 = [0, -Math.sin(0.1745), Math.cos(0.1745)];
    const tilted = CT_SLICES.map(([x, y], k) => [x, y + normal[1] * 3 * k, normal[2] * 3 * k] as Vec3);
    for (let seed = 1; seed <= 200; seed += 1) {
      const focus: Vec3 = [(seed * 37) % 91, (seed * 53) % 71, (seed * 29) % 170];
      const away = tilted.map((p) =>
        Math.abs(
          (p[0] - focus[0]) * normal[0] + (p[1] - focus[1]) * normal[1] + (p[2] - focus[2]) * normal[2],
        ),
      );
      expect(away[nearestSlice(tilted, normal, focus)]).toBeCloseTo(Math.min(...away), 9);
    }
  });
});

describe("the focus after scrolling a pane", () => {
  it("lies on the new plane and keeps its place in it", () => {
    expect(focusOnPlane([18, 70, 30], [-249, -249, 42.5], UP)).toEqual([18, 70, 42.5]);
  });
  it("moves along a tilted normal only", () => {
    const normal: Vec3 = [0, 0.6, 0.8];
    const [x, y, z] = focusOnPlane([5, 0, 0], [0, 6, 8], normal);
    expect([x, y, z].map((value) => Math.round(value * 1e9) / 1e9)).toEqual([5, 6, 8]);
  });
});

describe("the order of loading", () => {
  it("goes outwards from the lesion, alternating", () => {
    expect(outwards(6, 2)).toEqual([2, 3, 1, 4, 0, 5]);
  });
  it.each([
    [1, 0],
    [60, 0],
    [60, 59],
    [7, 3],
  ])("names each of %i images once, starting at %i", (count, first) => {
    const order = outwards(count, first);
    expect(order[0]).toBe(first);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, k) => k));
  });
});

describe("orientation letters", () => {
  it.each([
    [[1, 0, 0], "L"],
    [[-1, 0, 0], "R"],
    [[0, 1, 0], "P"],
    [[0, -1, 0], "A"],
    [[0, 0, 1], "H"],
    [[0, 0, -1], "F"],
    [[0, 0.985, 0.174], "P"],
    [[0, 0.8, -0.6], "PF"],
  ] as [Vec3, string][])("name %j by %s", (direction, letters) => {
    expect(directionLetters(direction)).toBe(letters);
  });
});
