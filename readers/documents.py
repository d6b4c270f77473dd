"""The draft document as the browser sends it: checked at the door, then trusted."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from portal.errors import Invalid
from radiomics.volume_region import MAX_RADIUS_MM

SLOTS = ("CT", "SPECT")
MAX_BYTES = 512 * 1024
MAX_MM = 100_000.0
MAX_SECTIONS = 200
THRESHOLD = "threshold"
KEYS = {"answers", "outlines", "looks", "focus"}
OUTLINE_KEYS = {
    "vertices",
    "sop_instance_uid",
    "frame",
    "frame_of_reference_uid",
    "kind",
    "copy",
}
# a NUL and half of a character are JSON, but no database of ours can hold them
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
NOT_TEXT = "This holds a sign that cannot be stored; delete it and type it again."
SPHERE_KEYS = {"centre_mm", "radius_mm", "fraction"}
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


def checked(
    document: Any, *, questions: list[dict[str, Any]], task: str, regions_3d: bool = False
) -> dict[str, Any]:
    """The document if its form is right; what it says may still have problems.

    Where the design has regions in three dimensions, a slot may hold a list: one outline per slice.
    """
    if not isinstance(document, dict) or set(document) != KEYS:
        refuse("document", "A draft holds answers, outlines, looks and focus, nothing else.")
    check_answers(document["answers"], {q["id"] for q in questions})
    check_outlines(document["outlines"], task=task, regions_3d=regions_3d)
    if not isinstance(document["looks"], dict):
        refuse("looks", "Looks must be an object.")
    check_plain(document["looks"], "looks")
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
        check_plain(answer, f"answers.{name}")


def is_answer(answer: Any) -> bool:
    if isinstance(answer, float):
        return math.isfinite(answer) and abs(answer) < MAX_MM
    if isinstance(answer, list):
        return all(isinstance(a, str) for a in answer)
    return answer is None or (isinstance(answer, str | int) and not isinstance(answer, bool))


def sections(drawn: Any) -> list[dict[str, Any]]:
    """The outlines of a slot: none, one, or one per slice."""
    if drawn is None:
        return []
    return drawn if isinstance(drawn, list) else [drawn]


def check_outlines(outlines: Any, *, task: str, regions_3d: bool) -> None:
    if not isinstance(outlines, dict) or set(outlines) != set(SLOTS):
        refuse("outlines", "Outlines has the two slots CT and SPECT.")
    for slot, drawn in outlines.items():
        if drawn is not None and task != "outline":
            refuse("outlines", "Outlines are drawn in outlining sessions only.")
        if isinstance(drawn, list):
            check_region(drawn, f"outlines.{slot}", regions_3d=regions_3d)
        for outline in sections(drawn):
            check_outline(outline, f"outlines.{slot}", slot=slot, regions_3d=regions_3d)


def check_region(drawn: list[Any], field: str, *, regions_3d: bool) -> None:
    """A slot with a list, one outline per slice."""
    if not regions_3d:
        refuse(field, "This study takes one outline per modality.")
    if not 0 < len(drawn) <= MAX_SECTIONS:
        refuse(field, f"A region has from 1 to {MAX_SECTIONS} outlines.")


def check_outline(outline: Any, field: str, *, slot: str, regions_3d: bool) -> None:
    is_threshold = isinstance(outline, dict) and outline.get("kind") == THRESHOLD
    known = OUTLINE_KEYS | {"sphere"} if is_threshold else OUTLINE_KEYS
    if not isinstance(outline, dict) or set(outline) != known:
        refuse(field, "An outline has other fields than it should.")
    if is_threshold:
        check_threshold(outline, field, may=regions_3d and slot == "SPECT")
    elif outline["kind"] not in {"freehand", "points"}:
        refuse(field, "An outline is freehand or points.")
    check_place(outline, field)


def check_threshold(outline: Mapping[str, Any], field: str, *, may: bool) -> None:
    """An outline that a share of the maximum gave, with the sphere it was looked for in."""
    if not may:
        refuse(field, "A threshold region is drawn on SPECT, where the study's design has regions.")
    if outline["copy"] is not None:
        refuse(field, "A threshold outline is no copy.")
    check_sphere(outline["sphere"], f"{field}.sphere")


def check_sphere(sphere: Any, field: str) -> None:
    if not isinstance(sphere, dict) or set(sphere) != SPHERE_KEYS:
        refuse(field, "A sphere has a centre, a radius and a fraction.")
    check_point(sphere["centre_mm"], field)
    radius, fraction = sphere["radius_mm"], sphere["fraction"]
    if not is_length(radius) or not 0 < radius <= MAX_RADIUS_MM:
        refuse(field, f"The radius lies above 0 and at most at {MAX_RADIUS_MM:g} mm.")
    if not is_length(fraction) or not 0 < fraction <= 1:
        refuse(field, "The fraction of the maximum lies above 0 and at most at 1.")


def check_place(outline: Mapping[str, Any], field: str) -> None:
    if not isinstance(outline["vertices"], list):
        refuse(field, "The vertices of an outline are a list.")
    for vertex in outline["vertices"]:
        check_point(vertex, field)
    if not is_text(outline["sop_instance_uid"], 64) or not is_count(outline["frame"]):
        refuse(field, "An outline names its image and frame.")
    reference = outline["frame_of_reference_uid"]
    if reference is not None and not is_text(reference, 64):
        refuse(field, "The frame of reference of an outline is a UID.")
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


def is_storable(value: str) -> bool:
    return UNSTORABLE.search(value) is None


def is_text(value: Any, longest: int) -> bool:
    return isinstance(value, str) and len(value) <= longest and is_storable(value)


def is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 10**9


def is_length(value: Any) -> bool:
    """A finite number of millimetres that a scanner can hold."""
    return type(value) in {int, float} and math.isfinite(value) and abs(value) <= MAX_MM


def check_point(point: Any, field: str) -> None:
    if not (isinstance(point, list) and len(point) == 3 and all(map(is_length, point))):
        refuse(field, "A point is three finite numbers in millimetres.")


def check_plain(value: Any, field: str, depth: int = 0) -> None:
    """Finite numbers and text that both databases can hold, nested at most eight deep."""
    if depth > 8:
        refuse(field, "This is nested too deeply.")
    if isinstance(value, float) and not (math.isfinite(value) and abs(value) < 1e12):
        refuse(field, "This holds a number that is not finite.")
    if isinstance(value, str) and not is_storable(value):
        refuse(field, NOT_TEXT)
    if isinstance(value, Mapping):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for inner in value:
            check_plain(inner, field, depth + 1)
