"""The IBSI processing chain: interpolate, re-segment, discretise, measure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from radiomics.ibsi import IbsiValues, measure, require_volume
from radiomics.ibsi.region import BoolArray, FloatArray, IntArray

Spacing = tuple[float, float, float]
ORDER = {"linear": 1, "cubic": 3}
OUTLIER_SD = 3.0
MARGIN_MM = 10.0


@dataclass(frozen=True)
class Binning:
    """Discretisation by a fixed number of bins or a fixed bin width; neither takes the values as they are."""

    n_bins: int | None = None
    width: float | None = None

    def __post_init__(self) -> None:
        if self.n_bins is not None and self.width is not None:
            raise ValueError("binning is by n_bins or by width, got both")
        if self.n_bins is not None and self.n_bins < 1:
            raise ValueError(f"n_bins must be at least 1, got {self.n_bins}")
        if self.width is not None and not self.width > 0:
            raise ValueError(f"width must be positive, got {self.width}")


@dataclass(frozen=True)
class Settings:
    """Every choice of the chain, to be recorded beside the values.

    `grid_mm` (slice, row, column), None in the first place keeps the slices, None as a whole interpolates nothing;
    `range_` keeps intensities lo..hi, `no_outliers` those within three standard deviations of the mean, `distances`
    are those of co-occurrence, in voxels of the grid.
    """

    grid_mm: tuple[float | None, float, float] | None = None
    interpolation: Literal["linear", "cubic"] = "linear"
    rounds_to_whole: bool = False
    range_: tuple[float, float] | None = None
    no_outliers: bool = False
    binning: Binning = Binning()
    ivh_binning: Binning = Binning()
    distances: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        if self.interpolation not in ORDER:
            raise ValueError(
                f"interpolation must be one of {', '.join(ORDER)}, got {self.interpolation}"
            )
        if self.range_ is not None and not self.range_[0] < self.range_[1]:
            raise ValueError(f"range_ must be (lower, upper), got {self.range_}")
        if self.grid_mm is not None and not all(s is None or s > 0 for s in self.grid_mm):
            raise ValueError(f"grid_mm must hold positive spacings, got {self.grid_mm}")


CT_RANGE, WIDE_CT_RANGE = (-500.0, 400.0), (-1000.0, 400.0)
CONFIGURATIONS = {
    "A": Settings(rounds_to_whole=True, range_=CT_RANGE, binning=Binning(width=25)),
    "B": Settings((None, 2.0, 2.0), rounds_to_whole=True, range_=CT_RANGE, binning=Binning(n_bins=32)),
    "C": Settings((2.0, 2.0, 2.0), rounds_to_whole=True, range_=WIDE_CT_RANGE, binning=Binning(width=25),
                  ivh_binning=Binning(width=2.5)),
    "D": Settings((2.0, 2.0, 2.0), rounds_to_whole=True, no_outliers=True, binning=Binning(n_bins=32)),
    "E": Settings((2.0, 2.0, 2.0), "cubic", rounds_to_whole=True, range_=WIDE_CT_RANGE, no_outliers=True,
                  binning=Binning(n_bins=32), ivh_binning=Binning(n_bins=1000)),
}  # fmt: skip
CT_DEFAULT = Settings(
    (2.0, 2.0, 2.0), rounds_to_whole=True, binning=Binning(width=25), ivh_binning=Binning(width=1)
)
COUNTS_DEFAULT = Settings(
    (2.0, 2.0, 2.0), binning=Binning(n_bins=64), ivh_binning=Binning(n_bins=1000)
)


@dataclass(frozen=True)
class Whole:
    """The image that a part was cut out of: its shape, and where in it (slice, row, column) the part begins."""

    shape: tuple[int, ...]
    first: tuple[int, ...]


@dataclass(frozen=True)
class Prepared:
    """The chain's result about the mask, a centimetre around it kept where the image has it.

    `image`, both masks and `levels` are (slices, rows, columns), `spacing_mm` is in that order.
    """

    image: FloatArray
    mask: BoolArray
    intensity_mask: BoolArray
    levels: IntArray
    n_levels: int
    spacing_mm: Spacing
    ivh: FloatArray
    ivh_step: float


def compute(
    image: npt.ArrayLike,
    mask: npt.ArrayLike,
    spacing_mm: Spacing,
    settings: Settings,
    *,
    whole: Whole | None = None,
) -> IbsiValues:
    """Run the chain on a volume and measure it; arguments as in `measure`.

    `image` and `mask` may be a part of a `whole`, whose grid is then the same as without cutting; a linear
    interpolation gives the same values if the part holds MARGIN_MM and one voxel around the mask. Raises ValueError as `measure` does, and if nothing of the region is left after re-segmentation.
    Source: features.md 9.3, IBSI manual 2.
    """
    ready = prepare(image, mask, spacing_mm, settings, whole=whole)
    return measure(
        ready.image, ready.mask, ready.spacing_mm, levels=ready.levels,
        intensity_mask=ready.intensity_mask, n_levels=ready.n_levels, ivh=ready.ivh, ivh_step=ready.ivh_step,
        distances=settings.distances,
    )  # fmt: skip


def prepare(
    image: npt.ArrayLike,
    mask: npt.ArrayLike,
    spacing_mm: Spacing,
    settings: Settings,
    *,
    whole: Whole | None = None,
) -> Prepared:
    """Interpolate, re-segment and discretise; arguments and errors as in `compute`."""
    values, inside = np.asarray(image, dtype=np.float64), np.asarray(mask, dtype=bool)
    require_volume(values, inside, inside, spacing_mm)
    whole = whole or Whole(values.shape, (0, 0, 0))
    values, inside, spacing = on_grid(values, inside, spacing_mm, settings, whole)
    kept = resegmented(values, inside, settings)
    if not kept.any():
        raise ValueError("mask holds no voxel within the range after re-segmentation")
    lower = None if settings.range_ is None else settings.range_[0]
    levels, n_levels = discretised(values, kept, settings.binning, lower=lower)
    ivh, step = ivh_values(values, kept, levels, settings, lower=lower)
    return Prepared(values, inside, kept, levels, n_levels, spacing, ivh, step)


def on_grid(
    image: FloatArray, mask: BoolArray, spacing_mm: Spacing, settings: Settings, whole: Whole
) -> tuple[FloatArray, BoolArray, Spacing]:
    """Image, mask and spacing on the wanted grid, whose centre is the old one's, about the mask."""
    window = reaches(mask, spacing_mm)
    if settings.grid_mm is None:
        box = tuple(starmap(slice, ((max(0, math.ceil(a)), math.floor(b) + 1) for a, b in window)))
        return rounded(image[box], settings), mask[box], spacing_mm
    wanted = [new or old for new, old in zip(settings.grid_mm, spacing_mm, strict=True)]
    grid = positions(whole.shape, spacing_mm, wanted)
    near = [
        nodes[(nodes - start >= low) & (nodes - start <= high)] - start
        for nodes, start, (low, high) in zip(grid, whole.first, window, strict=True)
    ]
    coordinates = np.meshgrid(*near, indexing="ij")
    values = ndimage.map_coordinates(
        image, coordinates, order=ORDER[settings.interpolation], mode="nearest"
    )
    inside = ndimage.map_coordinates(mask.astype(np.float64), coordinates, order=1, mode="nearest")
    is_in = np.asarray(inside >= 0.5 - 1e-9)
    if not is_in.any():
        raise ValueError("mask holds no voxel on the new grid")
    return rounded(values, settings), is_in, (wanted[0], wanted[1], wanted[2])


def reaches(mask: BoolArray, spacing_mm: Spacing) -> list[tuple[float, float]]:
    """Per axis, from where to where (in voxels) the mask and a margin around it reach."""
    found: list[tuple[float, float]] = []
    for axis, spacing in enumerate(spacing_mm):
        others = tuple(a for a in range(mask.ndim) if a != axis)
        occupied = np.flatnonzero(mask.any(axis=others))
        margin = MARGIN_MM / spacing + 1
        found.append((float(occupied[0] - margin), float(occupied[-1] + margin)))
    return found


def positions(
    shape: Sequence[int], old_mm: Sequence[float], new_mm: Sequence[float]
) -> list[FloatArray]:
    """Per axis, the new grid's places in units of the old voxels; ceil(n s / s') of them, centre on centre."""
    found: list[FloatArray] = []
    for n, old, new in zip(shape, old_mm, new_mm, strict=True):
        many = math.ceil(n * old / new - 1e-9)
        first = (n - 1) / 2 - (many - 1) / 2 * new / old
        found.append(first + np.arange(many, dtype=np.float64) * (new / old))
    return found


def rounded(image: FloatArray, settings: Settings) -> FloatArray:
    """Whole numbers where the settings want them, as for HU."""
    return np.rint(image) if settings.rounds_to_whole else image


def resegmented(image: FloatArray, mask: BoolArray, settings: Settings) -> BoolArray:
    """The mask without intensities outside the range and without those beyond three SD of the mask's mean.

    Both rules look at the mask as it was; what remains is what both keep (IBSI manual 2.5).
    """
    kept = mask.copy()
    if settings.range_ is not None:
        kept &= (image >= settings.range_[0]) & (image <= settings.range_[1])
    if settings.no_outliers:
        mean, deviation = image[mask].mean(), image[mask].std()
        kept &= np.abs(image - mean) <= OUTLIER_SD * deviation
    return kept


def discretised(
    image: FloatArray, mask: BoolArray, binning: Binning, *, lower: float | None = None
) -> tuple[IntArray, int]:
    """Levels from 1 inside the mask (0 outside) and their number.

    A fixed number puts the maximum into the last bin; a fixed width begins at `lower`, or at the least value;
    without either the values themselves must be whole numbers from 1.
    """
    values = image[mask]
    levels = np.zeros(image.shape, dtype=np.int64)
    low, high = float(values.min()), float(values.max())
    if binning.n_bins is not None:
        share = (values - low) / (high - low) if high > low else np.zeros_like(values)
        levels[mask] = np.minimum(np.floor(binning.n_bins * share) + 1, binning.n_bins).astype(
            np.int64
        )
        return levels, binning.n_bins
    if binning.width is not None:
        start = low if lower is None else lower
        levels[mask] = (np.floor((values - start) / binning.width) + 1).astype(np.int64)
        return levels, int(levels.max())
    if not np.array_equal(values, np.rint(values)) or low < 1:
        raise ValueError("image must hold whole numbers from 1 where it is not discretised")
    levels[mask] = values.astype(np.int64)
    return levels, int(high)


def ivh_values(
    image: FloatArray, mask: BoolArray, levels: IntArray, settings: Settings, *, lower: float | None
) -> tuple[FloatArray, float]:
    """What the volume histogram is made of: values as they are, bin centres of a width, or the numbers of bins."""
    binning = settings.ivh_binning
    if binning.n_bins is not None:
        return discretised(image, mask, binning)[0].astype(np.float64), 1.0
    if binning.width is not None:
        start = float(image[mask].min()) if lower is None else lower
        bins = discretised(image, mask, binning, lower=lower)[0]
        return np.asarray(start + (bins - 0.5) * binning.width, dtype=np.float64), binning.width
    whole = np.array_equal(image[mask], np.rint(image[mask]))
    return (image, 1.0) if whole else (levels.astype(np.float64), 1.0)
