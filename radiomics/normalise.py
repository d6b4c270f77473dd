"""Grey levels: clipping at mean ± 3 SD, quantising to bits, the 8-bit window of a bitmap export."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
TIE_EPSILON = 1e-9


def quantise(values: FloatArray, *, mean: float, sd: float, bits: int) -> IntArray:
    """Grey levels 0 … 2^bits - 1 of `values` (any shape), linear between mean - 3 sd and mean + 3 sd, clipped beyond.

    `sd` 0 (a constant region) gives 2^(bits - 1) everywhere. The small epsilon keeps a value that equals the mean,
    which lies exactly on a rounding tie, from depending on the order of floating-point operations.
    Source: Collewet, Strzelecki, Mariette 2004 (limitation of dynamics to mean ± 3 SD).
    """
    top = 2**bits - 1
    if sd == 0.0:
        return np.full(values.shape, 2 ** (bits - 1), dtype=np.int64)
    scaled = np.floor(((values - mean) / sd + 3.0) * top / 6.0 + 0.5 + TIE_EPSILON)
    return np.asarray(np.clip(scaled, 0, top).astype(np.int64))


def window8(values: FloatArray, *, low: float, high: float) -> FloatArray:
    """8-bit values 0 … 255 (float64, whole numbers) of `values`, linear from `low` to `high`, clipped beyond.

    Raises ValueError unless high > low and both are finite.
    """
    if not (np.isfinite(low) and np.isfinite(high) and high > low):
        raise ValueError(f"the window needs high > low, got {low} and {high}")
    scaled = np.floor((values - low) / (high - low) * 255.0 + 0.5)
    return np.asarray(np.clip(scaled, 0.0, 255.0))
