"""A model against human readers on the same cases."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, t

from radiomics.checks import confidence_level, group_codes
from radiomics.result import Result, frozen, require_inside
from radiomics.stats.delong import Components, clustered_covariance, components, delong_covariance
from radiomics.stats.reader_table import p_of, settled
from radiomics.stats.roc import TIE, AucComparison, compare_auc

FloatArray = npt.NDArray[np.float64]
NAN = float("nan")
FEW_READERS = 3
ROUNDING = 1e-14  # of the largest variance: less is what rounding leaves of nought


@dataclass(frozen=True)
class ReaderContrast(Result):
    """A model's AUC against the mean of the readers' AUCs."""

    auc_model: float
    auc_readers: FloatArray
    mean_readers: float
    difference: float
    se: float
    df: float
    statistic: float
    p_value: float
    low: float
    high: float
    per_reader: tuple[AucComparison, ...]
    readers: str
    flags: tuple[str, ...]

    def __post_init__(self) -> None:
        require_inside("difference", self.difference, self.low, self.high)


def compare_with_readers(
    y: npt.ArrayLike,
    score: npt.ArrayLike,
    ratings: npt.ArrayLike,
    *,
    readers: str = "fixed",
    groups: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> ReaderContrast:
    """A model's AUC against the readers' mean AUC on the same rows; `score` (N,), `ratings` (R, N).

    `readers` fixed (these readers) or random (needs R >= 2). Clustered where `groups` repeat. Raises ValueError for
    bad input. The variance is that of the contrast (1, -1/R …) over the covariance of all AUCs; a difference below 1e-12
    and a variance below 1e-14 of the largest are rounding and count as 0.
    """
    confidence_level(level)
    table = np.atleast_2d(np.asarray(ratings, dtype=np.float64))
    r = table.shape[0]
    if readers not in ("fixed", "random") or (readers == "random" and r < 2):
        raise ValueError(
            f"readers must be fixed, or random with at least 2 readers, got {readers!r} and {r}"
        )
    scores = np.concatenate([np.asarray(score, dtype=np.float64)[None, :], table])
    found = components(y, scores)
    C = contrast_covariance(found, groups)
    weights = np.concatenate([[1.0], np.full(r, -1.0 / r)])
    estimate = float(weights @ found.auc)
    estimate = 0.0 if abs(estimate) < TIE else estimate
    flags = ["few_readers"] if r < FEW_READERS else []
    if any(np.unique(row).size == 2 for row in table):
        flags.append("binary_score")
    if readers == "fixed":
        variance, df = float(weights @ C @ weights), math.inf
    else:
        variance, df = random_variance(found.auc[1:], C)
    se = math.sqrt(variance) if variance > ROUNDING * float(np.diag(C).max()) else 0.0
    statistic = estimate / se if se else (0.0 if estimate == 0 else NAN)
    if not se:
        flags.append("zero_variance")
    tail = 0.5 + level / 2
    half = (float(norm.ppf(tail)) if math.isinf(df) else float(t.ppf(tail, df))) * se
    each = tuple(compare_auc(y, score, row, groups=groups, level=level) for row in table)
    return ReaderContrast(
        float(found.auc[0]), frozen(found.auc[1:]), float(found.auc[1:].mean()), estimate, se, df,
        statistic, p_of(statistic, df), estimate - half, estimate + half, each, readers, tuple(flags),
    )  # fmt: skip


def contrast_covariance(found: Components, groups: npt.ArrayLike | None) -> FloatArray:
    """Covariance of model and readers, clustered where groups repeat."""
    if groups is None:
        return delong_covariance(found)
    codes = group_codes(list(np.asarray(groups).tolist()), found.positive.size)
    if int(codes.max()) + 1 == codes.size:
        return delong_covariance(found)
    return clustered_covariance(found, codes)


def random_variance(reader_auc: FloatArray, C: FloatArray) -> tuple[float, float]:
    """Variance and df of the contrast with random readers."""
    r = reader_auc.size
    ms_r = settled(float(reader_auc.var(ddof=1)))
    block = C[1:, 1:]
    cov2 = float(block.sum() - np.trace(block)) / (r * (r - 1))
    variance = float(C[0, 0]) + ms_r / r + max(cov2, 0.0) - 2 * float(C[0, 1:].mean())
    df = variance**2 / ((ms_r / r) ** 2 / (r - 1)) if ms_r > 0 else math.inf
    return variance, df
