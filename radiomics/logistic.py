"""Unpenalised and Firth logistic regression, with a test for separation before either."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import linprog
from scipy.special import expit
from scipy.stats import norm
from statsmodels.discrete.discrete_model import Logit

from radiomics.checks import binary_labels, confidence_level, finite_matrix
from radiomics.result import FloatArray, Result, frozen, require_inside
from radiomics.selection import centred, column_names, is_constant

Method = Literal["auto", "ml", "firth"]
MAX_FIRTH_STEPS = 1000
MAX_HALVINGS = 40


class RankDeficientError(ValueError):
    """The design matrix has columns that others explain exactly."""


@dataclass(frozen=True)
class LogisticFit(Result):
    """Coefficients with Wald limits; the first term is the intercept."""

    terms: tuple[str, ...]
    coef: FloatArray
    se: FloatArray
    z: FloatArray
    p_value: FloatArray
    low: FloatArray
    high: FloatArray
    deviance: float
    null_deviance: float
    aic: float
    bic: float
    n_used: int
    converged: bool
    separated: bool
    method: str
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for term, value, low, high in zip(self.terms, self.coef, self.low, self.high, strict=True):
            require_inside(term, float(value), float(low), float(high))


@dataclass(frozen=True)
class _Solution:
    coef: FloatArray
    se: FloatArray
    converged: bool


def is_separated(X: FloatArray, y: FloatArray) -> bool:
    """Tell whether a hyperplane separates the classes, completely or with rows on it.

    `X` (n, p) finite, `y` (n,) of 0 and 1. Maximises sum of s_i x_i'b subject to s_i x_i'b >= 0, |b_j| <= 1 with
    s = 2y - 1, columns standardised and an intercept; an optimum above 1e-7 n means separation.
    Source: Konis 2007.
    """
    rest = centred(X)[1]
    sd = rest.std(axis=0)
    design = np.column_stack([np.ones(y.size), rest / np.where(is_constant(X, sd), 1.0, sd)])
    signed = (2 * y - 1)[:, None] * design
    found = linprog(
        -signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(y.size), bounds=(-1, 1), method="highs"
    )
    return bool(found.status == 0 and -found.fun > 1e-7 * y.size)


def fit_logistic(
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    method: Method = "auto",
    names: Sequence[str] | None = None,
    missing: Literal["error", "drop"] = "error",
    level: float = 0.95,
) -> LogisticFit:
    """Regress `y` (n,) of 0 and 1 on the columns of `X` (n, p) with an intercept.

    "auto" fits by maximum likelihood, or by Firth's penalty with the flag `separation_firth` when the classes are
    separated; "ml" on separated data gives nan, `converged` False and the flag `separated`. Limits are Wald limits at
    `level`; BIC uses log(n_used). `missing="drop"` uses complete rows only, with the flag `rows_dropped`.

    Raises ValueError for bad input and, naming the columns, for a rank-deficient design.
    Source: Firth 1993 (h(1/2 - m) score), Konis 2007 (separation); R glm agrees to 1e-9.
    """
    confidence_level(level)
    if method not in ("auto", "ml", "firth"):
        raise ValueError(f"method must be auto, ml or firth, got {method!r}")
    if missing not in ("error", "drop"):
        raise ValueError(f"missing must be error or drop, got {missing!r}")
    raw = np.asarray(X, dtype=np.float64)
    complete = (
        np.isfinite(raw).all(axis=-1)
        if missing == "drop" and raw.ndim == 2
        else np.full(len(raw), True)
    )
    rows = finite_matrix(raw[complete], names=names)
    if np.shape(y) != (complete.size,):
        raise ValueError(f"y must have shape ({complete.size},), got {np.shape(y)}")
    labels = binary_labels(np.asarray(y)[complete], rows.shape[0])
    terms = ("(Intercept)", *column_names(names, rows.shape[1]))
    design = np.column_stack([np.ones(labels.size), rows])
    _require_full_rank(rows, terms)
    separated = is_separated(rows, labels)
    solution, used = _fit(design, labels, method, separated=separated)
    flags = (
        ("rows_dropped",) * (not complete.all())
        + ("separated",) * (used == "ml" and separated)
        + ("separation_firth",) * (used == "firth" and separated)
        + ("not_converged",) * (not solution.converged and not (used == "ml" and separated))
    )
    return _describe(terms, design, labels, solution, used, separated, level, flags)


def _require_full_rank(rows: FloatArray, terms: Sequence[str]) -> None:
    """Raise RankDeficientError naming each column that the intercept and the columns before it explain."""
    rest = centred(rows)[1]
    size = np.sqrt((rest**2).sum(axis=0))
    blamed = is_constant(rows, size / np.sqrt(rows.shape[0]))
    unit = rest / np.where(blamed, 1.0, size)
    if unit.shape[1]:
        pivots = np.abs(np.diagonal(np.linalg.qr(unit, mode="r")))
        blamed[pivots.size :] = True
        blamed[: pivots.size] |= pivots < 1e-9
    if blamed.any():
        columns = [term for term, bad in zip(terms[1:], blamed, strict=True) if bad]
        raise RankDeficientError(
            f"X is rank deficient: {', '.join(columns)} add(s) nothing to the other columns"
        )


def _fit(
    design: FloatArray, y: FloatArray, method: Method, *, separated: bool
) -> tuple[_Solution, str]:
    if method == "firth" or (method == "auto" and separated):
        return _firth(design, y), "firth"
    if separated:
        unknown = np.full(design.shape[1], np.nan)
        return _Solution(unknown, unknown, converged=False), "ml"
    return _maximum_likelihood(design, y), "ml"


def _rescaling(design: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the design with standardised columns and the matrix that takes its coefficients back."""
    mean, rest = centred(design[:, 1:])
    scale = np.sqrt((rest**2).mean(axis=0))
    back = np.diag(np.concatenate([[1.0], 1.0 / scale]))
    back[0, 1:] = -mean / scale
    return np.column_stack([design[:, 0], rest / scale]), back


def _maximum_likelihood(design: FloatArray, y: FloatArray) -> _Solution:
    standard, back = _rescaling(design)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = Logit(y, standard).fit(method="newton", tol=1e-14, maxiter=100, disp=0)
    m = expit(standard @ fit.params)
    return _Solution(
        back @ fit.params,
        _standard_errors(standard, m, back),
        converged=bool(np.abs(standard.T @ (y - m)).max() <= 1e-8 * y.size),
    )


def _standard_errors(standard: FloatArray, m: FloatArray, back: FloatArray) -> FloatArray:
    information = (standard.T * (m * (1 - m))) @ standard
    covariance = back @ np.linalg.inv(information) @ back.T
    return np.asarray(np.sqrt(np.diagonal(covariance)))


def _firth(design: FloatArray, y: FloatArray) -> _Solution:
    """Solve X'(y - m + h(1/2 - m)) = 0 with h the leverages of W^(1/2) X, by steps of at most 5.

    The root is the maximum of Firth's penalised likelihood, and no step may lower that likelihood: scoring steps alone
    swing about the maximum for ever once there are nearly as many columns as rows.
    """
    standard, back = _rescaling(design)
    coef = np.zeros(standard.shape[1])
    height = _penalised_likelihood(standard, y, coef)
    converged = False
    for _ in range(MAX_FIRTH_STEPS):
        step = _firth_step(standard, y, coef)
        step *= min(1.0, 5.0 / max(float(np.abs(step).max()), 5.0))
        if np.abs(step).max() < 1e-12:
            coef, converged = coef + step, True
            break
        for _ in range(MAX_HALVINGS):
            reached = _penalised_likelihood(standard, y, coef + step)
            if reached >= height - 1e-12 * abs(height):
                break
            step /= 2
        coef, height = coef + step, reached
    return _Solution(
        back @ coef, _standard_errors(standard, expit(standard @ coef), back), converged
    )


def _penalised_likelihood(standard: FloatArray, y: FloatArray, coef: FloatArray) -> float:
    """The log-likelihood plus half the log-determinant of the information."""
    eta = standard @ coef
    m = expit(eta)
    R = np.linalg.qr(standard * np.sqrt(m * (1 - m))[:, None], mode="r")
    with np.errstate(divide="ignore"):
        penalty = float(np.log(np.abs(np.diagonal(R))).sum())
    return penalty - bernoulli_deviance(y, eta) / 2


def _firth_step(standard: FloatArray, y: FloatArray, coef: FloatArray) -> FloatArray:
    """Newton's step where the penalised likelihood curves down in every direction, else the scoring step."""
    m = expit(standard @ coef)
    weighted = standard * np.sqrt(m * (1 - m))[:, None]
    Q, R = np.linalg.qr(weighted)
    h, lean = (Q**2).sum(axis=1), 1 - 2 * m
    score = standard.T @ (y - m + h * lean / 2)
    # the leverages move by (diag h - P*P) diag(1 - 2m) X with P = QQ'; P*P is taken through the products of columns of Q
    pairs = (Q[:, :, None] * Q[:, None, :]).reshape(y.size, -1)
    tilted = standard * lean[:, None]
    moved = h[:, None] * tilted - pairs @ (pairs.T @ tilted)
    bend = weighted.T @ (weighted * (1 + h)[:, None]) - tilted.T @ moved / 2
    try:
        return np.asarray(cho_solve(cho_factor((bend + bend.T) / 2), score))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.solve(R, np.linalg.solve(R.T, score)))


def bernoulli_deviance(y: FloatArray, eta: FloatArray) -> float:
    """Return minus twice the log-likelihood of labels `y` (n,) at linear predictors `eta` (n,); nan if any is."""
    if np.isnan(eta).any():
        return float("nan")
    return float(2 * (np.logaddexp(0.0, eta) - y * eta).sum())


def _describe(
    terms: tuple[str, ...],
    design: FloatArray,
    y: FloatArray,
    solution: _Solution,
    method: str,
    separated: bool,
    level: float,
    flags: tuple[str, ...],
) -> LogisticFit:
    coef, se = solution.coef, solution.se
    deviance = bernoulli_deviance(y, design @ coef)
    share = y.mean()
    z = coef / se
    half_width = norm.ppf((1 + level) / 2) * se
    return LogisticFit(
        terms=terms,
        coef=frozen(coef),
        se=frozen(se),
        z=frozen(z),
        p_value=frozen(2 * norm.sf(np.abs(z))),
        low=frozen(coef - half_width),
        high=frozen(coef + half_width),
        deviance=deviance,
        null_deviance=bernoulli_deviance(y, np.full(y.size, np.log(share / (1 - share)))),
        aic=deviance + 2 * coef.size,
        bic=deviance + float(np.log(y.size)) * coef.size,
        n_used=int(y.size),
        converged=solution.converged,
        separated=separated,
        method=method,
        flags=flags,
    )


def shrunken_fit(
    X: FloatArray,
    y: FloatArray,
    coef: FloatArray,
    names: Sequence[str],
    flags: tuple[str, ...] = (),
) -> LogisticFit:
    """Describe given coefficients (p + 1,), the intercept first, as a fit without standard errors ("lasso")."""
    design = np.column_stack([np.ones(y.size), X])
    unknown = np.full(coef.size, np.nan)
    solution = _Solution(coef, unknown, converged=True)
    terms = ("(Intercept)", *names)
    return _describe(terms, design, y, solution, "lasso", is_separated(X, y), 0.95, flags)
