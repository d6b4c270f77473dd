"""What every function checks at its door: shapes, finite numbers, two classes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from radiomics.result import FloatArray, IntArray


def finite_matrix(
    X: npt.ArrayLike, *, names: Sequence[str] | None = None, name: str = "X"
) -> FloatArray:
    """Return `X` as a C-ordered (n, p) float64 matrix.

    Raises ValueError, naming the columns to blame, if it is not two-dimensional or holds NaN or infinity.
    """
    matrix = np.ascontiguousarray(X, dtype=np.float64)
    if matrix.ndim != 2:
        raise ValueError(
            f"{name} must be two-dimensional (rows, columns), got shape {matrix.shape}"
        )
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=0))
    if bad.size:
        labels = [str(j) if names is None else names[j] for j in bad[:20]]
        raise ValueError(f"{name} has missing or infinite values in column(s) {', '.join(labels)}")
    return matrix


def binary_labels(y: npt.ArrayLike, n_rows: int, *, name: str = "y") -> FloatArray:
    """Return `y` as (n_rows,) float64 of 0 and 1.

    Raises ValueError on a wrong length, without a row, on any other value and when only one class is present.
    """
    labels = np.asarray(y, dtype=np.float64)
    if labels.shape != (n_rows,):
        raise ValueError(f"{name} must have shape ({n_rows},), got {labels.shape}")
    if not labels.size:
        raise ValueError(f"{name} holds no row")
    if not np.isin(labels, (0.0, 1.0)).all():
        raise ValueError(f"{name} must hold 0 and 1 only")
    if labels.min() == labels.max():
        raise ValueError(f"{name} holds one class only")
    return labels


def group_codes(groups: Sequence[Hashable] | npt.NDArray[Any], n_rows: int) -> IntArray:
    """Return (n_rows,) int codes 0.. in order of first appearance; equal ids get equal codes.

    Raises ValueError on a wrong length or a missing (None or NaN) id.
    """
    ids = list(groups)
    if len(ids) != n_rows:
        raise ValueError(f"groups must have {n_rows} entries, got {len(ids)}")
    missing = [row for row, key in enumerate(ids) if key is None or key != key]
    if missing:
        raise ValueError(f"groups has no id in row {missing[0]}")
    codes: dict[Hashable, int] = {}
    return np.array([codes.setdefault(key, len(codes)) for key in ids], dtype=np.int64)


def fold_numbers(folds: npt.ArrayLike, y: FloatArray, codes: IntArray | None) -> IntArray:
    """Return `folds` as (n,) ints 1..K after checking them against labels and groups.

    Raises ValueError if ids are not 1..K with K >= 3, a group lies in two folds, or a training part has one class.
    """
    numbers = np.asarray(folds, dtype=np.int64)
    if numbers.shape != y.shape or (numbers != np.asarray(folds)).any():
        raise ValueError(
            f"folds must hold whole numbers, shape {y.shape}, got shape {numbers.shape}"
        )
    present = np.unique(numbers)
    if present.size < 3 or present[0] != 1 or present[-1] != present.size:
        raise ValueError(
            f"folds must be numbered 1..K with K >= 3 and none empty, got {present.tolist()}"
        )
    if (
        codes is not None
        and np.unique(np.column_stack([codes, numbers]), axis=0).shape[0] > np.unique(codes).size
    ):
        raise ValueError("folds put rows of one group into two folds")
    for fold in present:
        if np.ptp(y[numbers != fold]) == 0:
            raise ValueError(f"folds: the training part of fold {fold} holds one class only")
    return numbers


def confidence_level(level: float) -> float:
    """Return `level` if it is one, 0 < level < 1. Raises ValueError for anything else, 95 (per cent) and nan included."""
    is_number = isinstance(level, int | float | np.integer | np.floating)
    if not is_number or isinstance(level, bool) or not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level!r}")
    return float(level)
