import { describe, expect, it } from "vitest";
import type { Vec3 } from "../api/types.ts";
import { add, along, cross, distance, dot, scale, subtract } from "./vec.ts";

const A: Vec3 = [1, 2, 3];
const B: Vec3 = [4, -5, 6];

describe("vectors of patient millimetres", () => {
  it("agree with sums worked by hand", () => {
    expect(add(A, B)).toEqual([5, -3, 9]);
    expect(subtract(A, B)).toEqual([-3, 7, -3]);
    expect(scale(A, -2)).toEqual([-2, -4, -6]);
    expect(dot(A, B)).toBe(4 - 10 + 18);
    expect(cross(A, B)).toEqual([27, 6, -13]);
    expect(distance([0, 3, 0], [4, 0, 0])).toBe(5);
    expect(along(A, [0, 0, 1], 2.5)).toEqual([1, 2, 5.5]);
  });
  it("a cross product is perpendicular to both, and changes sign with the order", () => {
    expect(dot(cross(A, B), A)).toBe(0);
    expect(dot(cross(A, B), B)).toBe(0);
    expect(cross(B, A)).toEqual(scale(cross(A, B), -1));
  });
  it("row x column of an axial slice points to the head", () => {
    expect(cross([1, 0, 0], [0, 1, 0])).toEqual([0, 0, 1]);
  });
});
