"""Agreement of readers: kappa family, intraclass correlation, Bland–Altman, Dice."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import f as f_distribution
from scipy.stats import t

from radiomics.checks import confidence_level
from radiomics.result import Result, require_inside
from radiomics.stats.kappa import FleissKappa, GwetAC, Kappa, fleiss_kappa, gwet_ac1, kappa

__all__ = [
    "ICC", "BlandAltman", "FleissKappa", "GwetAC", "IccForm", "Kappa", "bland_altman", "dice",
    "fleiss_kappa", "gwet_ac1", "icc", "kappa",
]  # fmt: skip

FloatArray = npt.NDArray[np.float64]
NAN = float("nan")
LIMIT = 1.96


@dataclass(frozen=True)
class IccForm(Result):
    """One intraclass correlation with its F test and limits."""

    value: float
    f: float
    df1: float
    df2: float
    p_value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        require_inside("ICC", self.value, self.low, self.high)


@dataclass(frozen=True)
class ICC(Result):
    """The six forms of Shrout & Fleiss of `n` subjects and `k` raters."""

    icc1: IccForm
    icc2: IccForm
    icc3: IccForm
    icc1k: IccForm
    icc2k: IccForm
    icc3k: IccForm
    n: int
    k: int
    flags: tuple[str, ...]


@dataclass(frozen=True)
class BlandAltman(Result):
    """Bias of a - b with 1.96 SD limits and their standard errors."""

    bias: float
    sd: float
    low: float
    high: float
    se_bias: float
    bias_low: float
    bias_high: float
    se_limit: float
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_inside("bias", self.bias, self.bias_low, self.bias_high)


@dataclass(frozen=True)
class MeanSquares:
    """Rows (subjects), within rows, raters, error."""

    b: float
    w: float
    j: float
    e: float


def mean_squares(x: FloatArray) -> MeanSquares:
    """Mean squares of a complete table (n subjects, k raters)."""
    n, k = x.shape
    grand, rows, columns = x.mean(), x.mean(axis=1), x.mean(axis=0)
    ss_rows = k * float(((rows - grand) ** 2).sum())
    ss_raters = n * float(((columns - grand) ** 2).sum())
    residual = x - rows[:, None] - columns[None, :] + grand
    ss_error = float((residual * residual).sum())
    within = (ss_raters + ss_error) / (n * (k - 1))
    return MeanSquares(
        ss_rows / (n - 1), within, ss_raters / (k - 1), ss_error / ((n - 1) * (k - 1))
    )


def quotient(a: float, b: float) -> float:
    """A / b, NaN for division by 0."""
    return a / b if b else NAN


def icc(ratings: npt.ArrayLike, *, level: float = 0.95) -> ICC:
    """Intraclass correlations of ratings (n subjects, k raters), no missing cells.

    Raises ValueError for fewer than 2 subjects or raters, or a missing value.
    Source: Shrout & Fleiss 1979; McGraw & Wong 1996 for the limits of ICC2.
    """
    confidence_level(level)
    x = np.asarray(ratings, dtype=np.float64)
    if x.ndim != 2 or min(x.shape) < 2 or not np.isfinite(x).all():
        raise ValueError(
            f"ratings must be finite with at least 2 subjects and 2 raters, got shape {x.shape}"
        )
    n, k = x.shape
    ms = mean_squares(x)
    f1, f3 = quotient(ms.b, ms.w), quotient(ms.b, ms.e)
    df1, df_w, df_e = n - 1.0, n * (k - 1.0), (n - 1.0) * (k - 1.0)
    v1 = quotient(ms.b - ms.w, ms.b + (k - 1) * ms.w)
    v2 = quotient(ms.b - ms.e, ms.b + (k - 1) * ms.e + k * (ms.j - ms.e) / n)
    v3 = quotient(ms.b - ms.e, ms.b + (k - 1) * ms.e)
    one, three = f_limits(f1, df1, df_w, level), f_limits(f3, df1, df_e, level)
    low2, high2 = limits_of_icc2(ms, v2, n, k, level)
    p1, p3 = float(f_distribution.sf(f1, df1, df_w)), float(f_distribution.sf(f3, df1, df_e))

    def spearman(value: float) -> float:
        return quotient(k * value, 1 + (k - 1) * value)

    v2k = quotient(ms.b - ms.e, ms.b + (ms.j - ms.e) / n)
    forms = [
        (v1, f1, df_w, p1, *(quotient(x - 1, x + k - 1) for x in one)),
        (v2, f3, df_e, p3, low2, high2),
        (v3, f3, df_e, p3, *(quotient(x - 1, x + k - 1) for x in three)),
        (quotient(ms.b - ms.w, ms.b), f1, df_w, p1, *(1 - quotient(1, x) for x in one)),
        (v2k, f3, df_e, p3, spearman(low2), spearman(high2)),
        (quotient(ms.b - ms.e, ms.b), f3, df_e, p3, *(1 - quotient(1, x) for x in three)),
    ]
    settled = [form_of(value, f, df1, *rest) for value, f, *rest in forms]
    flags = ("zero_variance",) * (min(ms.b, ms.w, ms.e) == 0) + ("limits_undefined",) * any(
        math.isnan(form.low) and not math.isnan(form.f) for form in settled
    )
    icc1, icc2, icc3, icc1k, icc2k, icc3k = settled
    return ICC(icc1, icc2, icc3, icc1k, icc2k, icc3k, n, k, flags)


def form_of(
    value: float, f: float, df1: float, df2: float, p_value: float, low: float, high: float
) -> IccForm:
    """One form; limits that do not contain the value (few subjects, negative values) are none: NaN."""
    play = 1e-9 * max(1.0, abs(value))
    holds = low <= value + play and high >= value - play
    low, high = (low, high) if holds else (NAN, NAN)
    return IccForm(value, f, df1, df2, p_value, low, high)


def f_limits(f: float, df1: float, df2: float, level: float) -> tuple[float, float]:
    """Limits of the F ratio that the limits of ICC1 and ICC3 are made of."""
    tail = 0.5 + confidence_level(level) / 2
    return (
        f / float(f_distribution.ppf(tail, df1, df2)),
        f * float(f_distribution.ppf(tail, df2, df1)),
    )


def limits_of_icc2(
    ms: MeanSquares, value: float, n: int, k: int, level: float
) -> tuple[float, float]:
    """McGraw & Wong's limits with Satterthwaite degrees of freedom."""
    fj = quotient(ms.j, ms.e)
    if math.isnan(fj) or math.isnan(value):
        return NAN, NAN
    rest = n * (1 + (k - 1) * value) - k * value
    below = (n - 1) * k**2 * value**2 * fj**2 + rest**2
    if below == 0:
        return NAN, NAN
    v = (k - 1) * (n - 1) * (k * value * fj + rest) ** 2 / below
    tail = 0.5 + level / 2
    f_low = float(f_distribution.ppf(tail, n - 1, v))
    f_high = float(f_distribution.ppf(tail, v, n - 1))
    shared = k * ms.j + (k * n - k - n) * ms.e
    low = n * (ms.b - f_low * ms.e) / (f_low * shared + n * ms.b)
    high = n * (f_high * ms.b - ms.e) / (shared + n * f_high * ms.b)
    return low, high


def bland_altman(a: npt.ArrayLike, b: npt.ArrayLike, *, level: float = 0.95) -> BlandAltman:
    """Bias and limits of agreement of paired measurements a, b (n,), n >= 2. Source: Bland & Altman 1986."""
    confidence_level(level)
    d = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    if d.ndim != 1 or d.size < 2 or not np.isfinite(d).all():
        raise ValueError(
            f"a and b must be finite 1-D arrays of at least 2 values, got shape {d.shape}"
        )
    n, bias, sd = d.size, float(d.mean()), float(d.std(ddof=1))
    se = sd / math.sqrt(n)
    half = float(t.ppf(0.5 + level / 2, n - 1)) * se
    return BlandAltman(
        bias,
        sd,
        bias - LIMIT * sd,
        bias + LIMIT * sd,
        se,
        bias - half,
        bias + half,
        sd * math.sqrt(3 / n),
    )


def dice(mask_a: npt.ArrayLike, mask_b: npt.ArrayLike) -> float:
    """2 |A and B| / (|A| + |B|) of two masks of one shape; NaN if both are empty. Raises ValueError for other shapes."""
    a, b = np.asarray(mask_a) != 0, np.asarray(mask_b) != 0
    if a.shape != b.shape:
        raise ValueError(f"mask shapes differ: {a.shape} and {b.shape}")
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else NAN
