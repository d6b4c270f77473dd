"""A logistic model as a nomogram: points per feature value, and the probability that their sum means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from radiomics.result import FloatArray, Result, frozen

FULL = 100.0


@dataclass(frozen=True)
class Axis(Result):
    """One feature's scale: its `low` and `high` value and the points (0..100) that each earns."""

    name: str
    low: float
    high: float
    low_points: float
    high_points: float

    def points(self, value: float) -> float:
        """Points of a value, outside the axis too (the line goes on)."""
        share = (value - self.low) / (self.high - self.low)
        return self.low_points + share * (self.high_points - self.low_points)


@dataclass(frozen=True)
class Nomogram(Result):
    """Axes in the order of the terms; log odds = `base` + `slope` * total points."""

    axes: tuple[Axis, ...]
    base: float
    slope: float
    largest: float

    def probability(self, total: float) -> float:
        """Probability (0..1) that a sum of points means."""
        return float(expit(self.base + self.slope * total))

    def total(self, probability: float) -> float:
        """Sum of points that means a probability; the other way round."""
        return float((logit(probability) - self.base) / self.slope)


def nomogram(
    names: Sequence[str],
    coef: npt.ArrayLike,
    intercept: float,
    *,
    mean: npt.ArrayLike,
    scale: npt.ArrayLike,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
) -> Nomogram:
    """The nomogram of log odds = intercept + sum of coef * (value - mean) / scale; arrays (p,), one entry per name.

    The feature whose contribution differs most between its `low` and `high` value gets 0..100 points; the others are
    in proportion, each beginning at 0 where it speaks least for the positive class.

    Raises ValueError without a term, for unequal lengths, a number that is not finite, a scale of 0 or less, low >= high
    or no contribution at all.
    Source: Harrell, Regression Modeling Strategies, 2nd ed., section 5.5.3 (rms::nomogram, maxscale = 100).
    """
    arrays = [np.asarray(x, dtype=np.float64) for x in (coef, mean, scale, low, high)]
    if not names or any(x.shape != (len(names),) for x in arrays):
        raise ValueError(f"every array must have {max(len(names), 1)} entries, one per name")
    b, m, s, bottom, top = arrays
    if not np.isfinite([*arrays, np.full(len(names), intercept)]).all() or (s <= 0).any():
        raise ValueError("coef, intercept, mean, scale, low and high must be finite, scale above 0")
    if (bottom >= top).any():
        raise ValueError(
            f"low must lie below high, not so for {names[int(np.argmax(bottom >= top))]}"
        )
    at_low, at_high = b * (bottom - m) / s, b * (top - m) / s
    least, reach = np.minimum(at_low, at_high), np.abs(at_high - at_low)
    if reach.max() == 0:
        raise ValueError("coef must not be 0 throughout")
    slope = float(reach.max() / FULL)
    return Nomogram(
        _axes(names, bottom, top, (at_low - least) / slope, (at_high - least) / slope),
        base=float(intercept + least.sum()),
        slope=slope,
        largest=float(reach.sum() / slope),
    )


def _axes(names: Sequence[str], *columns: FloatArray) -> tuple[Axis, ...]:
    rows = zip(*(frozen(column).tolist() for column in columns), strict=True)
    return tuple(Axis(name, *row) for name, row in zip(names, rows, strict=True))
