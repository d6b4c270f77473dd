"""Absolute gradient over the 5 x 5 neighbourhood."""

import numpy as np

from radiomics.features.outcome import NO_INTERIOR, BoolArray, IntArray, Outcome, moments, undefined

REACH = 2


def gradient_sample(
    levels: IntArray, mask: BoolArray
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Gradient magnitudes (n,) at the pixels whose four neighbours at distance 2 lie in the region.

    `levels` and `mask` (rows, columns); a pixel at distance 1 need not lie in the region.
    """
    if min(mask.shape) <= 2 * REACH:
        return np.empty(0, dtype=np.float64)
    core = slice(REACH, -REACH)
    inside = (
        mask[core, core]
        & mask[core, 2 * REACH :]
        & mask[core, : -2 * REACH]
        & mask[2 * REACH :, core]
        & mask[: -2 * REACH, core]
    )
    gx = (levels[core, 2 * REACH :] - levels[core, : -2 * REACH])[inside]
    gy = (levels[2 * REACH :, core] - levels[: -2 * REACH, core])[inside]
    return np.sqrt((gx * gx + gy * gy).astype(np.float64))


def gradient(levels: IntArray, mask: BoolArray) -> Outcome:
    """Five features of the gradient magnitudes. Source: MaZda's 5 x 5 definition (PMC4571663 Tab 1)."""
    sample = gradient_sample(levels, mask)
    if not sample.size:
        return undefined(5, NO_INTERIOR)
    found = moments(sample)
    share = float(np.count_nonzero(sample)) / sample.size
    return Outcome([*found.values, share], [*found.reasons, ""])
