import type { Answer, Option, Question } from "../api/types.ts";
import { useStore } from "../ui/store.ts";
import type { Desk } from "./desk.ts";
import { visibleQuestions } from "./questions.ts";

interface FieldProps {
  question: Question;
  value: Answer | undefined;
  disabled: boolean;
  problem: string | undefined;
  onAnswer: (value: Answer) => void;
}

const PROBLEM_TEXT: Record<string, string> = {
  required: "An answer is needed.",
  out_of_range: "The value is out of range.",
  not_an_option: "This is not one of the options.",
  too_long: "The text is too long.",
};
export const problemText = (code: string): string => PROBLEM_TEXT[code] ?? code;

const scaleOptions = (low: number, high: number): Option[] =>
  Array.from({ length: high - low + 1 }, (_, k) => ({ value: String(low + k), label: String(low + k) }));

function Choice({
  question,
  option,
  checked,
  disabled,
  kind,
  onPick,
}: {
  question: Question;
  option: Option;
  checked: boolean;
  disabled: boolean;
  kind: "radio" | "checkbox";
  onPick: () => void;
}) {
  return (
    <label class={checked ? "choice chosen" : "choice"}>
      <input
        type={kind}
        name={question.id}
        value={option.value}
        checked={checked}
        disabled={disabled}
        onChange={onPick}
      />
      <span>{option.label}</span>
    </label>
  );
}

function Scale(props: FieldProps & { question: Extract<Question, { kind: "ordinal" }> }) {
  const { question, value, disabled, onAnswer } = props;
  return (
    <>
      <div class="choices scale">
        {scaleOptions(question.low, question.high).map((option) => (
          <Choice
            key={option.value}
            question={question}
            option={option}
            kind="radio"
            checked={String(value ?? "") === option.value}
            disabled={disabled}
            onPick={() => onAnswer(Number(option.value))}
          />
        ))}
      </div>
      <p class="ends">
        <span>{question.low_label}</span>
        <span>{question.high_label}</span>
      </p>
    </>
  );
}

function Options(props: FieldProps & { question: Extract<Question, { options: Option[] }> }) {
  const { question, value, disabled, onAnswer } = props;
  const many = question.kind === "many_of";
  const lone = question.options.length === 1;
  const chosen = (option: Option): boolean =>
    Array.isArray(value) ? value.includes(option.value) : value === option.value;
  const pick = (option: Option): void => {
    if (many) {
      const rest = (Array.isArray(value) ? value : []).filter((item) => item !== option.value);
      onAnswer(chosen(option) ? rest : [...rest, option.value]);
    } else onAnswer(lone && chosen(option) ? null : option.value);
  };
  return (
    <div class={question.kind === "binary" ? "choices binary" : "choices"}>
      {question.options.map((option) => (
        <Choice
          key={option.value}
          question={question}
          option={option}
          kind={many || lone ? "checkbox" : "radio"}
          checked={chosen(option)}
          disabled={disabled}
          onPick={() => pick(option)}
        />
      ))}
    </div>
  );
}

function Typed({ question, value, disabled, onAnswer }: FieldProps) {
  if (question.kind === "integer") {
    return (
      <input
        id={`field-${question.id}`}
        type="number"
        min={question.low}
        max={question.high}
        step={1}
        disabled={disabled}
        value={typeof value === "number" ? value : ""}
        onInput={({ currentTarget }) =>
          onAnswer(currentTarget.value === "" ? null : Number(currentTarget.value))
        }
      />
    );
  }
  return (
    <textarea
      id={`field-${question.id}`}
      rows={2}
      maxLength={question.kind === "text" ? question.max_length : undefined}
      disabled={disabled}
      value={typeof value === "string" ? value : ""}
      onInput={({ currentTarget }) => onAnswer(currentTarget.value === "" ? null : currentTarget.value)}
    />
  );
}

function Field(props: FieldProps) {
  const { question, problem } = props;
  const note = problem === undefined ? null : <p class="problem">{problemText(problem)}</p>;
  if (question.kind === "integer" || question.kind === "text") {
    return (
      <div class="question" data-question={question.id}>
        <label for={`field-${question.id}`}>
          {question.text} {question.required ? <span class="needed">needed</span> : null}
        </label>
        <Typed {...props} />
        {note}
      </div>
    );
  }
  return (
    <fieldset class="question" data-question={question.id}>
      <legend>
        {question.text} {question.required ? <span class="needed">needed</span> : null}
      </legend>
      {question.kind === "ordinal" ? (
        <Scale {...props} question={question} />
      ) : (
        <Options {...props} question={question} />
      )}
      {note}
    </fieldset>
  );
}

/** The questions that apply, in their order; problems are shown once the reader tried to submit. */
export function ReadForm({ desk }: { desk: Desk }) {
  const { answers, problems, readOnly } = useStore(desk.store);
  const questions = visibleQuestions(desk.case.questionnaire.questions, answers);
  return (
    <>
      {questions.map((question) => {
        const problem = problems.answers[question.id];
        return (
          <Field
            key={question.id}
            question={question}
            value={answers[question.id]}
            disabled={readOnly !== null}
            problem={problem === "required" ? undefined : problem}
            onAnswer={(value) => desk.answer(question.id, value)}
          />
        );
      })}
    </>
  );
}
