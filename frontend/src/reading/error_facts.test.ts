import { describe, expect, it } from "vitest";
import { errorFacts } from "./error_facts.ts";

describe("what is reported of an error", () => {
  it("is its kind, script and line, without its text and without the address of the case", () => {
    const event = {
      error: new TypeError("cannot read patient REF-1"),
      filename: "https://portal/static/build/assets/main-abc.js?case=K7Q2",
      lineno: 12,
    };
    expect(errorFacts(event)).toEqual({ kind: "TypeError", script: "main-abc.js", line: 12 });
  });
  it("of a rejected promise is the kind alone", () => {
    expect(errorFacts({ reason: new RangeError("x") })).toEqual({ kind: "RangeError" });
    expect(errorFacts({ reason: "text of a case" })).toEqual({ kind: "string" });
    expect(errorFacts({ reason: undefined })).toEqual({ kind: "undefined" });
  });
  it("is never longer than the server takes", () => {
    const event = {
      error: Object.assign(new Error("e"), { name: "N".repeat(500) }),
      filename: "s".repeat(500),
      lineno: 1,
    };
    for (const value of Object.values(errorFacts(event)))
      expect(String(value).length).toBeLessThanOrEqual(100);
  });
});
