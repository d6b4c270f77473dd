"""The exact L1 path of logistic regression, with a certificate, and its cross-validation."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from radiomics.checks import binary_labels, finite_matrix, fold_numbers, group_codes
from radiomics.discrimination import rank_auc
from radiomics.result import FloatArray, IntArray, Result, frozen, frozen_ints
from radiomics.selection import centred, is_constant
from radiomics.solver import Problem, solve

Measure = Literal["deviance", "auc"]
Groups = Sequence[Hashable] | npt.NDArray[Any]


@dataclass(frozen=True)
class LassoPath(Result):
    """Solutions at L lambdas on the scale of X, each with its optimality certificate `kkt` (in units of lambda)."""

    lambdas: FloatArray
    intercept: FloatArray
    coef: FloatArray
    df: IntArray
    dev_ratio: FloatArray
    null_deviance: float
    kkt: FloatArray
    n_iter: IntArray
    mean: FloatArray
    scale: FloatArray
    flags: tuple[str, ...] = ()

    def linear_predictor(self, X: npt.ArrayLike) -> FloatArray:
        """Return eta (m, L) of rows `X` (m, p), computed through the standardised columns.

        Raises ValueError if the width differs or a value is not finite.
        """
        rows = finite_matrix(X)
        if rows.shape[1] != self.mean.size:
            raise ValueError(f"X has {rows.shape[1]} columns, expected {self.mean.size}")
        centre = self.intercept + self.coef @ self.mean
        eta: FloatArray = centre + ((rows - self.mean) / self.scale) @ (self.coef * self.scale).T
        return eta


@dataclass(frozen=True)
class LassoCV(Result):
    """Cross-validated loss (or AUC) along the path and the two lambdas that it suggests."""

    lambdas: FloatArray
    cvm: FloatArray
    cvsd: FloatArray
    nzero: IntArray
    lambda_min: float
    lambda_1se: float
    index_min: int
    index_1se: int
    folds: IntArray
    fold_sizes: IntArray
    measure: str
    grouped: bool
    path: LassoPath
    fold_kkt_max: FloatArray
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Standardised:
    """Columns with mean 0 and SD 1 (dividing by n), as rows of ZT (p, n); constant columns are 0 with scale 1."""

    mean: FloatArray
    scale: FloatArray
    ZT: FloatArray


def _standardise(X: FloatArray) -> _Standardised:
    mean, rest = centred(X)
    sd = np.sqrt((rest**2).mean(axis=0))
    constant = is_constant(X, sd)
    scale = np.where(constant, 1.0, sd)
    Z = np.where(constant, 0.0, rest / scale)
    return _Standardised(mean, scale, np.ascontiguousarray(Z.T))


def _sequence(ZT: FloatArray, y: FloatArray, n_lambda: int, ratio: float | None) -> FloatArray:
    lambda_max = float(np.abs(ZT @ (y - y.mean())).max(initial=0.0)) / y.size
    if lambda_max <= 0.0:
        raise ValueError("X has no column that varies with y: the largest lambda would be 0")
    if n_lambda < 1:
        raise ValueError(f"n_lambda must be at least 1, got {n_lambda}")
    if ratio is None:
        ratio = 0.01 if ZT.shape[0] > y.size else 1e-4
    if not 0.0 < ratio < 1.0:
        raise ValueError(f"lambda_min_ratio must lie between 0 and 1, got {ratio}")
    return np.asarray(lambda_max * ratio ** (np.arange(n_lambda) / max(n_lambda - 1, 1)))


def lambda_sequence(
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    n_lambda: int = 100,
    lambda_min_ratio: float | None = None,
) -> FloatArray:
    """Return (n_lambda,) penalties, geometric from the smallest that empties the model down to a share of it.

    `X` (n, p) finite, `y` (n,) of 0 and 1. The share is 0.01 if n < p, else 1e-4, unless given.
    Raises ValueError for bad input and when every column is constant. Source: Friedman, Hastie, Tibshirani 2010, 2.5.
    """
    rows = finite_matrix(X)
    labels = binary_labels(y, rows.shape[0])
    return frozen(_sequence(_standardise(rows).ZT, labels, n_lambda, lambda_min_ratio))


def _given_lambdas(lambdas: npt.ArrayLike) -> FloatArray:
    values = np.array(lambdas, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError("lambdas must be a non-empty vector of finite numbers")
    if values[-1] <= 0.0 or (np.diff(values) >= 0.0).any():
        raise ValueError("lambdas must be positive and strictly decreasing")
    return values


def lasso_path(
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    lambdas: npt.ArrayLike | None = None,
    *,
    n_lambda: int = 100,
    lambda_min_ratio: float | None = None,
    tol: float = 1e-9,
) -> LassoPath:
    """Minimise (1/n) sum of log(1 + exp(eta)) - y eta, plus lambda times the sum of |b|, at every lambda.

    `X` (n, p) is standardised inside (mean, SD dividing by n), `y` (n,) holds 0 and 1; coefficients come back on the
    scale of X. Given `lambdas` must be positive and strictly decreasing and all are fitted; otherwise
    `lambda_sequence`, and the path stops from the fifth lambda on after a deviance ratio above 0.999 or a gain below 1e-5.
    `kkt` is the violation of the optimality conditions over lambda, computed afresh; above `tol` sets `kkt_not_met`.

    Raises ValueError for bad input and when every column is constant. Source: Friedman, Hastie, Tibshirani 2010
    (objective, sequence, stopping as R glmnet 4.1-6); solved exactly by an active-set Newton method of our own.
    """
    rows = finite_matrix(X)
    labels = binary_labels(y, rows.shape[0])
    data = _standardise(rows)
    sequence = _sequence(data.ZT, labels, n_lambda, lambda_min_ratio)
    if lambdas is None:
        return _fit_path(data, labels, sequence, tol, stop_early=True)
    return _fit_path(data, labels, _given_lambdas(lambdas), tol, stop_early=False)


def _fit_path(
    data: _Standardised, y: FloatArray, lambdas: FloatArray, tol: float, *, stop_early: bool
) -> LassoPath:
    problem = Problem(data.ZT, y)
    point = problem.start()
    null_deviance = 2 * y.size * problem.loss(point.eta)
    b, b0, ratios, iterations = np.zeros((lambdas.size, data.scale.size)), [], [], []
    for k, lam in enumerate(lambdas):
        point, n_iter = solve(problem, float(lam), point, tol)
        b[k, point.active] = point.b
        b0.append(point.b0)
        iterations.append(n_iter)
        ratios.append(1.0 - 2 * y.size * problem.loss(point.eta) / null_deviance)
        if stop_early and k >= 4 and (ratios[k] > 0.999 or ratios[k] - ratios[k - 1] < 1e-5):
            break
    fitted = len(b0)
    kkt = certificate(data.ZT, y, lambdas[:fitted], np.array(b0), b[:fitted])
    coef = b[:fitted] / data.scale
    return LassoPath(
        lambdas=frozen(lambdas[:fitted]),
        intercept=frozen(np.array(b0) - coef @ data.mean),
        coef=frozen(coef),
        df=frozen_ints((coef != 0.0).sum(axis=1)),
        dev_ratio=frozen(ratios),
        null_deviance=null_deviance,
        kkt=frozen(kkt),
        n_iter=frozen_ints(iterations),
        mean=frozen(data.mean),
        scale=frozen(data.scale),
        flags=("kkt_not_met",) if kkt.max() > tol else (),
    )


def certificate(
    ZT: FloatArray, y: FloatArray, lambdas: FloatArray, b0: FloatArray, b: FloatArray
) -> FloatArray:
    """Return (L,) the worst violation of the optimality conditions at each lambda, over lambda.

    `ZT` (p, n) standardised columns as rows, `b0` (L,), `b` (L, p) on that scale. Zero means exactly optimal.
    """
    residual = (y - expit(b0[:, None] + b @ ZT)) / y.size
    c = residual @ ZT.T
    at_zero = np.maximum(np.abs(c) - lambdas[:, None], 0.0)
    elsewhere = np.abs(c - lambdas[:, None] * np.sign(b))
    worst = np.where(b == 0.0, at_zero, elsewhere).max(axis=1, initial=0.0)
    return np.asarray(np.maximum(worst, np.abs(residual.sum(axis=1))) / lambdas)


def _row_deviance(y: FloatArray, eta: FloatArray) -> FloatArray:
    """Return (m, L) deviance of held-out rows, probabilities clipped as in R."""
    p = np.clip(expit(eta), 1e-5, 1.0 - 1e-5)
    return np.asarray(-2.0 * np.where(y[:, None] == 1.0, np.log(p), np.log1p(-p)))


def _weighted_spread(
    values: FloatArray, weights: FloatArray, count: int
) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard error (L,) over rows of `values` (k, L); rows of nan are left out."""
    here = np.isfinite(values[:, 0])
    values, weights = values[here], weights[here] / weights[here].sum()
    mean = weights @ values
    return mean, np.sqrt(weights @ (values - mean) ** 2 / (count - 1))


def _summarise(
    eta: FloatArray, y: FloatArray, folds: IntArray, measure: str
) -> tuple[FloatArray, FloatArray, bool]:
    """Return cvm, cvsd (L,) and whether they are taken over folds (True) or over single rows."""
    n_folds = int(folds.max())
    sizes = np.bincount(folds)[1:].astype(np.float64)
    if measure == "auc":
        if y.size / n_folds < 10:
            raise ValueError(
                f"measure auc needs at least 10 rows per fold, got {y.size / n_folds:.1f}"
            )
        areas = np.array(
            [_fold_areas(y[folds == k], eta[folds == k]) for k in range(1, n_folds + 1)]
        )
        return (*_weighted_spread(areas, sizes, n_folds), True)
    loss = _row_deviance(y, eta)
    if y.size / n_folds < 3:
        return (*_weighted_spread(loss, np.ones(y.size), y.size), False)
    means = np.array([loss[folds == k].mean(axis=0) for k in range(1, n_folds + 1)])
    return (*_weighted_spread(means, sizes, n_folds), True)


def _fold_areas(y: FloatArray, eta: FloatArray) -> FloatArray:
    return np.array([rank_auc(y, column) for column in eta.T])


def _choose(cvm: FloatArray, cvsd: FloatArray, measure: str) -> tuple[int, int]:
    """Return the indices of the largest lambda with the best value, and within one standard error of it."""
    loss = -cvm if measure == "auc" else cvm
    best = int(np.argmin(loss))
    return best, int(np.flatnonzero(loss <= loss[best] + cvsd[best])[0])


def cross_validate(
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    folds: npt.ArrayLike,
    *,
    lambdas: npt.ArrayLike | None = None,
    groups: Groups | None = None,
    measure: Measure = "deviance",
    tol: float = 1e-9,
) -> LassoCV:
    """Choose lambda by cross-validation with one lambda sequence for all folds.

    `X` (n, p), `y` (n,) of 0 and 1, `folds` (n,) ints 1..K with K >= 3, `groups` (n,) patient ids. Standardising is
    redone inside each fold. Held-out deviance is averaged per fold and weighted by fold size (over single rows when
    folds hold fewer than 3 rows on average); "auc" is averaged over the folds that have both classes and maximised.
    Indices are 0-based; without `groups` the flag `folds_unchecked` is set.

    Raises ValueError for bad input, a group in two folds, a one-class training part, or "auc" with fewer than 10 rows per fold.
    Source: R glmnet 4.1-6 cv.glmnet with a supplied lambda sequence; unlike its default, folds share that sequence.
    """
    rows = finite_matrix(X)
    labels = binary_labels(y, rows.shape[0])
    codes = None if groups is None else group_codes(groups, labels.size)
    numbers = fold_numbers(folds, labels, codes)
    if measure not in ("deviance", "auc"):
        raise ValueError(f"measure must be deviance or auc, got {measure!r}")
    path = lasso_path(rows, labels, lambdas, tol=tol)
    return _cross_validated(rows, labels, numbers, path, measure, tol, checked=groups is not None)


def _cross_validated(
    X: FloatArray,
    y: FloatArray,
    folds: IntArray,
    path: LassoPath,
    measure: str,
    tol: float,
    *,
    checked: bool,
) -> LassoCV:
    eta = np.empty((y.size, path.lambdas.size))
    kkt = []
    for k in range(1, int(folds.max()) + 1):
        out = folds == k
        part = _fit_path(_standardise(X[~out]), y[~out], path.lambdas, tol, stop_early=False)
        eta[out] = part.linear_predictor(X[out])
        kkt.append(part.kkt.max())
    cvm, cvsd, grouped = _summarise(eta, y, folds, measure)
    index_min, index_1se = _choose(cvm, cvsd, measure)
    return LassoCV(
        lambdas=path.lambdas,
        cvm=frozen(cvm),
        cvsd=frozen(cvsd),
        nzero=path.df,
        lambda_min=float(path.lambdas[index_min]),
        lambda_1se=float(path.lambdas[index_1se]),
        index_min=index_min,
        index_1se=index_1se,
        folds=frozen_ints(folds),
        fold_sizes=frozen_ints(np.bincount(folds)[1:]),
        measure=measure,
        grouped=grouped,
        path=path,
        fold_kkt_max=frozen(kkt),
        flags=("kkt_not_met",) * bool(max(*kkt, path.kkt.max()) > tol)
        + ("lambda_at_path_end",) * (index_min == path.lambdas.size - 1)
        + ("folds_unchecked",) * (not checked),
    )
