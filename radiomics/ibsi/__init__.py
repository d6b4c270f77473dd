"""The IBSI layer: features of a volume by the names and definitions of the Image Biomarker Standardisation Initiative."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from radiomics.ibsi.aggregation import Values
from radiomics.ibsi.co_occurrence import co_occurrence
from radiomics.ibsi.intensity import histogram, statistics, volume_histogram
from radiomics.ibsi.local import local_intensity
from radiomics.ibsi.morphology import morphology
from radiomics.ibsi.neighbours import dependence_features, tone_features
from radiomics.ibsi.reasons import NOT_IMPLEMENTED as MISSING
from radiomics.ibsi.reasons import reasons_of
from radiomics.ibsi.region import Region, region_of
from radiomics.ibsi.run_length import run_length
from radiomics.ibsi.zones import zone_features

NOT_IMPLEMENTED = (
    "morph_vol_dens_ombb", "morph_area_dens_ombb", "morph_vol_dens_mvee", "morph_area_dens_mvee",
)  # fmt: skip
LARGEST = 1e60
MAX_DISTANCE = 32


@dataclass(frozen=True)
class IbsiValues:
    """Tag -> value; `reasons` says why each undefined tag is, and names those that are not implemented."""

    values: Mapping[str, float]
    reasons: Mapping[str, str]


def measure(
    image: npt.ArrayLike,
    mask: npt.ArrayLike,
    spacing_mm: tuple[float, float, float],
    *,
    levels: npt.ArrayLike,
    intensity_mask: npt.ArrayLike | None = None,
    n_levels: int | None = None,
    ivh: npt.ArrayLike | None = None,
    ivh_step: float = 1.0,
    distances: Sequence[int] = (1,),
) -> IbsiValues:
    """All IBSI features of one region, by tag.

    `image` is (slices, rows, columns) of any unit, `mask` the region before re-segmentation and `intensity_mask`
    after it (default: the same), `spacing_mm` (slice, row, column) > 0, `levels` the discretised image, whole
    numbers from 1 inside `intensity_mask`, `n_levels` their number, `ivh` the values of the volume histogram
    (default: the levels) `ivh_step` apart, `distances` of co-occurrence in voxels from 1. Raises ValueError on other
    shapes, spacings, levels or distances, or values in the region that are not finite or beyond 1e60 (fourth powers
    would overflow). Source: features.md section 9.
    """
    shape, values = np.asarray(mask, dtype=bool), np.asarray(image, dtype=np.float64)
    inside = shape if intensity_mask is None else np.asarray(intensity_mask, dtype=bool)
    require_volume(values, shape, inside, spacing_mm)
    region = region_of(levels, inside, n_levels=n_levels, reach=reach_of(distances))
    chosen = region.flat[region.places]
    graded = chosen if ivh is None else np.asarray(ivh, dtype=np.float64)[inside]
    found: Values = {
        **morphology(shape, inside, values, spacing_mm),
        **local_intensity(values, inside, spacing_mm),
        **statistics(values[inside]),
        **histogram(chosen, region.n_levels),
        **volume_histogram(graded, step=ivh_step),
        **texture(region, shape, distances),
    }
    reasons = reasons_of(found) | dict.fromkeys(NOT_IMPLEMENTED, MISSING)
    return IbsiValues(MappingProxyType(found), MappingProxyType(reasons))


def reach_of(distances: Sequence[int]) -> int:
    """The longest distance; raises ValueError unless they are different whole numbers from 1 to 32."""
    given = list(distances)
    if not given or len(set(given)) < len(given) or not all(is_distance(d) for d in given):
        raise ValueError(
            f"distances must be different whole numbers from 1 to {MAX_DISTANCE}, got {given}"
        )
    return max(given)


def is_distance(distance: object) -> bool:
    """Whether it is a whole number of voxels from 1 to 32."""
    return type(distance) is int and 1 <= distance <= MAX_DISTANCE


def texture(region: Region, mask: npt.ArrayLike, distances: Sequence[int] = (1,)) -> Values:
    """All texture tags of a region; `mask` and `distances` as in `measure`."""
    return {
        **co_occurrence(region, distances),
        **run_length(region),
        **zone_features(region, mask),
        **tone_features(region),
        **dependence_features(region),
    }


def require_volume(
    image: npt.NDArray[np.float64],
    mask: npt.NDArray[np.bool_],
    inside: npt.NDArray[np.bool_],
    spacing_mm: tuple[float, float, float],
) -> None:
    """Raise ValueError unless shapes agree, spacings are positive and the region's values finite."""
    if image.ndim != 3 or image.shape != mask.shape or image.shape != inside.shape:
        raise ValueError(
            f"image, mask and intensity_mask must share a shape (slices, rows, columns), "
            f"got {image.shape}, {mask.shape} and {inside.shape}"
        )
    if len(spacing_mm) != 3 or not all(math.isfinite(s) and s > 0 for s in spacing_mm):
        raise ValueError(f"spacing_mm must be three positive numbers, got {spacing_mm}")
    if not inside.any() or (inside & ~mask).any():
        raise ValueError("intensity_mask must hold voxels of the mask only, and at least one")
    if not np.isfinite(image[inside]).all():
        raise ValueError("image must be finite inside the mask")
    if np.abs(image[inside]).max() > LARGEST:
        raise ValueError(f"image values inside the mask must not exceed {LARGEST:g} in size")
