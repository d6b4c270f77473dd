"""Random streams and draws that keep counts exact and one seed from telling another story."""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class Stream(IntEnum):
    """One random stream per purpose, so that none depends on what else is made."""

    PLAN = 1
    LATENTS = 2
    ANATOMY = 3
    VESSELS = 4
    TEXTURE = 5
    CT_NOISE = 6
    SPECT_NOISE = 7
    WHOLE_BODY = 8
    CONTOURS = 9
    READERS = 10
    SCREENING = 11
    PRACTICE = 12
    LESION = 13


def generator(seed: int, stream: Stream, *index: int) -> np.random.Generator:
    """The generator of one purpose and place: independent of order, of worker count and of other streams."""
    return np.random.default_rng([seed, int(stream), *index])


def largest_remainder(weights: Sequence[float], total: int) -> list[int]:
    """Whole numbers in proportion to `weights` (positive) that sum to `total`; ties go to the earlier one."""
    share = np.asarray(weights, dtype=np.float64) / sum(weights) * total
    counts = np.floor(share + 1e-9).astype(np.int64)
    order = np.argsort(-(share - counts), kind="stable")
    counts[order[: total - int(counts.sum())]] += 1
    return [int(count) for count in counts]


def rounded(value: float) -> int:
    """The nearest whole number, halves upwards."""
    return int(np.floor(value + 0.5))


def normal_scores(rng: np.random.Generator, n: int) -> FloatArray:
    """The n normal scores, the quantiles at (i - 1/2)/n, in random order."""
    scores: FloatArray = ndtri((np.arange(n) + 0.5) / max(n, 1))
    return rng.permutation(scores)


def systematic(rng: np.random.Generator, n: int) -> FloatArray:
    """A systematic sample (i + U)/n of the unit interval, in random order."""
    return rng.permutation((np.arange(n) + rng.random()) / max(n, 1))


def pick(u: FloatArray, weights: Sequence[float]) -> IntArray:
    """Index of the category of each u in 0..1 through the inverse distribution of `weights`."""
    edges = np.cumsum(np.asarray(weights, dtype=np.float64) / sum(weights))[:-1]
    return np.searchsorted(edges, u, side="right").astype(np.int64)
