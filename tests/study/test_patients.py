"""Patients, lesions, their images, and what an included lesion must have."""

import pytest

from portal.audit.models import AuditEvent
from portal.errors import Conflict, Invalid
from portal.study.models import Lesion, Patient, Screening
from portal.study.patients import (
    assign_series,
    confirm_registration,
    frame_problem,
    include_lesion,
    register_lesion,
    register_patient,
)
from portal.study.screening import decide
from tests.cohort import NOW, make_exam, make_lesion, make_patient, make_series, make_study
from tests.study.builders import coordinator

pytestmark = pytest.mark.django_db


def lesion_with_frames(ct: str, spect: str) -> Lesion:
    patient = make_patient(make_study(state="SCREENING"))
    exam = make_exam(patient.study, patient.subject)
    return register_lesion(
        patient, number=1, level="L3", x_mm=1.0, y_mm=2.0, z_mm=3.0,
        ct_series=make_series(exam, "CT", frame_of_reference_uid=ct),
        spect_series=make_series(exam, "SPECT", frame_of_reference_uid=spect),
        actor=coordinator(), now=NOW,
    )  # fmt: skip


def test_a_patient_is_registered_under_a_subject_code() -> None:
    study = make_study()
    patient = register_patient(
        study, subject=" P1 ", sex="M", age_years=70, primary_tumour="prostate",
        actor=coordinator(), now=NOW,
    )  # fmt: skip
    assert (patient.subject, patient.sex, patient.age_years) == ("P1", "M", 70)
    row = AuditEvent.objects.get()
    assert (row.verb, row.obj) == ("patient.register", f"patient:{patient.code}")


def test_the_audit_event_carries_no_clinical_value_in_the_open() -> None:
    register_patient(
        make_study(), subject="P1", primary_tumour="prostate", actor=coordinator(), now=NOW
    )
    row = AuditEvent.objects.values().get()
    assert "prostate" not in str(row)


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"subject": ""}, "subject code"),
        ({"subject": "x" * 41}, "subject code"),
        ({"subject": "a\x00b"}, "subject code"),
        ({"subject": "P1", "sex": "woman"}, "Sex"),
        ({"subject": "P1", "age_years": 121}, "Age"),
        ({"subject": "P1", "age_years": -1}, "Age"),
    ],
)
def test_a_faulty_patient_is_refused(fields: dict[str, object], match: str) -> None:
    with pytest.raises(Invalid, match=match):
        register_patient(make_study(), actor=coordinator(), now=NOW, **fields)  # type: ignore[arg-type]
    assert not Patient.objects.exists()


def test_a_subject_is_registered_once_per_study() -> None:
    study, other = make_study(), make_study("other", cast=False)
    register_patient(study, subject="P1", actor=coordinator(), now=NOW)
    register_patient(other, subject="P1", actor=coordinator(), now=NOW)
    with pytest.raises(Conflict, match="registered already"):
        register_patient(study, subject="P1", actor=coordinator(), now=NOW)


@pytest.mark.parametrize("state", ["READING", "READS_LOCKED", "UNBLINDED", "ARCHIVED"])
def test_nobody_is_registered_once_reading_has_begun(state: str) -> None:
    with pytest.raises(Conflict, match=state):
        register_patient(make_study(state=state), subject="P1", actor=coordinator(), now=NOW)


def test_a_lesion_keeps_position_and_whole_body_marks() -> None:
    lesion = register_lesion(
        make_patient(make_study()), number=1, level="T12", x_mm=1.0, y_mm=-2.0, z_mm=3.5,
        whole_body={"posterior": [120, 440]}, actor=coordinator(), now=NOW,
    )  # fmt: skip
    assert lesion.world_mm == (1.0, -2.0, 3.5)
    assert lesion.whole_body_pixels == {"posterior": [120.0, 440.0]}
    assert not lesion.is_included


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"level": "L6"}, "no level"),
        ({"level": "L3", "longest_diameter_mm": 0.0}, "diameter"),
        ({"level": "L3", "whole_body": {"lateral": [1, 2]}}, "whole-body mark"),
        ({"level": "L3", "whole_body": {"anterior": [1]}}, "whole-body mark"),
    ],
)
def test_a_faulty_lesion_is_refused(fields: dict[str, object], match: str) -> None:
    with pytest.raises(Invalid, match=match):
        register_lesion(
            make_patient(make_study()), number=1, actor=coordinator(), now=NOW, **fields  # type: ignore[arg-type]
        )  # fmt: skip


def test_a_lesion_number_is_given_once_per_patient() -> None:
    patient = make_patient(make_study())
    register_lesion(patient, number=1, level="L3", actor=coordinator(), now=NOW)
    with pytest.raises(Conflict, match="lesion 1 already"):
        register_lesion(patient, number=1, level="L4", actor=coordinator(), now=NOW)


def test_images_of_another_subject_cannot_be_chosen() -> None:
    study = make_study()
    lesion = make_lesion(make_patient(study), included=False)
    foreign = make_series(make_exam(study, "SOMEBODY"), "CT")
    with pytest.raises(Invalid, match="not filed under"):
        assign_series(lesion, foreign, None, None, actor=coordinator(), now=NOW)


def test_a_series_serves_only_as_what_it_is() -> None:
    study = make_study()
    lesion = make_lesion(make_patient(study, "P1"), included=False)
    spect = make_series(make_exam(study, "P1"), "SPECT")
    with pytest.raises(Invalid, match="Choose a CT series"):
        assign_series(lesion, spect, None, None, actor=coordinator(), now=NOW)


def test_a_synthetic_series_never_enters_a_real_study() -> None:
    study = make_study()
    exam = make_exam(study, "P1")
    exam.is_synthetic = True
    exam.save()
    with pytest.raises(Invalid, match="never both"):
        register_lesion(
            make_patient(study, "P1"), number=1, level="L3", ct_series=make_series(exam),
            actor=coordinator(), now=NOW,
        )  # fmt: skip


def test_images_in_one_frame_of_reference_need_no_confirmation() -> None:
    assert frame_problem(lesion_with_frames("2.25.7", "2.25.7")) == ""


@pytest.mark.parametrize(("ct", "spect"), [("2.25.7", "2.25.8"), ("", "")])
def test_images_without_a_common_frame_cannot_be_included_unconfirmed(ct: str, spect: str) -> None:
    lesion = lesion_with_frames(ct, spect)
    with pytest.raises(Conflict, match="do not share a frame"):
        include_lesion(lesion, actor=coordinator(), now=NOW)
    confirm_registration(lesion, actor=coordinator(), now=NOW)
    include_lesion(lesion, actor=coordinator(), now=NOW)
    assert Lesion.objects.get().is_included


def test_choosing_other_images_takes_the_confirmation_back() -> None:
    lesion = lesion_with_frames("2.25.7", "2.25.8")
    confirm_registration(lesion, actor=coordinator(), now=NOW)
    exam = make_exam(lesion.patient.study, lesion.patient.subject)
    other = make_series(exam, "CT", frame_of_reference_uid="2.25.9")
    assign_series(lesion, other, lesion.spect_series, None, actor=coordinator(), now=NOW)
    assert "do not share a frame" in frame_problem(lesion)


def test_an_included_lesion_does_not_lose_its_images() -> None:
    lesion = make_lesion(make_patient(make_study()))
    with pytest.raises(Conflict, match="Choose a CT and a SPECT"):
        assign_series(lesion, None, None, None, actor=coordinator(), now=NOW)
    lesion.refresh_from_db()
    assert lesion.ct_series is not None


def test_a_registration_needs_two_series_to_be_confirmed() -> None:
    lesion = register_lesion(
        make_patient(make_study()), number=1, level="L3", actor=coordinator(), now=NOW
    )
    with pytest.raises(Conflict, match="first"):
        confirm_registration(lesion, actor=coordinator(), now=NOW)


def test_a_lesion_without_a_position_cannot_be_included() -> None:
    lesion = make_lesion(make_patient(make_study(state="SCREENING")), included=False)
    Lesion.objects.update(x_mm=None, y_mm=None, z_mm=None)
    lesion.refresh_from_db()
    with pytest.raises(Conflict, match="position"):
        include_lesion(lesion, actor=coordinator(), now=NOW)


def test_lesions_take_the_free_slots_up_to_the_cap() -> None:
    patient = make_patient(make_study(state="SCREENING"))
    first, second, third = (make_lesion(patient, number=n, included=False) for n in (1, 2, 3))
    assert include_lesion(first, actor=coordinator(), now=NOW).slot == 1
    assert include_lesion(second, actor=coordinator(), now=NOW).slot == 2
    with pytest.raises(Conflict, match="as many as the protocol allows"):
        include_lesion(third, actor=coordinator(), now=NOW)


def test_a_taken_slot_and_one_above_the_cap_are_refused() -> None:
    patient = make_patient(make_study(state="SCREENING"))
    make_lesion(patient)
    second = make_lesion(patient, number=2, included=False)
    with pytest.raises(Conflict, match="taken"):
        include_lesion(second, slot=1, actor=coordinator(), now=NOW)
    with pytest.raises(Invalid, match="cap"):
        include_lesion(second, slot=3, actor=coordinator(), now=NOW)


def test_including_twice_changes_nothing() -> None:
    lesion = make_lesion(make_patient(make_study(state="SCREENING")), included=False)
    include_lesion(lesion, actor=coordinator(), now=NOW)
    include_lesion(lesion, slot=1, actor=coordinator(), now=NOW)
    assert AuditEvent.objects.count() == 1
    assert Screening.objects.count() == 1


def test_a_lesion_of_an_excluded_patient_cannot_be_included() -> None:
    patient = make_patient(make_study(state="SCREENING"))
    lesion = make_lesion(patient, included=False)
    decide(patient, "excluded", None, actor=coordinator(), now=NOW, note="moved away")
    with pytest.raises(Conflict, match="is excluded"):
        include_lesion(lesion, actor=coordinator(), now=NOW)
