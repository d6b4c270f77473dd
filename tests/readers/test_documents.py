import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import Invalid
from readers.documents import EMPTY, checked, parse
from readers.questions import default_questions

QUESTIONS = default_questions("confidence")
OUTLINE = {
    "vertices": [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
    "sop_instance_uid": "2.25.1",
    "frame": 1,
    "frame_of_reference_uid": None,
    "kind": "freehand",
    "copy": None,
}
COPY = {
    "source": "SPECT",
    "source_revision": 3,
    "plane_distance_mm": -1.1,
    "shift_mm": [0.5, 0.0],
    "slices_moved": 0,
    "edited_after_copy": False,
}


def draft(**changes):
    return {**EMPTY, **changes}


def outlined(**changes):
    return draft(outlines={"CT": {**OUTLINE, **changes}, "SPECT": None})


def check(document, task="outline"):
    return checked(document, questions=QUESTIONS, task=task)


def test_an_empty_draft_is_a_draft():
    assert check(draft()) == EMPTY


def test_a_full_draft_passes_unchanged():
    document = draft(
        answers={"call": "benign", "confidence": 2, "comment": ""},
        outlines={"CT": {**OUTLINE, "copy": COPY}, "SPECT": OUTLINE},
        looks={"CT": {"lower": -300.0, "colour": "grey"}},
        focus=[1.0, 2.0, 3.0],
    )
    assert check(document) == document


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ([], "document"),
        ({}, "document"),
        (draft(more=1), "document"),
        (draft(answers=[]), "answers"),
        (draft(answers={"diagnosis": "x"}), "answers"),
        (draft(answers={"call": {"a": 1}}), "answers.call"),
        (draft(answers={"confidence": True}), "answers.confidence"),
        (draft(outlines={}), "outlines"),
        (draft(looks=[]), "looks"),
        (draft(looks={"CT": float("inf")}), "looks"),
        (draft(focus=[1, 2]), "focus"),
        (draft(focus=[1, 2, 1e308]), "focus"),
        (outlined(vertices=[[0, 0, float("nan")]]), "outlines.CT"),
        (outlined(vertices=[[0, 0, "1"]]), "outlines.CT"),
        (outlined(vertices="all"), "outlines.CT"),
        (outlined(frame=-1), "outlines.CT"),
        (outlined(frame=True), "outlines.CT"),
        (outlined(kind="brush"), "outlines.CT"),
        (outlined(area_mm2=12.0), "outlines.CT"),
        (outlined(sop_instance_uid="1" * 65), "outlines.CT"),
        (outlined(copy={"source": "CT"}), "outlines.CT.copy"),
        (outlined(copy={**COPY, "shift_mm": [0.0]}), "outlines.CT.copy"),
        (outlined(copy={**COPY, "source": "PET"}), "outlines.CT.copy"),
    ],
)
def test_a_malformed_draft_is_refused_by_the_name_of_its_field(document, field):
    with pytest.raises(Invalid) as refusal:
        check(document)
    assert refusal.value.field == field


def test_a_reading_session_takes_no_outline():
    with pytest.raises(Invalid, match="outlining sessions"):
        check(outlined(), task="read")


def test_nesting_has_an_end():
    looks: dict = {}
    for _ in range(20):
        looks = {"inner": [looks]}
    with pytest.raises(Invalid, match="nested"):
        check(draft(looks=looks))


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"a": NaN}', b"[Infinity]", b"[" * 100_000])
def test_broken_json_is_refused(body):
    with pytest.raises(Invalid):
        parse(body)


def test_a_draft_of_more_than_512_kB_is_refused():
    with pytest.raises(Invalid, match="512 kB"):
        parse(b'"' + b"x" * 512 * 1024 + b'"')


def test_ten_thousand_vertices_fit():
    vertices = [[float(i), 0.0, 0.0] for i in range(10_000)]
    document = outlined(vertices=vertices)
    assert check(parse(json.dumps(document).encode())) == document


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    )
)
def test_any_json_is_either_a_draft_or_one_refusal(document):
    with pytest.raises(Invalid):
        check(document)
