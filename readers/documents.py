"""The draft document as the browser sends it: checked at the door, then trusted."""

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from portal.errors import Invalid

SLOTS = ("CT", "SPECT")
MAX_BYTES = 512 * 1024
MAX_MM = 100_000.0
KEYS = {"answers", "outlines", "looks", "focus"}
OUTLINE_KEYS = {
    "vertices",
    "sop_instance_uid",
    "frame",
    "frame_of_reference_uid",
    "kind",
    "copy",
}
COPY_KEYS = {
    "source",
    "source_revision",
    "plane_distance_mm",
    "shift_mm",
    "slices_moved",
    "edited_after_copy",
}
EMPTY: dict[str, Any] = {
    "answers": {},
    "outlines": {"CT": None, "SPECT": None},
    "looks": {},
    "focus": None,
}


def refuse(field: str, sentence: str) -> NoReturn:
    raise Invalid(sentence, field=field)


def refuse_constant(text: str) -> NoReturn:
    refuse("document", f"{text} is not a number; reload the case and try again.")


def parse(body: bytes) -> Any:
    """JSON of a request body; too large, broken, NaN and infinite numbers are refused."""
    if len(body) > MAX_BYTES:
        refuse("document", "The draft is larger than 512 kB; shorten the comment or the outline.")
    try:
        return json.loads(body, parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        refuse("document", "The request is not valid JSON; reload the case and try again.")


def checked(document: Any, *, questions: list[dict[str, Any]], task: str) -> dict[str, Any]:
    """The document if its form is right; what it says may still have problems."""
    if not isinstance(document, dict) or set(document) != KEYS:
        refuse("document", "A draft holds answers, outlines, looks and focus, nothing else.")
    check_answers(document["answers"], {q["id"] for q in questions})
    check_outlines(document["outlines"], task=task)
    if not isinstance(document["looks"], dict):
        refuse("looks", "Looks must be an object.")
    check_finite(document["looks"], "looks")
    if document["focus"] is not None:
        check_point(document["focus"], "focus")
    if len(json.dumps(document)) > MAX_BYTES:
        refuse("document", "The draft is larger than 512 kB; shorten the comment or the outline.")
    return document


def check_answers(answers: Any, known: set[str]) -> None:
    if not isinstance(answers, dict):
        refuse("answers", "Answers must be an object.")
    for name, answer in answers.items():
        if name not in known:
            refuse("answers", "An answer belongs to no question of this case; reload the case.")
        if not is_answer(answer):
            refuse(f"answers.{name}", "This answer is neither text, a number nor a list of texts.")


def is_answer(answer: Any) -> bool:
    if isinstance(answer, float):
        return math.isfinite(answer) and abs(answer) < MAX_MM
    if isinstance(answer, list):
        return all(isinstance(a, str) for a in answer)
    return answer is None or (isinstance(answer, str | int) and not isinstance(answer, bool))


def check_outlines(outlines: Any, *, task: str) -> None:
    if not isinstance(outlines, dict) or set(outlines) != set(SLOTS):
        refuse("outlines", "Outlines has the two slots CT and SPECT.")
    for slot, outline in outlines.items():
        if outline is None:
            continue
        if task != "outline":
            refuse("outlines", "Outlines are drawn in outlining sessions only.")
        check_outline(outline, f"outlines.{slot}")


def check_outline(outline: Any, field: str) -> None:
    if not isinstance(outline, dict) or set(outline) != OUTLINE_KEYS:
        refuse(field, "An outline has other fields than it should.")
    if not isinstance(outline["vertices"], list):
        refuse(field, "The vertices of an outline are a list.")
    for vertex in outline["vertices"]:
        check_point(vertex, field)
    if not is_text(outline["sop_instance_uid"], 64) or not is_count(outline["frame"]):
        refuse(field, "An outline names its image and frame.")
    reference = outline["frame_of_reference_uid"]
    if reference is not None and not is_text(reference, 64):
        refuse(field, "The frame of reference of an outline is a UID.")
    if outline["kind"] not in {"freehand", "points"}:
        refuse(field, "An outline is freehand or points.")
    if outline["copy"] is not None:
        check_copy(outline["copy"], f"{field}.copy")


def check_copy(copy: Any, field: str) -> None:
    if not isinstance(copy, dict) or set(copy) != COPY_KEYS:
        refuse(field, "A copy record has other fields than it should.")
    shift = copy["shift_mm"]
    if (
        copy["source"] not in SLOTS
        or not is_count(copy["source_revision"])
        or not is_length(copy["plane_distance_mm"])
        or not (isinstance(shift, list) and len(shift) == 2 and all(map(is_length, shift)))
        or type(copy["slices_moved"]) is not int
        or type(copy["edited_after_copy"]) is not bool
    ):
        refuse(field, "A copy record holds a value that it cannot hold.")


def is_text(value: Any, longest: int) -> bool:
    return isinstance(value, str) and len(value) <= longest


def is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 10**9


def is_length(value: Any) -> bool:
    """A finite number of millimetres that a scanner can hold."""
    return type(value) in {int, float} and math.isfinite(value) and abs(value) <= MAX_MM


def check_point(point: Any, field: str) -> None:
    if not (isinstance(point, list) and len(point) == 3 and all(map(is_length, point))):
        refuse(field, "A point is three finite numbers in millimetres.")


def check_finite(value: Any, field: str, depth: int = 0) -> None:
    if depth > 8:
        refuse(field, "This is nested too deeply.")
    if isinstance(value, float) and not (math.isfinite(value) and abs(value) < 1e12):
        refuse(field, "This holds a number that is not finite.")
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            check_finite(inner, field, depth + 1)
