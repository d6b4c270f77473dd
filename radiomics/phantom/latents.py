"""The signal of the synthetic cohort: how far apart the classes lie, and one stratified latent per lesion."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri


@dataclass(frozen=True)
class Separation:
    """Settings that follow from the difficulty: separations in SD, shares in 0..1."""

    ct: float
    spect: float
    atypical: float
    flipped: float


def separation(difficulty: float) -> Separation:
    """Settings at `difficulty` 0..1, where 1 is the default cohort.

    Raises ValueError outside 0..1 and for numbers that are not finite.
    """
    if not 0.0 <= difficulty <= 1.0:
        raise ValueError(f"difficulty must lie in 0..1, got {difficulty}")
    return Separation(
        1.35 * difficulty, 2.80 * difficulty, 0.50 - 0.22 * difficulty, 0.5 * (1.0 - difficulty)
    )


def latents(
    metastatic: NDArray[np.bool_], sep: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Permuted normal scores within each class, plus or minus half of `sep`; float64 (n,) for `metastatic` (n,)."""
    out = np.empty(metastatic.shape, dtype=np.float64)
    for is_metastatic, mean in ((True, sep / 2), (False, -sep / 2)):
        rows = np.flatnonzero(metastatic == is_metastatic)
        out[rows] = mean + rng.permutation(ndtri((np.arange(rows.size) + 0.5) / max(rows.size, 1)))
    return out
