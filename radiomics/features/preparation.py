"""From a slice and an outline to the image and mask that features are computed from."""

import hashlib
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiomics.image import Slice, bilinear
from radiomics.normalise import window8
from radiomics.region import polygon_centroid_mm, rasterise

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
VALUES = ("window8", "native")


@dataclass(frozen=True)
class Prepared:
    """`image` and `mask` (rows, columns) on the grid, in a window around the outline.

    `saturated_share` of region pixels at the ends of the window (0 for native values), `digest_sha256` of image and
    mask inside the region's bounding box, `warnings` in words.
    """

    image: FloatArray
    mask: BoolArray
    n_pixels: int
    low: float
    high: float
    saturated_share: float
    digest_sha256: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """Nodes at whole multiples of `step_mm` of the patient coordinate along column and row direction.

    Node (i, j) lies at ((first_row + i) step, (first_column + j) step); `shape` rows and columns.
    """

    step_mm: float
    first_row: int
    first_column: int
    shape: tuple[int, int]
    turn: "Turn | None" = None


@dataclass(frozen=True)
class Turn:
    """A grid turned in its plane about a point, by an angle in radians from the column towards the row direction.

    `centre_mm` in coordinates along column and row direction, as `in_plane` gives them; it keeps its coordinates.
    """

    radians: float
    centre_mm: tuple[float, float]

    def to_grid(self, points: FloatArray) -> FloatArray:
        """Coordinates (n, 2) along the turned directions of points given along the image's."""
        return self._turned(points, -self.radians)

    def from_grid(self, points: FloatArray) -> FloatArray:
        """The way back."""
        return self._turned(points, self.radians)

    def _turned(self, points: FloatArray, radians: float) -> FloatArray:
        cosine, sine = math.cos(radians), math.sin(radians)
        rotation = np.array([[cosine, -sine], [sine, cosine]])
        centre = np.asarray(self.centre_mm)
        return np.asarray((points - centre) @ rotation.T + centre)


def in_plane(image: Slice, xyz: npt.ArrayLike) -> FloatArray:
    """Patient coordinates (n, 2) of points (n, 3) along the slice's column direction and row direction, in mm."""
    points = np.asarray(xyz, dtype=np.float64)
    return np.stack(
        [points @ np.asarray(image.column_direction), points @ np.asarray(image.row_direction)],
        axis=1,
    )


def on_grid(image: Slice, xyz: npt.ArrayLike, turn: Turn | None) -> FloatArray:
    """Coordinates (n, 2) in mm along the grid's own directions of patient points (n, 3)."""
    points = in_plane(image, xyz)
    return points if turn is None else turn.to_grid(points)


def grid_around(
    image: Slice, polygon_mm: FloatArray, step_mm: float, *, turn: Turn | None = None
) -> Grid:
    """The smallest window of the grid that holds the polygon and one node around it."""
    nodes = on_grid(image, polygon_mm, turn) / step_mm
    low = np.floor(nodes.min(axis=0)).astype(int) - 1
    high = np.ceil(nodes.max(axis=0)).astype(int) + 1
    shape = (int(high[0] - low[0]) + 1, int(high[1] - low[1]) + 1)
    return Grid(step_mm, int(low[0]), int(low[1]), shape, turn)


def sample(image: Slice, grid: Grid) -> FloatArray:
    """Bilinear values (rows, columns) of the slice at the nodes of the grid."""
    origin = in_plane(image, np.asarray([image.position_mm]))[0]
    rows = (
        (grid.first_row + np.arange(grid.shape[0])) * grid.step_mm - origin[0]
    ) / image.spacing_mm[0]
    columns = (
        (grid.first_column + np.arange(grid.shape[1])) * grid.step_mm - origin[1]
    ) / image.spacing_mm[1]
    r, c = (axis.ravel() for axis in np.meshgrid(rows, columns, indexing="ij"))
    if grid.turn is not None:
        spacing = np.asarray(image.spacing_mm)
        places = grid.turn.from_grid(np.stack([r, c], axis=1) * spacing + origin)
        r, c = ((places - origin) / spacing).T
    return bilinear(image.pixels, r, c).reshape(grid.shape)


def region_on(image: Slice, polygon_mm: FloatArray, grid: Grid) -> BoolArray:
    """Nodes (rows, columns) of the grid inside the polygon."""
    nodes = on_grid(image, polygon_mm, grid.turn) / grid.step_mm
    return rasterise(nodes - np.array([grid.first_row, grid.first_column]), grid.shape)


def content_digest(image: FloatArray, mask: BoolArray) -> str:
    """SHA-256 over shapes, dtypes and bytes of image and mask inside the region's bounding box."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    summary = hashlib.sha256()
    for array in (image[box], mask[box]):
        summary.update(f"{array.shape}{array.dtype.str}".encode())
        summary.update(np.ascontiguousarray(array).tobytes())
    return summary.hexdigest()


def checked_polygon(polygon_mm: npt.ArrayLike, *, grid_mm: float, values: str) -> FloatArray:
    """The polygon as (n, 3) floats; raises ValueError for what is none, and for impossible settings."""
    if values not in VALUES:
        raise ValueError(f"values must be one of {VALUES}, got {values!r}")
    if not (math.isfinite(grid_mm) and grid_mm > 0):
        raise ValueError(f"grid_mm must be positive, got {grid_mm}")
    polygon = np.asarray(polygon_mm, dtype=np.float64)
    is_plain = polygon.ndim == 2 and polygon.shape[1] == 3 and len(polygon) >= 3
    if not is_plain or not np.isfinite(polygon).all():
        raise ValueError(
            f"polygon_mm must hold at least 3 finite points (n, 3), got shape {polygon.shape}"
        )
    return polygon


def prepare(
    image: Slice,
    polygon_mm: npt.ArrayLike,
    *,
    grid_mm: float = 1.0,
    values: str = "window8",
    low: float,
    high: float,
    turn_degrees: float = 0.0,
) -> Prepared:
    """Resample a slice around an outline to the common grid and map it to 8 bits.

    `image` in modality values; `polygon_mm` (n, 3) in patient mm on its plane; `grid_mm` > 0; `values` window8 (from
    `low` to `high`) or native; `turn_degrees` turns the grid about the outline's centroid. The grid does not depend on modality, crop or outline, so that a copied outline gives
    the same mask. Raises ValueError if the polygon covers no node or is none, or high <= low for window8.
    """
    polygon = checked_polygon(polygon_mm, grid_mm=grid_mm, values=values)
    grid = grid_around(image, polygon, grid_mm, turn=turn_about(image, polygon, turn_degrees))
    mask = region_on(image, polygon, grid)
    if not mask.any():
        raise ValueError(f"the outline covers no node of the {grid_mm:g} mm grid; draw it larger")
    sampled = sample(image, grid)
    if values == "window8":
        sampled = window8(sampled, low=low, high=high)
    region = sampled[mask]
    saturated = float(((region == 0) | (region == 255)).mean()) if values == "window8" else 0.0
    return Prepared(
        image=sampled,
        mask=mask,
        n_pixels=int(mask.sum()),
        low=float(low),
        high=float(high),
        saturated_share=saturated,
        digest_sha256=content_digest(sampled, mask),
        warnings=spacing_warnings(image, grid_mm),
    )


def turn_about(image: Slice, polygon_mm: FloatArray, degrees: float) -> Turn | None:
    """A turn of the grid about the outline's centroid; none for an angle of 0."""
    if degrees == 0.0:
        return None
    centre = in_plane(image, polygon_centroid_mm(polygon_mm)[None])[0]
    return Turn(math.radians(degrees), (float(centre[0]), float(centre[1])))


def spacing_warnings(image: Slice, grid_mm: float) -> tuple[str, ...]:
    """A sentence where the native spacing is finer than half the grid."""
    finest = min(image.spacing_mm)
    if finest < grid_mm / 2:
        return (
            f"The native spacing of {finest:g} mm is finer than half the grid; detail is skipped.",
        )
    return ()
