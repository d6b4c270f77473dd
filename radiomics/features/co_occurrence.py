"""Co-occurrence of grey levels: counts of pixel pairs for all offsets at once, then their statistics."""

from collections.abc import Sequence

import numpy as np

from radiomics.features.catalogue import OFFSETS
from radiomics.features.outcome import (
    NAN,
    NO_PAIRS,
    ZERO_VARIANCE,
    BoolArray,
    FloatArray,
    IntArray,
    Outcome,
)

N_LEVELS = 64
CELLS = N_LEVELS * N_LEVELS


def views(
    shape: tuple[int, int], dx: int, dy: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Index of the first and of the second pixel of every pair (dx, dy) in an image of this shape."""
    rows, columns = shape
    first = (slice(max(0, -dy), rows - max(0, dy)), slice(max(0, -dx), columns - max(0, dx)))
    second = (slice(max(0, dy), rows + min(0, dy)), slice(max(0, dx), columns + min(0, dx)))
    return first, second


def pair_codes(levels: IntArray, mask: BoolArray, dx: int, dy: int) -> IntArray:
    """I * 64 + j of each pair with both ends in the region; `levels` holds 0 … 63 inside."""
    if levels.shape[0] <= abs(dy) or levels.shape[1] <= abs(dx):
        return np.empty(0, dtype=np.int64)
    first, second = views((levels.shape[0], levels.shape[1]), dx, dy)
    both = mask[first] & mask[second]
    return np.asarray(levels[first][both] * N_LEVELS + levels[second][both])


def counts(
    levels: IntArray, mask: BoolArray, offsets: Sequence[tuple[int, int]] = OFFSETS
) -> FloatArray:
    """Symmetric pair counts (offsets, 64, 64) of a region; each pair counts in (i, j) and in (j, i).

    `levels` and `mask` (rows, columns), levels 0 … 63 inside the region; an offset is (dx, dy) with y downwards.
    Source: Haralick, Shanmugam, Dinstein 1973; pairs with one foot outside are dropped.
    """
    codes = [
        number * CELLS + pair_codes(levels, mask, dx, dy) for number, (dx, dy) in enumerate(offsets)
    ]
    flat = np.bincount(np.concatenate(codes), minlength=len(offsets) * CELLS)
    one_way = flat.reshape(len(offsets), N_LEVELS, N_LEVELS)
    return np.asarray((one_way + one_way.transpose(0, 2, 1)).astype(np.float64))


def entropy(p: FloatArray, owner: IntArray, n: int) -> FloatArray:
    """-Σ p log10 p per owner (n,); `p` holds positive entries only, `owner` says whose each is."""
    return np.asarray(
        np.bincount(owner, weights=-p * np.log10(p), minlength=n) + 0.0, dtype=np.float64
    )


def marginal(owner: IntArray, k: IntArray, p: FloatArray, *, n: int, width: int) -> FloatArray:
    """Sums (n, width) of `p` by owner and value `k`."""
    table = np.bincount(owner * width + k, weights=p, minlength=n * width).reshape(n, width)
    return np.asarray(table, dtype=np.float64)


def marginal_entropy(table: FloatArray) -> FloatArray:
    """-Σ p log10 p of each row of a table (n, width)."""
    owner, column = np.nonzero(table)
    return entropy(table[owner, column], owner, table.shape[0])


def pair_statistics(matrices: FloatArray) -> FloatArray:
    """The 11 features (offsets, 11) of symmetric count matrices (offsets, 64, 64); NaN rows without pairs.

    Correlat is NaN where all pairs are of one single level. Order as in the catalogue.
    """
    n = matrices.shape[0]
    totals = matrices.reshape(n, -1).sum(axis=1)
    o, i, j = np.nonzero(matrices)
    p = matrices[o, i, j] / totals[o]
    k = np.arange(N_LEVELS, dtype=np.float64)
    sums = np.arange(2 * N_LEVELS - 1, dtype=np.float64) + 2.0
    p_x = marginal(o, i, p, n=n, width=N_LEVELS)
    p_plus = marginal(o, i + j, p, n=n, width=2 * N_LEVELS - 1)
    p_minus = marginal(o, np.abs(i - j), p, n=n, width=N_LEVELS)
    mu = p_x @ (k + 1.0)
    sum_of_squares = (((k + 1.0)[None, :] - mu[:, None]) ** 2 * p_x).sum(axis=1)
    contrast = p_minus @ (k * k)
    is_single = (p_x > 0).sum(axis=1) == 1
    sum_of_squares[is_single] = 0.0
    sum_average = p_plus @ sums
    sum_variance = ((sums[None, :] - sum_average[:, None]) ** 2 * p_plus).sum(axis=1)
    sum_variance[is_single] = 0.0
    difference_mean = p_minus @ k
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = 1.0 - contrast / (2.0 * sum_of_squares)
    correlation[is_single] = NAN
    columns = [
        np.bincount(o, weights=p * p, minlength=n),
        contrast,
        correlation,
        sum_of_squares,
        p_minus @ (1.0 / (1.0 + k * k)),
        sum_average,
        sum_variance,
        marginal_entropy(p_plus),
        entropy(p, o, n),
        ((k[None, :] - difference_mean[:, None]) ** 2 * p_minus).sum(axis=1),
        marginal_entropy(p_minus),
    ]
    table = np.stack(columns, axis=1)
    table[totals == 0] = NAN
    return table


def co_occurrence(levels: IntArray, mask: BoolArray) -> Outcome:
    """220 features: 11 for each of the 20 offsets; `levels` (rows, columns) holds 0 … 63 inside the region."""
    matrices = counts(levels, mask)
    table = pair_statistics(matrices)
    has_pairs = np.asarray(matrices.reshape(len(OFFSETS), -1).any(axis=1))
    values = table.ravel().tolist()
    reasons = [""] * len(values)
    width = table.shape[1]
    for place in np.flatnonzero(np.isnan(table.ravel())).tolist():
        reasons[place] = ZERO_VARIANCE if has_pairs[place // width] else NO_PAIRS
    return Outcome(values, reasons)
