"""Rendering and writing one patient: what the demo's worker processes do, without Django's models."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path

from portal.archive.headers import Subject, later
from portal.archive.writer import (
    CtSeries,
    SpectSeries,
    WholeBody,
    write_ct,
    write_spect,
    write_whole_body,
)
from portal.demo.options import Options
from radiomics.phantom import GENERATOR_VERSION
from radiomics.phantom.people import Drawing, delineations
from radiomics.phantom.plan import Plan
from radiomics.phantom.records import ExcludedPatient, PatientPlan
from radiomics.phantom.render import LesionTruth, PatientImages, render_excluded, render_patient

EXCLUDED_DATE, EXCLUDED_TIME = date(2020, 6, 15), time(9, 0)


@dataclass(frozen=True)
class Errand:
    """What a worker process is asked to render and write: one patient of one plan."""

    options: Options
    index: int
    is_excluded: bool
    folder: str
    writes: bool = True


def uid(options: Options, *parts: object) -> str:
    """A UID from all that determines the content, so that other content never repeats it."""
    text = "|".join(
        str(x)
        for x in (
            GENERATOR_VERSION,
            options.seed,
            options.patients,
            options.difficulty,
            options.is_null,
            *parts,
        )
    )
    return f"2.25.{int.from_bytes(hashlib.sha256(text.encode()).digest(), 'big') >> 132}"


@dataclass(frozen=True)
class Rendered:
    """What a worker brings back: the folder, and what the simulated people will do with the lesions."""

    index: int
    folder: str
    lesions: tuple[LesionTruth, ...]
    drawings: Mapping[tuple[int, int], Mapping[int, Drawing]]


def drawings(
    plan: Plan, index: int, images: PatientImages
) -> dict[tuple[int, int], dict[int, Drawing]]:
    """(delineator, occasion) -> slot -> drawing, the second occasion for the repeated lesions only."""
    repeated = {slot for patient, slot in plan.repeats if patient == index}
    found = {
        (who, occasion): delineations(plan, index, images, who, occasion)
        for who in (0, 1)
        for occasion in (1, 2)
        if occasion == 1 or repeated
    }
    return {
        key: {slot: d for slot, d in rows.items() if key[1] == 1 or slot in repeated}
        for key, rows in found.items()
    }


def write_patient(errand: Errand) -> Rendered:
    """Render one patient and write the three series; runs in a worker process."""
    options = errand.options
    plan = options.plan
    folder = Path(errand.folder)
    folder.mkdir(parents=True)
    person: ExcludedPatient | PatientPlan
    if errand.is_excluded:
        person = next(p for p in plan.excluded if p.index == errand.index)
        images = render_excluded(plan, person)
        when, at, dose, negative = EXCLUDED_DATE, EXCLUDED_TIME, 740.0, False
    else:
        patient = plan.patients[errand.index]
        person = patient
        images = render_patient(plan, errand.index)
        when, at, dose, negative = (
            patient.study_date, patient.start_time, patient.activity_mbq, patient.negative_spacing
        )  # fmt: skip
    key = person.subject
    subject = Subject(key, person.sex, person.age, uid(options, key, "study"), when, at)
    if errand.writes:
        write_series(folder, subject, images, options, dose=dose, is_negative=negative)
    drawn = {} if errand.is_excluded else drawings(plan, errand.index, images)
    return Rendered(errand.index, errand.folder, images.lesions, drawn)


def write_series(
    folder: Path,
    subject: Subject,
    images: PatientImages,
    options: Options,
    *,
    dose: float,
    is_negative: bool,
) -> None:
    key, encoding, start = subject.patient_id, options.encoding, subject.study_time
    frame = uid(options, key, "frame of reference")
    row, column, step = images.ct_spacing_mm
    write_ct(
        folder,
        CtSeries(
            subject, uid(options, key, "ct"),
            tuple(uid(options, key, "ct", k) for k in range(images.ct_hu.shape[0])), frame,
            images.ct_hu, images.ct_origin_mm, (row, column), step, later(start, 36),
        ),
        encoding=encoding,
    )  # fmt: skip
    row, column, step = images.spect_spacing_mm
    write_spect(
        folder,
        SpectSeries(
            subject, uid(options, key, "spect"), uid(options, key, "spect", 0), frame,
            images.spect_counts, images.spect_origin_mm, (row, column), step, later(start, 20), dose, is_negative,
        ),
        encoding=encoding,
    )  # fmt: skip
    write_whole_body(
        folder,
        WholeBody(
            subject, uid(options, key, "wb"), uid(options, key, "wb", 0), images.whole_body,
            (2.21, 2.21), start, dose,
        ),
        encoding=encoding,
    )  # fmt: skip
