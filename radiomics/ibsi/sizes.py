"""The 16 features that runs, zones, distances and dependences share, each with the names of its family."""

from collections.abc import Callable

import numpy as np

from radiomics.ibsi.aggregation import Counts, Values
from radiomics.ibsi.region import FloatArray, IntArray

NAMES = {
    "rlm": ("sre", "lre", "lgre", "hgre", "srlge", "srhge", "lrlge", "lrhge", "glnu", "glnu_norm", "rlnu",
            "rlnu_norm", "r_perc", "gl_var", "rl_var", "rl_entr"),
    "szm": ("sze", "lze", "lgze", "hgze", "szlge", "szhge", "lzlge", "lzhge", "glnu", "glnu_norm", "zsnu",
            "zsnu_norm", "z_perc", "gl_var", "zs_var", "zs_entr"),
    "dzm": ("sde", "lde", "lgze", "hgze", "sdlge", "sdhge", "ldlge", "ldhge", "glnu", "glnu_norm", "zdnu",
            "zdnu_norm", "z_perc", "gl_var", "zd_var", "zd_entr"),
    "ngl": ("lde", "hde", "lgce", "hgce", "ldlge", "ldhge", "hdlge", "hdhge", "glnu", "glnu_norm", "dcnu",
            "dcnu_norm", "dc_perc", "gl_var", "dc_var", "dc_entr", "dc_energy"),
}  # fmt: skip


def size_features(counts: Counts) -> tuple[float, ...]:
    """The 16 values in the order of `NAMES`, then the energy, of counts c(i, j) of level i and size j."""
    c = counts.table
    n = c.sum()
    p = c / n
    i = np.arange(1.0, c.shape[0] + 1)[:, None]
    j = np.arange(1.0, c.shape[1] + 1)[None, :]
    weights = (j**-2, j**2, i**-2, i**2, (i * j) ** -2, (i / j) ** 2, (j / i) ** 2, (i * j) ** 2)
    emphases = [float((p * w).sum()) for w in weights]
    per_level, per_size = float((c.sum(axis=1) ** 2).sum()), float((c.sum(axis=0) ** 2).sum())
    known = p[p > 0]
    return (
        *emphases, per_level / n, per_level / n**2, per_size / n, per_size / n**2, n / counts.n_voxels,
        spread(p, i), spread(p, j), float(-(known * np.log2(known)).sum()) + 0.0, float((p**2).sum()),
    )  # fmt: skip


def spread(p: FloatArray, value: FloatArray) -> float:
    """Variance of `value` under the probabilities `p`."""
    mean = float((p * value).sum())
    return float((p * (value - mean) ** 2).sum())


def named(family: str) -> Callable[[Counts], Values]:
    """The description of one family's counts."""

    def describe(counts: Counts) -> Values:
        return dict(zip(NAMES[family], size_features(counts), strict=False))

    return describe


def table_of(levels: IntArray, sizes: IntArray, n_levels: int) -> FloatArray:
    """Counts (levels, largest size) of things with these levels and sizes, both from 1."""
    width = int(sizes.max())
    codes = (levels - 1) * width + sizes - 1
    return (
        np.bincount(codes, minlength=n_levels * width).reshape(n_levels, width).astype(np.float64)
    )
