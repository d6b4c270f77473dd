import type { Answer, Answers, Predicate, Question } from "../api/types.ts";

const matches = (answer: Answer | undefined, wanted: string | number): boolean =>
  Array.isArray(answer) ? answer.includes(String(wanted)) : answer === wanted;

/** Whether a condition holds; an unanswered question meets none. */
export function holds(predicate: Predicate | null, answers: Answers): boolean {
  if (predicate === null) return true;
  const answer = answers[predicate.question];
  if (predicate.equals !== undefined && !matches(answer, predicate.equals)) return false;
  return predicate.in === undefined || predicate.in.some((wanted) => matches(answer, wanted));
}

export const visibleQuestions = (questions: readonly Question[], answers: Answers): Question[] =>
  questions.filter((question) => holds(question.visible_if, answers));

export const isEmpty = (answer: Answer | undefined): boolean =>
  answer === undefined || answer === null || answer === "" || (Array.isArray(answer) && answer.length === 0);

/** How sure the reader is, on whichever scale the study asks for. */
const CERTAINTIES = ["confidence", "probability"];

/** The answers after one was given. A changed call makes the old certainty meaningless, so it goes. */
export function withAnswer(
  answers: Answers,
  id: string,
  value: Answer,
): { answers: Answers; cleared: boolean } {
  const next = { ...answers, [id]: value };
  if (id !== "call" || answers.call === value) return { answers: next, cleared: false };
  const stale = CERTAINTIES.filter((name) => !isEmpty(answers[name]));
  for (const name of stale) next[name] = null;
  return { answers: next, cleared: stale.length > 0 };
}

const optionLabel = (question: Question, value: string): string =>
  "options" in question ? (question.options.find((option) => option.value === value)?.label ?? value) : value;

/** An answer as the summary says it. */
export function answerText(question: Question, answer: Answer | undefined): string {
  if (isEmpty(answer) || answer === undefined || answer === null) return "–";
  if (Array.isArray(answer)) return answer.map((value) => optionLabel(question, value)).join(", ");
  return typeof answer === "string" ? optionLabel(question, answer) : String(answer);
}
