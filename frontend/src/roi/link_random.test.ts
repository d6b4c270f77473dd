import { describe, expect, it } from "vitest";
import { caseFixture } from "../api/case_fixture.ts";
import type { SeriesDocument, Vec3 } from "../api/types.ts";
import { directionLetters, focusOnPlane, nearestSlice, outwards } from "./link.ts";
import { cross, distance, dot, scale, subtract } from "./vec.ts";
import { cutOf, cutPositions, type FusedPlane } from "./volume_cut.ts";

/** Numbers 0…1 that are the same at every run (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
const [ct, spect] = caseFixture().series as [SeriesDocument, SeriesDocument];
const [COS, SIN] = [Math.cos(Math.PI / 18), Math.sin(Math.PI / 18)];
const stack = (first: Vec3, step: Vec3, count: number): Vec3[] =>
  Array.from({ length: count }, (_, k) => [
    first[0] + k * step[0],
    first[1] + k * step[1],
    first[2] + k * step[2],
  ]);
const placesOf = (series: SeriesDocument): Vec3[] =>
  series.images.map(({ position }) => position ?? [0, 0, 0]);

/** The studies of section 15.3: CT, SPECT with either sign of spacing, and SPECT tilted 10° about x. */
const STUDIES: [string, Vec3[], Vec3][] = [
  ["CT", placesOf(ct), [0, 0, 1]],
  ["SPECT with negative spacing", placesOf(spect), [0, 0, 1]],
  ["SPECT with positive spacing", stack([-280.53665, -280.53665, -150], [0, 0, 4.4179], 80), [0, 0, 1]],
  ["SPECT tilted by 10°", stack([-280.5, -200, -150], [0, -4.4179 * SIN, 4.4179 * COS], 80), [0, -SIN, COS]],
  ["CT of 120 slices", stack([-249.5, -249.5, -120], [0, 0, 2.5], 120), [0, 0, 1]],
];
const randomFocus = (next: () => number): Vec3 => [
  500 * next() - 250,
  500 * next() - 250,
  500 * next() - 220,
];

describe.each(STUDIES)("T22: linking on %s at 1,000 random points", (_, positions, normal) => {
  it("shows the slice whose plane lies nearest, the lower one on a tie", () => {
    const next = numbers(7);
    for (let k = 0; k < 1000; k += 1) {
      const focus = randomFocus(next);
      const away = positions.map((position) => Math.abs(dot(subtract(position, focus), normal)));
      const least = Math.min(...away);
      expect(nearestSlice(positions, normal, focus)).toBe(away.findIndex((d) => d <= least + 1e-9));
    }
  });
  it("scrolling to a plane puts the focus on it and moves it along the normal alone", () => {
    const next = numbers(11);
    for (let k = 0; k < 1000; k += 1) {
      const focus = randomFocus(next);
      const plane = positions[Math.floor(next() * positions.length)] as Vec3;
      const moved = focusOnPlane(focus, plane, normal);
      expect(dot(subtract(moved, plane), normal)).toBeCloseTo(0, 9);
      expect(distance(cross(subtract(moved, focus), normal), [0, 0, 0])).toBeLessThan(1e-9);
    }
  });
  it("the slice shown after scrolling is the one scrolled to, and scrolling again changes nothing", () => {
    const next = numbers(13);
    positions.forEach((plane, index) => {
      const focus = focusOnPlane(randomFocus(next), plane, normal);
      expect(nearestSlice(positions, normal, focus)).toBe(index);
      expect(distance(focusOnPlane(focus, plane, normal), focus)).toBeLessThan(1e-9);
    });
  });
});

describe("the fused cuts at random points", () => {
  it.each(["axial", "sagittal", "coronal"] as FusedPlane[])(
    "%s: inside the volume the chosen cut is at most half a step away",
    (plane) => {
      const cut = cutOf(ct, plane);
      if (cut === null) throw new Error("no cut");
      const positions = cutPositions(ct, cut);
      const next = numbers(17);
      for (let k = 0; k < 300; k += 1) {
        const focus: Vec3 = [490 * next() - 245, 490 * next() - 245, 145 * next() - 44];
        const chosen = positions[nearestSlice(positions, cut.normal, focus)] as Vec3;
        expect(Math.abs(dot(subtract(chosen, focus), cut.normal))).toBeLessThanOrEqual(
          cut.step_mm / 2 + 1e-9,
        );
      }
    },
  );
  it("the three normals are those of a right-handed patient: left, back, head", () => {
    const normals = (["sagittal", "coronal", "axial"] as const).map(
      (plane) => cutOf(ct, plane)?.normal as Vec3,
    );
    expect(cross(normals[0] as Vec3, normals[1] as Vec3)).toEqual(normals[2]);
  });
});

describe("letters of a direction", () => {
  const OPPOSITE: Record<string, string> = { L: "R", R: "L", P: "A", A: "P", H: "F", F: "H" };
  it("turn into their opposites when the direction is turned round", () => {
    const next = numbers(19);
    for (let k = 0; k < 500; k += 1) {
      const raw: Vec3 = [next() - 0.5, next() - 0.5, next() - 0.5];
      const unit = scale(raw, 1 / Math.max(1e-9, distance(raw, [0, 0, 0])));
      const letters = directionLetters(unit);
      expect(directionLetters(scale(unit, -1))).toBe([...letters].map((letter) => OPPOSITE[letter]).join(""));
    }
  });
  it("are one or two, and the first is the axis that the direction follows most", () => {
    const next = numbers(23);
    const names = ["LR", "PA", "HF"];
    for (let k = 0; k < 500; k += 1) {
      const raw: Vec3 = [next() - 0.5, next() - 0.5, next() - 0.5];
      const unit = scale(raw, 1 / Math.max(1e-9, distance(raw, [0, 0, 0])));
      const letters = directionLetters(unit);
      const sizes = unit.map(Math.abs);
      expect([1, 2]).toContain(letters.length);
      expect(names[sizes.indexOf(Math.max(...sizes))]).toContain(letters[0]);
    }
  });
  it("name a gantry tilt of 10° as if there were none, one of 30° by both", () => {
    expect(directionLetters([0, COS, SIN])).toBe("P");
    expect(directionLetters([0, Math.cos(Math.PI / 6), Math.sin(Math.PI / 6)])).toBe("PH");
  });
});

describe("the order of loading at any place of any stack", () => {
  it("never goes farther out before everything nearer is named", () => {
    for (let count = 1; count <= 12; count += 1) {
      for (let first = 0; first < count; first += 1) {
        const away = outwards(count, first).map((index) => Math.abs(index - first));
        expect(away).toEqual([...away].sort((a, b) => a - b));
        expect(new Set(outwards(count, first)).size).toBe(count);
      }
    }
  });
});
