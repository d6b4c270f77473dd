"""Images in patient space: slices and volumes with spacing in mm, and resampling to a grid.

Patient coordinates are DICOM LPS millimetres. Pixel coordinates are (row, column), pixel centres at whole numbers.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Vector = tuple[float, float, float]


def vector(values: npt.ArrayLike) -> Vector:
    """Three finite floats as a tuple; raises ValueError for anything else."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (3,) or not np.isfinite(array).all():
        raise ValueError(f"a point or direction needs 3 finite numbers, got shape {array.shape}")
    return (float(array[0]), float(array[1]), float(array[2]))


@dataclass(frozen=True)
class Slice:
    """One image in patient space.

    `pixels` (rows, columns); `position_mm` centre of pixel (0, 0); `row_direction` unit vector along increasing
    column index, `column_direction` along increasing row index; `spacing_mm` (between rows, between columns).
    """

    pixels: npt.NDArray[np.generic]
    position_mm: Vector
    row_direction: Vector
    column_direction: Vector
    spacing_mm: tuple[float, float]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.pixels.shape[0], self.pixels.shape[1])

    @property
    def normal(self) -> FloatArray:
        """Unit vector (3,) perpendicular to the image: row direction x column direction."""
        return np.asarray(np.cross(self.row_direction, self.column_direction), dtype=np.float64)

    def to_patient(self, rc: npt.ArrayLike) -> FloatArray:
        """Patient mm (n, 3) of pixel coordinates (n, 2) given as row, column."""
        points = np.asarray(rc, dtype=np.float64)
        down = points[:, :1] * self.spacing_mm[0] * np.asarray(self.column_direction)
        right = points[:, 1:2] * self.spacing_mm[1] * np.asarray(self.row_direction)
        return np.asarray(np.asarray(self.position_mm) + down + right, dtype=np.float64)

    def to_pixel(self, xyz: npt.ArrayLike) -> FloatArray:
        """Pixel coordinates (n, 2), row and column, of the projections of patient points (n, 3)."""
        offset = np.asarray(xyz, dtype=np.float64) - np.asarray(self.position_mm)
        row = offset @ np.asarray(self.column_direction) / self.spacing_mm[0]
        column = offset @ np.asarray(self.row_direction) / self.spacing_mm[1]
        return np.stack([row, column], axis=1)

    def distance_mm(self, xyz: npt.ArrayLike) -> FloatArray:
        """Signed distances (n,) in mm of patient points (n, 3) from the image plane, along the normal."""
        offset = np.asarray(xyz, dtype=np.float64) - np.asarray(self.position_mm)
        return np.asarray(offset @ self.normal)


@dataclass(frozen=True)
class Volume:
    """Parallel slices in ascending order along their normal.

    `pixels` (slices, rows, columns); `positions_mm` (slices, 3) centres of each slice's pixel (0, 0); other fields
    as of `Slice`; `slice_spacing_mm` > 0 is the nominal step along the normal.
    """

    pixels: npt.NDArray[np.generic]
    origin_mm: Vector
    row_direction: Vector
    column_direction: Vector
    spacing_mm: tuple[float, float]
    slice_spacing_mm: float
    positions_mm: FloatArray

    @property
    def normal(self) -> FloatArray:
        """Unit vector (3,) along which the slices ascend."""
        return np.asarray(np.cross(self.row_direction, self.column_direction), dtype=np.float64)

    def slice(self, k: int) -> Slice:
        """Slice number `k`, from 0; raises IndexError outside."""
        if not 0 <= k < self.pixels.shape[0]:
            raise IndexError(f"slice {k} of {self.pixels.shape[0]}")
        return Slice(
            self.pixels[k],
            vector(self.positions_mm[k]),
            self.row_direction,
            self.column_direction,
            self.spacing_mm,
        )

    def nearest_slice(self, point_mm: npt.ArrayLike) -> int:
        """Index of the slice whose plane is nearest to a patient point (3,); a tie gives the lower index."""
        distances = np.abs(
            (self.positions_mm - np.asarray(point_mm, dtype=np.float64)) @ self.normal
        )
        return int(np.flatnonzero(distances <= distances.min() + 1e-9)[0])

    def to_patient(self, krc: npt.ArrayLike) -> FloatArray:
        """Patient mm (n, 3) of slice, row, column (n, 3), on the nominal regular grid."""
        points = np.asarray(krc, dtype=np.float64)
        up = points[:, :1] * self.slice_spacing_mm * self.normal
        down = points[:, 1:2] * self.spacing_mm[0] * np.asarray(self.column_direction)
        right = points[:, 2:3] * self.spacing_mm[1] * np.asarray(self.row_direction)
        return np.asarray(np.asarray(self.origin_mm) + up + down + right, dtype=np.float64)

    def to_pixel(self, xyz: npt.ArrayLike) -> FloatArray:
        """Slice, row, column (n, 3) of patient points (n, 3), on the nominal regular grid."""
        offset = np.asarray(xyz, dtype=np.float64) - np.asarray(self.origin_mm)
        k = offset @ self.normal / self.slice_spacing_mm
        row = offset @ np.asarray(self.column_direction) / self.spacing_mm[0]
        column = offset @ np.asarray(self.row_direction) / self.spacing_mm[1]
        return np.stack([k, row, column], axis=1)


def bilinear(pixels: npt.NDArray[np.generic], rows: FloatArray, columns: FloatArray) -> FloatArray:
    """Values (n,) of an image at fractional rows and columns (n,); beyond the outermost centres the edge value."""
    image = np.asarray(pixels, dtype=np.float64)
    r = np.clip(rows, 0.0, image.shape[0] - 1.0)
    c = np.clip(columns, 0.0, image.shape[1] - 1.0)
    r0 = np.minimum(np.floor(r).astype(np.int64), max(image.shape[0] - 2, 0))
    c0 = np.minimum(np.floor(c).astype(np.int64), max(image.shape[1] - 2, 0))
    r1 = np.minimum(r0 + 1, image.shape[0] - 1)
    c1 = np.minimum(c0 + 1, image.shape[1] - 1)
    fr, fc = r - r0, c - c0
    top = image[r0, c0] * (1 - fc) + image[r0, c1] * fc
    bottom = image[r1, c0] * (1 - fc) + image[r1, c1] * fc
    return np.asarray(top * (1 - fr) + bottom * fr)
