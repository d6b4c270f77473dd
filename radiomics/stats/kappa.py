"""Chance-corrected agreement on categories: Cohen, Fleiss, Conger, Gwet."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, t

from radiomics.checks import confidence_level
from radiomics.result import Result, frozen, require_inside

FloatArray = npt.NDArray[np.float64]
NAN = float("nan")
PARADOX_AGREEMENT, PARADOX_KAPPA = 0.8, 0.4


@dataclass(frozen=True)
class GwetAC(Result):
    """A Gwet-type coefficient with its standard error and t limits."""

    value: float
    se: float
    low: float
    high: float
    observed: float
    expected: float
    n: int
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_inside("coefficient", self.value, self.low, self.high)


@dataclass(frozen=True)
class Kappa(Result):
    """Cohen's kappa of two raters; `table` holds counts, rows of the first rater."""

    value: float
    se: float
    low: float
    high: float
    se_null: float
    z: float
    p_value: float
    observed: float
    expected: float
    table: FloatArray
    labels: tuple[float | str, ...]
    weights: str | None
    percent_agreement: float
    pabak: float
    ac1: float
    flags: tuple[str, ...]

    def __post_init__(self) -> None:
        require_inside("kappa", self.value, self.low, self.high)


@dataclass(frozen=True)
class FleissKappa(Result):
    """Fleiss' kappa of many raters, Conger's form, and the form that allows missing ratings."""

    value: float
    z: float
    p_value: float
    conger: float
    gwet_form: GwetAC
    flags: tuple[str, ...]


def agreement_weights(values: FloatArray, weights: str | None) -> FloatArray:
    """Weights (k, k) by category value: identity, linear or quadratic."""
    k = values.size
    if weights is None:
        return np.eye(k)
    if weights not in ("linear", "quadratic"):
        raise ValueError(f"weights must be None, linear or quadratic, got {weights!r}")
    if k < 2:
        return np.eye(k)
    share = np.abs(values[:, None] - values[None, :]) / (values.max() - values.min())
    return np.asarray(1 - (share if weights == "linear" else share**2), dtype=np.float64)


def encoded(
    a: npt.ArrayLike, b: npt.ArrayLike, labels: npt.ArrayLike | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], tuple[float | str, ...]]:
    """Both raters' categories as indices into the ordered labels."""
    first, second = np.asarray(a), np.asarray(b)
    if first.shape != second.shape or first.ndim != 1 or not first.size:
        raise ValueError(f"raters must have equal 1-D shapes, got {first.shape} and {second.shape}")
    if any(value != value for value in [*first.tolist(), *second.tolist()]):
        raise ValueError("raters hold a missing rating")
    known = np.unique(np.concatenate([first, second])) if labels is None else np.asarray(labels)
    if len(set(known.tolist())) != known.size:
        raise ValueError(f"labels must be different categories, got {known.tolist()}")
    if not np.isin(np.concatenate([first, second]), known).all():
        raise ValueError("labels do not hold every category that occurs")
    place = {value: i for i, value in enumerate(known.tolist())}
    codes = [np.array([place[v] for v in x.tolist()], dtype=np.int64) for x in (first, second)]
    return codes[0], codes[1], tuple(known.tolist())


def kappa(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    weights: str | None = None,
    labels: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Kappa:
    """Cohen's (weighted) kappa of two raters (n,) with large-sample and null standard errors.

    `labels` are the ordered categories (default: those that occur). Raises ValueError for bad input.
    Source: Cohen 1968; Fleiss, Cohen, Everitt 1969.
    """
    confidence_level(level)
    rows, columns, names = encoded(a, b, labels)
    k, n = len(names), rows.size
    table = np.bincount(rows * k + columns, minlength=k * k).reshape(k, k).astype(np.float64)
    w = agreement_weights(np.arange(k, dtype=np.float64), weights)
    p, r, c = table / n, table.sum(axis=1) / n, table.sum(axis=0) / n
    observed, expected = float((w * p).sum()), float((w * np.outer(r, c)).sum())
    percent = float(np.trace(p))
    flags = ["weights_without_effect"] if weights is not None and k == 2 else []
    is_degenerate = (r > 0).sum() == 1 or (c > 0).sum() == 1
    if expected == 1.0:
        value, se, null = NAN, NAN, NAN
    else:
        value = (observed - expected) / (1 - expected)
        se, null = kappa_errors(p, r, c, w, value, expected, n)
    if is_degenerate:
        flags.append("degenerate_margins")
        se = null = NAN
    if percent >= PARADOX_AGREEMENT and value < PARADOX_KAPPA:
        flags.append("kappa_paradox")
    half = float(norm.ppf(0.5 + level / 2)) * se
    z = value / null if null and not math.isnan(null) else NAN
    pair = np.stack([rows, columns], axis=1).astype(np.float64)
    return Kappa(
        value, se, value - half, value + half, null, z, float(2 * norm.sf(abs(z))), observed, expected,
        frozen(table), names, weights, percent, (k * percent - 1) / (k - 1) if k > 1 else NAN,
        gwet_ac1(pair).value if k > 1 else NAN, tuple(flags),
    )  # fmt: skip


def kappa_errors(
    p: FloatArray,
    r: FloatArray,
    c: FloatArray,
    w: FloatArray,
    value: float,
    expected: float,
    n: int,
) -> tuple[float, float]:
    """Large-sample standard error and the one under no agreement."""
    u = (w @ c)[:, None] + (r @ w)[None, :]
    variance = float((p * (w - u * (1 - value)) ** 2).sum()) - (value - expected * (1 - value)) ** 2
    null = float((np.outer(r, c) * (w - u) ** 2).sum()) - expected**2
    scale = math.sqrt(n) * (1 - expected)
    return math.sqrt(max(variance, 0.0)) / scale, math.sqrt(max(null, 0.0)) / scale


@dataclass(frozen=True)
class Counts:
    """Ratings per row and category (n, q) of rows with at least one rating, and the category values (q,)."""

    table: FloatArray
    values: FloatArray
    has_missing: bool


def counted(ratings: npt.ArrayLike) -> Counts:
    """Ratings (n, m) as counts per row and category; raises ValueError for other shapes."""
    matrix = np.asarray(ratings, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] < 2:
        raise ValueError(f"ratings must have shape (rows, at least 2 raters), got {matrix.shape}")
    known = ~np.isnan(matrix)
    values = np.unique(matrix[known])
    if np.isinf(values).any() or not values.size:
        raise ValueError("ratings must hold finite numbers; NaN marks a missing one")
    table = np.stack([(matrix == value).sum(axis=1) for value in values], axis=1).astype(np.float64)
    return Counts(table[known.any(axis=1)], values, bool((~known).any()))


def coefficient(
    found: Counts, weights: FloatArray, expected_rows: FloatArray, expected: float, level: float
) -> GwetAC:
    """Value, standard error and limits from observed and per-row expected agreement."""
    counts = found.table
    raters = counts.sum(axis=1)
    several = raters >= 2
    weighted = counts * (counts @ weights - 1)
    agreement = np.zeros(raters.size)
    agreement[several] = weighted.sum(axis=1)[several] / (raters * (raters - 1))[several]
    n1, n2 = raters.size, int(several.sum())
    if n1 < 2 or not n2:
        raise ValueError("ratings must hold at least 2 rated rows, one of them rated twice")
    observed = float(agreement.sum()) / n2
    flags = ("ratings_missing",) if found.has_missing else ()
    if expected == 1.0:
        return GwetAC(NAN, NAN, NAN, NAN, observed, expected, n1, (*flags, "degenerate_margins"))
    value = (observed - expected) / (1 - expected)
    rows = several * (n1 / n2) * (agreement - expected) / (1 - expected)
    rows = rows - 2 * (1 - value) * (expected_rows - expected) / (1 - expected)
    se = math.sqrt(float(((rows - value) ** 2).sum()) / (n1 * (n1 - 1)))
    half = float(t.ppf(0.5 + level / 2, n1 - 1)) * se
    return GwetAC(value, se, value - half, min(1.0, value + half), observed, expected, n1, flags)


def gwet_ac1(ratings: npt.ArrayLike, *, weights: str | None = None, level: float = 0.95) -> GwetAC:
    """Gwet's AC1 (AC2 with weights) of ratings (n, m); NaN marks a missing rating. Source: Gwet 2008."""
    confidence_level(level)
    found = counted(ratings)
    w = agreement_weights(found.values, weights)
    q = found.values.size
    if q < 2:
        return coefficient(found, w, np.zeros(len(found.table)), 1.0, level)
    shares = found.table / found.table.sum(axis=1, keepdims=True)
    pi = shares.mean(axis=0)
    factor = float(w.sum()) / (q * (q - 1))
    expected = factor * float((pi * (1 - pi)).sum())
    return coefficient(found, w, factor * (shares @ (1 - pi)), expected, level)


def fleiss_form(ratings: npt.ArrayLike, level: float = 0.95) -> GwetAC:
    """Fleiss' kappa in the form that allows missing ratings."""
    confidence_level(level)
    found = counted(ratings)
    shares = found.table / found.table.sum(axis=1, keepdims=True)
    pi = shares.mean(axis=0)
    w = np.eye(pi.size)
    return coefficient(found, w, shares @ pi, float(pi @ pi), level)


def fleiss_kappa(ratings: npt.ArrayLike) -> FleissKappa:
    """Fleiss' kappa of ratings (n, m) with the Fleiss–Nee–Landis null variance; Conger's exact form beside it."""
    matrix = np.asarray(ratings, dtype=np.float64)
    form = fleiss_form(matrix)
    if np.isnan(matrix).any():
        return FleissKappa(NAN, NAN, NAN, NAN, form, ("ratings_missing",))
    counts = counted(matrix).table
    n, m = matrix.shape
    p = counts.sum(axis=0) / (n * m)
    q = 1 - p
    s = float((p * q).sum())
    observed = float((counts * (counts - 1)).sum()) / (n * m * (m - 1))
    expected = float((p * p).sum())
    if s == 0:
        return FleissKappa(NAN, NAN, NAN, NAN, form, ("degenerate_margins",))
    value = (observed - expected) / (1 - expected)
    variance = 2 * (s * s - float((p * q * (q - p)).sum())) / (s * s * n * m * (m - 1))
    z = value / math.sqrt(variance) if variance > 0 else NAN
    shares = np.stack([(matrix == v).mean(axis=0) for v in np.unique(matrix)])
    exact = expected - float(shares.var(axis=1, ddof=1).sum()) / m
    return FleissKappa(
        value, z, float(2 * norm.sf(abs(z))), (observed - exact) / (1 - exact), form, ()
    )
