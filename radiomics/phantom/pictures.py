"""What rendering hands over: arrays, geometry and the truth of every lesion, in patient mm (DICOM LPS)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiomics.phantom.draws import FloatArray

Triple = tuple[float, float, float]
N_SLICES, N_PIXELS, N_FRAMES, N_BINS = 40, 256, 32, 128
CT_SPACING: Triple = (0.9766, 0.9766, 2.5)
SPECT_SPACING: Triple = (4.42, 4.42, 4.42)
CT_ORIGIN: Triple = (-127.5 * 0.9766, -142.0, -19.5 * 2.5)


@dataclass(frozen=True)
class LesionTruth:
    """Where a drawn lesion is.

    `centroid_mm` (3,); `outline_mm` (n, 3) on the CT slice of the largest cross-section; `whole_body` the (column,
    row) of its spot in each stored view; `tbr` its activity over that of normal vertebra, as put in.
    """

    slot: int
    level: str
    centroid_mm: FloatArray
    outline_mm: FloatArray
    longest_diameter_mm: float
    whole_body: dict[str, tuple[float, float]]
    tbr: float


@dataclass(frozen=True)
class PatientImages:
    """All pictures of one patient, slices and frames with z ascending.

    `ct_hu` int16 (40, 256, 256); `spect_counts` uint16 (32, 128, 128); `whole_body` uint16 (2, 1024, 256), anterior
    and posterior as stored; origins are centres of the first voxel (x, y, z); spacings (row, column, slice) in mm.
    """

    ct_hu: npt.NDArray[np.int16]
    spect_counts: npt.NDArray[np.uint16]
    whole_body: npt.NDArray[np.uint16]
    ct_origin_mm: Triple
    ct_spacing_mm: Triple
    spect_origin_mm: Triple
    spect_spacing_mm: Triple
    lesions: tuple[LesionTruth, ...]


def plane_of(z: float, origin: Triple, spacing: Triple, count: int) -> float:
    """The z of the slice nearest to `z` among `count` slices."""
    k = int(np.clip(np.rint((z - origin[2]) / spacing[2]), 0, count - 1))
    return origin[2] + k * spacing[2]
