"""Small builders and the fixed cast of every test: one study, its people, a patient, a lesion."""

import itertools
from datetime import UTC, datetime

from portal.accounts.models import User
from portal.archive.models import Exam, Series
from portal.roles import ROLES
from portal.study.models import Lesion, Membership, Patient, State, Study

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"
CAST = {
    "coordinator": "coordinator",
    "analyst": "analyst",
    "expert1": "expert",
    "expert2": "expert",
    "delineator1": "delineator",
    "delineator2": "delineator",
    "monitor": "monitor",
}
numbers = itertools.count(1)


def make_user(name: str) -> User:
    user = User.objects.filter(username=name).first()
    return user or User.objects.create_user(name, password=PASSWORD)


def make_member(study: Study, name: str, role: str | None = None) -> Membership:
    role = role or CAST[name]
    rights = set(ROLES[role])
    return Membership.objects.create(
        study=study,
        user=make_user(name),
        role=role,
        can_coordinate="coordinate" in rights,
        sees_truth="see_truth" in rights,
        can_analyse="analyse" in rights,
        can_read="read" in rights,
        can_draw="draw" in rights,
        can_monitor="monitor" in rights,
        since=NOW,
    )


def make_study(
    code: str = "bone", *, state: str = State.DRAFT, cast: bool = True, is_synthetic: bool = False
) -> Study:
    """A study with the whole cast; `outsider` has an account and no membership."""
    study = Study.objects.create(
        code=code, name=f"Study {code}", state=state, created_at=NOW, is_synthetic=is_synthetic
    )
    if cast:
        for name in CAST:
            make_member(study, name)
        make_user("outsider")
    return study


def make_patient(study: Study, subject: str = "") -> Patient:
    """A patient numbered within the study: the draw of a split never hangs on which tests ran before."""
    subject = subject or f"SUB{study.patients.count() + 1:04d}"
    return Patient.objects.create(
        study=study, subject=subject, sex="F", age_years=61, created_at=NOW
    )


def make_exam(study: Study | None = None, subject: str = "") -> Exam:
    n = next(numbers)
    return Exam.objects.create(
        uid=f"2.25.{n}",
        mapped_uid=f"2.25.{n}",
        study_key=study.code if study else "",
        subject=subject,
        patient_key=f"{n}",
        created_at=NOW,
    )


def make_series(exam: Exam, role: str = "CT", *, frame_of_reference_uid: str = "2.25.99") -> Series:
    """An index row without pixels: for tests of what does not look at them."""
    n = next(numbers)
    return Series.objects.create(
        exam=exam,
        uid=f"2.25.1{n}",
        mapped_uid=f"2.25.1{n}",
        role=role,
        label=role,
        folder=f"{n:032x}",
        frame_of_reference_uid=frame_of_reference_uid,
        is_volume=role in {"CT", "SPECT"},
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        created_at=NOW,
    )


def make_lesion(patient: Patient, *, number: int = 1, included: bool = True) -> Lesion:
    """A lesion with its own exam and index rows of CT, SPECT and whole-body series."""
    exam = make_exam(patient.study, patient.subject)
    return Lesion.objects.create(
        patient=patient,
        number=number,
        level="L3",
        x_mm=18.0,
        y_mm=70.0,
        z_mm=30.0,
        longest_diameter_mm=21.0,
        ct_series=make_series(exam, "CT"),
        spect_series=make_series(exam, "SPECT"),
        whole_body_series=make_series(exam, "WB", frame_of_reference_uid=""),
        is_included=included,
        slot=number if included else None,
    )
