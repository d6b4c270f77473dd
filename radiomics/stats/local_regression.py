"""Cleveland's locally weighted regression without robustness rounds, right also where many x are equal."""

import math

import numpy as np

from radiomics.result import FloatArray

NEAR, FAR, FLAT = 0.001, 0.999, 0.001


def lowess(x: FloatArray, y: FloatArray, *, span: float, delta: float) -> FloatArray:
    """Smoothed y (n,) at the sorted x (n,).

    `span` is the share of points in a neighbourhood; places nearer than `delta` to the last fitted one are
    interpolated. Where a whole neighbourhood shares one x, the fit is its mean (statsmodels 0.14 gives 0 there).
    Source: Cleveland 1979, 1981 (the published program, as R's `lowess` with iter = 0).
    """
    n = x.size
    reach = max(2, min(n, int(span * n + 1e-7)))
    fitted = np.empty(n)
    last, place, left = -1, 0, 0
    while True:
        left = moved(x, place, left, reach)
        fitted[place] = fit_at(x, y, place, left, left + reach - 1)
        if last < place - 1:
            between = slice(last + 1, place)
            fitted[between] = np.interp(x[between], x[[last, place]], fitted[[last, place]])
        last, after = skipped(x, place, delta)
        fitted[place : last + 1] = fitted[place]
        if last >= n - 1:
            return fitted
        place = max(last + 1, after - 1)


def moved(x: FloatArray, place: int, left: int, reach: int) -> int:
    """Where the neighbourhood of the place begins: shifted right while that brings it nearer."""
    while left + reach < x.size and x[place] - x[left] > x[left + reach] - x[place]:
        left += 1
    return left


def skipped(x: FloatArray, place: int, delta: float) -> tuple[int, int]:
    """The last place of the same x, and the first one beyond `delta`."""
    last = int(np.searchsorted(x, x[place], side="right")) - 1
    return last, int(np.searchsorted(x, x[place] + delta, side="right"))


def fit_at(x: FloatArray, y: FloatArray, place: int, left: int, right: int) -> float:
    """Weighted linear fit at x[place] over the neighbourhood and what is as near; tricube weights."""
    here = x[place]
    radius = max(here - x[left], x[right] - here)
    until = int(np.searchsorted(x, here + FAR * radius, side="right"))
    near = slice(left, max(until, right + 1))
    apart = np.abs(x[near] - here)
    scale = radius if radius > 0 else 1.0
    weight = np.where(apart <= NEAR * radius, 1.0, (1 - (apart / scale) ** 3) ** 3)
    weight = np.where(apart <= FAR * radius, weight, 0.0)
    total = weight.sum()
    if total <= 0:
        return float(y[place])
    weight = weight / total
    if radius > 0:
        centre = float(weight @ x[near])
        spread = float(weight @ (x[near] - centre) ** 2)
        if math.sqrt(spread) > FLAT * (x[-1] - x[0]):
            weight = weight * ((here - centre) / spread * (x[near] - centre) + 1)
    return float(weight @ y[near])
