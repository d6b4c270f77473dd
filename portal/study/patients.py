"""Registering patients and lesions, choosing their series, and what an included lesion must have."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from portal.accounts.models import User
from portal.archive.classify import UNDECIDED
from portal.archive.models import Series
from portal.errors import Conflict, Invalid
from portal.study.acts import note_act
from portal.study.models import LEVELS, Lesion, Patient, Screening, Site, State, Study

REGISTERING: tuple[str, ...] = (State.DRAFT, State.SCREENING)
VIEWS = ("anterior", "posterior")
FARTHEST = 100_000


def require_state(study: Study, states: Sequence[str], what: str) -> None:
    if study.state not in states:
        when = " or ".join(states)
        raise Conflict(f"{what} only while a study is in {when}; this one is in {study.state}.")


def checked_subject(subject: str) -> str:
    subject = subject.strip()
    if not subject or len(subject) > 40 or not subject.isprintable():
        raise Invalid("A subject code has 1 to 40 printable characters.", field="subject")
    return subject


def refuse_person(sex: str, age_years: int | None) -> None:
    if sex not in {"", *Patient.Sex.values}:
        raise Invalid("Sex is F, M, O or empty.", field="sex")
    if age_years is not None and not 0 <= age_years <= 120:
        raise Invalid("Age is given in whole years, 0 to 120.", field="age_years")


def register_patient(
    study: Study,
    *,
    subject: str,
    sex: str = "",
    age_years: int | None = None,
    primary_tumour: str = "",
    site: Site | None = None,
    actor: User,
    now: datetime,
) -> Patient:
    require_state(study, REGISTERING, "Patients are registered")
    subject = checked_subject(subject)
    refuse_person(sex, age_years)
    fields = {"sex": sex, "age_years": age_years, "primary_tumour": primary_tumour.strip()}
    try:
        with transaction.atomic():
            patient = Patient.objects.create(
                study=study, subject=subject, site=site, created_at=now, **fields
            )
            note_act(study, actor, "patient.register", f"patient:{patient.code}", new=fields)
    except IntegrityError as error:
        raise Conflict(f"Subject {subject} is registered already.", field="subject") from error
    return patient


def refuse_lesion(level: str, longest_diameter_mm: float | None) -> None:
    if level not in LEVELS:
        raise Invalid(f"There is no level {level}; choose C1 to S1.", field="level")
    if longest_diameter_mm is not None and not 0 < longest_diameter_mm <= 500:
        raise Invalid("The longest diameter is above 0 and at most 500 mm.", field="longest_diameter_mm")  # fmt: skip


def refuse_position(*position_mm: float | None) -> None:
    given = [v for v in position_mm if v is not None]
    if len(given) not in {0, len(position_mm)}:
        raise Invalid("Give x_mm, y_mm and z_mm, or none of them.", field="x_mm")
    if not all(abs(v) <= FARTHEST for v in given):  # NaN is no distance either
        raise Invalid(f"A position lies within {FARTHEST} mm of the origin.", field="x_mm")


def whole_body_pixels(points: Mapping[str, Sequence[float]] | None) -> dict[str, list[float]]:
    """`{"anterior": [column, row], "posterior": [column, row]}`, either or none."""
    points = points or {}
    if set(points) - set(VIEWS) or any(len(p) != 2 for p in points.values()):
        raise Invalid("A whole-body mark is a column and a row, anterior, posterior or both.")
    if not all(abs(v) <= FARTHEST for point in points.values() for v in point):
        raise Invalid("A whole-body mark lies on the image, in pixels.")
    return {view: [float(v) for v in points[view]] for view in VIEWS if view in points}


def register_lesion(
    patient: Patient,
    *,
    number: int,
    level: str,
    x_mm: float | None = None,
    y_mm: float | None = None,
    z_mm: float | None = None,
    longest_diameter_mm: float | None = None,
    ct_series: Series | None = None,
    spect_series: Series | None = None,
    whole_body_series: Series | None = None,
    whole_body: Mapping[str, Sequence[float]] | None = None,
    actor: User,
    now: datetime,
) -> Lesion:
    """A lesion, not yet included; its position is in patient millimetres (LPS)."""
    study = patient.study
    require_state(study, REGISTERING, "Lesions are registered")
    refuse_lesion(level, longest_diameter_mm)
    refuse_position(x_mm, y_mm, z_mm)
    series = {"CT": ct_series, "SPECT": spect_series, "WB": whole_body_series}
    for role, chosen in series.items():
        refuse_series(patient, chosen, role)
    position = {"x_mm": x_mm, "y_mm": y_mm, "z_mm": z_mm}
    lesion = Lesion(
        patient=patient, number=number, level=level, longest_diameter_mm=longest_diameter_mm,
        ct_series=ct_series, spect_series=spect_series, whole_body_series=whole_body_series,
        whole_body_pixels=whole_body_pixels(whole_body), **position,
    )  # fmt: skip
    try:
        with transaction.atomic():
            lesion.save()
            note_act(study, actor, "lesion.register", f"lesion:{lesion.code}",
                     new={"number": number, "level": level, **position})  # fmt: skip
    except IntegrityError as error:
        raise Conflict(f"Patient {patient.subject} has a lesion {number} already.", field="number") from error  # fmt: skip
    return lesion


def refuse_series(patient: Patient, series: Series | None, role: str) -> None:
    if series is None:
        return
    if series.exam.study_key != patient.study.code or series.exam.subject != patient.subject:
        raise Invalid(f"That {role} series is not filed under patient {patient.subject}.")
    if series.state != Series.State.READY or series.role != role:
        raise Invalid(f"Choose a {role} series that is ready; this one is {series.role}, {series.state}.")  # fmt: skip
    if series.exam.is_synthetic != patient.study.is_synthetic:
        raise Invalid("A study is synthetic or real, never both; this series is of the other kind.")


def assign_series(
    lesion: Lesion,
    ct: Series | None,
    spect: Series | None,
    whole_body: Series | None,
    *,
    actor: User,
    now: datetime,
) -> Lesion:
    """Choose the images of a lesion; a registration confirmed for other images no longer counts."""
    study = lesion.patient.study
    require_state(study, REGISTERING, "Series are chosen")
    for role, chosen in (("CT", ct), ("SPECT", spect), ("WB", whole_body)):
        refuse_series(lesion.patient, chosen, role)
    old = series_uids(lesion)
    with transaction.atomic():
        if (ct, spect) != (lesion.ct_series, lesion.spect_series):
            lesion.registration_confirmed_by = lesion.registration_confirmed_at = None
        lesion.ct_series, lesion.spect_series, lesion.whole_body_series = ct, spect, whole_body
        if lesion.is_included and images_problem(lesion):
            raise Conflict(images_problem(lesion))
        lesion.save()
        note_act(study, actor, "lesion.series", f"lesion:{lesion.code}", old=old, new=series_uids(lesion))  # fmt: skip
    return lesion


def series_uids(lesion: Lesion) -> dict[str, str]:
    chosen = (lesion.ct_series, lesion.spect_series, lesion.whole_body_series)
    return {r: s.uid if s else "" for r, s in zip(("CT", "SPECT", "WB"), chosen, strict=True)}


def share_frame(ct: Series, spect: Series) -> bool:
    return bool(ct.frame_of_reference_uid) and (
        ct.frame_of_reference_uid == spect.frame_of_reference_uid
    )


def frame_problem(lesion: Lesion) -> str:
    """Why the lesion's images do not lie on each other, '' when they do."""
    if lesion.ct_series is None or lesion.spect_series is None:
        return "Choose a CT and a SPECT series for this lesion."
    if share_frame(lesion.ct_series, lesion.spect_series):
        return ""
    if lesion.registration_confirmed_by_id is not None:
        return ""
    return (
        "CT and SPECT do not share a frame of reference; look at the fused images and confirm their "
        "registration, or choose other series."
    )


def kind_problem(lesion: Lesion) -> str:
    """What shows as SPECT must be known to be SPECT or PET: a reader judges them differently."""
    if lesion.spect_series is None or lesion.spect_series.label != UNDECIDED:
        return ""
    return "Say on the page of the patient whether the volume of this lesion is SPECT or PET."


def images_problem(lesion: Lesion) -> str:
    """Why a lesion with these images cannot be read, '' when it can."""
    return frame_problem(lesion) or kind_problem(lesion)


def confirm_registration(lesion: Lesion, *, actor: User, now: datetime) -> Lesion:
    """The coordinator vouches that CT and SPECT lie on each other."""
    require_state(lesion.patient.study, REGISTERING, "A registration is confirmed")
    if lesion.ct_series is None or lesion.spect_series is None:
        raise Conflict("Choose a CT and a SPECT series first.")
    with transaction.atomic():
        lesion.registration_confirmed_by, lesion.registration_confirmed_at = actor, now
        lesion.save(update_fields=["registration_confirmed_by", "registration_confirmed_at"])
        note_act(
            lesion.patient.study, actor, "lesion.registration", f"lesion:{lesion.code}",
            new=series_uids(lesion),
        )  # fmt: skip
    return lesion


def inclusion_problem(lesion: Lesion) -> str:
    """The first reason why a lesion cannot be included, '' when it can."""
    if lesion.world_mm is None:
        return "Give the position of the lesion in patient millimetres first."
    patient_row = Screening.objects.filter(
        patient=lesion.patient, lesion__isnull=True, is_current=True, decision="excluded"
    )
    if patient_row.exists():
        return f"Patient {lesion.patient.subject} is excluded; decide on the patient first."
    return images_problem(lesion)


def free_slot(lesion: Lesion) -> int:
    others = Lesion.objects.included().filter(patient=lesion.patient).exclude(pk=lesion.pk)
    taken = set(others.values_list("slot", flat=True))
    cap = lesion.patient.study.lesion_cap
    free = [slot for slot in range(1, cap + 1) if slot not in taken]
    if not free:
        raise Conflict(f"Patient {lesion.patient.subject} has {cap} included lesions, as many as the protocol allows.")  # fmt: skip
    return free[0]


def place_in_slot(lesion: Lesion, slot: int | None) -> None:
    """Include the lesion's row, without an act of its own; called inside a verb's transaction."""
    problem = inclusion_problem(lesion)
    if problem:
        raise Conflict(problem)
    wanted = slot if slot is not None else lesion.slot or free_slot(lesion)
    cap = lesion.patient.study.lesion_cap
    if not 1 <= wanted <= cap:
        raise Invalid(f"The slot lies between 1 and the study's cap, {cap}.", field="slot")
    lesion.is_included, lesion.slot = True, wanted
    try:
        with transaction.atomic():
            lesion.save(update_fields=["is_included", "slot"])
    except IntegrityError as error:
        raise Conflict(f"Slot {wanted} of patient {lesion.patient.subject} is taken.", field="slot") from error  # fmt: skip


def take_out(lesions: Sequence[Lesion]) -> None:
    for lesion in lesions:
        lesion.is_included, lesion.slot = False, None
        lesion.save(update_fields=["is_included", "slot"])


def include_lesion(
    lesion: Lesion, *, slot: int | None = None, actor: User, now: datetime
) -> Lesion:
    """Include a lesion in a slot (the next free one) and log it; already there, nothing happens."""
    study = lesion.patient.study
    require_state(study, (State.SCREENING,), "Lesions are included")
    if lesion.is_included and slot in {None, lesion.slot}:
        return lesion
    with transaction.atomic():
        place_in_slot(lesion, slot)
        log_decision(lesion, decision=Screening.Decision.INCLUDED, actor=actor, now=now)
        note_act(study, actor, "lesion.include", f"lesion:{lesion.code}", new={"slot": lesion.slot})
    return lesion


def log_decision(
    subject: Patient | Lesion, *, decision: str, actor: User, now: datetime, **fields: Any
) -> Screening:
    """Append a row to the screening log; it supersedes the current one of the same object."""
    lesion = subject if isinstance(subject, Lesion) else None
    patient = subject.patient if isinstance(subject, Lesion) else subject
    Screening.objects.filter(patient=patient, lesion=lesion, is_current=True).update(
        is_current=False
    )
    return Screening.objects.create(
        study=patient.study, patient=patient, lesion=lesion, decision=decision,
        decided_by=actor, decided_at=now, **fields,
    )  # fmt: skip
