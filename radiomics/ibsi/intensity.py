"""First-order statistics of intensities, the same of levels with what a histogram adds, and the volume histogram."""

import math

import numpy as np
import numpy.typing as npt

from radiomics.ibsi.aggregation import Values
from radiomics.ibsi.co_occurrence import entropy
from radiomics.ibsi.region import FloatArray, IntArray

NAN = float("nan")


def ranked(ordered: FloatArray, percent: int) -> float:
    """The sorted value number ceil(percent n / 100), always one that occurs."""
    return float(ordered[(percent * ordered.size + 99) // 100 - 1])


def average(ordered: FloatArray) -> float:
    """The mean of sorted values; that of equal ones is exact, which a floating-point sum need not be."""
    return float(ordered[0]) if ordered[0] == ordered[-1] else float(ordered.mean())


def first_order(values: FloatArray) -> Values:
    """What `stat` and `ih` share, of (n,) values; skewness, kurtosis and ratios are NaN where not defined."""
    x = np.sort(values)
    mean, median = average(x), float(np.median(x))
    variance = float(((x - mean) ** 2).mean())
    deviation = math.sqrt(variance)
    p10, p25, p75, p90 = (ranked(x, percent) for percent in (10, 25, 75, 90))
    middle = x[(x >= p10) & (x <= p90)]
    is_spread = variance**2 > 0
    return {
        "mean": mean, "var": variance,
        "skew": float(((x - mean) ** 3).mean() / deviation**3) if is_spread else NAN,
        "kurt": float(((x - mean) ** 4).mean() / variance**2 - 3) if is_spread else NAN,
        "median": median, "min": float(x[0]), "p10": p10, "p90": p90, "max": float(x[-1]),
        "iqr": p75 - p25, "range": float(x[-1] - x[0]), "mad": float(np.abs(x - mean).mean()),
        "rmad": float(np.abs(middle - average(middle)).mean()), "medad": float(np.abs(x - median).mean()),
        "cov": deviation / mean if mean != 0 else NAN,
        "qcod": (p75 - p25) / (p75 + p25) if p75 + p25 != 0 else NAN,
    }  # fmt: skip


def statistics(values: npt.ArrayLike) -> Values:
    """The 18 tags `stat_…` of the intensities (n,) in the region. Source: IBSI manual 3.3."""
    x = np.asarray(values, dtype=np.float64)
    energy = float((x**2).sum())
    found = {**first_order(x), "energy": energy, "rms": math.sqrt(energy / x.size)}
    return {f"stat_{name}": value for name, value in found.items()}


def histogram(levels: npt.ArrayLike, n_levels: int) -> Values:
    """The 23 tags `ih_…` of the levels (n,) from 1 to `n_levels`. Source: IBSI manual 3.4.

    The most frequent level nearest to the mean is the mode; gradients of the counts are central differences,
    one-sided at the ends, NaN for a single level.
    """
    x = np.asarray(levels, dtype=np.int64)
    counts = np.bincount(x - 1, minlength=n_levels).astype(np.float64)
    p = counts / x.size
    common = np.flatnonzero(counts == counts.max()) + 1
    mode = int(common[np.argmin(np.abs(common - x.mean()))])
    found = first_order(x.astype(np.float64))
    found |= {"mode": float(mode), "entropy": entropy(p), "uniformity": float((p**2).sum())}
    if n_levels > 1:
        slope = np.gradient(counts)
        up, down = int(np.argmax(slope)), int(np.argmin(slope))
        found |= {
            "max_grad": float(slope[up]), "max_grad_g": up + 1.0,
            "min_grad": float(slope[down]), "min_grad_g": down + 1.0,
        }  # fmt: skip
    else:
        found |= dict.fromkeys(("max_grad", "max_grad_g", "min_grad", "min_grad_g"), NAN)
    return {f"ih_{name}": value for name, value in found.items()}


def volume_histogram(values: npt.ArrayLike, *, step: float = 1.0) -> Values:
    """The tags `ivh_…` of values (n,) on a grid `step` apart. Source: IBSI manual 3.5.

    `v` is the largest share of the volume at or above a fraction of the range, `i` the least intensity that at
    most a fraction of the volume reaches; NaN where there is none. `auc` is the area by the trapezoid rule.
    """
    x = np.sort(np.asarray(values, dtype=np.float64))
    low, high = float(x[0]), float(x[-1])
    grid: FloatArray = low + step * np.arange(round((high - low) / step) + 1, dtype=np.float64)
    share: FloatArray = 1 - np.searchsorted(x, grid - step / 2, side="left") / x.size
    fraction: FloatArray = (grid - low) / (high - low) if high > low else np.zeros(1)
    found = {f"v{p}": at_fraction(fraction, share, p / 100) for p in (10, 90)}
    found |= {f"i{p}": at_share(grid, share, p / 100) for p in (10, 90)}
    found["diff_v10_v90"] = found["v10"] - found["v90"]
    found["diff_i10_i90"] = found["i10"] - found["i90"]
    found["auc"] = float(np.trapezoid(share, fraction)) if high > low else NAN
    return {f"ivh_{name}": value for name, value in found.items()}


def at_fraction(fraction: FloatArray, share: FloatArray, wanted: float) -> float:
    """Largest share at or above a fraction of the range."""
    there = fraction >= wanted - 1e-12
    return float(share[there].max()) if there.any() else NAN


def at_share(grid: FloatArray, share: FloatArray, wanted: float) -> float:
    """Least value that at most a share reaches."""
    there = share <= wanted + 1e-12
    return float(grid[there].min()) if there.any() else NAN


def level_values(levels: IntArray) -> IntArray:
    """The levels (n,) of a zero-padded array."""
    return levels[levels > 0]
