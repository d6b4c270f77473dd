"""How matrices of slices and directions become one set of values."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from radiomics.ibsi.region import AROUND, IN_SLICE, FloatArray, Region, Step

Values = dict[str, float]
BY_DIRECTION = ("2D_avg", "2D_comb", "2_5D_avg", "2_5D_comb", "3D_avg", "3D_comb")
BY_SPACE = ("2D", "2_5D", "3D")


@dataclass(frozen=True)
class Counts:
    """`table` (levels, sizes) counts things of level i + 1 and size j + 1 among `n_voxels` voxels."""

    table: FloatArray
    n_voxels: int

    def __add__(self, other: "Counts") -> "Counts":
        width = max(self.table.shape[1], other.table.shape[1])
        tables = [np.pad(t, ((0, 0), (0, width - t.shape[1]))) for t in (self.table, other.table)]
        return Counts(tables[0] + tables[1], self.n_voxels + other.n_voxels)


Count = Callable[[Region, Step], Counts]
Describe = Callable[[Counts], Mapping[str, float]]


def merged(counts: Iterable[Counts]) -> Counts:
    """The sum of tables and voxels."""
    first, *rest = counts
    for one in rest:
        first = first + one
    return first


def mean_of(values: Sequence[Mapping[str, float]]) -> Values:
    """The unweighted mean per name, over those that are defined; NaN where none is."""
    found: Values = {}
    for name in values[0]:
        known = [v[name] for v in values if not np.isnan(v[name])]
        found[name] = float(np.mean(known)) if known else float("nan")
    return found


def by_direction(
    region: Region, count: Count, describe: Describe, *, distance: int = 1
) -> dict[str, Values]:
    """The six aggregations of a matrix that has a direction, its steps `distance` voxels along it.

    Source: features.md 9.1, IBSI manual 3.6.2; beyond distance 1 the same directions, as in the 279 features.
    """
    return {
        **within_slices(region, count, describe, distance=distance),
        **within_volume(region, count, describe, distance=distance),
    }


def within_slices(
    region: Region, count: Count, describe: Describe, *, distance: int = 1
) -> dict[str, Values]:
    """The four aggregations over slices."""
    steps = apart(IN_SLICE, distance)
    in_slices = [[count(one, step) for step in steps] for one in region.slices()]
    across = [merged(row[k] for row in in_slices) for k in range(len(steps))]
    return {
        "2D_avg": mean_of([describe(c) for row in in_slices for c in row]),
        "2D_comb": mean_of([describe(merged(row)) for row in in_slices]),
        "2_5D_avg": mean_of([describe(c) for c in across]),
        "2_5D_comb": dict(describe(merged(across))),
    }


def within_volume(
    region: Region, count: Count, describe: Describe, *, distance: int = 1
) -> dict[str, Values]:
    """The two aggregations over the 13 directions in space."""
    in_volume = [count(region, step) for step in apart(AROUND, distance)]
    return {
        "3D_avg": mean_of([describe(c) for c in in_volume]),
        "3D_comb": dict(describe(merged(in_volume))),
    }


def apart(steps: Sequence[Step], distance: int) -> list[Step]:
    """The steps, `distance` times as long."""
    return [(z * distance, y * distance, x * distance) for z, y, x in steps]


def by_space(
    in_slices: Sequence[Counts], in_volume: Counts, describe: Describe
) -> dict[str, Values]:
    """The three aggregations of a matrix without direction."""
    return {
        "2D": mean_of([describe(c) for c in in_slices]),
        "2_5D": dict(describe(merged(in_slices))),
        "3D": dict(describe(in_volume)),
    }


def tagged(prefix: str, found: Mapping[str, Mapping[str, float]]) -> Values:
    """`prefix_name_suffix` of every value."""
    return {
        f"{prefix}_{n}_{suffix}": v for suffix, values in found.items() for n, v in values.items()
    }
