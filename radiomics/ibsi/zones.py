"""Zones of one level: their sizes and their distances from the region's border."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from radiomics.ibsi.aggregation import Counts, Values, by_space, tagged
from radiomics.ibsi.region import BoolArray, IntArray, Region
from radiomics.ibsi.sizes import named, table_of


@dataclass(frozen=True)
class Zones:
    """Level, voxels and least distance from the border of every zone."""

    level: IntArray
    size: IntArray
    distance: IntArray


def border_distance(mask: BoolArray) -> IntArray:
    """City-block distance of each voxel of the mask (slices, rows, columns) from outside; a border voxel has 1."""
    distance = ndimage.distance_transform_cdt(np.pad(mask, 1), metric="taxicab")
    return np.asarray(distance[1:-1, 1:-1, 1:-1], dtype=np.int64)


def slice_distance(mask: BoolArray) -> IntArray:
    """The same within each slice."""
    planes = [
        ndimage.distance_transform_cdt(np.pad(plane, 1), metric="taxicab")[1:-1, 1:-1]
        for plane in mask
    ]
    return np.asarray(planes, dtype=np.int64)


def zones(levels: IntArray, distance: IntArray) -> Zones:
    """Zones of `levels` (slices, rows, columns), 0 outside, that touch at a side, an edge or a corner."""
    touching = np.ones((3, 3, 3), dtype=bool)
    found: list[tuple[IntArray, IntArray, IntArray]] = []
    for level in np.unique(levels[levels > 0]):
        labels, n = ndimage.label(levels == level, structure=touching)
        inside = labels > 0
        size = np.bincount(labels[inside], minlength=n + 1)[1:]
        nearest = np.asarray(ndimage.minimum(distance, labels, np.arange(1, n + 1)), dtype=np.int64)
        found.append((np.full(n, level, dtype=np.int64), size, nearest))
    return Zones(*(np.concatenate(part) for part in zip(*found, strict=True)))


def zone_features(region: Region, mask: npt.ArrayLike) -> Values:
    """All 48 tags `szm_…` and 48 tags `dzm_…`; `mask` (slices, rows, columns) is the one before re-segmentation.

    Source: Thibault 2013, 2014; IBSI manual 3.8 and 3.9.
    """
    inside = np.asarray(mask, dtype=bool)
    levels, n = region.levels(), region.n_levels
    planes = [k for k in range(levels.shape[0]) if levels[k].any()]
    flat = slice_distance(inside)
    per_slice = [zones(levels[k : k + 1], flat[k : k + 1]) for k in planes]
    voxels = [int(np.count_nonzero(levels[k])) for k in planes]
    whole = zones(levels, border_distance(inside))
    found: Values = {}
    for family, what in (("szm", "size"), ("dzm", "distance")):
        slices = [
            Counts(table_of(z.level, getattr(z, what), n), v)
            for z, v in zip(per_slice, voxels, strict=True)
        ]
        volume = Counts(table_of(whole.level, getattr(whole, what), n), region.n_voxels)
        found |= tagged(family, by_space(slices, volume, named(family)))
    return found
