"""Local intensity peaks: means over one cubic centimetre about a voxel."""

import math
from itertools import product

import numpy as np
import numpy.typing as npt

from radiomics.ibsi.aggregation import Values
from radiomics.ibsi.region import FloatArray, IntArray

RADIUS_MM = (3 / (4 * math.pi)) ** (1 / 3) * 10
BLOCK = 500_000


def sphere(spacing_mm: tuple[float, float, float]) -> IntArray:
    """Steps (n, 3) to the voxels whose centres lie within one cubic centimetre about a centre."""
    reach = [int(RADIUS_MM // s) for s in spacing_mm]
    steps = np.array(list(product(*(range(-r, r + 1) for r in reach))), dtype=np.int64)
    distance: FloatArray = np.sqrt(((steps * np.asarray(spacing_mm)) ** 2).sum(axis=1))
    return np.asarray(steps[distance <= RADIUS_MM * (1 + 1e-12)])


def peaks(image: FloatArray, places: IntArray, steps: IntArray) -> FloatArray:
    """Mean of all image voxels of the sphere about each place; beyond the image there are none."""
    found = np.empty(places.shape[0])
    size = max(1, BLOCK // steps.shape[0])
    limit = np.asarray(image.shape)
    for first in range(0, places.shape[0], size):
        around = places[first : first + size, None, :] + steps[None]
        is_there = np.all((around >= 0) & (around < limit), axis=2)
        around = np.where(is_there[..., None], around, 0)
        values = np.where(is_there, image[tuple(np.moveaxis(around, 2, 0))], 0.0)
        found[first : first + size] = values.sum(axis=1) / is_there.sum(axis=1)
    return found


def local_intensity(
    image: npt.ArrayLike, mask: npt.ArrayLike, spacing_mm: tuple[float, float, float]
) -> Values:
    """`loc_peak_loc` at the region's maximum (of several the highest) and `loc_peak_glob`, the highest of all.

    `image` and `mask` are (slices, rows, columns), `spacing_mm` in that order. Voxels of the image outside the
    mask count. Source: IBSI manual 3.2.
    """
    values, inside = np.asarray(image, dtype=np.float64), np.asarray(mask, dtype=bool)
    places = np.argwhere(inside)
    found = peaks(values, places, sphere(spacing_mm))
    at_maximum = values[inside] == values[inside].max()
    return {
        "loc_peak_loc": float(found[at_maximum].max()),
        "loc_peak_glob": float(found.max()),
    }
