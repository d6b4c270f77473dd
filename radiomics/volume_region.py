"""Regions in three dimensions: outlines on several slices -> mask, and a share of the maximum within a sphere -> outlines.

Points are patient mm (LPS); a mask is (slices, rows, columns) on the grid of its volume.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_fill_holes, label

from radiomics.image import FloatArray, Vector, Volume, vector
from radiomics.region import PLANE_TOLERANCE_MM, BoolArray, largest_component, rasterise

SHARE = 0.42
MAX_RADIUS_MM = 100.0


@dataclass(frozen=True)
class Section:
    """One slice of a region: its index in the volume and its outline (n, 3) in patient mm."""

    index: int
    vertices_mm: FloatArray


@dataclass(frozen=True)
class Sphere:
    """Where a threshold region is looked for, and the share of the maximum that its voxels reach.

    `centre_mm` patient point, `radius_mm` in (0, 100], `fraction` in (0, 1]; raises ValueError for anything else.
    """

    centre_mm: Vector
    radius_mm: float
    fraction: float = SHARE

    def __post_init__(self) -> None:
        vector(self.centre_mm)
        if not (math.isfinite(self.radius_mm) and 0 < self.radius_mm <= MAX_RADIUS_MM):
            raise ValueError(
                f"radius_mm must lie above 0 and at most {MAX_RADIUS_MM:g}, got {self.radius_mm}"
            )
        if not 0 < self.fraction <= 1:
            raise ValueError(f"fraction must lie above 0 and at most 1, got {self.fraction}")


@dataclass(frozen=True)
class ThresholdRegion:
    """What a share of the maximum gives.

    `component` (slices, rows, columns) are the voxels connected to the maximum; `sections` their outlines, one per
    slice; `outlined` the voxels inside these, which is the region. They differ where a slice holds several pieces
    (the largest is outlined) or a hole (an outline has none).
    """

    maximum: float
    threshold: float
    component: BoolArray
    sections: tuple[Section, ...]
    outlined: BoolArray


def within_sphere(volume: Volume, sphere: Sphere) -> BoolArray:
    """Voxels whose centres lie at most the radius from the centre; each slice at its own position."""
    rows, columns = volume.pixels.shape[1:]
    offset = np.asarray(volume.positions_mm) - np.asarray(sphere.centre_mm)
    down = np.arange(rows) * volume.spacing_mm[0]
    right = np.arange(columns) * volume.spacing_mm[1]
    along_normal = offset @ volume.normal
    y = (offset @ np.asarray(volume.column_direction))[:, None] + down[None, :]
    x = (offset @ np.asarray(volume.row_direction))[:, None] + right[None, :]
    squared = along_normal[:, None, None] ** 2 + y[:, :, None] ** 2 + x[:, None, :] ** 2
    return np.asarray(squared <= sphere.radius_mm**2 * (1 + 1e-12))


def threshold_region(volume: Volume, sphere: Sphere) -> ThresholdRegion:
    """The voxels in the sphere that reach a share of its maximum and touch it face to face.

    Of several maxima the first in scan order counts. Raises ValueError if the sphere holds no voxel centre, a value
    that is not finite, or no value above 0, of which a share would mean nothing. A share of 0.42 of the maximum
    recovers the size of a hot sphere in a cold surround (Erdi et al. 1995).
    """
    inside = within_sphere(volume, sphere)
    if not inside.any():
        raise ValueError("the sphere holds no voxel; place it on the images")
    values = np.where(inside, np.asarray(volume.pixels, dtype=np.float64), -np.inf)
    if not np.isfinite(values[inside]).all():
        raise ValueError("the sphere holds values that are not finite")
    top = np.unravel_index(int(values.argmax()), values.shape)
    maximum = float(values[top])
    if maximum <= 0:
        raise ValueError("the sphere holds no value above 0; place it on the uptake")
    labels, _ = label(values >= sphere.fraction * maximum)
    component = np.asarray(labels == labels[top])
    sections = sections_of(component, volume)
    return ThresholdRegion(
        maximum, sphere.fraction * maximum, component, sections, mask_of(sections, volume)
    )


def sections_of(mask: BoolArray, volume: Volume) -> tuple[Section, ...]:
    """One outline per slice that holds a part of the mask: its largest piece, holes filled, along the pixels' edges."""
    return tuple(
        Section(k, volume.slice(k).to_patient(contour(outer(mask[k]))))
        for k in range(mask.shape[0])
        if mask[k].any()
    )


def outer(plane: BoolArray) -> BoolArray:
    """The largest piece (edge neighbours) of a plane mask (rows, columns) without holes."""
    return np.asarray(binary_fill_holes(largest_component(plane)), dtype=np.bool_)


def contour(plane: BoolArray) -> FloatArray:
    """Corners (n, 2), as (row, column), of one piece without holes, clockwise along the pixels' edges.

    `plane` (rows, columns) holds one piece of edge neighbours; without holes no corner is met twice, so that the
    outline never touches itself. Rasterising it gives the plane back. Starts at the top-left corner.
    """
    follows = dict(edges(plane))
    start = min(follows)
    corners = [start]
    while (following := follows[corners[-1]]) != start:
        corners.append(following)
    points = np.asarray(corners, dtype=np.float64) - 0.5
    before, after = np.roll(points, 1, axis=0), np.roll(points, -1, axis=0)
    turns = ((points - before) != (after - points)).any(axis=1)
    return np.asarray(points[turns])


def edges(plane: BoolArray) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Directed edges of pixels on the border, the piece to the right; corner (r, c) is the pixel's top left."""
    padded = np.pad(plane, 1)
    core = padded[1:-1, 1:-1]
    sides = (
        (padded[:-2, 1:-1], (0, 0, 0, 1)),
        (padded[1:-1, 2:], (0, 1, 1, 1)),
        (padded[2:, 1:-1], (1, 1, 1, 0)),
        (padded[1:-1, :-2], (1, 0, 0, 0)),
    )
    for neighbour, (r1, c1, r2, c2) in sides:
        for r, c in np.argwhere(core & ~neighbour).tolist():
            yield (r + r1, c + c1), (r + r2, c + c2)


def mask_of(sections: Iterable[Section], volume: Volume) -> BoolArray:
    """The voxels (slices, rows, columns) whose centres lie inside the outline of their slice.

    Raises ValueError for two outlines on one slice, a slice that the volume has not, or an outline off its plane.
    """
    mask: BoolArray = np.zeros(volume.pixels.shape, dtype=np.bool_)
    n_slices = len(volume.positions_mm)
    seen: set[int] = set()
    for section in sections:
        if section.index in seen or not 0 <= section.index < n_slices:
            raise ValueError(
                f"sections must lie on different slices 0 to {n_slices - 1}, got {section.index}"
            )
        seen.add(section.index)
        plane = volume.slice(section.index)
        if np.abs(plane.distance_mm(section.vertices_mm)).max() > PLANE_TOLERANCE_MM:
            raise ValueError(f"the outline of slice {section.index} lies off its plane")
        mask[section.index] = rasterise(plane.to_pixel(section.vertices_mm), plane.shape)
    return mask


def same_outlines(
    first: Iterable[Section], second: Iterable[Section], *, tolerance_mm: float
) -> bool:
    """Whether two regions have the same outlines: equal slices, equal vertices in order, within a tolerance in mm."""
    one, two = ({s.index: s.vertices_mm for s in sections} for sections in (first, second))
    return one.keys() == two.keys() and all(
        one[k].shape == two[k].shape
        and bool((np.linalg.norm(one[k] - two[k], axis=1) <= tolerance_mm).all())
        for k in one
    )
