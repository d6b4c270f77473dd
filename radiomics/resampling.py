"""Honest performance of a whole pipeline: bootstrap optimism, nested cross-validation, permutation."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from radiomics.checks import binary_labels, finite_matrix, group_codes
from radiomics.discrimination import rank_auc
from radiomics.lasso import Groups
from radiomics.logistic import RankDeficientError, fit_logistic
from radiomics.model import patient_folds
from radiomics.result import FloatArray, IntArray, Result, frozen, frozen_ints


class Fittable(Protocol):
    """What `make` has to return: an unfitted pipeline."""

    def fit(self, X: Any, y: Any, groups: Any) -> Any:
        """Fit on these rows."""

    def predict_proba(self, X: Any) -> Any:
        """Return (m, 2) probabilities."""


Make = Callable[[], Fittable]


@dataclass(frozen=True)
class Optimism(Result):
    """Apparent performance, how much of it is optimism, and what remains."""

    apparent_auc: float
    optimism_auc: float
    corrected_auc: float
    apparent_brier: float
    optimism_brier: float
    corrected_brier: float
    boot_auc: FloatArray
    test_auc: FloatArray
    selected_fraction: FloatArray | None
    n_failed: int
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class NestedCV(Result):
    """Held-out probabilities of the whole pipeline and their summary; one row per repeat."""

    probability: FloatArray
    folds: IntArray
    fold_auc: FloatArray
    auc_mean: float
    auc_pooled: float
    brier: float
    calibration_slope: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Permutation(Result):
    """The nested AUC beside its distribution when labels are exchanged between patients."""

    observed: float
    null: FloatArray
    p_value: float
    n_perm: int
    exact: bool
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Data:
    X: FloatArray
    y: FloatArray
    codes: IntArray

    def rows(self, chosen: npt.NDArray[Any]) -> _Data:
        return _Data(self.X[chosen], self.y[chosen], self.codes[chosen])


@dataclass(frozen=True)
class _Resample:
    boot_auc: float
    test_auc: float
    boot_brier: float
    test_brier: float
    selected: FloatArray | None


def _checked(X: npt.ArrayLike, y: npt.ArrayLike, groups: Groups) -> _Data:
    rows = finite_matrix(X)
    return _Data(rows, binary_labels(y, rows.shape[0]), group_codes(groups, rows.shape[0]))


def _fitted(make: Make, data: _Data) -> Fittable:
    model = make()
    model.fit(data.X, data.y.astype(np.int64), data.codes)
    return model


def _probability(model: Fittable, X: FloatArray) -> FloatArray:
    return np.asarray(model.predict_proba(X), dtype=np.float64)[:, 1]


def _brier(y: FloatArray, p: FloatArray) -> float:
    return float(((p - y) ** 2).mean())


def _selected(model: Fittable, names: tuple[str, ...] | None, width: int) -> FloatArray | None:
    """Return (p,) 0/1 of the columns in `selected_` (names or numbers); None if there is no telling."""
    chosen = getattr(model, "selected_", None)
    if chosen is None or (names is None and any(isinstance(item, str) for item in chosen)):
        return None
    labels: list[Any] = list(range(width)) if names is None else list(names)
    wanted = {item.item() if isinstance(item, np.generic) else item for item in chosen}
    return np.array([float(label in wanted) for label in labels])


def _names_of(model: Fittable) -> tuple[str, ...] | None:
    """Find the column names of a fitted pipeline, its own or those of the model that it wraps."""
    for holder in (model, getattr(model, "model", None)):
        names = getattr(holder, "names_", None)
        if names is not None:
            return tuple(names)
    return None


def patient_resamples(groups: Groups, *, n_boot: int, seed: int) -> list[IntArray]:
    """Draw `n_boot` lists of row numbers: as many patients as there are, with replacement, each with all its rows.

    Every resample has its own child seed, so that the result does not depend on who computes it.
    """
    codes = group_codes(groups, len(groups))
    members = [np.flatnonzero(codes == code) for code in range(int(codes.max()) + 1)]
    children = np.random.SeedSequence(seed).spawn(n_boot)
    draws = (
        np.random.Generator(np.random.PCG64(child)).integers(len(members), size=len(members))
        for child in children
    )
    return [np.concatenate([members[patient] for patient in draw]) for draw in draws]


def _given_resamples(indices: npt.ArrayLike, n_rows: int) -> list[IntArray]:
    table = np.asarray(indices)
    if table.ndim != 2 or table.shape[1] != n_rows or not np.issubdtype(table.dtype, np.integer):
        raise ValueError(
            f"indices must be whole numbers of shape (B, {n_rows}), got {table.dtype} {table.shape}"
        )
    if table.min() < 0 or table.max() >= n_rows:
        raise ValueError(f"indices must lie in 0..{n_rows - 1}")
    return list(table.astype(np.int64))


def bootstrap_optimism(
    make: Make,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    groups: Groups,
    *,
    n_boot: int = 200,
    seed: int | None = None,
    indices: npt.ArrayLike | None = None,
    workers: int = 1,
) -> Optimism:
    """Subtract from the apparent AUC and Brier score what refitting the whole pipeline in resamples shows as optimism.

    `make()` gives an object with fit(X, y, groups) and predict_proba(X); `X` (n, p), `y` (n,) of 0 and 1, `groups`
    (n,) patient ids; exactly one of `seed` and `indices` ((B, n) rows, 0-based). Patients are resampled with all
    their rows and keep one id in all copies. Optimism is the mean of (on the resample - on the original rows).
    Resamples with one class or a failing fit (ValueError) are nan in `boot_auc` and counted in `n_failed`; more than
    5 % set `resamples_failed`. `selected_fraction` (p,) needs models with `selected_`; a feature of the full fit that
    fewer than half the resamples choose sets `selection_unstable`. `workers` processes share the resamples: the answer
    is the same for any number; for more than one, `make` must be picklable and see to its own BLAS threads.

    Raises ValueError for bad input. Source: Harrell, Regression Modeling Strategies, 5.3 (rms::validate).
    """
    data = _checked(X, y, groups)
    if (seed is None) == (indices is None):
        raise ValueError("exactly one of seed and indices must be given")
    if indices is not None:
        resamples = _given_resamples(indices, data.y.size)
    else:
        resamples = patient_resamples(data.codes, n_boot=n_boot, seed=int(seed or 0))
    model = _fitted(make, data)
    p = _probability(model, data.X)
    found = _every_resample(make, data, resamples, workers)
    selected = _selected(model, _names_of(model), data.X.shape[1])
    return _optimism(rank_auc(data.y, p), _brier(data.y, p), found, selected)


def _every_resample(
    make: Make, data: _Data, resamples: list[IntArray], workers: int
) -> list[_Resample | None]:
    """Refit on each resample, in their order whatever the number of processes."""
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    task = partial(_one_resample, make, data)
    if min(workers, len(resamples)) < 2:
        return [task(rows) for rows in resamples]
    share = max(1, len(resamples) // (8 * workers))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(task, resamples, chunksize=share))


def _one_resample(make: Make, data: _Data, rows: IntArray) -> _Resample | None:
    """Refit on a resample and score it there and on the original rows; None if that is impossible."""
    sample = data.rows(rows)
    if np.ptp(sample.y) == 0:
        return None
    try:
        model = _fitted(make, sample)
    except ValueError:
        return None
    inside, outside = _probability(model, sample.X), _probability(model, data.X)
    return _Resample(
        rank_auc(sample.y, inside),
        rank_auc(data.y, outside),
        _brier(sample.y, inside),
        _brier(data.y, outside),
        _selected(model, _names_of(model), data.X.shape[1]),
    )


def _optimism(
    auc: float, brier: float, found: list[_Resample | None], selected: FloatArray | None
) -> Optimism:
    good = [item for item in found if item is not None]
    nan = float("nan")
    optimism_auc = float(np.mean([item.boot_auc - item.test_auc for item in good])) if good else nan
    optimism_brier = (
        float(np.mean([item.boot_brier - item.test_brier for item in good])) if good else nan
    )
    chosen = [item.selected for item in good if item.selected is not None]
    fraction = np.mean(chosen, axis=0) if chosen else None
    unstable = (
        fraction is not None
        and selected is not None
        and bool((fraction[selected == 1] < 0.5).any())
    )
    n_failed = len(found) - len(good)
    return Optimism(
        apparent_auc=auc,
        optimism_auc=optimism_auc,
        corrected_auc=auc - optimism_auc,
        apparent_brier=brier,
        optimism_brier=optimism_brier,
        corrected_brier=brier - optimism_brier,
        boot_auc=frozen([nan if item is None else item.boot_auc for item in found]),
        test_auc=frozen([nan if item is None else item.test_auc for item in found]),
        selected_fraction=None if fraction is None else frozen(fraction),
        n_failed=n_failed,
        flags=("resamples_failed",) * (n_failed > 0.05 * len(found))
        + ("selection_unstable",) * unstable,
    )


def nested_cv(
    make: Make,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    groups: Groups,
    *,
    n_outer: int = 10,
    repeats: int = 1,
    seed: int,
) -> NestedCV:
    """Predict every row by a pipeline that never saw its patient; everything is refitted inside the outer folds.

    `make`, `X`, `y`, `groups` as in `bootstrap_optimism`. `probability` and `folds` are (repeats, n), `fold_auc`
    (repeats, n_outer) with nan where a fold has one class; `auc_mean` averages the others, `auc_pooled` and `brier`
    are means over repeats of the pooled rows. `calibration_slope` regresses y on the held-out log-odds of all
    repeats (nan if that fails), outside 0.8-1.2 sets `slope_out_of_range`.

    Raises ValueError for bad input and from `patient_folds`.
    """
    data = _checked(X, y, groups)
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    seeds = np.random.SeedSequence(seed).generate_state(repeats)
    folds = np.array(
        [patient_folds(data.y, data.codes, n_folds=n_outer, seed=int(each)) for each in seeds]
    )
    p = np.array([_held_out(make, data, row) for row in folds])
    fold_auc = np.array(
        [
            [rank_auc(data.y[f == k], q[f == k]) for k in range(1, n_outer + 1)]
            for f, q in zip(folds, p, strict=True)
        ]
    )
    slope = _calibration_slope(np.tile(data.y, repeats), p.ravel())
    return NestedCV(
        probability=frozen(p),
        folds=frozen_ints(folds),
        fold_auc=frozen(fold_auc),
        auc_mean=float(np.mean(fold_auc[np.isfinite(fold_auc)]))
        if np.isfinite(fold_auc).any()
        else float("nan"),
        auc_pooled=float(np.mean([rank_auc(data.y, q) for q in p])),
        brier=float(np.mean([_brier(data.y, q) for q in p])),
        calibration_slope=slope,
        flags=() if 0.8 <= slope <= 1.2 else ("slope_out_of_range",),
    )


def _held_out(make: Make, data: _Data, folds: IntArray) -> FloatArray:
    p = np.empty(data.y.size)
    for k in np.unique(folds):
        p[folds == k] = _probability(_fitted(make, data.rows(folds != k)), data.X[folds == k])
    return p


def _calibration_slope(y: FloatArray, p: FloatArray) -> float:
    clipped = np.clip(p, 1e-15, 1 - 1e-15)
    eta = np.log(clipped / (1 - clipped))
    try:
        return float(fit_logistic(eta[:, None], y, method="ml").coef[1])
    except RankDeficientError:
        return float("nan")


def permutation_test(
    make: Make,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    groups: Groups,
    *,
    n_perm: int,
    seed: int,
    n_outer: int = 5,
) -> Permutation:
    """Test whether the nested AUC of a pipeline exceeds what exchanged labels give.

    `make`, `X`, `y`, `groups` as in `bootstrap_optimism`. Whole label vectors move between patients with the same
    number of rows. p = (1 + number of null values >= observed) / (1 + n_perm); the statistic is `nested_cv().auc_mean`.

    Raises ValueError for bad input and from `patient_folds`.
    """
    data = _checked(X, y, groups)
    if n_perm < 1:
        raise ValueError(f"n_perm must be at least 1, got {n_perm}")
    children = np.random.SeedSequence(seed).spawn(n_perm)

    def statistic(labels: FloatArray) -> float:
        return nested_cv(make, data.X, labels, data.codes, n_outer=n_outer, seed=seed).auc_mean

    observed = statistic(data.y)
    null = np.array([statistic(exchange_labels(data.y, data.codes, child)) for child in children])
    reached = int((null >= observed).sum())
    return Permutation(observed, frozen(null), (1 + reached) / (1 + n_perm), n_perm, exact=False)


def exchange_labels(y: FloatArray, codes: IntArray, seed: np.random.SeedSequence) -> FloatArray:
    """Return (n,) labels with the label vectors of equally large patients exchanged at random.

    `codes` (n,) are patient numbers from 0; the rows of a patient need not be neighbours.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    sizes = np.bincount(codes)
    permuted = y.copy()
    for size in np.unique(sizes):
        members = np.array(
            [np.flatnonzero(codes == code) for code in np.flatnonzero(sizes == size)]
        )
        permuted[members] = y[members[generator.permutation(len(members))]]
    return permuted
