"""The draft document with every field wrong once, and the sentence that the desk shows."""

import copy
import math

import pytest

from portal.errors import Invalid
from radiomics.volume_region import MAX_RADIUS_MM
from readers.documents import MAX_BYTES, MAX_MM, checked, parse, sections
from readers.questions import default_questions

QUESTIONS = default_questions("confidence")
COPY = {
    "source": "SPECT",
    "source_revision": 3,
    "plane_distance_mm": -1.1339,
    "shift_mm": [0.5, -0.1],
    "slices_moved": -2,
    "edited_after_copy": False,
}
OUTLINE = {
    "vertices": [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
    "sop_instance_uid": "2.25.1",
    "frame": 1,
    "frame_of_reference_uid": "2.25.9",
    "kind": "points",
    "copy": COPY,
}
THRESHOLD = {
    **OUTLINE,
    "kind": "threshold",
    "copy": None,
    "sphere": {"centre_mm": [18.0, 70.0, 30.0], "radius_mm": 20.0, "fraction": 0.42},
}
FULL = {
    "answers": {"call": "benign", "confidence": 2},
    "outlines": {"CT": OUTLINE, "SPECT": THRESHOLD},
    "looks": {"ct": {"zoom": 1.5, "centre": [1.0, 2.0, 3.0], "slice": "2.25.1|1"}},
    "focus": [18.0, 70.0, 30.0],
}
WHOLE = "A draft holds answers, outlines, looks and focus, nothing else."
POINT = "A point is three finite numbers in millimetres."
FIELDS = "An outline has other fields than it should."
COPY_FIELDS = "A copy record has other fields than it should."
COPY_VALUE = "A copy record holds a value that it cannot hold."
IMAGE = "An outline names its image and frame."
SPHERE = "A sphere has a centre, a radius and a fraction."
RADIUS = f"The radius lies above 0 and at most at {MAX_RADIUS_MM:g} mm."
FRACTION = "The fraction of the maximum lies above 0 and at most at 1."
FINITE = "This holds a number that is not finite."
LARGE = "The draft is larger than 512 kB; shorten the comment or the outline."
ANSWER = "This answer is neither text, a number nor a list of texts."
GONE = object()


def changed(*path, to):
    """The full document with the value at a path replaced, or taken away."""
    document = copy.deepcopy(FULL)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    if to is GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return document


def check(document, *, task="outline", regions_3d=True):
    return checked(document, questions=QUESTIONS, task=task, regions_3d=regions_3d)


def refusal_of(document, **options):
    with pytest.raises(Invalid) as refusal:
        check(document, **options)
    return refusal.value.field, refusal.value.sentence


def test_the_full_document_passes_unchanged():
    assert check(copy.deepcopy(FULL)) == FULL


@pytest.mark.parametrize("name", sorted(FULL))
def test_a_draft_without_one_of_its_parts_is_refused(name):
    assert refusal_of(changed(name, to=GONE)) == ("document", WHOLE)


@pytest.mark.parametrize("name", sorted(OUTLINE))
def test_an_outline_without_one_of_its_fields_is_refused(name):
    assert refusal_of(changed("outlines", "CT", name, to=GONE)) == ("outlines.CT", FIELDS)


@pytest.mark.parametrize("name", sorted(COPY))
def test_a_copy_record_without_one_of_its_fields_is_refused(name):
    found = refusal_of(changed("outlines", "CT", "copy", name, to=GONE))
    assert found == ("outlines.CT.copy", COPY_FIELDS)


@pytest.mark.parametrize("name", sorted(THRESHOLD["sphere"]))
def test_a_sphere_without_one_of_its_fields_is_refused(name):
    found = refusal_of(changed("outlines", "SPECT", "sphere", name, to=GONE))
    assert found == ("outlines.SPECT.sphere", SPHERE)


@pytest.mark.parametrize(
    ("path", "value", "field", "sentence"),
    [
        (["answers"], [], "answers", "Answers must be an object."),
        (["answers"], None, "answers", "Answers must be an object."),
        (["answers", "call"], True, "answers.call", ANSWER),
        (["answers", "call"], {"a": 1}, "answers.call", ANSWER),
        (["answers", "call"], [1], "answers.call", ANSWER),
        (["answers", "confidence"], math.nan, "answers.confidence", ANSWER),
        (["answers", "confidence"], 1e308, "answers.confidence", ANSWER),
        (["outlines"], [], "outlines", "Outlines has the two slots CT and SPECT."),
        (["outlines"], {"CT": None}, "outlines", "Outlines has the two slots CT and SPECT."),
        (["outlines", "PET"], None, "outlines", "Outlines has the two slots CT and SPECT."),
        (["outlines", "CT"], "drawn", "outlines.CT", FIELDS),
        (["outlines", "CT"], [], "outlines.CT", "A region has from 1 to 200 outlines."),
        (
            ["outlines", "CT"],
            [OUTLINE] * 201,
            "outlines.CT",
            "A region has from 1 to 200 outlines.",
        ),
        (["outlines", "CT", "area_mm2"], 12.0, "outlines.CT", FIELDS),
        (["outlines", "CT", "kind"], "brush", "outlines.CT", "An outline is freehand or points."),
        (
            ["outlines", "CT", "vertices"],
            None,
            "outlines.CT",
            "The vertices of an outline are a list.",
        ),
        (["outlines", "CT", "vertices", 0], [0.0, 0.0], "outlines.CT", POINT),
        (["outlines", "CT", "vertices", 1], [0.0, 0.0, math.nan], "outlines.CT", POINT),
        (["outlines", "CT", "vertices", 2], [0.0, 1e308, 0.0], "outlines.CT", POINT),
        (["outlines", "CT", "vertices", 0, 1], True, "outlines.CT", POINT),
        (["outlines", "CT", "sop_instance_uid"], 7, "outlines.CT", IMAGE),
        (["outlines", "CT", "sop_instance_uid"], "1" * 65, "outlines.CT", IMAGE),
        (["outlines", "CT", "frame"], 1.0, "outlines.CT", IMAGE),
        (["outlines", "CT", "frame"], -1, "outlines.CT", IMAGE),
        (["outlines", "CT", "frame"], 10**9, "outlines.CT", IMAGE),
        (
            ["outlines", "CT", "frame_of_reference_uid"],
            9,
            "outlines.CT",
            "The frame of reference of an outline is a UID.",
        ),
        (["outlines", "CT", "copy"], [], "outlines.CT.copy", COPY_FIELDS),
        (["outlines", "CT", "copy", "mean"], 1.0, "outlines.CT.copy", COPY_FIELDS),
        (["outlines", "CT", "copy", "source"], "PET", "outlines.CT.copy", COPY_VALUE),
        (["outlines", "CT", "copy", "source_revision"], -1, "outlines.CT.copy", COPY_VALUE),
        (["outlines", "CT", "copy", "source_revision"], True, "outlines.CT.copy", COPY_VALUE),
        (["outlines", "CT", "copy", "plane_distance_mm"], math.inf, "outlines.CT.copy", COPY_VALUE),
        (["outlines", "CT", "copy", "shift_mm"], [0.5], "outlines.CT.copy", COPY_VALUE),
        (["outlines", "CT", "copy", "shift_mm"], [0.5, "0"], "outlines.CT.copy", COPY_VALUE),
        (["outlines", "CT", "copy", "slices_moved"], 1.0, "outlines.CT.copy", COPY_VALUE),
        (["outlines", "CT", "copy", "edited_after_copy"], 0, "outlines.CT.copy", COPY_VALUE),
        (["outlines", "SPECT", "sphere"], None, "outlines.SPECT.sphere", SPHERE),
        (["outlines", "SPECT", "sphere", "maximum"], 1.0, "outlines.SPECT.sphere", SPHERE),
        (["outlines", "SPECT", "sphere", "centre_mm"], [0, 0], "outlines.SPECT.sphere", POINT),
        (["outlines", "SPECT", "sphere", "radius_mm"], 0, "outlines.SPECT.sphere", RADIUS),
        (["outlines", "SPECT", "sphere", "radius_mm"], "20", "outlines.SPECT.sphere", RADIUS),
        (["outlines", "SPECT", "sphere", "fraction"], 0.0, "outlines.SPECT.sphere", FRACTION),
        (["outlines", "SPECT", "sphere", "fraction"], 1.0001, "outlines.SPECT.sphere", FRACTION),
        (
            ["outlines", "SPECT", "copy"],
            COPY,
            "outlines.SPECT",
            "A threshold outline is no copy.",
        ),
        (["looks"], [], "looks", "Looks must be an object."),
        (["looks", "ct", "zoom"], math.inf, "looks", FINITE),
        (["looks", "ct", "zoom"], 1e12, "looks", FINITE),
        (["looks", "ct", "centre"], [1.0, math.nan, 3.0], "looks", FINITE),
        (["focus"], [18.0, 70.0], "focus", POINT),
        (["focus"], [18.0, 70.0, None], "focus", POINT),
        (["focus"], {"x": 1}, "focus", POINT),
        (["focus"], [18.0, 70.0, MAX_MM * 1.001], "focus", POINT),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_and_sentence_of_its_field(
    path, value, field, sentence
):
    assert refusal_of(changed(*path, to=value)) == (field, sentence)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["answers", "confidence"], 2.5),
        (["answers", "call"], None),
        (["answers", "call"], ["a", "b"]),
        (["outlines", "CT", "vertices"], []),
        (["outlines", "CT", "sop_instance_uid"], "1" * 64),
        (["outlines", "CT", "frame"], 0),
        (["outlines", "CT", "frame"], 10**9 - 1),
        (["outlines", "CT", "frame_of_reference_uid"], None),
        (["outlines", "CT", "copy"], None),
        (["outlines", "CT"], [OUTLINE] * 200),
        (["outlines", "SPECT", "sphere", "fraction"], 1),
        (["outlines", "SPECT", "sphere", "radius_mm"], MAX_RADIUS_MM),
        (["focus"], [0, -MAX_MM, MAX_MM]),
        (["focus"], None),
        (["looks", "ct", "zoom"], 9.9e11),
    ],
)
def test_a_value_on_the_right_side_of_its_bound_passes(path, value):
    document = changed(*path, to=value)
    assert check(document) == document


@pytest.mark.parametrize(
    ("document", "options", "field", "sentence"),
    [
        (FULL, {"task": "read"}, "outlines", "Outlines are drawn in outlining sessions only."),
        (
            FULL,
            {"regions_3d": False},
            "outlines.SPECT",
            "A threshold region is drawn on SPECT, where the study's design has regions.",
        ),
        (
            changed("outlines", "CT", to=THRESHOLD),
            {},
            "outlines.CT",
            "A threshold region is drawn on SPECT, where the study's design has regions.",
        ),
        (
            changed("outlines", "CT", to=[OUTLINE]),
            {"regions_3d": False},
            "outlines.CT",
            "This study takes one outline per modality.",
        ),
        (
            changed("answers", "diagnosis", to="benign"),
            {},
            "answers",
            "An answer belongs to no question of this case; reload the case.",
        ),
    ],
)
def test_what_the_task_or_the_design_does_not_take_is_refused(document, options, field, sentence):
    assert refusal_of(document, **options) == (field, sentence)


def test_an_answer_to_an_unknown_question_is_not_repeated_in_the_sentence():
    _, sentence = refusal_of(changed("answers", "biopsy-result", to="x"))
    assert "biopsy" not in sentence


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "The request is not valid JSON; reload the case and try again."),
        (b"{", "The request is not valid JSON; reload the case and try again."),
        (b"\xff\xfe", "The request is not valid JSON; reload the case and try again."),
        (b"[" * 200_000, "The request is not valid JSON; reload the case and try again."),
        (b"[NaN]", "NaN is not a number; reload the case and try again."),
        (b"[-Infinity]", "-Infinity is not a number; reload the case and try again."),
        (b'"' + b"x" * (MAX_BYTES - 1) + b'"', LARGE),
    ],
)
def test_a_body_that_is_no_document_is_refused(body, sentence):
    with pytest.raises(Invalid) as refusal:
        parse(body)
    assert (refusal.value.field, refusal.value.sentence) == ("document", sentence)


def test_a_body_of_exactly_512_kB_is_read():
    assert len(parse(b'"' + b"x" * (MAX_BYTES - 2) + b'"')) == MAX_BYTES - 2


def test_a_document_that_grew_beyond_512_kB_on_its_way_is_refused():
    # one byte of UTF-16 outside ASCII is six as stored
    assert refusal_of(changed("answers", "comment", to="é" * 90_000)) == ("document", LARGE)


def test_looks_are_nested_at_most_eight_deep():
    def nested(depth):
        looks: object = 1.0
        for _ in range(depth):
            looks = [looks]
        return changed("looks", to={"ct": looks})

    assert check(nested(7)) == nested(7)
    assert refusal_of(nested(8)) == ("looks", "This is nested too deeply.")


@pytest.mark.parametrize(
    ("drawn", "n"), [(None, 0), (OUTLINE, 1), ([OUTLINE], 1), ([OUTLINE, OUTLINE], 2)]
)
def test_a_slot_holds_none_one_or_one_outline_per_slice(drawn, n):
    assert len(sections(drawn)) == n
