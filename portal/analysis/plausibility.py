"""Arithmetic on printed figures: what an AUC, its n, an interval or a P value imply about each other."""

import math
from dataclasses import dataclass

from scipy.stats import norm

from radiomics.stats.roc import binomial_interval


@dataclass(frozen=True)
class Limits:
    """A two-sided interval."""

    low: float
    high: float

    def is_near(self, low: float, high: float, *, within: float = 0.001) -> bool:
        """Whether printed limits equal these up to a rounding."""
        return abs(self.low - low) <= within + 1e-9 and abs(self.high - high) <= within + 1e-9


def binomial_limits(auc: float, n: int) -> Limits:
    """Exact binomial 95 % limits on AUC·n of n, as if the AUC were a share of lesions."""
    return Limits(*binomial_interval(auc, n, 0.95))


def hanley_mcneil_se(auc: float, n_pos: float, n_neg: float) -> float:
    """Standard error of an AUC by its value and the class sizes. Source: Hanley & McNeil 1982."""
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (n_pos - 1) * (q1 - auc**2) + (n_neg - 1) * (q2 - auc**2)
    return math.sqrt(spread / (n_pos * n_neg))


def se_of_p(difference: float, p_value: float) -> float:
    """Standard error that makes a difference have this two-sided normal P."""
    return abs(difference) / float(norm.isf(p_value / 2))


def implied_correlation(
    first: float, second: float, p_value: float, *, n_pos: float, n_neg: float
) -> float:
    """Correlation of two AUCs that their difference and its P value need."""
    a, b = (hanley_mcneil_se(auc, n_pos, n_neg) for auc in (first, second))
    wanted = se_of_p(first - second, p_value)
    return (a**2 + b**2 - wanted**2) / (2 * a * b)


def expected_straddlers(n_pairs: int, n_train: int, n_validation: int) -> float:
    """Patients with two lesions expected on both sides when lesions are split at random."""
    n = n_train + n_validation
    return n_pairs * 2 * n_train * n_validation / (n * (n - 1))
