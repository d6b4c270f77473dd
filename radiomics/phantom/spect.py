"""From activity to reconstructed SPECT counts."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, map_coordinates

from radiomics.phantom.pictures import N_BINS, N_FRAMES, SPECT_SPACING, Triple
from radiomics.phantom.shapes import PIXEL, SLICE, Volume, X, Y, Z
from radiomics.phantom.soft_tissue import Torso

BIN = SPECT_SPACING[0]
BEFORE_MM, AFTER_MM = 7.0 / 2.3548, 5.6 / 2.3548
COUNTS, SCALE = 14.0, 85.0


def origin_of(torso: Torso) -> Triple:
    """Centre of the first voxel: x and z centred, y on .6 of the middle of the body."""
    half = (N_BINS - 1) / 2 * BIN
    return (-half, 0.6 * torso.y - half, -(N_FRAMES - 1) / 2 * BIN)


def to_spect(
    activity: Volume, torso: Torso, delta: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint16], Triple]:
    """Counts uint16 (32, 128, 128), z ascending, and the origin in mm.

    Resolution before the counting noise 7.0 mm FWHM, after it 5.6 mm; `delta` is the patient's count factor.
    """
    origin = origin_of(torso)
    half = activity.reshape(len(Z), 128, 2, 128, 2).mean(axis=(2, 4))
    sigma = BEFORE_MM / PIXEL / 2
    blurred = gaussian_filter(half, (BEFORE_MM / SLICE, sigma, sigma), mode="nearest", truncate=3.0)
    at = np.arange(N_BINS) * BIN
    x, y = origin[0] + at, origin[1] + at
    z = origin[2] + np.arange(N_FRAMES) * BIN
    rows, columns = (y - Y[0]) / PIXEL / 2 - 0.25, (x - X[0]) / PIXEL / 2 - 0.25
    grid = np.meshgrid((z - Z[0]) / SLICE, rows, columns, indexing="ij")
    mean = map_coordinates(blurred, grid, order=1, mode="nearest")
    inside = np.hypot(x[None, :] / torso.a, (y[:, None] - torso.y) / torso.b) < 1
    outside_y = (y > float(Y[-1])) | (y < float(Y[0]))
    beyond = (np.abs(x) > float(X[-1]) - 2)[None, :] | outside_y[:, None]
    mean[:, beyond & ~inside] = 0
    mean[:, beyond & inside] = 0.13
    counts = rng.poisson(np.clip(mean, 0, None) * COUNTS * delta).astype(np.float32)
    smooth = gaussian_filter(counts, AFTER_MM / BIN) * SCALE * delta
    return np.clip(np.rint(smooth), 0, 65535).astype(np.uint16), origin
