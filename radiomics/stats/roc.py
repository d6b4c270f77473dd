"""ROC curves, AUCs with intervals, and differences of AUCs."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, norm, t

from radiomics.checks import binary_labels, confidence_level, finite_matrix, group_codes
from radiomics.result import Result, frozen, require_inside
from radiomics.stats.delong import Components, clustered_covariance, components, delong_covariance

FloatArray = npt.NDArray[np.float64]
NAN = float("nan")
METHODS = ("logit_delong", "delong", "binomial", "clustered")
FEW_CASES, FEW_CLUSTERS, EXTREME = 10, 30, 0.95
TIE = 1e-12


@dataclass(frozen=True)
class RocCurve(Result):
    """Thresholds (k,) ascending from -inf to +inf with sensitivity and specificity (k,)."""

    thresholds: FloatArray
    sensitivity: FloatArray
    specificity: FloatArray
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class AucInterval(Result):
    """AUC with variance and confidence limits; `design_effect` is clustered over DeLong variance."""

    auc: float
    low: float
    high: float
    variance: float
    se: float
    method: str
    level: float
    n_pos: int
    n_neg: int
    n_groups: int
    design_effect: float
    flags: tuple[str, ...]

    def __post_init__(self) -> None:
        require_inside("AUC", self.auc, self.low, self.high)


@dataclass(frozen=True)
class AucComparison(Result):
    """Difference `auc_a - auc_b` with its test; `df` is inf for the normal test."""

    auc_a: float
    auc_b: float
    difference: float
    se: float
    statistic: float
    df: float
    p_value: float
    low: float
    high: float
    covariance: float
    correlation: float
    method: str
    n_pos: int
    n_neg: int
    n_groups: int
    flags: tuple[str, ...]

    def __post_init__(self) -> None:
        require_inside("difference", self.difference, self.low, self.high)


@dataclass(frozen=True)
class Youden(Result):
    """Largest sensitivity + specificity - 1; scalars of the smallest optimal threshold, arrays of all ties."""

    index: float
    threshold: float
    sensitivity: float
    specificity: float
    thresholds: FloatArray
    sensitivities: FloatArray
    specificities: FloatArray
    topleft_thresholds: FloatArray
    flags: tuple[str, ...] = ()


def auc(y: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Area under the ROC curve, ties counting one half; `y` (n,) of 0 and 1, `score` (n,)."""
    return float(components(y, score).auc[0])


def roc_curve(y: npt.ArrayLike, score: npt.ArrayLike) -> RocCurve:
    """Operating points at -inf, the midpoints of neighbouring distinct scores, and +inf."""
    values = finite_matrix(np.atleast_2d(np.asarray(score, dtype=np.float64)), name="score")[0]
    labels = binary_labels(y, values.size)
    distinct, inverse = np.unique(values, return_inverse=True)
    thresholds = np.concatenate([[-np.inf], (distinct[:-1] + distinct[1:]) / 2, [np.inf]])
    positives = np.bincount(inverse, weights=labels, minlength=distinct.size)
    negatives = np.bincount(inverse, weights=1 - labels, minlength=distinct.size)
    below_positive = np.concatenate([[0.0], np.cumsum(positives)])
    below_negative = np.concatenate([[0.0], np.cumsum(negatives)])
    return RocCurve(
        frozen(thresholds),
        frozen(1.0 - below_positive / positives.sum()),
        frozen(below_negative / negatives.sum()),
    )


def partial_auc(
    y: npt.ArrayLike,
    score: npt.ArrayLike,
    low: float,
    high: float,
    *,
    focus: str = "specificity",
    corrected: bool = False,
) -> float:
    """Area over specificity (or sensitivity) in [low, high], linearly interpolated; McClish correction if asked."""
    if focus not in ("specificity", "sensitivity") or not 0 <= low < high <= 1:
        raise ValueError(
            f"partial AUC needs 0 <= low < high <= 1 of a known focus, got {low}, {high}, {focus}"
        )
    curve = roc_curve(y, score)
    x, height = curve.specificity, curve.sensitivity
    if focus == "sensitivity":
        x, height = curve.sensitivity[::-1], curve.specificity[::-1]
    area = area_between(x, height, low, high)
    if not corrected:
        return area
    least = ((1 - low) ** 2 - (1 - high) ** 2) / 2
    if area < least:
        return NAN
    return 0.5 * (1 + (area - least) / (high - low - least))


def area_between(x: FloatArray, height: FloatArray, low: float, high: float) -> float:
    """Trapezoid area of a falling step-and-slope curve with ascending x between two abscissae."""
    total = 0.0
    for x0, x1, h0, h1 in zip(x[:-1], x[1:], height[:-1], height[1:], strict=True):
        left, right = max(float(x0), low), min(float(x1), high)
        if right <= left:
            continue
        slope = (h1 - h0) / (x1 - x0)
        total += (right - left) * (h0 + slope * ((left + right) / 2 - x0))
    return float(total)


def score_flags(found: Components, scores: FloatArray) -> list[str]:
    """Flags of the scores (k, n) alone: below half, two values, few cases."""
    flags = []
    if (found.auc < 0.5).any():
        flags.append("below_half")
    if has_two_values(scores):
        flags.append("binary_score")
    if min(found.v10.shape[1], found.v01.shape[1]) < FEW_CASES:
        flags.append("few_cases")
    return flags


def has_two_values(scores: FloatArray) -> bool:
    """Whether some row of scores (k, n) takes exactly two values; without sorting."""
    low, high = scores.min(axis=1, keepdims=True), scores.max(axis=1, keepdims=True)
    return bool((((scores == low) | (scores == high)).all(axis=1) & (low < high)[:, 0]).any())


def binomial_interval(value: float, n: int, level: float) -> tuple[float, float]:
    """Exact binomial limits with x = value * n of n rows; x need not be whole (beta quantiles)."""
    tail, x = (1 - confidence_level(level)) / 2, value * n
    low = float(beta.ppf(tail, x, n - x + 1)) if x > 0 else 0.0
    high = float(beta.ppf(1 - tail, x + 1, n - x)) if x < n else 1.0
    return low, high


def logit_interval(value: float, se: float, quantile: float) -> tuple[float, float]:
    """Limits on the logit scale, mapped back."""
    centre = math.log(value / (1 - value))
    half = quantile * se / (value * (1 - value))
    return 1 / (1 + math.exp(half - centre)), 1 / (1 + math.exp(-half - centre))


def auc_interval(
    y: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    method: str = "logit_delong",
    level: float = 0.95,
    groups: npt.ArrayLike | None = None,
) -> AucInterval:
    """AUC with a confidence interval; `groups` (n,) are patient ids, needed for `clustered`.

    Methods: logit_delong (default), delong (clipped Wald), binomial (x = AUC n), clustered (Obuchowski variance on
    the logit scale, t with groups - 1 df). Where the variance is 0 or undefined the first and last fall back to
    binomial with a flag. Raises ValueError for an unknown method, missing groups or bad input.
    """
    confidence_level(level)
    if method not in METHODS or (method == "clustered" and groups is None):
        raise ValueError(
            f"method must be one of {METHODS} and clustered needs groups, got {method!r}"
        )
    scores = np.atleast_2d(np.asarray(score, dtype=np.float64))
    found = components(y, scores)
    flags = score_flags(found, scores)
    n_groups, repeats, design = describe_groups(found, groups, flags, method)
    plain = float(delong_covariance(found)[0, 0])
    variance = plain
    if method == "clustered":
        variance = float(clustered_covariance(found, np.asarray(groups))[0, 0])
    low, high = limits(found, variance, method, level, n_groups, flags)
    if repeats and method != "clustered":
        flags.append("clusters_ignored")
    return AucInterval(
        float(found.auc[0]), low, high, variance, safe_sqrt(variance), method, level,
        found.v10.shape[1], found.v01.shape[1], n_groups, design, tuple(dict.fromkeys(flags)),
    )  # fmt: skip


def safe_sqrt(value: float) -> float:
    """Square root, NaN for a negative number."""
    return math.sqrt(value) if value >= 0 else NAN


def describe_groups(
    found: Components, groups: npt.ArrayLike | None, flags: list[str], method: str
) -> tuple[int, bool, float]:
    """Number of groups, whether they repeat, and the design effect (NaN where it cannot be had)."""
    n = found.positive.size
    if groups is None:
        return n, False, NAN
    codes = group_codes(list(np.asarray(groups).tolist()), n)
    n_groups = int(codes.max()) + 1
    if n_groups == n and method != "clustered":
        return n_groups, False, 1.0
    if n_groups < FEW_CLUSTERS:
        flags.append("few_clusters")
    plain = float(delong_covariance(found)[0, 0])
    try:
        clustered = float(clustered_covariance(found, np.asarray(groups))[0, 0])
    except ValueError:
        return n_groups, n_groups < n, NAN
    return n_groups, n_groups < n, clustered / plain if plain > 0 else NAN


def limits(
    found: Components, variance: float, method: str, level: float, n_groups: int, flags: list[str]
) -> tuple[float, float]:
    """Confidence limits by method; falls back to the exact binomial with a flag."""
    value, n = float(found.auc[0]), found.positive.size
    if method == "binomial":
        return binomial_interval(value, n, level)
    degenerate = not variance > 0 or value in (0.0, 1.0)
    if degenerate:
        flags.append(
            "zero_variance"
            if variance == 0 or value in (0.0, 1.0)
            else "degenerate_interval_binomial"
        )
    if method == "delong":
        if math.isnan(variance):
            return binomial_interval(value, n, level)
        half = float(norm.ppf(0.5 + level / 2)) * math.sqrt(max(variance, 0.0))
        return max(0.0, value - half), min(1.0, value + half)
    if degenerate:
        flags.append("degenerate_interval_binomial")
        return binomial_interval(value, n, level)
    tail = 0.5 + level / 2
    quantile = float(t.ppf(tail, n_groups - 1)) if method == "clustered" else float(norm.ppf(tail))
    return logit_interval(value, math.sqrt(variance), quantile)


def compare_auc(
    y: npt.ArrayLike,
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    y_b: npt.ArrayLike | None = None,
    groups: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> AucComparison:
    """Difference of two AUCs: paired on the same rows, clustered where `groups` repeat, or unpaired with `y_b`.

    Raises ValueError for bad input, or groups with an unpaired comparison.
    """
    confidence_level(level)
    if y_b is not None:
        if groups is not None:
            raise ValueError("groups cannot be given for an unpaired comparison")
        return compare_unpaired(y, a, y_b, b, level)
    scores = np.stack([np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)])
    found = components(y, scores)
    n = found.positive.size
    n_groups = (
        n if groups is None else int(group_codes(list(np.asarray(groups).tolist()), n).max()) + 1
    )
    is_clustered = groups is not None and n_groups < n
    matrix = (
        clustered_covariance(found, np.asarray(groups))
        if is_clustered
        else delong_covariance(found)
    )
    flags = score_flags(found, scores)
    if is_clustered and n_groups < FEW_CLUSTERS:
        flags.append("few_clusters")
    return comparison(
        found, matrix, "clustered" if is_clustered else "delong", n_groups, level, flags
    )


def comparison(
    found: Components,
    matrix: FloatArray,
    method: str,
    n_groups: int,
    level: float,
    flags: list[str],
) -> AucComparison:
    """Difference, test and limits from AUCs and their covariance (2, 2)."""
    difference = float(found.auc[0] - found.auc[1])
    variance = float(matrix[0, 0] + matrix[1, 1] - 2 * matrix[0, 1])
    if abs(variance) < 1e-16:
        variance = 0.0
    se = safe_sqrt(variance)
    if variance > 0:
        statistic = difference / se
    else:
        statistic = 0.0 if difference == 0 else NAN
        flags.append("zero_variance")
    scale = (
        math.sqrt(float(matrix[0, 0] * matrix[1, 1]))
        if matrix[0, 0] > 0 and matrix[1, 1] > 0
        else NAN
    )
    correlation = float(matrix[0, 1]) / scale if scale and not math.isnan(scale) else NAN
    if correlation > EXTREME:
        flags.append("correlation_extreme")
    half = float(norm.ppf(0.5 + level / 2)) * se
    return AucComparison(
        float(found.auc[0]), float(found.auc[1]), difference, se, statistic, math.inf,
        float(2 * norm.sf(abs(statistic))), difference - half, difference + half,
        float(matrix[0, 1]), correlation, method, found.v10.shape[1], found.v01.shape[1], n_groups,
        tuple(dict.fromkeys(flags)),
    )  # fmt: skip


def compare_unpaired(
    y_a: npt.ArrayLike, a: npt.ArrayLike, y_b: npt.ArrayLike, b: npt.ArrayLike, level: float
) -> AucComparison:
    """Difference of two AUCs of different rows, t with Satterthwaite df."""
    first, second = components(y_a, a), components(y_b, b)
    va, vb = float(delong_covariance(first)[0, 0]), float(delong_covariance(second)[0, 0])
    na, nb = first.positive.size, second.positive.size
    difference, se = float(first.auc[0] - second.auc[0]), safe_sqrt(va + vb)
    flags = []
    if va + vb > 0:
        df = (va + vb) ** 2 / (va**2 / (na - 1) + vb**2 / (nb - 1))
        statistic = difference / se
        p_value, half = float(2 * t.sf(abs(statistic), df)), float(t.ppf(0.5 + level / 2, df)) * se
    else:
        flags.append("zero_variance")
        df, half = NAN, 0.0
        statistic, p_value = (0.0, 1.0) if difference == 0 else (NAN, NAN)
    return AucComparison(
        float(first.auc[0]), float(second.auc[0]), difference, se, statistic, df, p_value,
        difference - half, difference + half, 0.0, 0.0, "unpaired",
        first.v10.shape[1] + second.v10.shape[1], first.v01.shape[1] + second.v01.shape[1], na + nb,
        tuple(flags),
    )  # fmt: skip


def youden(y: npt.ArrayLike, score: npt.ArrayLike) -> Youden:
    """The threshold with the largest sensitivity + specificity - 1; optima within 1e-12 are ties."""
    curve = roc_curve(y, score)
    index = curve.sensitivity + curve.specificity - 1.0
    best = np.flatnonzero(index >= index.max() - TIE)
    distance = (1 - curve.sensitivity) ** 2 + (1 - curve.specificity) ** 2
    corner = np.flatnonzero(distance <= distance.min() + TIE)
    first = best[0]
    return Youden(
        float(index[first]), float(curve.thresholds[first]), float(curve.sensitivity[first]),
        float(curve.specificity[first]), frozen(curve.thresholds[best]), frozen(curve.sensitivity[best]),
        frozen(curve.specificity[best]), frozen(curve.thresholds[corner]),
    )  # fmt: skip
