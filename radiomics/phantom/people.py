"""Simulated people: two experts who call lesions, and two delineators who draw them."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from scipy.stats import multivariate_normal

from radiomics.phantom.draws import FloatArray, Stream, generator
from radiomics.phantom.outlines import drawn_outline
from radiomics.phantom.pictures import (
    CT_SPACING,
    N_FRAMES,
    N_SLICES,
    PatientImages,
    Triple,
    plane_of,
)
from radiomics.phantom.plan import Plan
from radiomics.phantom.records import BENIGN, METASTASIS, LesionPlan

ACCURACY, KAPPA = 0.845, 0.814
REOPENED, BLURRED_SHARE = 3, 0.03
Key = tuple[int, int]


@dataclass(frozen=True)
class ExpertAnswer:
    """One read: `call` metastasis or benign, `confidence` 1..5 in it, times in s; `changed_call` after reopening."""

    call: str
    confidence: int
    seconds: float
    blur_seconds: float
    reopen: bool
    changed_call: str


@dataclass(frozen=True)
class Drawing:
    """One lesion drawn in both modalities: polygons (36, 3) in patient mm on a CT slice and on a SPECT frame."""

    ct_mm: FloatArray
    spect_mm: FloatArray
    seconds: float


@cache
def shared_difficulty() -> float:
    """The correlation of two readers that gives their agreement: P(both wrong) = .155 - (1 - kappa)/4."""
    limit = float(ndtri(1 - ACCURACY))
    wanted = (1 - ACCURACY) - (1 - KAPPA) / 4

    def excess(rho: float) -> float:
        both = multivariate_normal(cov=[[1.0, rho], [rho, 1.0]]).cdf([limit, limit])
        return float(both) - wanted

    return float(brentq(excess, 0.1, 0.999, xtol=1e-4))


def flat_lesions(plan: Plan) -> list[LesionPlan]:
    """All lesions in the order of patients and slots."""
    return [lesion for patient in plan.patients for lesion in patient.lesions]


def standardised(values: FloatArray) -> FloatArray:
    """Mean 0 and SD 1; zeros where nothing varies."""
    spread = float(values.std()) if values.size else 0.0
    centred: FloatArray = values - values.mean() if values.size else values
    return centred / spread if spread > 0 else centred


def case_difficulty(plan: Plan, lesions: list[LesionPlan]) -> FloatArray:
    """How metastatic each lesion looks beyond its class, standardised within class, shared by both experts (n,)."""
    rng = generator(plan.seed, Stream.READERS, 2)
    noise = rng.standard_normal(len(lesions))
    latent = np.array([lesion.t_ct + lesion.t_sp for lesion in lesions])
    odd = np.array([1.0 if lesion.is_atypical else -0.35 for lesion in lesions])
    classes = np.array([lesion.image_class for lesion in lesions])
    c = np.zeros(len(lesions))
    for name, sign in ((METASTASIS, 1.0), (BENIGN, -1.0)):
        own = classes == name
        if own.any():
            looks = 0.55 * (latent[own] - latent[own].mean()) / math.sqrt(2) - sign * 0.6 * odd[own]
            c[own] = standardised(0.8 * standardised(looks) + 0.6 * noise[own])
    return c


def expert_answers(plan: Plan, expert: int) -> dict[Key, ExpertAnswer]:
    """The reads of expert 0 or 1, keyed by (patient index, slot), in the order in which they are read.

    Signs follow the image class, so that calls are chance in null mode. Raises ValueError for another expert.
    """
    if expert not in (0, 1):
        raise ValueError(f"expert must be 0 or 1, got {expert}")
    lesions = flat_lesions(plan)
    rng = generator(plan.seed, Stream.READERS, expert)
    rho = shared_difficulty()
    sign = np.array([1.0 if le.image_class == METASTASIS else -1.0 for le in lesions])
    own = rng.standard_normal(len(lesions))
    z = sign * ndtri(ACCURACY) + math.sqrt(rho) * case_difficulty(plan, lesions)
    z = z + math.sqrt(1 - rho) * own
    order = rng.permutation(len(lesions))
    reopened = [int(i) for i in rng.permutation(len(lesions))[:REOPENED]]
    return {
        (lesions[i].patient, lesions[i].slot): one_read(
            rng, float(z[i]), position, i in reopened, i == reopened[0]
        )
        for position, i in enumerate(int(k) for k in order)
    }


def one_read(
    rng: np.random.Generator, z: float, position: int, reopen: bool, changes: bool
) -> ExpertAnswer:
    """The answer to the evidence z; position counts from 0 in reading order."""
    s = float(np.clip(100 * (2 * ndtr(1.1 * abs(z)) - 1) + rng.normal(0, 5), 0, 100))
    ln_t = math.log(38) + 0.45 * max(0.0, 1 - abs(z)) + rng.normal(0, 0.25) - 0.0015 * position
    blur = float(rng.uniform(60, 900)) if rng.random() < BLURRED_SHARE else 0.0
    call, other = (METASTASIS, BENIGN) if z > 0 else (BENIGN, METASTASIS)
    return ExpertAnswer(
        call,
        1 + min(4, int(s // 20)),
        float(np.clip(math.exp(ln_t), 8, 600)),
        blur,
        reopen,
        other if changes else "",
    )


def delineations(
    plan: Plan, patient_index: int, images: PatientImages, delineator: int, occasion: int
) -> dict[int, Drawing]:
    """What delineator 0 or 1 draws of a patient on occasion 1, or 2 (repeats), by slot; every lesion is drawn.

    Raises ValueError for another delineator or occasion.
    """
    if delineator not in (0, 1) or occasion not in (1, 2):
        raise ValueError(f"delineator 0 or 1 and occasion 1 or 2, got {delineator}, {occasion}")
    drawings = {}
    for truth in images.lesions:
        habit = generator(plan.seed, Stream.CONTOURS, patient_index, truth.slot, delineator)
        now = generator(plan.seed, Stream.CONTOURS, patient_index, truth.slot, delineator, occasion)
        outline = drawn_outline(truth.outline_mm, delineator, habit, now)
        moved = now.normal(0, 0.8, 2) if now.random() < 0.3 else np.zeros(2)
        seconds = math.exp(now.normal(math.log(55), 0.35))
        z = float(truth.outline_mm[0, 2])
        drawings[truth.slot] = Drawing(
            on_plane(outline + moved, z, images.ct_origin_mm, CT_SPACING, N_SLICES),
            on_plane(outline, z, images.spect_origin_mm, images.spect_spacing_mm, N_FRAMES),
            seconds,
        )
    return drawings


def on_plane(xy: FloatArray, z: float, origin: Triple, spacing: Triple, count: int) -> FloatArray:
    """The outline (n, 2) lifted to (n, 3) on the slice nearest to z."""
    plane = plane_of(z, origin, spacing, count)
    return np.column_stack([xy, np.full(len(xy), plane)])
