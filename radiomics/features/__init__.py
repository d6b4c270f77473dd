"""The 279 texture features of one region of one grey image (profile `mazda279-v1`)."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from radiomics.features.autoregressive import autoregressive
from radiomics.features.catalogue import CATALOGUE, NAMES, PROFILE, Entry
from radiomics.features.co_occurrence import co_occurrence
from radiomics.features.gradient import gradient
from radiomics.features.histogram import histogram
from radiomics.features.outcome import BoolArray, FloatArray, Outcome
from radiomics.features.run_length import run_length
from radiomics.features.wavelet import wavelet
from radiomics.normalise import quantise

__all__ = ["CATALOGUE", "NAMES", "PROFILE", "Entry", "FeatureValues", "extract"]

LARGEST = 1e60


class FeatureValues(Mapping[str, float]):
    """Name -> value in catalogue order, NaN where undefined; `reasons` names why, for exactly those."""

    def __init__(self, values: list[float], reasons: list[str]) -> None:
        self._values = MappingProxyType(dict(zip(NAMES, values, strict=True)))
        self.reasons: Mapping[str, str] = MappingProxyType(
            {name: reason for name, reason in zip(NAMES, reasons, strict=True) if reason}
        )

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<FeatureValues: {len(self)} values, {len(self.reasons)} undefined>"


def checked_image(image: Any) -> npt.NDArray[np.generic]:
    """The image as an array; raises ValueError unless it is 2-D, not empty, and boolean, integer or float."""
    array = np.asarray(image)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"image must be boolean, integer or float, got dtype {array.dtype}")
    if array.ndim != 2:
        raise ValueError(f"image must be 2-D, got shape {array.shape}")
    if 0 in array.shape:
        raise ValueError(f"image must not have a side of length 0, got shape {array.shape}")
    return array


def checked_mask(mask: Any, shape: tuple[int, ...]) -> BoolArray:
    """The mask as booleans; raises ValueError unless boolean or integer, of the image's shape and not empty."""
    array = np.asarray(mask)
    if array.dtype.kind not in "biu":
        raise ValueError(f"mask must be boolean or integer, got dtype {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"mask shape {array.shape} does not match image shape {shape}")
    inside = array != 0
    if not inside.any():
        raise ValueError("mask must mark at least one pixel, got an empty one")
    return np.asarray(inside)


def crop(image: npt.NDArray[np.generic], mask: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Image (float64, 0 outside the region) and mask in the region's bounding box; the arguments stay as they are."""
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    inside = mask[box]
    values = np.zeros(inside.shape, dtype=np.float64)
    values[inside] = image[box][inside]
    region = values[inside]
    if not np.isfinite(region).all():
        raise ValueError("image must be finite inside the mask, got NaN or infinity")
    if np.abs(region).max() > LARGEST:
        raise ValueError(f"image values inside the mask must not exceed {LARGEST:g} in size")
    return values, inside


def extract(image: npt.ArrayLike, mask: npt.ArrayLike) -> FeatureValues:
    """All 279 features of the region that `mask` marks in `image`.

    `image` (rows, columns): boolean, integer or float; `mask`: same shape, boolean or integer, non-zero inside; holes
    and several components count as one region. Pixels outside never matter and may be NaN. Raises ValueError naming
    the argument for bad input. Source: the MaZda 4.6 feature set, computed from documented definitions.
    """
    pixels = checked_image(image)
    values, inside = crop(pixels, checked_mask(mask, pixels.shape))
    region = values[inside]
    mean = float(region.mean())
    sd = (
        0.0
        if float(region.max()) == float(region.min())
        else float(np.sqrt(((region - mean) ** 2).mean()))
    )
    levels = {bits: quantise(values, mean=mean, sd=sd, bits=bits) for bits in (4, 6, 8)}
    families: list[Outcome] = [
        histogram(region),
        gradient(levels[4], inside),
        run_length(np.where(inside, levels[6] + 1, 0)),
        co_occurrence(levels[6], inside),
        autoregressive(levels[8], inside),
        wavelet(levels[8], inside),
    ]
    return FeatureValues(
        [value for family in families for value in family.values],
        [reason for family in families for reason in family.reasons],
    )
