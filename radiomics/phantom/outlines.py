"""Hand-drawn outlines: the true one with a reader's habit and the slip of one drawing."""

import numpy as np
from scipy.spatial import ConvexHull
from skimage.draw import polygon2mask

from radiomics.phantom.draws import FloatArray
from radiomics.region import self_intersects

N_VERTICES = 36
HARMONICS = np.arange(1, 6)
BIAS = (1.03, 0.97)
HABIT, SLIP = 0.035, 0.028
MIN_RADIUS_MM = 2.0
POLAR_DICE = 0.95


def area_centroid(xy: FloatArray) -> FloatArray:
    """Centroid (2,) of the polygon (n, 2); the mean vertex if it has no area."""
    a, b = xy, np.roll(xy, -1, axis=0)
    cross = a[:, 0] * b[:, 1] - b[:, 0] * a[:, 1]
    if abs(cross.sum()) < 1e-9:
        return np.asarray(xy.mean(axis=0), dtype=np.float64)
    return np.asarray(((a + b) * cross[:, None]).sum(axis=0) / (3 * cross.sum()), dtype=np.float64)


def wobble(theta: FloatArray, rng: np.random.Generator, sigma: float) -> FloatArray:
    """Sum of five harmonics with coefficients N(0, sigma^2/h) at the angles (n,)."""
    a, b = rng.normal(0, sigma / np.sqrt(HARMONICS), (2, len(HARMONICS)))
    phase = np.outer(theta, HARMONICS)
    return np.asarray(np.cos(phase) @ a + np.sin(phase) @ b, dtype=np.float64)


def polar_radius(xy: FloatArray, centre: FloatArray, theta: FloatArray) -> FloatArray:
    """Largest distance of the outline from the centre in each direction (n,)."""
    d = xy - centre
    own = np.mod(np.arctan2(d[:, 1], d[:, 0]), 2 * np.pi)
    r = np.hypot(d[:, 0], d[:, 1])
    order = np.argsort(own)
    return np.asarray(np.interp(theta, own[order], r[order], period=2 * np.pi), dtype=np.float64)


def evenly(xy: FloatArray, n: int) -> FloatArray:
    """`n` points (n, 2) at equal arc length along the closed outline."""
    closed = np.vstack([xy, xy[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    at = np.arange(n) / n * along[-1]
    return np.column_stack([np.interp(at, along, closed[:, k]) for k in (0, 1)])


def dice(one: FloatArray, two: FloatArray, step: float = 0.5) -> float:
    """Overlap 2|A and B|/(|A| + |B|) of two polygons (n, 2) on a raster of `step` mm."""
    both = np.vstack([one, two])
    low = both.min(axis=0) - step
    shape = tuple(int(k) for k in np.ceil((both.max(axis=0) + step - low) / step).astype(int) + 1)
    a, b = (np.asarray(polygon2mask(shape, (xy - low) / step)) for xy in (one, two))  # type: ignore[no-untyped-call]
    total = int(a.sum() + b.sum())
    return 2 * int((a & b).sum()) / total if total else 0.0


def normals(points: FloatArray) -> FloatArray:
    """Outward unit normals (n, 2) of a closed outline."""
    tangent = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    normal = np.column_stack([tangent[:, 1], -tangent[:, 0]])
    normal /= np.maximum(np.hypot(normal[:, 0], normal[:, 1]), 1e-9)[:, None]
    cross = points[:, 0] * np.roll(points[:, 1], -1) - np.roll(points[:, 0], -1) * points[:, 1]
    return np.asarray(normal * (1.0 if cross.sum() > 0 else -1.0), dtype=np.float64)


def drawn_outline(
    outline_mm: FloatArray, delineator: int, habit: np.random.Generator, now: np.random.Generator
) -> FloatArray:
    """A hand-drawn outline (36, 2) in mm of the true one (n, 3).

    `habit` is the reader's generator for this lesion, `now` that of this drawing; delineator 0 draws large, 1 small.
    Concave outlines are displaced along their normals, others in polar form about their centroid.
    """
    xy = np.asarray(outline_mm[:, :2], dtype=np.float64)
    centre = area_centroid(xy)
    theta = np.arange(N_VERTICES) / N_VERTICES * 2 * np.pi
    factor = 1 + wobble(theta, habit, HABIT) + wobble(theta, now, SLIP)
    factor = factor * BIAS[delineator] * habit.normal(1, 0.03) * now.normal(1, 0.03)
    shift = habit.normal(0, 0.6, 2) + now.normal(0, 0.5, 2)
    radius = polar_radius(xy, centre, theta)
    unit = np.column_stack([np.cos(theta), np.sin(theta)])
    if dice(centre + radius[:, None] * unit, xy) >= POLAR_DICE:
        polar = np.maximum(radius * factor, MIN_RADIUS_MM)[:, None] * unit
        return np.asarray(centre + polar + shift, dtype=np.float64)
    size = float(np.median(radius))
    return displaced(evenly(xy, N_VERTICES), (factor - 1) * size) + shift


def displaced(points: FloatArray, by_mm: FloatArray) -> FloatArray:
    """An outline (n, 2) moved along its normals by `by_mm` (n,), by less where it would cross itself.

    A hand does not draw a loop: the move is halved until the outline is simple; where even the resampled outline is
    not, its convex hull is drawn.
    """
    direction = normals(points)
    for share in (1.0, 0.5, 0.25, 0.0):
        moved = np.asarray(points + share * by_mm[:, None] * direction, dtype=np.float64)
        if not self_intersects(moved):
            return moved
    return evenly(points[ConvexHull(points).vertices], len(points))
