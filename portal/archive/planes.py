"""Planes through a stack of slices wherever they lie: uneven, tilted or in another order than they came.

Slices are read one by one and only where a plane needs them, so that a series of any length takes the memory of one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from radiomics.image import bilinear

FloatArray = npt.NDArray[np.float64]
# a step of more than so many spacings is a gap, in which nothing is shown
GAP = 1.5
EDGE = 0.5
# per plane: the directions of its rows (to the right) and columns (down), LPS, as on the reading desk
PLANES = {
    "axial": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "coronal": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "sagittal": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
}


@dataclass(frozen=True)
class Stacked:
    """Slices with the place of each; `frame(k)` gives the values (rows, columns) of slice k, ascending."""

    geometry: dict[str, Any]
    shape: tuple[int, int]
    frame: Callable[[int], FloatArray]

    @cached_property
    def positions(self) -> FloatArray:
        return np.asarray(self.geometry["positions_mm"], dtype=np.float64)

    @cached_property
    def directions(self) -> tuple[FloatArray, FloatArray]:
        r, c = self.geometry["row_direction"], self.geometry["column_direction"]
        return np.asarray(r, dtype=np.float64), np.asarray(c, dtype=np.float64)

    @cached_property
    def normal(self) -> FloatArray:
        return np.cross(*self.directions)

    @cached_property
    def heights(self) -> FloatArray:
        return np.asarray(self.positions @ self.normal)

    def corners(self) -> FloatArray:
        """Patient mm (8, 3) of the outermost pixel centres."""
        r, c = self.directions
        down_mm, right_mm = self.geometry["spacing_mm"]
        ends = self.positions[[0, -1]]
        across = [0 * r, r * right_mm * (self.shape[1] - 1)]
        along = [0 * c, c * down_mm * (self.shape[0] - 1)]
        return np.asarray([p + a + b for p in ends for a in across for b in along])

    def in_slice(self, k: int, points: FloatArray) -> FloatArray:
        """Values (n,) of slice k at points (n, 3), projected onto it along its normal; nan beside the image."""
        r, c = self.directions
        away = points - self.positions[k]
        down_mm, right_mm = self.geometry["spacing_mm"]
        rows, columns = away @ c / down_mm, away @ r / right_mm
        is_inside = (rows >= -EDGE) & (rows <= self.shape[0] - EDGE)
        is_inside &= (columns >= -EDGE) & (columns <= self.shape[1] - EDGE)
        found = np.full(len(points), np.nan)
        if is_inside.any():
            found[is_inside] = bilinear(self.frame(k), rows[is_inside], columns[is_inside])
        return found

    def at(self, points: FloatArray) -> FloatArray:
        """Values (n,) at patient points (n, 3), linear between two slices; nan where there are none."""
        below, share = self.between(points @ self.normal)
        found = np.full(len(points), np.nan)
        for k in np.unique(below[below >= 0]):
            mine = below == k
            found[mine] = self.mixed(int(k), points[mine], share[mine])
        return found

    def mixed(self, k: int, points: FloatArray, share: FloatArray) -> FloatArray:
        """Values between slice k and the next; of one of them alone where the share is 0 or 1."""
        found = np.zeros(len(points))
        for number, weight in ((k, 1 - share), (k + 1, share)):
            counts = weight > 0
            if counts.any():
                found[counts] += weight[counts] * self.in_slice(number, points[counts])
        return found

    def between(self, heights: FloatArray) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Per height the slice below, -1 where no slice is near, and the share of the one above it."""
        mine, step = self.heights, float(self.geometry["slice_spacing_mm"])
        last = len(mine) - 1
        below = np.clip(np.searchsorted(mine, heights, side="right") - 1, 0, max(last - 1, 0))
        if last == 0:
            share = np.zeros(len(heights))
            return np.where(np.abs(heights - mine[0]) <= step / 2, 0, -1), share
        steps = np.diff(mine)[below]
        share = np.clip((heights - mine[below]) / steps, 0.0, 1.0)
        is_off = (heights < mine[0] - step / 2) | (heights > mine[-1] + step / 2)
        # inside a gap each slice reaches as far as it would at its ends
        is_gap = steps > GAP * step
        nearest = np.minimum(np.abs(heights - mine[below]), np.abs(heights - mine[below + 1]))
        share = np.where(is_gap, np.rint(share), share)
        is_off |= is_gap & (nearest > step / 2)
        return np.where(is_off, -1, below), share


@dataclass(frozen=True)
class Sheet:
    """A plane of the patient through a point, in square pixels: where each of them lies (rows, columns, 3)."""

    points: FloatArray
    pixel_mm: float
    right: FloatArray
    down: FloatArray

    @property
    def shape(self) -> tuple[int, int]:
        return (self.points.shape[0], self.points.shape[1])

    def of(self, stacked: Stacked) -> FloatArray:
        """Values (rows, columns), nan where there are none."""
        return stacked.at(self.points.reshape(-1, 3)).reshape(self.shape)

    def pixel_of(self, point: npt.ArrayLike) -> tuple[int, int]:
        """Row and column of the pixel in which a patient point lies, seen along the plane's normal."""
        away = (np.asarray(point, dtype=np.float64) - self.points[0, 0]) / self.pixel_mm
        return round(float(away @ self.down)), round(float(away @ self.right))


def sheet(plane: str, through: npt.ArrayLike, corners: FloatArray, longest: int) -> Sheet:
    """The plane of this name over the box of these corners, its longer side of so many pixels."""
    right, down = (np.asarray(one) for one in PLANES[plane])
    spans = [(corners @ one).min() for one in (right, down)], [(corners @ one).max() for one in (right, down)]  # fmt: skip
    (left, top), (last, bottom) = spans
    pixel_mm = max(last - left, bottom - top, 1.0) / (longest - 1)
    across = np.arange(int((last - left) / pixel_mm) + 1) * pixel_mm + left
    along = np.arange(int((bottom - top) / pixel_mm) + 1) * pixel_mm + top
    normal = np.cross(right, down)
    depth = float(np.asarray(through, dtype=np.float64) @ normal) * normal
    points = along[:, None, None] * down + across[None, :, None] * right + depth
    return Sheet(points, pixel_mm, right, down)
