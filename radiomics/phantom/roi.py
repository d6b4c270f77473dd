"""The true outline of a lesion on the CT slice of its largest cross-section."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, label
from scipy.spatial.distance import pdist
from skimage.measure import find_contours

from radiomics.phantom.draws import FloatArray
from radiomics.phantom.lesion import Field
from radiomics.phantom.outlines import area_centroid
from radiomics.phantom.shapes import PIXEL, X, Y, Z

EXTRA_SLICES, LAST_SLICE = 8, 47


@dataclass(frozen=True)
class Region:
    """Outline (n, 3) and centroid (3,) in patient mm; longest diameter in mm."""

    outline_mm: FloatArray
    centroid_mm: FloatArray
    longest_diameter_mm: float


def true_region(field: Field) -> Region | None:
    """The true ROI, or none if no slice of the scan holds one."""
    first = field.box.where[0].start
    share = np.maximum(field.mask, field.growth)
    inside = np.pad((share > 0.5).astype(np.float64), ((0, 0), (3, 3), (3, 3)))
    smooth = gaussian_filter(inside, (0, 1.2, 1.2)) > 0.42
    within = [EXTRA_SLICES <= first + k <= LAST_SLICE for k in range(len(smooth))]
    areas = smooth.sum(axis=(1, 2)) * np.asarray(within)
    k = int(np.argmax(areas))
    if areas[k] == 0:
        return None
    parts, n = label(smooth[k])
    largest = 1 + int(np.argmax([np.sum(parts == i) for i in range(1, n + 1)]))
    soft = gaussian_filter((parts == largest).astype(np.float64), 1.0)
    contours = find_contours(soft, 0.5)  # type: ignore[no-untyped-call]
    if not contours:
        return None
    contour = max(contours, key=len)[:-1] - 3
    where = field.box.where
    x = float(X[where[2].start]) + contour[:, 1] * PIXEL
    y = float(Y[where[1].start]) + contour[:, 0] * PIXEL
    z = float(Z[first + k])
    xy = np.column_stack([x, y])
    centre = area_centroid(xy)
    outline = np.column_stack([xy, np.full(len(xy), z)])
    return Region(outline, np.array([centre[0], centre[1], z]), float(pdist(xy).max()))
