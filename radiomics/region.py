"""Outlines: polygon -> mask, area, problems of an outline, and how far two outlines lie apart.

Outlines are closed polygons in patient mm whose first vertex is not repeated.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label
from scipy.spatial.distance import cdist

from radiomics.image import Slice

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MAX_VERTICES = 2000
SAME_VERTEX_MM = 0.01
REPEATED_MM = 1e-6
PLANE_TOLERANCE_MM = 0.01


@dataclass(frozen=True)
class CrossSection:
    """The slice of a 3-D mask with the largest area: index along the first axis, and pixel count."""

    index: int
    n_pixels: int


def rasterise(polygon_rc: npt.ArrayLike, shape: tuple[int, int]) -> BoolArray:
    """Mask (rows, columns) of the pixel centres inside a polygon (n, 2) given as (row, column).

    Even-odd rule with half-open edges: a centre on a top or left edge is in, on a bottom or right edge out.
    """
    points = np.asarray(polygon_rc, dtype=np.float64)
    mask = np.zeros(shape, dtype=np.bool_)
    r1, c1 = points[:, 0], points[:, 1]
    r2, c2 = np.roll(r1, -1), np.roll(c1, -1)
    low, high = np.minimum(r1, r2), np.maximum(r1, r2)
    first = max(0, int(np.ceil(points[:, 0].min())))
    last = min(shape[0] - 1, int(np.floor(points[:, 0].max())))
    columns = np.arange(shape[1], dtype=np.float64)
    for row in range(first, last + 1):
        crosses = (low <= row) & (row < high)
        share = (row - r1[crosses]) / (r2[crosses] - r1[crosses])
        at = np.sort(c1[crosses] + share * (c2[crosses] - c1[crosses]))
        mask[row] = np.searchsorted(at, columns, side="right") % 2 == 1
    return mask


def plane_axes(vertices_mm: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Two orthonormal directions (3,) of the plane of an outline (n, 3), by its area vector."""
    area = area_vector(vertices_mm)
    size = float(np.linalg.norm(area))
    normal = area / size if size > 0 else np.array([0.0, 0.0, 1.0])
    start = np.eye(3)[int(np.argmin(np.abs(normal)))]
    first = np.cross(normal, start)
    first /= np.linalg.norm(first)
    return first, np.cross(normal, first)


def area_vector(vertices_mm: FloatArray) -> FloatArray:
    """Half the sum of cross products (3,) in mm²: its length is the area of a plane polygon."""
    centred = vertices_mm - vertices_mm.mean(axis=0)
    return np.asarray(np.cross(centred, np.roll(centred, -1, axis=0)).sum(axis=0) / 2.0)


def polygon_area_mm2(vertices_mm: npt.ArrayLike) -> float:
    """Area in mm² of a plane polygon (n, 3) in patient mm."""
    return float(np.linalg.norm(area_vector(np.asarray(vertices_mm, dtype=np.float64))))


def polygon_centroid_mm(vertices_mm: npt.ArrayLike) -> FloatArray:
    """Centroid (3,) of the area of a plane polygon (n, 3); the mean of the vertices if it has no area."""
    points = np.asarray(vertices_mm, dtype=np.float64)
    middle = points.mean(axis=0)
    first, second = plane_axes(points)
    x, y = (points - middle) @ first, (points - middle) @ second
    cross = x * np.roll(y, -1) - np.roll(x, -1) * y
    doubled = cross.sum()
    if abs(doubled) < 1e-12:
        return np.asarray(middle)
    cx = ((x + np.roll(x, -1)) * cross).sum() / (3.0 * doubled)
    cy = ((y + np.roll(y, -1)) * cross).sum() / (3.0 * doubled)
    return np.asarray(middle + cx * first + cy * second)


def clean_vertices(vertices_mm: npt.ArrayLike) -> FloatArray:
    """Vertices (m, 3) without a repeated closing vertex and without those nearer than 0.01 mm to the one before."""
    points = np.asarray(vertices_mm, dtype=np.float64).reshape(-1, 3)
    if len(points) > 1 and np.linalg.norm(points[0] - points[-1]) <= REPEATED_MM:
        points = points[:-1]
    kept: list[FloatArray] = []
    for point in points:
        if not kept or float(np.linalg.norm(point - kept[-1])) >= SAME_VERTEX_MM:
            kept.append(point)
    return np.asarray(kept, dtype=np.float64).reshape(-1, 3)


def project_to_plane(vertices_mm: npt.ArrayLike, image: Slice) -> FloatArray:
    """The vertices (n, 3) moved along the normal onto the plane of `image`."""
    points = np.asarray(vertices_mm, dtype=np.float64)
    return np.asarray(points - image.distance_mm(points)[:, None] * image.normal)


def self_intersects(rc: FloatArray) -> bool:
    """Whether edges of a closed polygon (n, 2) meet anywhere but at the vertex that neighbours share."""
    n = len(rc)
    start, end = rc, np.roll(rc, -1, axis=0)
    low, high = np.minimum(start, end), np.maximum(start, end)
    for i in range(n - 1):
        near = (low[i + 1 :] <= high[i]).all(axis=1) & (high[i + 1 :] >= low[i]).all(axis=1)
        others = np.flatnonzero(near) + i + 1
        if others.size and meets(start, end, i, others):
            return True
    return False


def meets(start: FloatArray, end: FloatArray, i: int, others: npt.NDArray[np.int64]) -> bool:
    """Whether edge `i` meets one of `others` (m,) anywhere but at a vertex that they share."""
    adjacent = adjacency(i, others, len(start))
    return bool(touches(start[i], end[i], start[others], end[others], adjacent).any())


def adjacency(i: int, others: npt.NDArray[np.int64], n: int) -> BoolArray:
    """Which of the edges `others` (m,) share a vertex with edge `i` of a closed polygon of `n` edges."""
    return np.asarray((others == i + 1) | ((i == 0) & (others == n - 1)))


def side(a: FloatArray, b: FloatArray, p: FloatArray) -> FloatArray:
    """Twice the signed area of the triangles a, b, p; the last axis holds two coordinates."""
    return np.asarray(
        (b[..., 0] - a[..., 0]) * (p[..., 1] - a[..., 1])
        - (b[..., 1] - a[..., 1]) * (p[..., 0] - a[..., 0])
    )


def touches(
    a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray, adjacent: BoolArray
) -> BoolArray:
    """Which segments c–d meet a–b; neighbours count only if they fold back over each other."""
    d1, d2 = side(c, d, np.broadcast_to(a, c.shape)), side(c, d, np.broadcast_to(b, c.shape))
    aa, bb = np.broadcast_to(a, c.shape), np.broadcast_to(b, c.shape)
    d3, d4 = side(aa, bb, c), side(aa, bb, d)
    proper = (d1 * d2 < 0) & (d3 * d4 < 0)
    on = on_segment(aa, c, d, d1) | on_segment(bb, c, d, d2) | on_segment(c, aa, bb, d3)
    on |= on_segment(d, aa, bb, d4)
    straight = (np.abs(d3) < 1e-12) & (np.abs(d4) < 1e-12)
    backwards = ((b - a) * (d - c)).sum(axis=-1) < 0
    return np.asarray(np.where(adjacent, straight & backwards, proper | on))


def on_segment(p: FloatArray, a: FloatArray, b: FloatArray, area: FloatArray) -> BoolArray:
    """Which points p (m, 2), collinear with a–b where `area` is 0, lie on that segment."""
    low, high = np.minimum(a, b), np.maximum(a, b)
    within = ((p >= low - 1e-12) & (p <= high + 1e-12)).all(axis=-1)
    return np.asarray((np.abs(area) < 1e-12) & within)


def validate_outline(vertices_mm: npt.ArrayLike, image: Slice) -> tuple[str, ...]:
    """Problem codes of an outline (n, 3) in patient mm on `image`, in fixed order; empty when there is none.

    Codes: `too_few_points` (fewer than 3 distinct or more than 2,000 vertices, or not finite), `off_plane`,
    `outside_image`, `self_intersection`, `too_small` (no pixel centre inside).
    """
    points = np.asarray(vertices_mm, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        return ("too_few_points",)
    points = clean_vertices(points)
    if len(np.unique(points.round(6), axis=0)) < 3 or len(points) > MAX_VERTICES:
        return ("too_few_points",)
    rc = image.to_pixel(points)
    problems = []
    if float(np.abs(image.distance_mm(points)).max()) > PLANE_TOLERANCE_MM:
        problems.append("off_plane")
    if (rc < -0.5).any() or (rc > np.asarray(image.shape) - 0.5).any():
        problems.append("outside_image")
    if self_intersects(rc):
        problems.append("self_intersection")
    elif not rasterise(rc, image.shape).any():
        problems.append("too_small")
    return tuple(problems)


def boundary(vertices_mm: FloatArray, step_mm: float) -> FloatArray:
    """Points (m, 3) along the closed boundary, at most `step_mm` apart, vertices included."""
    parts = []
    for start, end in zip(vertices_mm, np.roll(vertices_mm, -1, axis=0), strict=True):
        n = max(1, int(np.ceil(float(np.linalg.norm(end - start)) / step_mm)))
        parts.append(start + np.linspace(0.0, 1.0, n, endpoint=False)[:, None] * (end - start))
    return np.concatenate(parts)


def hausdorff_mm(a_mm: npt.ArrayLike, b_mm: npt.ArrayLike, *, step_mm: float = 0.1) -> float:
    """Symmetric Hausdorff distance in mm of two outlines (n, 3), on boundaries sampled every `step_mm`."""
    a = boundary(np.asarray(a_mm, dtype=np.float64), step_mm)
    b = boundary(np.asarray(b_mm, dtype=np.float64), step_mm)
    distances = cdist(a, b)
    return float(max(distances.min(axis=1).max(), distances.min(axis=0).max()))


def centroid_shift_mm(a_mm: npt.ArrayLike, b_mm: npt.ArrayLike) -> float:
    """Distance in mm of the centroids of two outlines (n, 3)."""
    return float(np.linalg.norm(polygon_centroid_mm(a_mm) - polygon_centroid_mm(b_mm)))


def outline_dice(a_mm: npt.ArrayLike, b_mm: npt.ArrayLike, *, grid_mm: float = 0.25) -> float:
    """Dice overlap of two outlines (n, 3) of one plane, on a grid of `grid_mm`; NaN if both are empty on it."""
    a = np.asarray(a_mm, dtype=np.float64)
    b = np.asarray(b_mm, dtype=np.float64)
    first, second = plane_axes(a)
    flat = [np.stack([p @ first, p @ second], axis=1) / grid_mm for p in (a, b)]
    low = np.floor(np.minimum(flat[0].min(axis=0), flat[1].min(axis=0))) - 1
    high = np.ceil(np.maximum(flat[0].max(axis=0), flat[1].max(axis=0))) + 1
    shape = (int(high[0] - low[0]) + 1, int(high[1] - low[1]) + 1)
    masks = [rasterise(points - low, shape) for points in flat]
    total = int(masks[0].sum()) + int(masks[1].sum())
    return 2.0 * int((masks[0] & masks[1]).sum()) / total if total else float("nan")


def largest_component(mask: BoolArray) -> BoolArray:
    """The largest connected component (edge neighbours) of a mask of any dimension; ties: the first."""
    labels, n = label(mask)
    if n == 0:
        return np.zeros_like(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == int(sizes.argmax()))


def largest_cross_section(mask: BoolArray) -> CrossSection:
    """The slice (along the first axis) of a 3-D mask with the most pixels; ties: the lower index.

    Raises ValueError if the mask is empty.
    """
    areas = mask.reshape(mask.shape[0], -1).sum(axis=1)
    if not areas.any():
        raise ValueError("mask must mark at least one voxel, got an empty one")
    index = int(areas.argmax())
    return CrossSection(index, int(areas[index]))
