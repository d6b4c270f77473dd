"""The plan of a small demo with the archive's rows of its patients, but nothing rendered."""

import io

import numpy as np

from portal.demo import build, cast, paperwork
from portal.demo.options import Options
from portal.demo.progress import Bar
from portal.demo.rendering import Rendered
from portal.study.models import Study
from radiomics.phantom.people import Drawing
from radiomics.phantom.pictures import LesionTruth
from radiomics.phantom.plan import Plan
from tests.cohort import NOW, make_exam, make_series
from tests.readers.builders import give_images

SMALL = Options(patients=8)


def truth_of(plan: Plan, patient: int) -> tuple[LesionTruth, ...]:
    """What rendering would tell of a patient's lesions; places within the built images."""
    return tuple(
        LesionTruth(
            slot=lesion.slot,
            level=lesion.level,
            centroid_mm=np.array([18.12345 + patient / 10, 70.0, 30.0 + lesion.slot]),
            outline_mm=np.zeros((0, 3)),
            longest_diameter_mm=21.26,
            whole_body={"anterior": (10.26, 20.0 + patient), "posterior": (21.0, 20.5)},
            tbr=3.0,
        )
        for lesion in plan.patients[patient].lesions
    )


def truths_of(plan: Plan) -> dict[int, tuple[LesionTruth, ...]]:
    return {p.index: truth_of(plan, p.index) for p in plan.patients}


def archive(study: Study, plan: Plan) -> None:
    """One exam with CT, SPECT and whole body per included patient."""
    for patient in plan.patients:
        exam = make_exam(study, patient.subject)
        give_images(make_series(exam, "CT"), n=5, size=32, spacing=2.0, step=2.5)
        give_images(make_series(exam, "SPECT"), n=5, size=16, spacing=4.0, step=4.0)
        make_series(exam, "WB", frame_of_reference_uid="")


def founded(options: Options = SMALL) -> tuple[Study, cast.Cast]:
    """The study in SCREENING with its people, criteria and design."""
    people = cast.assemble()
    study = build.found(options, people.users["coordinator"], people)
    build.prepare(study, options.plan, options, people.users["coordinator"])
    return study, people


def registered(options: Options = SMALL) -> tuple[Study, cast.Cast]:
    study, people = founded(options)
    archive(study, options.plan)
    boss = people.users["coordinator"]
    paperwork.register(study, options.plan, truths_of(options.plan), actor=boss, now=NOW)
    return study, people


def ring(centre: np.ndarray, radius_mm: float) -> np.ndarray:
    """A 36-gon in the plane of its centre."""
    around = 2 * np.pi * np.arange(36) / 36
    x, y = centre[0] + radius_mm * np.cos(around), centre[1] + radius_mm * np.sin(around)
    return np.column_stack([x, y, np.full(36, centre[2])])


def drawn_for(plan: Plan) -> dict[int, Rendered]:
    """What the worker processes would bring back: circles, each person and occasion with a radius of its own."""
    found = {}
    for patient in plan.patients:
        lesions = truth_of(plan, patient.index)
        drawings = {
            (who, occasion): {
                x.slot: Drawing(
                    ring(x.centroid_mm, 9.0 + who), ring(x.centroid_mm, 11.0 + occasion), 30.0 + who
                )
                for x in lesions
            }
            for who in (0, 1)
            for occasion in (1, 2)
        }
        found[patient.index] = Rendered(patient.index, "", lesions, drawings)
    return found


def silent(total: int = 1) -> Bar:
    return Bar("quiet", total, io.StringIO())


def in_reading(options: Options = SMALL) -> tuple[Study, cast.Cast]:
    """The demo in READING with every session planned."""
    study, people = founded(options)
    archive(study, options.plan)
    boss = people.users["coordinator"]
    build.register(study, options.plan, options, drawn_for(options.plan), people, boss)
    study.refresh_from_db()
    return study, people
