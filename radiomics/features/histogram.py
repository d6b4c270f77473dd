"""Histogram: moments and percentiles of the raw values."""

import numpy as np

from radiomics.features.catalogue import PERCENTS
from radiomics.features.outcome import FloatArray, Outcome, moments


def percentiles(values: FloatArray) -> list[float]:
    """The 1, 10, 50, 90 and 99 % percentiles of values (n,): always an occurring value.

    The sorted value number ceil(Q n / 100), in integer arithmetic (numpy's method `inverted_cdf`).
    """
    ordered, n = np.sort(values), values.size
    return [float(ordered[(q * n + 99) // 100 - 1]) for q in PERCENTS]


def histogram(values: FloatArray) -> Outcome:
    """Nine features of the raw values (n,) of a region. Source: Szczypiński et al. 2009."""
    found = moments(values)
    return Outcome(found.values + percentiles(values), found.reasons + [""] * len(PERCENTS))
