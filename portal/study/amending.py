"""Correcting what was registered of a patient or lesion, until the cohort is fixed."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from portal.accounts.models import User
from portal.errors import Conflict
from portal.study.acts import note_act
from portal.study.models import Lesion, Patient
from portal.study.patients import (
    REGISTERING,
    refuse_lesion,
    refuse_person,
    refuse_position,
    require_state,
)


@dataclass(frozen=True)
class Person:
    sex: str
    age_years: int | None
    primary_tumour: str


@dataclass(frozen=True)
class Site:
    """Where a lesion lies, and how long it is."""

    level: str
    x_mm: float | None
    y_mm: float | None
    z_mm: float | None
    longest_diameter_mm: float | None


def fields_of(row: Patient | Lesion, shape: Person | Site) -> dict[str, object]:
    return {name: getattr(row, name) for name in vars(shape)}


def amend_patient(
    patient: Patient, person: Person, *, reason: str, actor: User, now: datetime
) -> Patient:
    """Correct a patient's details; the trail keeps the earlier ones and the reason."""
    require_state(patient.study, REGISTERING, "Patients are corrected")
    refuse_person(person.sex, person.age_years)
    old = fields_of(patient, person)
    if old == vars(person):
        return patient
    with transaction.atomic():
        for name, value in vars(person).items():
            setattr(patient, name, value)
        patient.save(update_fields=list(vars(person)))
        note_act(
            patient.study, actor, "patient.amend", f"patient:{patient.code}",
            old=old, new={**vars(person), "at": now}, reason=reason,
        )  # fmt: skip
    return patient


def amend_lesion(lesion: Lesion, site: Site, *, reason: str, actor: User, now: datetime) -> Lesion:
    """Correct a lesion's level, position or diameter; an included lesion keeps a position."""
    study = lesion.patient.study
    require_state(study, REGISTERING, "Lesions are corrected")
    refuse_lesion(site.level, site.longest_diameter_mm)
    if lesion.is_included and None in {site.x_mm, site.y_mm, site.z_mm}:
        raise Conflict("An included lesion keeps its position; exclude it first.", field="x_mm")
    refuse_position(site.x_mm, site.y_mm, site.z_mm)
    old = fields_of(lesion, site)
    if old == vars(site):
        return lesion
    with transaction.atomic():
        for name, value in vars(site).items():
            setattr(lesion, name, value)
        lesion.save(update_fields=list(vars(site)))
        note_act(
            study, actor, "lesion.amend", f"lesion:{lesion.code}",
            old=old, new={**vars(site), "at": now}, reason=reason,
        )  # fmt: skip
    return lesion
