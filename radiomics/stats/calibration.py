"""Calibration of predicted probabilities."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2, norm, rankdata

from radiomics.checks import binary_labels, confidence_level, finite_matrix
from radiomics.result import Result, frozen, require_inside
from radiomics.stats.local_regression import lowess

FloatArray = npt.NDArray[np.float64]
NAN = float("nan")
CLIP = 1e-10
SLOPE_RANGE = (0.8, 1.2)


@dataclass(frozen=True)
class Calibration(Result):
    """Scores, logistic recalibration, Hosmer–Lemeshow and Spiegelhalter tests, tenths and a smooth curve."""

    brier: float
    brier_scaled: float
    log_loss: float
    intercept: float
    slope: float
    slope_se: float
    slope_low: float
    slope_high: float
    in_the_large: float
    in_the_large_se: float
    hl_chi2: float
    hl_df: int
    hl_p: float
    spiegelhalter_z: float
    spiegelhalter_p: float
    bin_observed: FloatArray
    bin_predicted: FloatArray
    bin_n: FloatArray
    smooth_x: FloatArray
    smooth_y: FloatArray
    ici: float
    e90: float
    e_max: float
    flags: tuple[str, ...]

    def __post_init__(self) -> None:
        require_inside("slope", self.slope, self.slope_low, self.slope_high)


def probabilities(p: npt.ArrayLike) -> FloatArray:
    """Predicted probabilities (n,); raises ValueError unless finite and in 0..1."""
    values = finite_matrix(np.atleast_2d(np.asarray(p, dtype=np.float64)), name="p")[0]
    if ((values < 0) | (values > 1)).any():
        raise ValueError("p must lie between 0 and 1")
    return np.asarray(values, dtype=np.float64)


def has_settled(step: FloatArray, beta: FloatArray, information: FloatArray) -> bool:
    """Whether a step is below 1e-12, or all but nothing beside both standard errors and coefficients.

    The second is for predictions that hardly differ, whose steps never get below rounding; of separated classes the
    coefficients grow by steps of their own order, so neither holds.
    """
    largest = float(np.abs(step).max())
    is_far_below_error = float(step @ information @ step) < 1e-20
    return largest < 1e-12 or (
        is_far_below_error and largest < 1e-6 * max(1.0, float(np.abs(beta).max()))
    )


def newton_logit(X: FloatArray, y: FloatArray, offset: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Coefficients (k,) and covariance (k, k) of a logistic fit with offset; NaN if it does not settle."""
    beta = np.zeros(X.shape[1])
    for _ in range(100):
        eta = np.clip(offset + X @ beta, -700, 700)
        m = 1 / (1 + np.exp(-eta))
        information = (X * (m * (1 - m))[:, None]).T @ X
        if not np.isfinite(information).all() or np.linalg.cond(information) > 1e14:
            break
        step = np.asarray(np.linalg.solve(information, X.T @ (y - m)), dtype=np.float64)
        beta = beta + step
        if has_settled(step, beta, information):
            return beta, np.asarray(np.linalg.inv(information), dtype=np.float64)
    return np.full(X.shape[1], NAN), np.full((X.shape[1], X.shape[1]), NAN)


@dataclass(frozen=True)
class Tenths:
    """Groups by predicted rank with the Hosmer–Lemeshow statistic."""

    observed: FloatArray
    predicted: FloatArray
    n: FloatArray
    chi2: float
    df: int
    p: float


def tenths(y: FloatArray, p: FloatArray, n_bins: int) -> Tenths:
    """Groups by rank (ties in order) with the Hosmer–Lemeshow statistic."""
    n = y.size
    ranks = rankdata(p, method="ordinal")
    edges = 1 + (n - 1) * np.arange(n_bins + 1) / n_bins
    place = np.clip(np.searchsorted(edges, ranks, side="left") - 1, 0, n_bins - 1)
    size = np.bincount(place, minlength=n_bins).astype(np.float64)
    o = np.bincount(place, weights=y, minlength=n_bins)
    e = np.bincount(place, weights=p, minlength=n_bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = float(((o - e) ** 2 / (e * (1 - e / size))).sum())
        observed, predicted = o / size, e / size
    df = n_bins - 2
    p_value = float(chi2.sf(statistic, df)) if df > 0 else NAN
    return Tenths(observed, predicted, size, statistic, df, p_value)


def smooth(y: FloatArray, p: FloatArray) -> FloatArray:
    """LOWESS of y on p at the sorted p: span 2/3, no robustness iterations, delta 1 % of the range."""
    span = float(p.max() - p.min())
    if span == 0:
        return np.full(y.size, y.mean())
    order = np.argsort(p, kind="stable")
    return lowess(p[order], y[order], span=2 / 3, delta=0.01 * span)


def mean_over_ties(x: FloatArray, values: FloatArray) -> FloatArray:
    """`values` (n,) averaged over equal x."""
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    return np.asarray((np.bincount(inverse, weights=values) / counts)[inverse])


def spiegelhalter(y: FloatArray, p: FloatArray) -> float:
    """Spiegelhalter's z of outcomes and probabilities (n,); NaN where it has no variance."""
    below = float(((1 - 2 * p) ** 2 * p * (1 - p)).sum())
    return float(((y - p) * (1 - 2 * p)).sum()) / math.sqrt(below) if below > 0 else NAN


def calibration(
    y: npt.ArrayLike, p: npt.ArrayLike, *, n_bins: int = 10, level: float = 0.95
) -> Calibration:
    """How well probabilities `p` (n,) agree with outcomes `y` (n,) of 0 and 1.

    Slope and intercept from a logistic fit on logit p, calibration in the large with offset logit p; p nearer than
    1e-10 to 0 or 1 is clipped for these, with a flag. Raises ValueError for bad input.
    Source: Cox 1958; Spiegelhalter 1986; Austin & Steyerberg 2019.
    """
    confidence_level(level)
    predicted = probabilities(p)
    labels = binary_labels(y, predicted.size)
    clipped = np.clip(predicted, CLIP, 1 - CLIP)
    flags = ["probability_clipped"] if (clipped != predicted).any() else []
    logit = np.log(clipped / (1 - clipped))
    ones = np.ones(labels.size)
    beta, covariance = newton_logit(np.stack([ones, logit], axis=1), labels, np.zeros(labels.size))
    large, large_cov = newton_logit(ones[:, None], labels, logit)
    slope, slope_se = float(beta[1]), math.sqrt(float(covariance[1, 1]))
    if math.isnan(slope):
        flags.append("separated" if np.ptp(predicted) > 0 else "zero_variance")
    elif not SLOPE_RANGE[0] <= slope <= SLOPE_RANGE[1]:
        flags.append("slope_out_of_range")
    half = float(norm.ppf(0.5 + level / 2)) * slope_se
    ordered = np.sort(predicted)
    curve = smooth(labels, predicted)
    error = np.abs(ordered - mean_over_ties(ordered, curve))
    bins = tenths(labels, predicted, n_bins)
    brier = float(((labels - predicted) ** 2).mean())
    base = float(labels.mean())
    z = spiegelhalter(labels, predicted)
    loss = -float((labels * np.log(clipped) + (1 - labels) * np.log(1 - clipped)).mean())
    return Calibration(
        brier, 1 - brier / (base * (1 - base)), loss, float(beta[0]), slope, slope_se, slope - half,
        slope + half, float(large[0]), math.sqrt(float(large_cov[0, 0])), bins.chi2, bins.df, bins.p, z,
        float(2 * norm.sf(abs(z))), frozen(bins.observed), frozen(bins.predicted), frozen(bins.n),
        frozen(ordered), frozen(curve), float(error.mean()), float(np.quantile(error, 0.9)),
        float(error.max()), tuple(flags),
    )  # fmt: skip
