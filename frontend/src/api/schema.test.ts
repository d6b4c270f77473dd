import { describe, expect, it } from "vitest";
import {
  anything,
  type Check,
  either,
  flag,
  list,
  mapOf,
  number,
  object,
  oneOf,
  orNull,
  text,
  whole,
} from "./schema.ts";

const fault = (check: Check, value: unknown): string | null => check(value, "x");

describe("a single value", () => {
  it.each([
    [text, "", 0, "x: text expected"],
    [text, "a", null, "x: text expected"],
    [flag, false, 0, "x: true or false expected"],
    [flag, true, "true", "x: true or false expected"],
    [number, -1.5, Number.NaN, "x: a finite number expected"],
    [number, 0, Number.POSITIVE_INFINITY, "x: a finite number expected"],
    [number, 1e300, "1", "x: a finite number expected"],
    [whole, 3, 3.5, "x: a whole number expected"],
    [whole, 0, Number.NaN, "x: a whole number expected"],
    [whole, -7, "7", "x: a whole number expected"],
    [oneOf("a", 2), 2, "2", "x: one of a, 2 expected"],
    [oneOf("a", 2), "a", "A", "x: one of a, 2 expected"],
  ] as [Check, unknown, unknown, string][])(
    "%# is taken or refused with what was expected",
    (check, good, bad, said) => {
      expect(fault(check, good)).toBeNull();
      expect(fault(check, bad)).toBe(said);
    },
  );
  it.each([undefined, null, 0, "", [], {}, Number.NaN])("of any kind may be %j", (value) => {
    expect(fault(anything, value)).toBeNull();
  });
  it("may be missing only where that is said: null, never undefined", () => {
    expect(fault(orNull(text), null)).toBeNull();
    expect(fault(orNull(text), undefined)).toBe("x: text expected");
    expect(fault(orNull(text), 1)).toBe("x: text expected");
  });
});

describe("one of several kinds", () => {
  const check = either(text, list(number));
  it.each(["a", [], [1, 2]])("takes %j", (value) => {
    expect(fault(check, value)).toBeNull();
  });
  it("names the fault of the first kind where none fits", () => {
    expect(fault(check, [1, "2"])).toBe("x: text expected");
    expect(fault(check, 5)).toBe("x: text expected");
  });
});

describe("a list", () => {
  it.each([null, undefined, {}, "abc", { length: 2, 0: 1, 1: 2 }])("is not %j", (value) => {
    expect(fault(list(number), value)).toBe("x: a list expected");
  });
  it("names the first item that does not fit, by its place", () => {
    expect(fault(list(number), [1, 2, "3", "4"])).toBe("x[2]: a finite number expected");
    expect(fault(list(list(whole)), [[1], [2, 2.5]])).toBe("x[1][1]: a whole number expected");
  });
  it("of a fixed length has that length", () => {
    expect(fault(list(number, 3), [1, 2, 3])).toBeNull();
    for (const wrong of [[], [1, 2], [1, 2, 3, 4]])
      expect(fault(list(number, 3), wrong)).toBe("x: 3 items expected");
  });
  it("counts its length before it looks at an item", () => {
    expect(fault(list(number, 3), ["a"])).toBe("x: 3 items expected");
  });
});

describe("a map of any keys", () => {
  it("holds one kind of values", () => {
    expect(fault(mapOf(number), {})).toBeNull();
    expect(fault(mapOf(number), { a: 1, b: 2 })).toBeNull();
    expect(fault(mapOf(number), { a: 1, b: null })).toBe("x.b: a finite number expected");
  });
  it.each([null, [], "a", 3])("is not %j", (value) => {
    expect(fault(mapOf(anything), value)).toBe("x: an object expected");
  });
});

describe("an object", () => {
  const check = object({ name: text, size: whole }, { note: text });
  it("has its fields, and optional ones where they are given", () => {
    expect(fault(check, { name: "a", size: 1 })).toBeNull();
    expect(fault(check, { name: "a", size: 1, note: "n" })).toBeNull();
  });
  it.each([
    [{ name: "a" }, "x.size: missing"],
    [{ size: 1 }, "x.name: missing"],
    [{}, "x.name: missing"],
    [{ name: "a", size: 1, truth: "benign" }, "x.truth: unknown field"],
    [{ truth: 1 }, "x.truth: unknown field"],
    [{ name: "a", size: 1.5 }, "x.size: a whole number expected"],
    [{ name: "a", size: 1, note: null }, "x.note: text expected"],
    [{ name: "a", size: undefined }, "x.size: a whole number expected"],
    [[], "x: an object expected"],
    [null, "x: an object expected"],
  ])("%j: %s", (value, said) => {
    expect(fault(check, value)).toBe(said);
  });
  it("does not take an inherited field for its own", () => {
    expect(fault(object({ toString: anything }), {})).toBe("x.toString: missing");
    expect(fault(check, Object.create({ name: "a", size: 1 }))).toBe("x.name: missing");
  });
  it("tells the whole way to a fault", () => {
    const deep = object({ series: list(object({ images: list(object({ frame: whole })) })) });
    const value = { series: [{ images: [{ frame: 1 }, { frame: "2" }] }] };
    expect(fault(deep, value)).toBe("x.series[0].images[1].frame: a whole number expected");
  });
});
