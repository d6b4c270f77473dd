"""Grey-level co-occurrence, 25 features in six aggregations."""

from collections.abc import Sequence

import numpy as np

from radiomics.ibsi.aggregation import Counts, Values, by_direction, tagged
from radiomics.ibsi.region import FloatArray, Region, Step

NAN = float("nan")
NAMES = (
    "joint_max", "joint_avg", "joint_var", "joint_entr", "diff_avg", "diff_var", "diff_entr", "sum_avg", "sum_var",
    "sum_entr", "energy", "contrast", "dissimilarity", "inv_diff", "inv_diff_norm", "inv_diff_mom",
    "inv_diff_mom_norm", "inv_var", "corr", "auto_corr", "clust_tend", "clust_shade", "clust_prom", "info_corr1",
    "info_corr2",
)  # fmt: skip


def pairs(region: Region, step: Step) -> Counts:
    """Symmetric counts (levels, levels) of the voxel pairs `step` apart with both ends in the region."""
    flat, places, n = region.flat, region.places, region.n_levels
    first, second = flat[places], flat[places + region.stride(step)]
    both = second > 0
    codes = (first[both] - 1) * n + second[both] - 1
    table = np.bincount(codes, minlength=n * n).reshape(n, n).astype(np.float64)
    return Counts(table + table.T, region.n_voxels)


def entropy(p: FloatArray) -> float:
    """-sum p log2 p over the cells that occur, in bits."""
    known = p[p > 0]
    return float(-(known * np.log2(known)).sum()) + 0.0  # a certain cell gives 0, not -0


def describe(counts: Counts) -> Values:
    """The 25 features of one matrix, by name; NaN throughout if no pair was counted."""
    total = counts.table.sum()
    if total == 0:
        return dict.fromkeys(NAMES, NAN)
    p = counts.table / total
    n = p.shape[0]
    level = np.arange(1.0, n + 1)
    marginal = p.sum(axis=1)
    mean = float(level @ marginal)
    variance = float((level - mean) ** 2 @ marginal)
    i, j = level[:, None], level[None, :]
    k_minus, k_plus = np.arange(float(n)), np.arange(2.0, 2 * n + 1)
    apart = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    p_minus = np.bincount(apart.ravel(), weights=p.ravel(), minlength=n)
    p_plus = np.bincount(
        np.add.outer(np.arange(n), np.arange(n)).ravel(), weights=p.ravel(), minlength=2 * n - 1
    )
    moments = {k: float((((i + j - 2 * mean) ** k) * p).sum()) for k in (2, 3, 4)}
    return {
        "joint_max": float(p.max()), "joint_avg": mean, "joint_var": variance, "joint_entr": entropy(p),
        **differences(np.asarray(p_minus, dtype=np.float64), k_minus, n),
        **sums(np.asarray(p_plus, dtype=np.float64), k_plus),
        "energy": float((p**2).sum()),
        "corr": float((((i - mean) * (j - mean)) * p).sum() / variance) if variance > 0 else NAN,
        "auto_corr": float((i * j * p).sum()),
        "clust_tend": moments[2], "clust_shade": moments[3], "clust_prom": moments[4],
        **information(p, marginal),
    }  # fmt: skip


def differences(p_minus: FloatArray, k: FloatArray, n: int) -> Values:
    """What rests on the distribution of |i - j|."""
    average = float(k @ p_minus)
    return {
        "diff_avg": average, "dissimilarity": average, "diff_var": float((k - average) ** 2 @ p_minus),
        "diff_entr": entropy(p_minus), "contrast": float(k**2 @ p_minus),
        "inv_diff": float((p_minus / (1 + k)).sum()), "inv_diff_norm": float((p_minus / (1 + k / n)).sum()),
        "inv_diff_mom": float((p_minus / (1 + k**2)).sum()),
        "inv_diff_mom_norm": float((p_minus / (1 + k**2 / n**2)).sum()),
        "inv_var": float((p_minus[1:] / k[1:] ** 2).sum()),
    }  # fmt: skip


def sums(p_plus: FloatArray, k: FloatArray) -> Values:
    """What rests on the distribution of i + j."""
    average = float(k @ p_plus)
    variance = float((k - average) ** 2 @ p_plus)
    return {"sum_avg": average, "sum_var": variance, "sum_entr": entropy(p_plus)}


def information(p: FloatArray, marginal: FloatArray) -> Values:
    """Information correlations 1 and 2; the first is undefined where a single level occurs."""
    product = np.outer(marginal, marginal)
    log = np.log2(product, out=np.zeros_like(product), where=product > 0)
    h_x, h_xy = entropy(marginal), entropy(p)
    first, second = float(-(p * log).sum()), float(-(product * log).sum())
    return {
        "info_corr1": (h_xy - first) / h_x if h_x > 0 else NAN,
        "info_corr2": float(np.sqrt(max(0.0, 1 - np.exp(-2 * (second - h_xy))))),
    }


def co_occurrence(region: Region, distances: Sequence[int] = (1,)) -> Values:
    """All 150 tags `cm_…` per distance, in voxels, at most the region's reach.

    A distance d beyond 1 is told in the tag, as in `cm_energy_d2_3D_avg`; it is the 13 (in slices 4) directions,
    each d voxels long. Source: Haralick 1973; IBSI manual 3.6.
    """
    found: Values = {}
    for d in distances:
        values = by_direction(region, pairs, describe, distance=d)
        named = {s: {name_at(n, d): v for n, v in row.items()} for s, row in values.items()}
        found |= tagged("cm", named)
    return found


def name_at(name: str, distance: int) -> str:
    """A feature's name at a distance; at distance 1 the reference table's."""
    return name if distance == 1 else f"{name}_d{distance}"
