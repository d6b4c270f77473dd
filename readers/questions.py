"""The questions of a case: the default questionnaire, conditions, checks, and the score for ROC."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Question = Mapping[str, Any]
Answers = Mapping[str, Any]
CALLS = ("metastasis", "benign")
NEUTRAL = 50


@dataclass(frozen=True)
class Verdict:
    """What a set of answers says: the call, the confidence in it, and the score that orders both."""

    call: str
    confidence: int | None
    score: int | None
    cannot_judge: bool


def option(value: str, label: str) -> dict[str, str]:
    return {"value": value, "label": label}


def question(id: str, kind: str, text: str, **rest: Any) -> dict[str, Any]:
    return {"id": id, "kind": kind, "text": text, "required": False, "visible_if": None, **rest}


def certainty(scale: str) -> dict[str, Any]:
    """The question that grades the call, on the scale that the study chose."""
    if scale == "probability":
        text = "Probability of metastasis, 0 to 100"
        return question("probability", "integer", text, low=0, high=100, required=True)
    return question(
        "confidence",
        "ordinal",
        "Confidence in this call",
        low=1,
        high=5,
        low_label="guess",
        high_label="certain",
        required=True,
    )


def default_questions(scale: str) -> list[dict[str, Any]]:
    """Call and certainty (required), CT change, uptake, comment, and the way out."""
    calls = [option("metastasis", "Metastasis"), option("benign", "Benign")]
    changes = ("osteolytic", "osteoblastic", "mixed", "none")
    uptake = [option("increased", "Increased"), option("not_increased", "Not increased")]
    out = {"question": "cannot_judge", "equals": "yes"}
    return [
        question("call", "binary", "This lesion is", options=calls, required=True),
        certainty(scale),
        question(
            "ct_change", "one_of", "CT change", options=[option(c, c.capitalize()) for c in changes]
        ),
        question("uptake", "one_of", "Uptake at the site", options=uptake),
        question("comment", "text", "Comment", max_length=2000),
        question("cannot_judge", "one_of", "Cannot be judged", options=[option("yes", "Yes")]),
        question(
            "cannot_judge_reason",
            "text",
            "Why it cannot be judged",
            max_length=500,
            required=True,
            visible_if=out,
        ),
    ]


def outline_questions() -> list[dict[str, Any]]:
    """A delineator answers nothing but whether the lesion can be outlined at all."""
    keep = {"comment", "cannot_judge", "cannot_judge_reason"}
    return [q for q in default_questions("confidence") if q["id"] in keep]


def is_empty(answer: Any) -> bool:
    return answer is None or answer == "" or answer == []


def meets(answer: Any, wanted: Any) -> bool:
    if isinstance(answer, list):
        return str(wanted) in answer
    return type(answer) is type(wanted) and bool(answer == wanted)


def holds(predicate: Mapping[str, Any] | None, answers: Answers) -> bool:
    """Whether a condition holds; an unanswered question meets none."""
    if predicate is None:
        return True
    answer = answers.get(predicate["question"])
    if "equals" in predicate and not meets(answer, predicate["equals"]):
        return False
    return "in" not in predicate or any(meets(answer, wanted) for wanted in predicate["in"])


def is_out(answers: Answers) -> bool:
    return bool(answers.get("cannot_judge") == "yes")


def problems(questions: Sequence[Question], answers: Answers) -> dict[str, str]:
    """Question id -> problem code of every visible question; empty when the read may be submitted."""
    found: dict[str, str] = {}
    for asked in questions:
        if not holds(asked["visible_if"], answers):
            continue
        code = problem(asked, answers)
        if code:
            found[asked["id"]] = code
    return found


def problem(asked: Question, answers: Answers) -> str:
    answer = answers.get(asked["id"])
    if is_empty(answer):
        excused = is_out(answers) and asked["id"] != "cannot_judge_reason"
        return "required" if asked["required"] and not excused else ""
    kind = asked["kind"]
    if kind == "text":
        return text_problem(answer, asked["max_length"])
    if kind in {"ordinal", "integer"}:
        return number_problem(asked, answer, answers)
    return option_problem(asked, answer)


def text_problem(answer: Any, max_length: int) -> str:
    if not isinstance(answer, str):
        return "not_an_option"
    return "too_long" if len(answer) > max_length else ""


def number_problem(asked: Question, answer: Any, answers: Answers) -> str:
    if type(answer) is not int or not asked["low"] <= answer <= asked["high"]:
        return "out_of_range"
    if asked["id"] == "probability" and contradicts(answers.get("call"), answer):
        return "out_of_range"
    return ""


def contradicts(call: Any, probability: int) -> bool:
    """A call on the other side of 50 than its probability."""
    if call == "metastasis":
        return probability < NEUTRAL
    return call == "benign" and probability > NEUTRAL


def option_problem(asked: Question, answer: Any) -> str:
    known = {o["value"] for o in asked["options"]}
    if asked["kind"] == "many_of":
        fits = isinstance(answer, list) and all(isinstance(a, str) and a in known for a in answer)
    else:
        fits = isinstance(answer, str) and answer in known
    return "" if fits else "not_an_option"


def verdict(answers: Answers) -> Verdict:
    """Call, confidence and the one ordinal score; for answers without problems."""
    call = answers.get("call") or ""
    confidence = answers.get("confidence")
    if is_out(answers) or not call:
        return Verdict("", None, None, is_out(answers))
    if confidence is not None:
        score = 5 + confidence if call == "metastasis" else 6 - confidence
        return Verdict(call, confidence, score, False)
    return Verdict(call, None, answers.get("probability"), False)
