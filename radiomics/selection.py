"""Standardising features and dropping those that repeat another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from radiomics.checks import finite_matrix
from radiomics.result import (
    BoolArray,
    FloatArray,
    IntArray,
    Result,
    frozen,
    frozen_bools,
    frozen_ints,
)

Method = Literal["caret_exact", "pairwise_mean"]
Decision = tuple[int, int, float, float, float, int]


@dataclass(frozen=True)
class ZScore(Result):
    """Column means and standard deviations, and the standardised training matrix."""

    mean: FloatArray
    scale: FloatArray
    z: FloatArray
    constant: BoolArray
    ddof: int
    flags: tuple[str, ...] = ()

    def apply(self, X_new: npt.ArrayLike) -> FloatArray:
        """Standardise (m, p) new rows with the stored mean and scale; constant columns give 0.

        Raises ValueError if the width differs or a value is not finite.
        """
        rows = finite_matrix(X_new, name="X_new")
        if rows.shape[1] != self.mean.size:
            raise ValueError(f"X_new has {rows.shape[1]} columns, expected {self.mean.size}")
        z = (rows - self.mean) / self.scale
        z[:, self.constant] = 0.0
        return z


@dataclass(frozen=True)
class CorrelationFilter(Result):
    """Which columns stay, which go, and every comparison that led there (0-based column numbers)."""

    kept: IntArray
    removed: IntArray
    kept_names: tuple[str, ...]
    removed_names: tuple[str, ...]
    constant: IntArray
    decisions: tuple[Decision, ...]
    cutoff: float
    method: str
    max_kept_correlation: float
    flags: tuple[str, ...] = ()


def centred(X: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return column means (p,) and the centred matrix (n, p), centred twice so that large offsets cost no digits."""
    mean = X.mean(axis=0)
    rest = X - mean
    shift = rest.mean(axis=0)
    return mean + shift, rest - shift


def is_constant(X: FloatArray, sd: FloatArray) -> BoolArray:
    """Return (p,) bool: standard deviation at most 1e-12 of the largest absolute value."""
    return np.asarray(sd <= 1e-12 * np.abs(X).max(axis=0, initial=0.0))


def zscore(X: npt.ArrayLike, *, ddof: int = 1) -> ZScore:
    """Standardise the columns of `X` (n, p) to mean 0 and standard deviation 1.

    The standard deviation divides by n - `ddof`; 1 is what R's `scale` does, scikit-learn's StandardScaler divides
    by n. A constant column (see `is_constant`) keeps scale 1, becomes 0 and is listed in `constant`.

    Raises ValueError on non-finite values or when there are not more than `ddof` rows.
    """
    rows = finite_matrix(X)
    if rows.shape[0] <= ddof:
        raise ValueError(f"X has {rows.shape[0]} row(s), more than {ddof} are needed")
    mean, rest = centred(rows)
    sd = np.sqrt((rest**2).sum(axis=0) / (rows.shape[0] - ddof))
    constant = is_constant(rows, sd)
    scale = np.where(constant, 1.0, sd)
    z = np.where(constant, 0.0, rest / scale)
    return ZScore(frozen(mean), frozen(scale), frozen(z), frozen_bools(constant), ddof)


def absolute_correlation(X: FloatArray) -> FloatArray:
    """Return the (p, p) absolute Pearson correlations of the columns of `X`, none of them constant; diagonal 0."""
    rest = centred(X)[1]
    unit = rest / np.sqrt((rest**2).sum(axis=0))
    R: FloatArray = np.abs(unit.T @ unit)
    np.fill_diagonal(R, 0.0)
    return R


class _Pruning:
    """The rank-ordered matrix with its row sums and total, kept up to date as columns leave."""

    def __init__(self, R: FloatArray, order: IntArray, cutoff: float, method: str) -> None:
        self.R = R[np.ix_(order, order)]
        self.order, self.cutoff, self.method = order, cutoff, method
        self.alive = np.ones(order.size, dtype=bool)
        self.row_sums = self.R.sum(axis=1)
        self.total = float(self.row_sums.sum())
        self.n_alive = int(order.size)
        self.removed: list[int] = []
        self.decisions: list[Decision] = []

    def means(self, i: int, j: int) -> tuple[float, float]:
        others = self.n_alive - 1
        m_i = self.row_sums[i] / others
        if self.method == "pairwise_mean":
            return float(m_i), float(self.row_sums[j] / others)
        return float(m_i), float((self.total - self.row_sums[j]) / others**2)

    def remove(self, column: int) -> None:
        self.alive[column] = False
        self.total -= 2 * float(self.row_sums[column])
        self.row_sums -= self.R[column]
        self.n_alive -= 1

    def compare(self, i: int, j: int) -> int:
        m_i, m_j = self.means(i, j)
        loser = i if m_i > m_j + 1e-12 else j
        i_caller, j_caller, gone = (int(self.order[k]) for k in (i, j, loser))
        self.decisions.append((i_caller, j_caller, float(self.R[i, j]), m_i, m_j, gone))
        self.remove(loser)
        return loser

    def run(self) -> None:
        for i in range(self.order.size):
            if not self.alive[i]:
                continue
            rivals = i + 1 + np.flatnonzero(self.R[i, i + 1 :] > self.cutoff)
            for j in rivals[self.alive[rivals]]:
                if self.compare(i, int(j)) == i:
                    break


def correlation_filter(
    X: npt.ArrayLike,
    *,
    cutoff: float = 0.9,
    method: Method = "caret_exact",
    names: Sequence[str] | None = None,
) -> CorrelationFilter:
    """Drop columns of `X` (n, p) until no pair has an absolute Pearson correlation above `cutoff`.

    Constant columns are set aside first: neither kept nor removed. Columns are ranked by descending mean absolute
    correlation; of each pair above the cutoff (strictly) one goes. "caret_exact" compares the mean of row i with the
    mean of the whole living matrix without row j, "pairwise_mean" with the mean of row j. `removed` and `decisions`
    (i, j, r, m_i, m_j, removed) are in the order of removal by rank.

    Raises ValueError for fewer than 3 rows, a cutoff outside (0, 1), an unknown method or non-finite values.
    Source: R package caret 6.0-93, findCorrelation(exact=TRUE), whose printed order `removed_names` follows.
    """
    if not 0.0 < cutoff < 1.0:
        raise ValueError(f"cutoff must lie between 0 and 1, got {cutoff}")
    if method not in ("caret_exact", "pairwise_mean"):
        raise ValueError(f"method must be caret_exact or pairwise_mean, got {method!r}")
    rows = finite_matrix(X, names=names)
    if rows.shape[0] < 3:
        raise ValueError(f"X has {rows.shape[0]} row(s), at least 3 are needed")
    labels = column_names(names, rows.shape[1])
    constant = is_constant(rows, rows.std(axis=0, ddof=1))
    varying = np.flatnonzero(~constant)
    R = absolute_correlation(rows[:, varying])
    mean_correlation = np.round(R.sum(axis=1) / max(varying.size - 1, 1), 12)
    pruning = _Pruning(R, np.argsort(-mean_correlation, kind="stable"), cutoff, method)
    pruning.run()
    return _answer(pruning, R, varying, np.flatnonzero(constant), labels)


def column_names(names: Sequence[str] | None, width: int) -> tuple[str, ...]:
    """Return the given names, or x1..xp. Raises ValueError if there are not `width` different ones."""
    labels = (
        tuple(f"x{j + 1}" for j in range(width))
        if names is None
        else tuple(str(name) for name in names)
    )
    if len(labels) != width or len(set(labels)) != width:
        raise ValueError(f"names must be {width} different names, got {len(labels)}")
    return labels


def _answer(
    pruning: _Pruning, R: FloatArray, varying: IntArray, constant: IntArray, labels: tuple[str, ...]
) -> CorrelationFilter:
    stays = np.sort(pruning.order[pruning.alive])
    kept, removed = varying[stays], varying[pruning.order[~pruning.alive]]
    decisions = tuple(
        (int(varying[i]), int(varying[j]), r, m_i, m_j, int(varying[gone]))
        for i, j, r, m_i, m_j, gone in pruning.decisions
    )
    return CorrelationFilter(
        kept=frozen_ints(kept),
        removed=frozen_ints(removed),
        kept_names=tuple(labels[j] for j in kept),
        removed_names=tuple(labels[j] for j in removed),
        constant=frozen_ints(constant),
        decisions=decisions,
        cutoff=pruning.cutoff,
        method=pruning.method,
        max_kept_correlation=float(R[np.ix_(stays, stays)].max(initial=0.0)),
    )


@dataclass(frozen=True)
class BlockFilter(Result):
    """What pruning inside each block left: column numbers of the whole table, and the filter of each block."""

    kept: IntArray
    constant: tuple[int, ...]
    removed: tuple[int, ...]
    filters: dict[str, CorrelationFilter]
    flags: tuple[str, ...] = ()


def filter_blocks(
    X: FloatArray,
    blocks: Sequence[str],
    allowed: BoolArray,
    *,
    names: Sequence[str],
    cutoff: float,
    method: Method,
) -> BlockFilter:
    """Run `correlation_filter` on the allowed columns of each block of `X` (n, p) on its own.

    `blocks` (p,) labels, `allowed` (p,) bool, `names` (p,). Blocks follow each other in order of first appearance.
    Raises ValueError as `correlation_filter` does.
    """
    filters: dict[str, CorrelationFilter] = {}
    kept, constant, removed = [], [], []
    for block in dict.fromkeys(blocks):
        columns = np.flatnonzero([b == block and a for b, a in zip(blocks, allowed, strict=True)])
        found = correlation_filter(
            X[:, columns], cutoff=cutoff, method=method, names=[names[int(j)] for j in columns]
        )
        filters[block] = found
        kept.append(columns[found.kept])
        constant.extend(columns[found.constant].tolist())
        removed.extend(columns[found.removed].tolist())
    return BlockFilter(
        frozen_ints(np.concatenate(kept)), tuple(sorted(constant)), tuple(removed), filters
    )
