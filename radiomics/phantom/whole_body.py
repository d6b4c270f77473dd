"""The planar whole-body scan: a skeleton drawn once, stretched to the patient, with spots and counting noise."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import affine_transform

from radiomics.phantom.levels import number
from radiomics.phantom.records import METASTASIS, LesionPlan, PatientPlan
from radiomics.phantom.shapes import Volume
from radiomics.phantom.skeleton import CENTRE, COLUMNS, HEAD_ROW, ROWS, skeleton, vertebra_row

COUNTS = 26.0
LESION_SIGMA = 3.6
WEIGHTS = (0.35, 1.0)
ASIDE = {"facet": 11.0, "focal_pedicle": 7.0, "focal": 4.0}
RIBS, PELVIS, SPINE = "ribs", "pelvis", "spine"


@dataclass(frozen=True)
class Spot:
    """A lesion to be shown: its plan, side (1 = left) and uptake."""

    lesion: LesionPlan
    side: int
    tbr: float


@dataclass(frozen=True)
class Build:
    """How the patient stretches the skeleton: height and width factors about the top of the head."""

    height: float
    width: float

    def place(self, column: float, row: float) -> tuple[float, float]:
        """A point of the drawn skeleton in the patient's picture."""
        return CENTRE + (column - CENTRE) * self.width, HEAD_ROW + (row - HEAD_ROW) * self.height


def to_whole_body(
    patient: PatientPlan, spots: list[Spot], rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint16], list[dict[str, tuple[float, float]]]]:
    """Counts uint16 (2, 1024, 256), anterior and posterior as stored, and where each spot lies in both.

    The anterior view shows the patient's left on the right, the posterior view is stored as seen from behind.
    """
    build = Build(
        (1.0 if patient.sex == "M" else 0.94) * float(rng.normal(1, 0.025)),
        float(rng.normal(1, 0.04)),
    )
    bones, kidneys, bladder = skeleton()
    amount = rng.uniform(0.5, 1.3), rng.uniform(0.35, 1.25)
    views = [
        stretched(b + amount[0] * k + amount[1] * p, build)
        for b, k, p in zip(bones, kidneys, bladder, strict=True)
    ]
    marks = []
    for spot in spots:
        column, row = add_lesion(views, build, spot)
        marks.append({"anterior": (column, row), "posterior": (COLUMNS - 1 - column, row)})
    metastatic = any(s.lesion.image_class == METASTASIS for s in spots)
    add_extras(views, build, metastatic, rng)
    stored = np.stack([views[0], views[1][:, ::-1]])
    counts = rng.poisson(np.clip(stored, 0, None) * COUNTS)
    return np.clip(counts, 0, 65535).astype(np.uint16), marks


def stretched(view: Volume, build: Build) -> Volume:
    """A view stretched about the top of the head."""
    scale = np.array([1 / build.height, 1 / build.width])
    fixed = np.array([HEAD_ROW, CENTRE])
    out = affine_transform(view, scale, fixed - scale * fixed, order=1)
    return np.asarray(out, dtype=np.float32)


def add_spot(view: Volume, column: float, row: float, sigma: float, height: float) -> None:
    """Add a Gaussian spot in place."""
    reach = math.ceil(4 * sigma)
    r0, c0 = max(0, int(row) - reach), max(0, int(column) - reach)
    rows = np.arange(r0, min(ROWS, int(row) + reach + 1))
    columns = np.arange(c0, min(COLUMNS, int(column) + reach + 1))
    bump = np.exp(-0.5 * ((rows - row) / sigma) ** 2)[:, None]
    bump = height * bump * np.exp(-0.5 * ((columns - column) / sigma) ** 2)[None, :]
    view[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] += bump.astype(np.float32)


def add_lesion(views: list[Volume], build: Build, spot: Spot) -> tuple[float, float]:
    """Add a lesion to both views; returns its (column, row) in the anterior one."""
    aside = ASIDE.get(spot.lesion.shape, 0.0) * spot.side
    column, row = build.place(CENTRE + aside, vertebra_row(number(spot.lesion.level)))
    offsets = (0.0,) if spot.lesion.shape in ASIDE else (-5.0, 0.0, 5.0)
    for view, weight in zip(views, WEIGHTS, strict=True):
        for offset in offsets:
            height = 0.30 * (spot.tbr - 1) * weight / len(offsets)
            add_spot(view, column + offset, row, LESION_SIGMA, height)
    return column, row


def add_extras(
    views: list[Volume], build: Build, metastatic: bool, rng: np.random.Generator
) -> None:
    """Further spots of metastatic images, knees of others."""
    if metastatic and rng.random() < 0.55:
        for _ in range(int(rng.integers(1, 6))):
            add_focus(views, build, rng)
    elif not metastatic and rng.random() < 0.60:
        column, row = build.place(CENTRE + rng.choice((-1, 1)) * 32, 612 + rng.normal(0, 5))
        height = rng.uniform(0.2, 0.6)
        for view, weight in zip(views, (1.0, 0.6), strict=True):
            add_spot(view, column, row, 6, height * weight)


def add_focus(views: list[Volume], build: Build, rng: np.random.Generator) -> None:
    """One further focus in ribs, pelvis or spine."""
    where = str(rng.choice((RIBS, PELVIS, SPINE)))
    side = rng.choice((-1, 1))
    if where == RIBS:
        at, sigma, top = (CENTRE + side * rng.uniform(20, 44), rng.uniform(200, 300)), 2.8, 1.4
    elif where == PELVIS:
        at, sigma, top = (CENTRE + side * rng.uniform(18, 42), rng.uniform(388, 430)), 4.0, 1.5
    else:
        at, sigma, top = (CENTRE, vertebra_row(int(rng.integers(0, 13)))), 3.8, 1.6
    column, row = build.place(*at)
    height, share = rng.uniform(0.5, top), rng.uniform(0.35, 0.8)
    for view, weight in zip(views, (share, 1.0), strict=True):
        add_spot(view, column, row, sigma, height * weight)
