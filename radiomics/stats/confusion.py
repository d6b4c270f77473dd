"""Rates of binary calls with exact, Wilson and cluster-aware intervals; McNemar's test."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, chi2, norm

from radiomics.checks import binary_labels, confidence_level, group_codes
from radiomics.result import Result, require_inside
from radiomics.stats.roc import binomial_interval

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
NAN = float("nan")


@dataclass(frozen=True)
class Rate(Result):
    """A proportion with limits; `design_effect` is 1 for independent rows."""

    value: float
    low: float
    high: float
    numerator: int
    denominator: int
    design_effect: float

    def __post_init__(self) -> None:
        require_inside("rate", self.value, self.low, self.high)


@dataclass(frozen=True)
class Interval(Result):
    """A value with limits."""

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        require_inside("ratio", self.value, self.low, self.high)


@dataclass(frozen=True)
class Confusion(Result):
    """Counts, rates and ratios of a binary call."""

    tp: int
    fp: int
    fn: int
    tn: int
    n: int
    prevalence: float
    sensitivity: Rate
    specificity: Rate
    ppv: Rate
    npv: Rate
    accuracy: Rate
    balanced_accuracy: float
    youden: Interval
    lr_pos: Interval
    lr_neg: Interval
    odds_ratio: Interval
    flags: tuple[str, ...]


@dataclass(frozen=True)
class McNemar(Result):
    """Discordant pairs `n10` (only a correct) and `n01`, with exact and chi-squared P."""

    n10: int
    n01: int
    difference: float
    p_exact: float
    p_chi2: float
    p_chi2_corrected: float
    flags: tuple[str, ...] = ()


def binary_calls(call: npt.ArrayLike, n: int, name: str = "call") -> FloatArray:
    """Calls as (n,) 0 and 1; raises ValueError for another shape or value."""
    calls = np.asarray(call, dtype=np.float64)
    if calls.shape != (n,) or not np.isin(calls, (0.0, 1.0)).all():
        raise ValueError(f"{name} must hold {n} values 0 or 1, got shape {calls.shape}")
    return calls


def wilson_interval(p: float, n: float, level: float) -> tuple[float, float]:
    """Wilson limits of a proportion `p` of `n` rows."""
    z = float(norm.ppf(0.5 + level / 2))
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def design_effect(hits: FloatArray, codes: IntArray) -> float:
    """Variance of a proportion over clusters against independent rows (Rao & Scott 1992); 1 where undefined."""
    n, p = hits.size, float(hits.mean())
    members = np.unique(codes)
    k = members.size
    if k < 2 or p in (0.0, 1.0):
        return 1.0
    x = np.bincount(codes, weights=hits)[members]
    size = np.bincount(codes)[members]
    variance = k / (k - 1) * float(((x - p * size) ** 2).sum()) / n**2
    return variance / (p * (1 - p) / n)


def rate(hits: FloatArray, codes: IntArray | None, interval: str, level: float) -> Rate:
    """Share of ones in `hits` (m,) with its interval; NaN without rows."""
    n = hits.size
    if n == 0:
        return Rate(NAN, NAN, NAN, 0, 0, NAN)
    effect = 1.0 if codes is None else design_effect(hits, codes)
    p, effective = float(hits.mean()), n / max(effect, 1.0)
    if interval == "exact":
        low, high = exact_interval(p, effective, level)
    else:
        low, high = wilson_interval(p, effective, level)
    return Rate(p, low, high, int(hits.sum()), n, effect)


def exact_interval(p: float, n: float, level: float) -> tuple[float, float]:
    """Clopper–Pearson limits; `n` need not be whole after a design effect."""
    return binomial_interval(p, n, level)  # type: ignore[arg-type]


def ratio_interval(value: float, variance: float, level: float) -> Interval:
    """Log-normal limits; NaN limits where the value is 0, infinite or undefined."""
    if not (0 < value < math.inf):
        return Interval(value, NAN, NAN)
    half = float(norm.ppf(0.5 + level / 2)) * math.sqrt(variance)
    return Interval(value, value * math.exp(-half), value * math.exp(half))


def divided(a: float, b: float) -> float:
    """A / b; infinite for a positive a over 0, NaN for 0 over 0."""
    if b:
        return a / b
    return math.inf if a > 0 else NAN


def confusion(
    y: npt.ArrayLike,
    call: npt.ArrayLike,
    *,
    interval: str = "exact",
    level: float = 0.95,
    groups: npt.ArrayLike | None = None,
) -> Confusion:
    """Confusion matrix of binary calls; with repeating `groups` the rates' intervals widen by the design effect.

    `y`, `call` (n,) of 0 and 1; `interval` exact or wilson. Raises ValueError for bad input.
    """
    confidence_level(level)
    if interval not in ("exact", "wilson"):
        raise ValueError(f"interval must be exact or wilson, got {interval!r}")
    call_values = np.asarray(call, dtype=np.float64)
    labels = binary_labels(y, call_values.size)
    calls = binary_calls(call_values, labels.size)
    codes = repeating_codes(groups, labels.size)
    pos, neg, up, down = labels == 1, labels == 0, calls == 1, calls == 0

    def of(rows: npt.NDArray[np.bool_], hits: npt.NDArray[np.bool_]) -> Rate:
        mine = None if codes is None else codes[rows]
        return rate(hits[rows].astype(np.float64), mine, interval, level)

    tp, fp = int((pos & up).sum()), int((neg & up).sum())
    fn, tn = int((pos & down).sum()), int((neg & down).sum())
    se, sp, ppv, npv = of(pos, up), of(neg, down), of(up, pos), of(down, neg)
    everything = np.ones(labels.size, dtype=np.bool_)
    flags = [] if min(tp + fp, fn + tn) else ["zero_variance"]
    return Confusion(
        tp, fp, fn, tn, labels.size, float(labels.mean()), se, sp, ppv, npv,
        of(everything, calls == labels), (se.value + sp.value) / 2,
        *ratios(tp, fp, fn, tn, se, sp, level), tuple(flags),
    )  # fmt: skip


def repeating_codes(groups: npt.ArrayLike | None, n: int) -> IntArray | None:
    """Group codes (n,) where some group repeats, else None."""
    if groups is None:
        return None
    codes = group_codes(list(np.asarray(groups).tolist()), n)
    return codes if int(codes.max()) + 1 < n else None


def ratios(
    tp: int, fp: int, fn: int, tn: int, se: Rate, sp: Rate, level: float
) -> tuple[Interval, Interval, Interval, Interval]:
    """Youden index, likelihood ratios and odds ratio with their limits."""
    lr_pos, lr_neg = divided(se.value, 1 - sp.value), divided(1 - se.value, sp.value)
    odds = divided(tp * tn, fp * fn)
    var_pos = (1 - se.value) / tp + sp.value / fp if tp and fp else NAN
    var_neg = se.value / fn + (1 - sp.value) / tn if fn and tn else NAN
    var_odds = 1 / tp + 1 / fp + 1 / fn + 1 / tn if min(tp, fp, fn, tn) else NAN
    youden = Interval(se.value + sp.value - 1, se.low + sp.low - 1, se.high + sp.high - 1)
    return (
        youden,
        ratio_interval(lr_pos, var_pos, level) if tp and fp else Interval(lr_pos, NAN, NAN),
        ratio_interval(lr_neg, var_neg, level) if fn and tn else Interval(lr_neg, NAN, NAN),
        ratio_interval(odds, var_odds, level)
        if not math.isnan(var_odds)
        else Interval(odds, NAN, NAN),
    )


def mcnemar(y: npt.ArrayLike, call_a: npt.ArrayLike, call_b: npt.ArrayLike) -> McNemar:
    """Whether two binary calls differ in correctness on the same rows; the exact binomial P is the one shown."""
    labels = binary_labels(y, np.asarray(y).size)
    right_a = binary_calls(call_a, labels.size, "call_a") == labels
    right_b = binary_calls(call_b, labels.size, "call_b") == labels
    n10, n01 = int((right_a & ~right_b).sum()), int((~right_a & right_b).sum())
    total = n10 + n01
    difference = (n10 - n01) / labels.size
    if total == 0:
        return McNemar(0, 0, difference, 1.0, 1.0, 1.0)
    exact = float(binomtest(n10, total, 0.5).pvalue)
    plain = float(chi2.sf((n10 - n01) ** 2 / total, 1))
    corrected = float(chi2.sf(max(abs(n10 - n01) - 1, 0) ** 2 / total, 1))
    return McNemar(n10, n01, difference, exact, plain, corrected)
