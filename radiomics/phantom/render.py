"""All pictures of one patient, a pure function of the plan and the patient's index."""

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np

from radiomics.phantom import lesion as lesions
from radiomics.phantom.anatomy import Anatomy, anatomy_of
from radiomics.phantom.ct import to_ct
from radiomics.phantom.draws import Stream, generator
from radiomics.phantom.levels import CENTRES
from radiomics.phantom.pictures import (
    CT_ORIGIN,
    CT_SPACING,
    SPECT_SPACING,
    LesionTruth,
    PatientImages,
)
from radiomics.phantom.plan import Plan
from radiomics.phantom.records import BENIGN, ExcludedPatient, LesionPlan, PatientPlan
from radiomics.phantom.roi import Region, true_region
from radiomics.phantom.shapes import N_Z, Volume
from radiomics.phantom.soft_tissue import Torso, paint_ribs, paint_soft_tissue, paint_table
from radiomics.phantom.spect import to_spect
from radiomics.phantom.vertebra import Canvas, paint_spine
from radiomics.phantom.whole_body import Spot, to_whole_body

__all__ = ["LesionTruth", "PatientImages", "render_excluded", "render_patient"]

MIN_DIAMETER_MM, ENLARGE, TRIES = 10.0, 1.15, 12


@dataclass(frozen=True)
class Drawn:
    """One lesion after it was painted."""

    plan: LesionPlan
    draw: lesions.Draw
    region: Region
    tbr: float


def render_patient(plan: Plan, index: int) -> PatientImages:
    """Pictures and lesion truth of the included patient `index` (0..n-1).

    Raises ValueError for an index outside the plan and for recipes that cannot be drawn.
    """
    if not 0 <= index < len(plan.patients):
        raise ValueError(f"patient index must be 0 to {len(plan.patients) - 1}, got {index}")
    return render(plan.seed, plan.patients[index])


def render_excluded(plan: Plan, excluded: ExcludedPatient) -> PatientImages:
    """Pictures of an excluded patient who has some: uptake without CT lesion, a small or a ragged one.

    The lesions returned are what was put in. Raises ValueError if the patient has no images.
    """
    if not excluded.has_images:
        raise ValueError(f"{excluded.subject} has no images")
    rng = generator(plan.seed, Stream.SCREENING, excluded.index)
    level = CENTRES[int(rng.integers(len(CENTRES)))]
    ragged = excluded.criterion == "not_delineable"
    lesion = LesionPlan(
        excluded.index, 1, level, BENIGN, "degenerative", "", dt.date.min, BENIGN, "focal", "sclerotic",
        2.5 if ragged else -0.5, 0.0, False,
    )  # fmt: skip
    patient = PatientPlan(
        excluded.index, excluded.subject, excluded.sex, excluded.age, excluded.primary, level,
        dt.date(2019, 6, 3), dt.time(9, 0), 740.0, float(np.exp(rng.normal(0, 0.22))), False, BENIGN, (lesion,),
    )  # fmt: skip
    return render(plan.seed, patient, excluded.criterion)


def wedge_shares(seed: int, patient: PatientPlan) -> dict[str, float]:
    """How much of its height each wedged vertebra loses in front."""
    return {
        le.level: float(
            generator(seed, Stream.LESION, patient.index, le.slot, 9).uniform(0.22, 0.48)
        )
        for le in patient.lesions
        if le.shape == "wedge"
    }


def render(seed: int, patient: PatientPlan, criterion: str = "") -> PatientImages:
    """Paint tissue, bones and lesions, then take the pictures."""
    for lesion in patient.lesions:
        lesions.check(lesion)
    anatomy = anatomy_of(seed, patient, wedge_shares(seed, patient))
    canvas, torso = painted(seed, patient, anatomy)
    drawn = [put_in(seed, canvas, anatomy, lesion, criterion) for lesion in patient.lesions]
    counts, spect_origin = to_spect(
        canvas.activity, torso, patient.delta, generator(seed, Stream.SPECT_NOISE, patient.index)
    )
    spots = [Spot(d.plan, d.draw.side, d.tbr) for d in drawn]
    views, marks = to_whole_body(patient, spots, generator(seed, Stream.WHOLE_BODY, patient.index))
    hu = to_ct(canvas.hu, generator(seed, Stream.CT_NOISE, patient.index))
    truths = tuple(
        LesionTruth(
            d.plan.slot, d.plan.level, d.region.centroid_mm, d.region.outline_mm, d.region.longest_diameter_mm,
            mark, d.tbr,
        )
        for d, mark in zip(drawn, marks, strict=True)
    )  # fmt: skip
    return PatientImages(
        hu, counts, views, CT_ORIGIN, CT_SPACING, spect_origin, SPECT_SPACING, truths
    )


def painted(seed: int, patient: PatientPlan, anatomy: Anatomy) -> tuple[Canvas, Torso]:
    """Tissue and bones without lesions."""
    volumes: list[Volume] = [np.zeros((N_Z, 256, 256), dtype=np.float32) for _ in range(4)]
    canvas = Canvas(*volumes)
    torso = paint_soft_tissue(
        canvas.hu, canvas.activity, anatomy,
        generator(seed, Stream.ANATOMY, patient.index, 1), generator(seed, Stream.VESSELS, patient.index),
    )  # fmt: skip
    paint_table(canvas.hu, torso)
    paint_ribs(canvas.hu, canvas.activity, anatomy)
    for lesion in patient.lesions:
        if lesion.shape == "disc":
            lesions.paint_abscess(canvas, anatomy, lesion)
    rngs = [
        generator(seed, Stream.TEXTURE, patient.index, v.number + 20) for v in anatomy.vertebrae
    ]
    paint_spine(canvas, anatomy, rngs)
    return canvas, torso


def put_in(
    seed: int, canvas: Canvas, anatomy: Anatomy, lesion: LesionPlan, criterion: str
) -> Drawn:
    """Draw a lesion, enlarged until its outline is longer than 10 mm, and paint it."""
    key = (lesion.patient, lesion.slot)
    draw = lesions.choices(generator(seed, Stream.LESION, *key))
    if criterion == "no_lesion_1cm":
        draw = replace(draw, scale=0.32, size=1.0)
    for _ in range(TRIES):
        field = lesions.field_of(
            canvas, anatomy, lesion, draw, generator(seed, Stream.LESION, *key, 1)
        )
        region = true_region(field)
        if region and (criterion or region.longest_diameter_mm > MIN_DIAMETER_MM):
            break
        draw = replace(draw, scale=draw.scale * ENLARGE)
    else:
        raise ValueError(f"lesion {lesion.slot} at {lesion.level} cannot be drawn in the scan")
    if criterion != "no_ct_lesion":
        lesions.paint_ct(canvas, field, lesion, generator(seed, Stream.LESION, *key, 2))
    rng = generator(seed, Stream.LESION, *key, 3)
    tbr = lesions.tbr_of(lesion, rng)
    lesions.paint_activity(canvas, field, lesion, tbr, rng)
    return Drawn(lesion, draw, region, tbr)
