import { describe, expect, it } from "vitest";
import type { Question } from "../api/types.ts";
import { answerText, holds, isEmpty, visibleQuestions, withAnswer } from "./questions.ts";

const call: Question = {
  id: "call",
  kind: "binary",
  text: "Call",
  options: [
    { value: "metastasis", label: "Metastasis" },
    { value: "benign", label: "Benign" },
  ],
  required: true,
  visible_if: null,
};
const reason: Question = {
  id: "why",
  kind: "text",
  text: "Why?",
  max_length: 100,
  required: true,
  visible_if: { question: "cannot_judge", equals: "yes" },
};

describe("a predicate", () => {
  it.each([
    [null, {}, true],
    [{ question: "a", equals: "x" }, {}, false],
    [{ question: "a", equals: "x" }, { a: null }, false],
    [{ question: "a", equals: "x" }, { a: "x" }, true],
    [{ question: "a", equals: 3 }, { a: 3 }, true],
    [{ question: "a", equals: 3 }, { a: "3" }, false],
    [{ question: "a", in: [1, 2] }, { a: 2 }, true],
    [{ question: "a", in: [1, 2] }, { a: 5 }, false],
    [{ question: "a", equals: "x" }, { a: ["x", "y"] }, true],
    [{ question: "a", in: ["q"] }, { a: ["x", "y"] }, false],
  ])("%j on %j is %s", (predicate, answers, expected) => {
    expect(holds(predicate, answers)).toBe(expected);
  });
  it("hides and shows a conditional question", () => {
    expect(visibleQuestions([call, reason], {}).map(({ id }) => id)).toEqual(["call"]);
    expect(visibleQuestions([call, reason], { cannot_judge: "yes" })).toHaveLength(2);
  });
});

describe("answering", () => {
  it("clears the confidence when the call changes, and says so", () => {
    expect(withAnswer({ call: "benign", confidence: 4 }, "call", "metastasis")).toEqual({
      answers: { call: "metastasis", confidence: null },
      cleared: true,
    });
  });
  it("clears a probability, too", () => {
    expect(
      withAnswer({ call: "benign", probability: 20 }, "call", "metastasis").answers.probability,
    ).toBeNull();
  });
  it("keeps the confidence when the same call is given again", () => {
    expect(withAnswer({ call: "benign", confidence: 4 }, "call", "benign").answers.confidence).toBe(4);
  });
  it("says nothing when there was no confidence to clear", () => {
    expect(withAnswer({}, "call", "benign").cleared).toBe(false);
  });
  it("does not change the answers it was given", () => {
    const before = { call: "benign" };
    withAnswer(before, "call", "metastasis");
    expect(before).toEqual({ call: "benign" });
  });
  it.each([undefined, null, "", []])("counts %j as no answer", (answer) => {
    expect(isEmpty(answer)).toBe(true);
  });
  it("counts zero as an answer", () => {
    expect(isEmpty(0)).toBe(false);
  });
  it("is told in the words of the options", () => {
    expect(answerText(call, "metastasis")).toBe("Metastasis");
    expect(answerText(call, null)).toBe("–");
    expect(answerText(reason, "movement")).toBe("movement");
  });
});
