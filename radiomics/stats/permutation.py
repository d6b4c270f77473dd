"""Permutation test of an AUC."""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from radiomics.result import Result
from radiomics.stats.roc import auc

TIE = 1e-12
MAX_LABEL_SETS = 2_000_000


@dataclass(frozen=True)
class AucPermutation(Result):
    """AUC against all or `n_perm` random label sets."""

    observed: float
    p_one_sided: float
    p_two_sided: float
    n_perm: int
    exact: bool
    flags: tuple[str, ...] = ()


def permutation_auc(
    y: npt.ArrayLike, score: npt.ArrayLike, *, n_perm: int | None = None, seed: int | None = None
) -> AucPermutation:
    """Permutation test of the AUC: all label sets (`n_perm` None, at most 2e6), or Monte-Carlo with a seed."""
    labels = np.asarray(y, dtype=np.float64)
    observed = auc(labels, score)
    n, n1 = labels.size, int(labels.sum())
    values = np.asarray(score, dtype=np.float64)
    if n_perm is None:
        if math.comb(n, n1) > MAX_LABEL_SETS:
            raise ValueError(
                f"n_perm: {math.comb(n, n1)} label sets are too many, give n_perm and seed"
            )
        sets = np.zeros((math.comb(n, n1), n), dtype=np.float64)
        for row, chosen in enumerate(combinations(range(n), n1)):
            sets[row, list(chosen)] = 1.0
        null = np.array([auc(labels_, values) for labels_ in sets])
        one = float((null >= observed - TIE).mean())
        two = float((np.abs(null - 0.5) >= abs(observed - 0.5) - TIE).mean())
        return AucPermutation(observed, one, two, len(null), True)
    if seed is None:
        raise ValueError("seed must be given for a Monte-Carlo permutation test")
    rng = np.random.Generator(np.random.PCG64(seed))
    null = np.array([auc(rng.permutation(labels), values) for _ in range(n_perm)])
    one = (1 + int((null >= observed - TIE).sum())) / (1 + n_perm)
    two = (1 + int((np.abs(null - 0.5) >= abs(observed - 0.5) - TIE).sum())) / (1 + n_perm)
    return AucPermutation(observed, one, two, n_perm, False)
