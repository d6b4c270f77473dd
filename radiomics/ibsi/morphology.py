"""Shape of the region's surface mesh and voxels, and how intensity lies in it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull
from scipy.spatial.distance import cdist
from skimage.measure import marching_cubes

from radiomics.ibsi.aggregation import Values
from radiomics.ibsi.region import BoolArray, FloatArray, IntArray

NAN = float("nan")
BLOCK = 2_000_000
TERMS = 20
Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class Mesh:
    """Vertices (n, 3) in mm and triangles (m, 3) of a closed surface."""

    vertices: FloatArray
    triangles: IntArray

    @property
    def volume(self) -> float:
        """Enclosed volume in mm3, by signed tetrahedra."""
        a, b, c = (self.vertices[self.triangles[:, k]] for k in range(3))
        return abs(float(np.einsum("ij,ij->", a, np.cross(b, c)))) / 6

    @property
    def area(self) -> float:
        """Surface in mm2."""
        a, b, c = (self.vertices[self.triangles[:, k]] for k in range(3))
        return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()) / 2


def mesh_of(mask: BoolArray, spacing_mm: Spacing) -> Mesh:
    """Marching cubes at one half, one empty voxel around."""
    vertices, triangles, *_ = marching_cubes(  # type: ignore[no-untyped-call]
        np.pad(mask, 1).astype(np.float32), 0.5, spacing=spacing_mm
    )
    return Mesh(vertices.astype(np.float64), triangles.astype(np.int64))


def morphology(
    mask: npt.ArrayLike, intensity_mask: npt.ArrayLike, image: npt.ArrayLike, spacing_mm: Spacing
) -> Values:
    """The tags `morph_…` that carry a value. Source: features.md 9.2, IBSI manual 3.1.

    `mask` (slices, rows, columns) gives the shape, `intensity_mask` and `image` the intensities; `spacing_mm` is in
    that order. A region without a volume of its own (hull, axes) leaves what rests on it NaN.
    """
    shape, inside = np.asarray(mask, dtype=bool), np.asarray(intensity_mask, dtype=bool)
    values = np.asarray(image, dtype=np.float64)[inside]
    centres = np.argwhere(shape) * np.asarray(spacing_mm)
    places = np.argwhere(inside) * np.asarray(spacing_mm)
    mesh = mesh_of(shape, spacing_mm)
    volume, area = mesh.volume, mesh.area
    found = {
        "volume": volume,
        "vol_approx": centres.shape[0] * math.prod(spacing_mm),
        **roundness(volume, area),
        "com": shift(centres, places, values),
        **extent(mesh, volume, area, centres),
        "integ_int": float(values.mean()) * volume,
        **autocorrelation(places, values),
    }
    return {f"morph_{name}": value for name, value in found.items()}


def roundness(volume: float, area: float) -> Values:
    """Area, ratio and the forms of compactness."""
    compact = 36 * math.pi * volume**2 / area**3
    return {
        "area_mesh": area, "av": area / volume, "comp_1": volume / (math.sqrt(math.pi) * area**1.5),
        "comp_2": compact, "sph_dispr": compact ** (-1 / 3), "sphericity": compact ** (1 / 3),
        "asphericity": compact ** (-1 / 3) - 1,
    }  # fmt: skip


def shift(centres: FloatArray, places: FloatArray, values: FloatArray) -> float:
    """Distance in mm of the intensity-weighted from the plain centroid; NaN if the intensities sum to 0."""
    if values.sum() == 0:
        return NAN
    weighted = (places * values[:, None]).sum(axis=0) / values.sum()
    return float(np.linalg.norm(weighted - centres.mean(axis=0)))


def extent(mesh: Mesh, volume: float, area: float, centres: FloatArray) -> Values:
    """Diameter, principal axes and the densities in box, ellipsoid and hull."""
    box = np.ptp(mesh.vertices, axis=0)
    box_area = 2 * float(box[0] * box[1] + box[1] * box[2] + box[0] * box[2])
    hull = ConvexHull(mesh.vertices)
    major, minor, least = axes(centres)
    ellipsoid_volume = math.pi / 6 * major * minor * least
    ellipsoid_area = area_of_ellipsoid(major / 2, minor / 2, least / 2)
    return {
        "diam": diameter(mesh.vertices[hull.vertices]),
        "pca_maj_axis": major, "pca_min_axis": minor, "pca_least_axis": least,
        "pca_elongation": ratio(minor, major), "pca_flatness": ratio(least, major),
        "vol_dens_aabb": volume / float(box.prod()), "area_dens_aabb": area / box_area,
        "vol_dens_aee": ratio(volume, ellipsoid_volume), "area_dens_aee": ratio(area, ellipsoid_area),
        "vol_dens_conv_hull": volume / float(hull.volume), "area_dens_conv_hull": area / float(hull.area),
    }  # fmt: skip


def ratio(part: float, whole: float) -> float:
    """The quotient, NaN for an empty whole."""
    return part / whole if whole > 0 else NAN


def diameter(corners: FloatArray) -> float:
    """Largest distance in mm between two corners of the hull."""
    return max(float(cdist(block, corners).max()) for block in blocks(corners))


def blocks(points: FloatArray) -> Iterator[FloatArray]:
    """Portions of the points whose distances to all of them fit the memory."""
    size = max(1, BLOCK // points.shape[0])
    for first in range(0, points.shape[0], size):
        yield points[first : first + size]


def axes(centres: FloatArray) -> tuple[float, float, float]:
    """Major, minor and least axis in mm: four times the roots of the sample covariance's eigenvalues."""
    if centres.shape[0] < 2:
        return (NAN, NAN, NAN)
    values = np.linalg.eigvalsh(np.cov(centres, rowvar=False))
    least, minor, major = (4 * math.sqrt(max(0.0, float(v))) for v in values)
    return major, minor, least


def area_of_ellipsoid(a: float, b: float, c: float) -> float:
    """The IBSI manual's surface of an ellipsoid with semi-axes a >= b >= c; NaN without a volume.

    It is Maas' Legendre series, with the manual's parameters sqrt(1 - b2/a2) and sqrt(1 - c2/a2). The true surface
    takes c2/b2 in the second place (so that of a sphere only is right here); the published reference value rests on
    the manual's. The polynomials are carried together with their factor, which stays finite for a sphere.
    """
    if not c > 0:
        return NAN
    alpha2, beta2 = 1 - b**2 / a**2, 1 - c**2 / a**2
    half, product = (alpha2 + beta2) / 2, alpha2 * beta2
    before, now, total = 0.0, 1.0, 0.0
    for v in range(TERMS + 1):
        total += now / (1 - 4 * v**2)
        before, now = now, ((2 * v + 1) * half * now - v * product * before) / (v + 1)
    return 4 * math.pi * a * b * total


def autocorrelation(places: FloatArray, values: FloatArray) -> Values:
    """Moran's I and Geary's C with weights 1 / distance in mm; NaN for one voxel or equal intensities."""
    centred = values - values.mean()
    n, spread = values.size, float((centred**2).sum())
    if n < 2 or values.min() == values.max() or spread == 0:
        return {"moran_i": NAN, "geary_c": NAN}
    total = alike = apart = 0.0
    first = 0
    for block in blocks(places):
        last = first + block.shape[0]
        distance = cdist(block, places)
        distance[np.arange(last - first), np.arange(first, last)] = np.inf
        weight = 1 / distance
        total += float(weight.sum())
        alike += float(centred[first:last] @ weight @ centred)
        apart += float((weight * (values[first:last, None] - values[None, :]) ** 2).sum())
        first = last
    return {
        "moran_i": n / total * alike / spread,
        "geary_c": (n - 1) / (2 * total) * apart / spread,
    }
