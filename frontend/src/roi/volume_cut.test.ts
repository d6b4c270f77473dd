import { describe, expect, it } from "vitest";
import { caseFixture } from "../api/case_fixture.ts";
import type { SeriesDocument, Vec3 } from "../api/types.ts";
import { nearestSlice } from "./link.ts";
import { axesOf, cutOf, cutPositions, type FusedPlane } from "./volume_cut.ts";

const ct = caseFixture().series[0] as SeriesDocument;
const LESION: Vec3 = [18, 70, 30];
const positions = (plane: FusedPlane): Vec3[] => {
  const cut = cutOf(ct, plane);
  return cut === null ? [] : cutPositions(ct, cut);
};

describe("the cuts of the CT volume", () => {
  it.each([
    ["axial", 60, 2],
    ["sagittal", 256, 0],
    ["coronal", 256, 1],
  ] as [FusedPlane, number, 0 | 1 | 2][])("%s are %i, ascending along one axis", (plane, count, axis) => {
    const found = positions(plane);
    expect(found).toHaveLength(count);
    for (let k = 1; k < count; k += 1) {
      expect((found[k] as Vec3)[axis]).toBeGreaterThan((found[k - 1] as Vec3)[axis]);
    }
  });
  it("pass through the grid of the volume", () => {
    expect(positions("axial")[30]?.[2]).toBeCloseTo(30, 9);
    expect(positions("sagittal")[0]?.[0]).toBeCloseTo(-249.0234375, 9);
    expect(positions("coronal")[255]?.[1]).toBeCloseTo(249.0234375, 9);
  });
  it("lie in the middle of the volume otherwise", () => {
    expect(positions("axial")[0]?.slice(0, 2)).toEqual([0, 0]);
    expect(positions("sagittal")[7]?.[2]).toBeCloseTo(28.75, 9);
  });
  it("nearest to the lesion are less than half a step away from it", () => {
    for (const plane of ["axial", "sagittal", "coronal"] as const) {
      const cut = cutOf(ct, plane);
      if (cut === null) throw new Error("no cut");
      const found = cutPositions(ct, cut);
      const chosen = found[nearestSlice(found, cut.normal, LESION)] as Vec3;
      const away = chosen.reduce(
        (sum, x, k) => sum + (x - (LESION[k] as number)) * (cut.normal[k] as number),
        0,
      );
      expect(Math.abs(away)).toBeLessThanOrEqual(cut.step_mm / 2);
    }
  });
  it("are shown with the head up and the usual sides", () => {
    expect(cutOf(ct, "sagittal")).toMatchObject({ right: [0, 1, 0], down: [-0, -0, -1] });
    expect(cutOf(ct, "coronal")).toMatchObject({ right: [1, 0, 0], down: [-0, -0, -1] });
  });
  it("do not exist without an orientation", () => {
    expect(cutOf({ ...ct, orientation: null }, "axial")).toBeNull();
    expect(axesOf({ ...ct, orientation: null })).toBeNull();
  });
  it("follow a tilted volume", () => {
    const tilted: SeriesDocument = { ...ct, orientation: [1, 0, 0, 0, 0.8, 0.6] };
    const cut = cutOf(tilted, "axial");
    if (cut === null) throw new Error("no cut");
    const [first, second] = cutPositions(tilted, cut) as [Vec3, Vec3];
    expect(second[1] - first[1]).toBeCloseTo(-0.6 * 2.5, 9);
    expect(second[2] - first[2]).toBeCloseTo(0.8 * 2.5, 9);
  });
});
