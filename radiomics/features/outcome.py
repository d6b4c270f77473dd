"""What a family returns: values in its catalogue order and a reason for each undefined one."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
NAN = float("nan")

ZERO_VARIANCE = "zero_variance"
NO_INTERIOR = "no_interior_pixels"
NO_PAIRS = "no_pairs"
TOO_FEW = "too_few_equations"
SINGULAR = "singular"
NO_BLOCK = "no_block"


@dataclass(frozen=True)
class Outcome:
    """`values` in order (NaN where undefined), `reasons` of the same length ('' where defined)."""

    values: list[float]
    reasons: list[str]


def undefined(count: int, reason: str) -> Outcome:
    """All `count` values undefined for one reason."""
    return Outcome([NAN] * count, [reason] * count)


def moments(sample: FloatArray) -> Outcome:
    """Mean, population variance, skewness and excess kurtosis of a non-empty sample (n,)."""
    mean = float(sample.mean())
    if float(sample.max()) == float(sample.min()):
        return Outcome([float(sample[0]), 0.0, NAN, NAN], ["", "", ZERO_VARIANCE, ZERO_VARIANCE])
    d = sample - mean
    squared = d * d
    m2 = float(squared.mean())
    if m2 * m2 == 0.0:  # the spread underflows: as good as constant
        return Outcome([mean, 0.0, NAN, NAN], ["", "", ZERO_VARIANCE, ZERO_VARIANCE])
    skewness = float((squared * d).mean()) / m2**1.5
    kurtosis = float((squared * squared).mean()) / (m2 * m2) - 3.0
    return Outcome([mean, m2, skewness, kurtosis], [""] * 4)
