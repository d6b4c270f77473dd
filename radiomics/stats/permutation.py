"""Permutation test of an AUC."""

import math
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from radiomics.result import FloatArray, Result
from radiomics.stats.roc import auc

TIE = 1e-12
MAX_LABEL_SETS, BLOCK = 2_000_000, 100_000


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
    """Permutation test of the AUC: all label sets (`n_perm` None, at most 2e6), or Monte-Carlo with a seed.

    `y` (n,) of 0 and 1, `score` (n,). Raises ValueError for too many label sets, a missing seed, no draws or bad input.
    """
    labels = np.asarray(y, dtype=np.float64)
    observed = auc(labels, score)
    ranks, n1 = rankdata(np.asarray(score, dtype=np.float64)), int(labels.sum())
    if n_perm is None:
        return summary(observed, areas(all_rank_sums(ranks, n1), labels.size, n1), is_exact=True)
    if seed is None or n_perm < 1:
        raise ValueError(
            f"seed must be given and n_perm at least 1 for a Monte-Carlo test, got {n_perm}"
        )
    rng = np.random.Generator(np.random.PCG64(seed))
    sums = np.array([ranks @ rng.permutation(labels) for _ in range(n_perm)])
    return summary(observed, areas(sums, labels.size, n1), is_exact=False)


def areas(rank_sums: FloatArray, n: int, n1: int) -> FloatArray:
    """AUCs of label sets from the rank sums of their `n1` positives among `n` rows."""
    return np.asarray((rank_sums - n1 * (n1 + 1) / 2) / (n1 * (n - n1)))


def all_rank_sums(ranks: FloatArray, n1: int) -> FloatArray:
    """Rank sums of every choice of `n1` rows. Raises ValueError for more than 2e6 choices."""
    count = math.comb(ranks.size, n1)
    if count > MAX_LABEL_SETS:
        raise ValueError(f"n_perm: {count} label sets are too many, give n_perm and seed")
    choices, found = combinations(range(ranks.size), n1), []
    while block := list(islice(choices, BLOCK)):
        found.append(ranks[np.array(block)].sum(axis=1))
    return np.concatenate(found)


def summary(observed: float, null: FloatArray, *, is_exact: bool) -> AucPermutation:
    """Shares of the null AUCs that reach the observed one; a drawn null counts the observed labels as one draw."""
    reached = int((null >= observed - TIE).sum())
    further = int((np.abs(null - 0.5) >= abs(observed - 0.5) - TIE).sum())
    one = 0 if is_exact else 1
    below = len(null) + one
    return AucPermutation(
        observed, (reached + one) / below, (further + one) / below, len(null), is_exact
    )
