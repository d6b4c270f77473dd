"""Do two drawings of the same lesions give the same features: ICC(2,1) of many columns at once, and the filter made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import f as f_distribution

from radiomics.checks import confidence_level
from radiomics.result import BoolArray, FloatArray, IntArray, Result, frozen, frozen_ints

FEWEST_PAIRS = 10
Basis = Literal["estimate", "low"]


@dataclass(frozen=True)
class ColumnIcc(Result):
    """ICC(2,1) of each column (p,) over `n` (p,) complete pairs, with its 95 % limits; NaN where there is none."""

    n: IntArray
    value: FloatArray
    low: FloatArray
    high: FloatArray

    def basis(self, name: Basis) -> FloatArray:
        """The numbers (p,) that a threshold is held against: the estimate or the lower limit."""
        return self.value if name == "estimate" else self.low


def icc2_columns(first: npt.ArrayLike, second: npt.ArrayLike, *, level: float = 0.95) -> ColumnIcc:
    """ICC(2,1) of two drawings `first`, `second` (n, p) of the same n lesions, column by column.

    A pair with NaN in either drawing is left out of its column. A column with fewer than 10 complete pairs, or whose
    values are all equal, gets NaN. Two-way random effects, absolute agreement, single drawing.

    Raises ValueError unless both are 2-D and of one shape.
    Source: Shrout & Fleiss 1979; limits of McGraw & Wong 1996 with Satterthwaite degrees of freedom.
    """
    confidence_level(level)
    a, b = (np.asarray(x, dtype=np.float64) for x in (first, second))
    if a.ndim != 2 or a.shape != b.shape:
        raise ValueError(f"first and second must share one 2-D shape, got {a.shape} and {b.shape}")
    complete = np.isfinite(a) & np.isfinite(b)
    n = complete.sum(axis=0)
    usable = (n >= FEWEST_PAIRS) & ~_constant(a, b, complete)
    value, low, high = (np.full(a.shape[1], np.nan) for _ in range(3))
    if usable.any():
        squares = _mean_squares(a[:, usable], b[:, usable], complete[:, usable])
        value[usable], low[usable], high[usable] = _icc2(*squares, n[usable].astype(float), level)
    return ColumnIcc(frozen_ints(n), frozen(value), frozen(low), frozen(high))


def _constant(a: FloatArray, b: FloatArray, complete: BoolArray) -> BoolArray:
    """Columns (p,) all of whose paired values are one number."""
    top = np.where(complete, np.maximum(a, b), -np.inf).max(axis=0, initial=-np.inf)
    bottom = np.where(complete, np.minimum(a, b), np.inf).min(axis=0, initial=np.inf)
    return np.asarray(top <= bottom)


def _mean_squares(
    a: FloatArray, b: FloatArray, complete: BoolArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean squares of lesions, drawings and error (p,) each, of two drawings per lesion."""
    n = complete.sum(axis=0)
    difference, middle = np.where(complete, a - b, 0.0), np.where(complete, (a + b) / 2, 0.0)
    shift, centre = difference.sum(axis=0) / n, middle.sum(axis=0) / n
    apart = np.where(complete, difference - shift, 0.0)
    spread = np.where(complete, middle - centre, 0.0)
    lesions = 2 * (spread**2).sum(axis=0) / (n - 1)
    error = (apart**2).sum(axis=0) / (2 * (n - 1))
    return lesions, n * shift**2 / 2, error


def _icc2(
    lesions: FloatArray, drawings: FloatArray, error: FloatArray, n: FloatArray, level: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Estimate and limits for k = 2; drawings that agree exactly have the limits 1 and 1."""
    k, tail = 2.0, 0.5 + level / 2
    value = (lesions - error) / (lesions + error + k * (drawings - error) / n)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = drawings / error
        rest = n * (1 + (k - 1) * value) - k * value
        below = (n - 1) * k**2 * value**2 * ratio**2 + rest**2
        freedom = (k - 1) * (n - 1) * (k * value * ratio + rest) ** 2 / below
        f_low = f_distribution.ppf(tail, n - 1, freedom)
        f_high = f_distribution.ppf(tail, freedom, n - 1)
        shared = k * drawings + (k * n - k - n) * error
        low = n * (lesions - f_low * error) / (f_low * shared + n * lesions)
        high = n * (f_high * lesions - error) / (shared + n * f_high * lesions)
    exact = (error == 0) & (drawings == 0)
    return value, np.where(exact, 1.0, low), np.where(exact, 1.0, high)


def reliable_columns(found: Sequence[ColumnIcc], *, threshold: float, basis: Basis) -> BoolArray:
    """Columns (p,) whose ICC reaches `threshold` in every comparison that has enough pairs of them.

    A column that no comparison can judge, or that is constant in one, does not pass.
    Raises ValueError when no comparison has 10 complete pairs of any column. Source: Koo & Li 2016 for 0.75.
    """
    enough = np.array([icc.n >= FEWEST_PAIRS for icc in found], dtype=bool)
    if not enough.any():
        raise ValueError(
            f"fewer than {FEWEST_PAIRS} training lesions are drawn twice; the ICC filter needs that many"
        )
    reaches = np.array([icc.basis(basis) >= threshold for icc in found], dtype=bool)
    return np.asarray(enough.any(axis=0) & (reaches | ~enough).all(axis=0))
