"""A region of interest in three dimensions: levels in a zero-padded flat array, neighbours by flat steps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Step = tuple[int, int, int]

AROUND: tuple[Step, ...] = tuple(
    (z, y, x) for z, y, x in product((-1, 0, 1), repeat=3) if (z, y, x) > (0, 0, 0)
)
IN_SLICE: tuple[Step, ...] = tuple(step for step in AROUND if step[0] == 0)


@dataclass(frozen=True)
class Region:
    """Levels 1 … `n_levels` inside the region and 0 outside, (slices, rows, columns), padded by `reach` voxels."""

    padded: IntArray
    n_levels: int
    reach: int = 1

    @cached_property
    def places(self) -> IntArray:
        """Flat indices of the region's voxels, in scan order."""
        return np.flatnonzero(self.padded)

    @cached_property
    def flat(self) -> IntArray:
        """The padded levels in one row."""
        return self.padded.ravel()

    @property
    def n_voxels(self) -> int:
        """Voxels of the region."""
        return int(self.places.size)

    def stride(self, step: Step) -> int:
        """How far a step (slices, rows, columns), at most `reach` voxels along each, leads in the flat array."""
        _, rows, columns = self.padded.shape
        return int((step[0] * rows + step[1]) * columns + step[2])

    def levels(self) -> IntArray:
        """The levels without the padding."""
        core = slice(self.reach, -self.reach)
        return self.padded[core, core, core]

    def slices(self) -> Iterator["Region"]:
        """Each slice that holds a part of the region, as a region of its own."""
        for plane in self.levels():
            if plane.any():
                yield Region(np.pad(plane[None], self.reach), self.n_levels, self.reach)


def region_of(
    levels: npt.ArrayLike, mask: npt.ArrayLike, *, n_levels: int | None = None, reach: int = 1
) -> Region:
    """The region of `levels` (slices, rows, columns), whole numbers >= 1 where `mask` is True.

    `n_levels` is the number of levels, occurring or not; by default the highest that occurs. `reach` >= 1 is the
    longest distance at which neighbours will be asked for. Raises ValueError on other shapes, an empty mask, or a
    level that is no whole number from 1 to `n_levels`.
    """
    values, inside = np.asarray(levels), np.asarray(mask, dtype=bool)
    if values.ndim != 3 or values.shape != inside.shape:
        raise ValueError(
            f"levels and mask must share a shape (slices, rows, columns), got {values.shape} and {inside.shape}"
        )
    if not inside.any():
        raise ValueError("mask must hold at least one voxel, got none")
    chosen = values[inside]
    if not np.array_equal(chosen, np.rint(chosen)) or chosen.min() < 1:
        raise ValueError("levels must be whole numbers from 1 inside the mask")
    highest = int(chosen.max())
    if n_levels is not None and n_levels < highest:
        raise ValueError(f"n_levels must be at least the highest level {highest}, got {n_levels}")
    whole = np.where(inside, values, 0).astype(np.int64)
    return Region(np.pad(whole, reach), n_levels or highest, reach)


def all_around(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps and their opposites."""
    return tuple(steps) + tuple((-z, -y, -x) for z, y, x in steps)
