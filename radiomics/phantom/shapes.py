"""Signed distances (mm, negative inside) and partial-volume occupancy, float32."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from radiomics.phantom.pictures import CT_ORIGIN, N_PIXELS

Volume = npt.NDArray[np.float32]
PIXEL, SLICE = 0.9766, 2.5
N_Z = 56
X = (CT_ORIGIN[0] + PIXEL * np.arange(N_PIXELS)).astype(np.float32)
Y = (CT_ORIGIN[1] + PIXEL * np.arange(N_PIXELS)).astype(np.float32)
Z = ((np.arange(N_Z) - (N_Z - 1) / 2) * SLICE).astype(np.float32)


@dataclass(frozen=True)
class Box:
    """A block of the grid: its slices and its local coordinates u, v, w (broadcastable float32)."""

    where: tuple[slice, slice, slice]
    u: Volume
    v: Volume
    w: Volume

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels (slices, rows, columns)."""
        z, y, x = self.where
        return (z.stop - z.start, y.stop - y.start, x.stop - x.start)


def single(values: npt.ArrayLike) -> Volume:
    """The values as float32."""
    return np.asarray(values, dtype=np.float32)


def occ(d: Volume, h: float) -> Volume:
    """Partial-volume occupancy 0..1 of a signed distance with edge width h (mm)."""
    return single(np.clip(0.5 - d / np.float32(h), 0, 1))


def fade(depth: Volume, over: float, fading: float) -> Volume:
    """1 down to a depth of `over` mm, then falling to 0 within `fading` mm."""
    return single(np.clip(1 - (depth - np.float32(over)) / np.float32(fading), 0, 1))


def ellipse(x: Volume, y: Volume, cx: float, cy: float, a: float, b: float) -> Volume:
    """Approximate distance to an ellipse."""
    r = np.hypot((x - np.float32(cx)) / np.float32(a), (y - np.float32(cy)) / np.float32(b))
    return single((r - 1) * np.float32(min(a, b)))


def ellipsoid(
    box: Box, centre: tuple[float, float, float], axes: tuple[float, float, float]
) -> Volume:
    """Approximate distance to an ellipsoid in a box's local coordinates."""
    parts = [
        ((c - np.float32(m)) / np.float32(a)) ** 2
        for c, m, a in zip((box.u, box.v, box.w), centre, axes, strict=True)
    ]
    return single((np.sqrt(parts[0] + parts[1] + parts[2]) - 1) * np.float32(min(axes)))


def blend(target: Volume, share: Volume, value: Volume | float) -> None:
    """Replace a share (0..1) of the target by a value, in place."""
    target += share * (np.asarray(value, dtype=np.float32) - target)


def span(axis: Volume, low: float, high: float) -> slice:
    """Indices of an ascending axis within low..high."""
    a, b = np.searchsorted(axis, [low, high])
    return slice(int(a), max(int(b), int(a)))


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, ...], sigma: tuple[float, ...]
) -> Volume:
    """Gaussian noise of unit SD and mean 0, smoothed with `sigma` voxels."""
    white = rng.standard_normal(shape, dtype=np.float32)
    smooth = gaussian_filter(white, sigma, mode="wrap", truncate=3.0)
    return single((smooth - smooth.mean()) / max(float(smooth.std()), 1e-6))
