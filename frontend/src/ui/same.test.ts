import { describe, expect, it } from "vitest";
import { isSame } from "./same.ts";

describe("two JSON values", () => {
  it.each([
    [
      { a: 1, b: { c: [1, 2], d: null } },
      { b: { d: null, c: [1, 2] }, a: 1 },
    ],
    [null, null],
    [[{ x: 1, y: 2 }], [{ y: 2, x: 1 }]],
  ])("are the same whatever the order of their keys: %j", (a, b) => {
    expect(isSame(a, b)).toBe(true);
  });
  it.each([
    [{ a: [1, 2] }, { a: [2, 1] }],
    [{ a: 1 }, { a: 1, b: null }],
    [null, {}],
    [{ a: 1 }, { a: "1" }],
  ])("differ in what they say: %j and %j", (a, b) => {
    expect(isSame(a, b)).toBe(false);
  });
});
