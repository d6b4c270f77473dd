import { describe, expect, it } from "vitest";
import type { Vec3 } from "../api/types.ts";
import { affineOf, affineText, applyAffine, canvasScale, pixelsPerMm, scaleAffine } from "./affine.ts";

/** A 400 px pane that fits 512 mm: the corner of the pane is world (−250, −250). */
const fitted = ([x, y]: Vec3): [number, number] => [(x + 250) * 0.8, (y + 250) * 0.8];

describe("the affine map of a pane", () => {
  const affine = affineOf(fitted);

  it("puts the first CT pixel's centre at (0.78125, 0.78125)", () => {
    const [x, y] = applyAffine(affine, [-249.0234375, -249.0234375, 30]);
    expect(x).toBeCloseTo(0.78125, 9);
    expect(y).toBeCloseTo(0.78125, 9);
  });
  it("equals the viewport's own map everywhere", () => {
    for (const point of [
      [18, 70, 30],
      [-120.5, 33.25, -45],
      [249, -249, 102.5],
    ] as Vec3[]) {
      const [x, y] = applyAffine(affine, point);
      expect(x).toBeCloseTo(fitted(point)[0], 9);
      expect(y).toBeCloseTo(fitted(point)[1], 9);
    }
  });
  it("knows how many pixels a millimetre covers", () => {
    expect(pixelsPerMm(affine)).toBeCloseTo(0.8, 9);
    expect(pixelsPerMm(affineOf(([, y, z]) => [3 * y, -3 * z]))).toBeCloseTo(3, 9);
  });
  it("is published as two rows of four numbers", () => {
    const rows = JSON.parse(affineText(affine)) as number[][];
    expect(rows.map((row) => row.length)).toEqual([4, 4]);
    expect(rows[0]?.[3]).toBeCloseTo(200, 9);
  });
});

describe("a viewport whose canvas coordinates are divided by the device pixel ratio", () => {
  const halved = affineOf((point) => fitted(point).map((value) => value / 2));

  it("is found out by the point in the middle", () => {
    expect(canvasScale(halved, [0, 0, 30], [400, 400])).toBeCloseTo(2, 9);
    expect(canvasScale(affineOf(fitted), [0, 0, 30], [400, 400])).toBe(1);
  });
  it("is put right", () => {
    const [x, y] = applyAffine(scaleAffine(halved, 2), [18, 70, 30]);
    expect(x).toBeCloseTo(fitted([18, 70, 30])[0], 9);
    expect(y).toBeCloseTo(fitted([18, 70, 30])[1], 9);
  });
});
