"""The plan of a synthetic cohort: patients, lesions, labels, recipes and latents, a pure function of its arguments."""

import datetime as dt
import math
from dataclasses import dataclass, replace

import numpy as np

from radiomics.phantom import cohort_counts, recipes, screening
from radiomics.phantom.draws import Stream, generator
from radiomics.phantom.levels import CENTRE_WEIGHTS, CENTRES, LEVELS
from radiomics.phantom.records import ExcludedLesion, ExcludedPatient, LesionPlan, PatientPlan

__all__ = [
    "ExcludedLesion",
    "ExcludedPatient",
    "LesionPlan",
    "PatientPlan",
    "Plan",
    "make_plan",
    "make_practice_plan",
]

FIRST_DAY, LAST_DAY = dt.date(2019, 1, 7), dt.date(2020, 10, 30)
AGE_MEAN = {"prostate": 70.0, "breast": 57.0, "lung": 63.0}
PRACTICE_PATIENTS = 12


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before an image is made; `repeats` are (patient index, lesion slot) drawn twice."""

    seed: int
    n_patients: int
    difficulty: float
    null: bool
    patients: tuple[PatientPlan, ...]
    excluded: tuple[ExcludedPatient, ...]
    excluded_lesions: tuple[ExcludedLesion, ...]
    repeats: tuple[tuple[int, int], ...]


def make_plan(
    *, seed: int, n_patients: int = 132, difficulty: float = 1.0, null: bool = False
) -> Plan:
    """Plan a cohort.

    `seed` >= 0, `n_patients` 8..100,000, `difficulty` 0 (no signal) .. 1; with `null` the image classes are a random
    permutation over lesions while the truth stays. Raises ValueError for anything else.
    """
    check(seed, n_patients, difficulty)
    rng = generator(seed, Stream.PLAN)
    counts = cohort_counts.scaled(n_patients)
    people = dated(rng, cohort_counts.people(rng, counts))
    lesions = lesions_of(rng, counts, people)
    drawn = recipes.assign(generator(seed, Stream.LATENTS), people, lesions, difficulty, null)
    patients = tuple(replace(p, lesions=tuple(own)) for p, own in zip(people, drawn, strict=True))
    flat = [lesion for own in drawn for lesion in own]
    chosen = np.sort(rng.permutation(len(flat))[: counts.repeats])
    screened = generator(seed, Stream.SCREENING)
    return Plan(
        seed, n_patients, difficulty, null, patients,
        screening.excluded_patients(screened, n_patients),
        screening.excluded_lesions(screened, patients),
        tuple((flat[i].patient, flat[i].slot) for i in chosen),
    )  # fmt: skip


def make_practice_plan(seed: int) -> Plan:
    """Twelve other patients, PRA0001.., from a stream of their own, for the practice study; nothing is excluded."""
    own_seed = int(generator(seed, Stream.PRACTICE).integers(2**31, 2**32))
    plan = make_plan(seed=own_seed, n_patients=PRACTICE_PATIENTS)
    patients = tuple(replace(p, subject=f"PRA{p.index + 1:04d}") for p in plan.patients)
    return replace(plan, patients=patients, excluded=(), excluded_lesions=())


def check(seed: int, n_patients: int, difficulty: float) -> None:
    """Raise ValueError unless the arguments describe a cohort."""
    if seed < 0:
        raise ValueError(f"seed must not be negative, got {seed}")
    if not 8 <= n_patients <= 100_000:
        raise ValueError(f"patients must be 8 to 100,000, got {n_patients}")
    if not (math.isfinite(difficulty) and 0 <= difficulty <= 1):
        raise ValueError(f"difficulty must be 0 to 1, got {difficulty}")


def working_days() -> list[dt.date]:
    """Monday to Friday from the first to the last day of the study period."""
    span = (LAST_DAY - FIRST_DAY).days + 1
    days = [FIRST_DAY + dt.timedelta(days=i) for i in range(span)]
    return [day for day in days if day.weekday() < 5]


def dated(rng: np.random.Generator, people: list[cohort_counts.Person]) -> list[PatientPlan]:
    """Patients with age, centre level, date, time, dose and count factor, still without lesions."""
    days = working_days()
    n = len(people)
    means = np.array([AGE_MEAN.get(p.primary, 61.0) for p in people])
    ages = np.clip(np.rint(rng.normal(means, 9)), 32, 88).astype(int)
    weights = np.asarray(CENTRE_WEIGHTS) / sum(CENTRE_WEIGHTS)
    centres = rng.choice(len(CENTRES), size=n, p=weights)
    dates, minutes = rng.integers(len(days), size=n), rng.integers(8 * 60, 16 * 60, size=n)
    delta = np.exp(rng.normal(0, 0.22, size=n))
    return [
        PatientPlan(
            index=i, subject=f"SYN{i + 1:04d}", sex=p.sex, age=int(ages[i]), primary=p.primary,
            centre_level=CENTRES[centres[i]], study_date=days[dates[i]],
            start_time=dt.time(int(minutes[i]) // 60, int(minutes[i]) % 60),
            activity_mbq=round(float(np.clip(740 * delta[i], 555, 925)), 1), delta=float(delta[i]),
            negative_spacing=i % 2 == 1, diagnosis=p.diagnosis, lesions=(),
        )
        for i, p in enumerate(people)
    ]  # fmt: skip


def lesions_of(
    rng: np.random.Generator, counts: cohort_counts.Counts, people: list[PatientPlan]
) -> list[list[cohort_counts.Finding]]:
    """Truth of every lesion: level, class, benign kind, method, day of the truth."""
    findings = cohort_counts.findings(rng, counts, people)
    steps = rng.choice((-1, 1), size=len(people))
    for own, person, step in zip(findings, people, steps, strict=True):
        centre = LEVELS.index(person.centre_level)
        beside = 1 if own[0].subtype == "tuberculosis" else int(step)
        for slot, finding in enumerate(own):
            finding.level = LEVELS[centre + slot * beside]
            finding.determined_on = person.study_date + dt.timedelta(
                days=int(rng.integers(30, 401))
            )
    return findings
