"""Two doors, one rule: what a plan, a position and a mark may hold, by form, by program and by verb."""

import contextlib
import json
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from portal.audit.chain import digest
from portal.audit.models import AuditEvent
from portal.errors import Conflict, Invalid
from portal.study.amending import Site, amend_lesion
from portal.study.models import Lesion, Patient, Study
from portal.study.patients import refuse_position, register_lesion, whole_body_pixels
from portal.study.protocol import MAX_DEPTH, change_settings, refuse_plan, write_protocol
from tests.cohort import NOW, make_lesion, make_patient, make_study
from tests.study.builders import coordinator
from tests.study.test_pages import sign_in

DEEP = "The analysis plan is nested more than 20 deep; make it flatter."
ENDLESS = "A number of the analysis plan is not finite; write it as text."
POSITION = "Give x_mm, y_mm and z_mm, or none of them."
FAR = "A position lies within 100000 mm of the origin."
MARK = "A whole-body mark lies on the image, in pixels."
VIEWS = "A whole-body mark is a column and a row, anterior, posterior or both."


def nested(depth: int, *, in_lists: bool = False) -> dict[str, Any]:
    value: Any = 1
    for _ in range(depth - 1):
        value = [value] if in_lists else {"a": value}
    return {"a": value}


def sentence_of(error: pytest.ExceptionInfo[Any]) -> tuple[str, str]:
    return error.value.field, error.value.sentence


@pytest.mark.parametrize("in_lists", [False, True])
def test_a_plan_is_twenty_deep_and_no_deeper(in_lists: bool) -> None:
    refuse_plan(nested(MAX_DEPTH, in_lists=in_lists))
    with pytest.raises(Invalid) as refusal:
        refuse_plan(nested(MAX_DEPTH + 1, in_lists=in_lists))
    assert sentence_of(refusal) == ("analysis_plan", DEEP)


def test_a_plan_nested_beyond_pythons_own_limit_is_one_refusal() -> None:
    with pytest.raises(Invalid, match="nested more than 20 deep"):
        refuse_plan(nested(100_000))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("place", [lambda v: {"a": v}, lambda v: {"a": [1, v]}, lambda v: {"a": {"b": v}}])  # fmt: skip
def test_a_number_without_end_is_refused_wherever_it_stands(value: float, place: Any) -> None:
    with pytest.raises(Invalid) as refusal:
        refuse_plan(place(value))
    assert sentence_of(refusal) == ("analysis_plan", ENDLESS)


plans = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=10,
    ),
    max_size=4,
)  # fmt: skip


@given(plans)
def test_a_plan_that_is_taken_is_json_and_keeps_its_digest_through_it(plan: dict[str, Any]) -> None:
    try:
        refuse_plan(plan)
    except Invalid:
        return
    assert digest(json.loads(json.dumps(plan, allow_nan=False))) == digest(plan)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ('{"a": NaN}', ENDLESS),
        ('{"a": -Infinity}', ENDLESS),
        ('{"a": 1e999}', ENDLESS),
        (json.dumps(nested(21)), DEEP),
        ('{"a":' * 30_000, "The plan is nested too deeply; make it flatter."),
        ("{", "This is not readable JSON: Expecting property name enclosed in double quotes."),
        ('{"a": 1} and more', "This is not readable JSON: Extra data."),
    ],
)
def test_a_bad_plan_is_answered_in_the_form_and_what_was_typed_is_kept(
    plan: str, sentence: str
) -> None:
    make_study()
    address = "/studies/bone/protocol/save/"
    answer = sign_in("coordinator").post(address, {"protocol": "A long text", "analysis_plan": plan})  # fmt: skip
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert "A long text" in answer.content.decode()
    assert (Study.objects.get().protocol, AuditEvent.objects.count()) == ("", 0)


@pytest.mark.django_db
@pytest.mark.parametrize(("plan", "sentence"), [(nested(21), DEEP), (nested(100, in_lists=True), DEEP)])  # fmt: skip
def test_a_bad_plan_is_refused_to_a_program(plan: dict[str, Any], sentence: str) -> None:
    make_study()
    body = {"protocol": "x", "analysis_plan": plan}
    answer = sign_in("coordinator").put("/api/v1/studies/bone/protocol/", body, content_type="application/json")  # fmt: skip
    assert answer.status_code == 422
    assert answer.json() == {"detail": sentence, "field": "analysis_plan"}


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["READING", "READS_LOCKED", "UNBLINDED", "ARCHIVED"])
def test_the_protocol_is_fixed_once_reading_has_begun(state: str) -> None:
    with pytest.raises(Conflict) as refusal:
        write_protocol(make_study(state=state), protocol="x", analysis_plan={}, actor=coordinator(), now=NOW)  # fmt: skip
    assert refusal.value.sentence == (
        "Protocol and analysis plan are written only while a study is in DRAFT or SCREENING; "
        f"this one is in {state}."
    )


@pytest.mark.django_db
def test_the_same_protocol_again_is_no_act() -> None:
    study = make_study()
    for _ in range(2):
        write_protocol(study, protocol=" As published. ", analysis_plan={"a": 1}, actor=coordinator(), now=NOW)  # fmt: skip
    assert AuditEvent.objects.count() == 1


SETTINGS = [
    ({"name": " "}, Invalid, "Give the study a name."),
    ({"lesion_cap": 0}, Invalid, "The cap lies between 1 and 24 lesions per patient."),
    ({"lesion_cap": 25}, Invalid, "The cap lies between 1 and 24 lesions per patient."),
    ({"lesion_cap": 1}, Conflict, "Some patients have 2 included lesions; exclude lesions first."),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("change", "kind", "sentence"), SETTINGS)
def test_a_faulty_setting_is_refused(change: dict[str, Any], kind: type, sentence: str) -> None:
    study = make_study(state="SCREENING")
    make_lesion(make_patient(study), number=2)
    fields = {"name": "Bone", "lesion_cap": 2, "needs_second_confirmation": True, **change}
    with pytest.raises(kind) as refusal:
        change_settings(study, **fields, actor=coordinator(), now=NOW)
    assert refusal.value.sentence == sentence
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["READING", "READS_LOCKED", "UNBLINDED"])
@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"lesion_cap": 3}, "The cap of lesions is changed"),
        ({"needs_second_confirmation": False}, "The second confirmation is given up"),
    ],
)
def test_what_guards_the_study_is_not_loosened_late(state: str, change: dict[str, Any], what: str) -> None:  # fmt: skip
    study = make_study(state=state)
    fields = {"name": "Bone", "lesion_cap": 2, "needs_second_confirmation": True, **change}
    with pytest.raises(Conflict) as refusal:
        change_settings(study, **fields, actor=coordinator(), now=NOW)
    assert refusal.value.sentence.startswith(f"{what} only while a study is in DRAFT or SCREENING")


POSITIONS: list[tuple[tuple[float | None, ...], str]] = [
    ((1.0, None, None), POSITION),
    ((None, 1.0, None), POSITION),
    ((None, None, 0.0), POSITION),
    ((1.0, 1.0, None), POSITION),
    ((None, 0.0, 1.0), POSITION),
    ((1e300, 1.0, 1.0), FAR),
    ((1.0, -100_001.0, 1.0), FAR),
    ((1.0, 1.0, float("inf")), FAR),
    ((float("nan"), 1.0, 1.0), FAR),
]


@pytest.mark.parametrize(("place", "sentence"), POSITIONS)
def test_a_position_is_whole_and_near(place: tuple[float | None, ...], sentence: str) -> None:
    with pytest.raises(Invalid) as refusal:
        refuse_position(*place)
    assert sentence_of(refusal) == ("x_mm", sentence)


@pytest.mark.parametrize("place", [(None, None, None), (0.0, 0.0, 0.0), (-100_000.0, 100_000.0, 1.5)])  # fmt: skip
def test_no_position_and_the_farthest_are_taken(place: tuple[float | None, ...]) -> None:
    refuse_position(*place)


def lesion_by_form(client: Client, patient: Patient, place: dict[str, Any]) -> int:
    address = f"/studies/bone/patients/{patient.code}/new-lesion/"
    return client.post(address, {"number": 1, "level": "L3", **place}).status_code


def lesion_by_program(client: Client, patient: Patient, place: dict[str, Any]) -> int:
    body = {"patient": patient.code, "number": 1, "level": "L3", **place}
    return client.post("/api/v1/studies/bone/lesions/", body, content_type="application/json").status_code  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("door", [lesion_by_form, lesion_by_program])
@pytest.mark.parametrize("place", [{"x_mm": 1}, {"x_mm": 1, "y_mm": 2, "z_mm": 1e300}, {"y_mm": 2, "z_mm": 3}])  # fmt: skip
def test_every_door_refuses_half_a_position(door: Any, place: dict[str, Any]) -> None:
    patient = make_patient(make_study())
    assert door(sign_in("coordinator"), patient, place) == 422
    assert not Lesion.objects.exists()
    assert not AuditEvent.objects.exclude(verb__startswith="access.").exists()


@pytest.mark.django_db
@pytest.mark.parametrize("place", [(1.0, None, None), (1.0, 2.0, 1e9)])
def test_a_correction_does_not_bring_in_what_a_registration_refuses(place: tuple[Any, ...]) -> None:
    lesion = make_lesion(make_patient(make_study()), included=False)
    with pytest.raises(Invalid):
        amend_lesion(lesion, Site("L3", *place, 12.0), reason="slip", actor=coordinator(), now=NOW)
    assert Lesion.objects.get().x_mm == 18.0


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        ({"lateral": [1, 2]}, VIEWS),
        ({"anterior": [1]}, VIEWS),
        ({"anterior": []}, VIEWS),
        ({"anterior": [1, 2, 3]}, VIEWS),
        ({"anterior": [1e300, 2]}, MARK),
        ({"posterior": [1, float("nan")]}, MARK),
        ({"anterior": [1, 2], "posterior": [float("inf"), 2]}, MARK),
    ],
)
def test_a_mark_that_cannot_be_on_the_image_is_refused(points: dict[str, Any], sentence: str) -> None:  # fmt: skip
    with pytest.raises(Invalid) as refusal:
        whole_body_pixels(points)
    assert refusal.value.sentence == sentence


@pytest.mark.parametrize(
    ("points", "kept"),
    [
        (None, {}),
        ({}, {}),
        ({"posterior": (3, 4.5)}, {"posterior": [3.0, 4.5]}),
        ({"posterior": [0, 0], "anterior": [1, 2]}, {"anterior": [1.0, 2.0], "posterior": [0.0, 0.0]}),
    ],
)  # fmt: skip
def test_marks_are_kept_as_numbers_by_view(points: Any, kept: dict[str, list[float]]) -> None:
    assert whole_body_pixels(points) == kept


@pytest.mark.django_db
@pytest.mark.parametrize(("diameter", "is_taken"), [(0.0, False), (0.01, True), (500.0, True), (500.01, False), (-1.0, False), (float("nan"), False)])  # fmt: skip
def test_a_diameter_lies_above_0_and_at_most_500_mm(diameter: float, is_taken: bool) -> None:
    patient = make_patient(make_study())
    refused = pytest.raises(Invalid, match="The longest diameter is above 0 and at most 500 mm.")
    with contextlib.nullcontext() if is_taken else refused:
        register_lesion(patient, number=1, level="L3", longest_diameter_mm=diameter, actor=coordinator(), now=NOW)  # fmt: skip
    assert Lesion.objects.exists() is is_taken
