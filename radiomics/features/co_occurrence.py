"""Co-occurrence of grey levels: counts of pixel pairs for all offsets at once, then their statistics."""

from collections.abc import Sequence
from dataclasses import dataclass

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
LEVELS = np.arange(N_LEVELS)
N_SUMS = 2 * N_LEVELS - 1
OUTSIDE = N_LEVELS
ROW = N_LEVELS + 1  # a row of cells ends in the one for pairs with a foot outside
BLOCK = 1 << 14  # pixels at a time: memory stays bounded for a whole image as the region


def counts(
    levels: IntArray, mask: BoolArray, offsets: Sequence[tuple[int, int]] = OFFSETS
) -> IntArray:
    """Counts (offsets, 64, 64) of unordered pairs: cell (i, j), i <= j, holds the pairs of levels i and j.

    `levels` and `mask` (rows, columns), levels 0 … 63 inside the region; an offset is (dx, dy) with y downwards.
    Half of the symmetric matrix says all of it: its entries are the cell itself, on the diagonal twice the cell.
    Source: Haralick, Shanmugam, Dinstein 1973; pairs with one foot outside are dropped.
    """
    margin = max(max(abs(dx), abs(dy)) for dx, dy in offsets)
    wide = np.full([side + 2 * margin for side in levels.shape], OUTSIDE, dtype=np.uint8)
    wide[margin:-margin, margin:-margin][mask] = levels[mask]
    flat = wide.ravel()
    places = np.flatnonzero(flat != OUTSIDE)
    steps = np.array([[dy * wide.shape[1] + dx] for dx, dy in offsets])
    width = N_LEVELS * ROW
    starts = np.arange(len(offsets))[:, None] * width
    table = np.zeros(len(offsets) * width, dtype=np.int64)
    for begin in range(0, places.size, BLOCK):
        here = places[begin : begin + BLOCK]
        one, other = flat[here], flat[here + steps]
        low, high = np.minimum(one, other), np.maximum(one, other)
        codes = np.multiply(low, ROW, dtype=np.int64) + high + starts
        table += np.bincount(codes.ravel(), minlength=table.size)
    return table.reshape(len(offsets), N_LEVELS, ROW)[:, :, :N_LEVELS]


def marginal(cell: IntArray, count: FloatArray, totals: FloatArray, width: int) -> FloatArray:
    """Shares (n, width) of `count` in the cells of a table (n, width) whose rows add up to `totals` (n,)."""
    table = np.bincount(cell, weights=count, minlength=totals.size * width)
    return np.asarray(table.reshape(totals.size, width) / totals[:, None], dtype=np.float64)


def marginal_entropy(table: FloatArray) -> FloatArray:
    """-Σ p log10 p of each row of a table (n, width)."""
    logs = np.log10(table, out=np.zeros_like(table), where=table > 0)
    return np.asarray(0.0 - (table * logs).sum(axis=1))


def times_log(count: IntArray) -> FloatArray:
    """Count · log10 count of positive counts (m,): one logarithm for each size, as most counts are small."""
    sizes = np.arange(1.0, count.max(initial=0) + 1.0)
    return np.asarray((sizes * np.log10(sizes))[count - 1])


@dataclass(frozen=True)
class Shares:
    """Of each offset the level's shares p_x (n, 64), of i + j (n, 127) and |i - j| (n, 64), and what needs every cell.

    `energy` Σ p² and `entropy` -Σ p log10 p (n,) over the symmetric matrix; `empty` offsets (n,) have no pair.
    """

    level: FloatArray
    total: FloatArray
    difference: FloatArray
    energy: FloatArray
    entropy: FloatArray
    empty: BoolArray


def shares(pairs: IntArray) -> Shares:
    """What the features need of unordered pair counts (offsets, 64, 64) as in `counts`."""
    n = pairs.shape[0]
    flat = pairs.ravel()
    cells = np.flatnonzero(flat > 0)
    i, j = (cells >> 6) & 63, cells & 63  # 64 levels are six bits each
    row = cells >> 12 << 6
    count = flat[cells]
    weight = count.astype(np.float64)
    bounds = np.searchsorted(cells, np.arange(n + 1) * CELLS)
    empty = bounds[1:] == bounds[:-1]

    def per_offset(values: FloatArray) -> FloatArray:
        return np.where(empty, 0.0, np.add.reduceat(np.append(values, 0.0), bounds[:-1]))

    totals = per_offset(weight) + empty
    p_x = marginal(row + i, weight, totals, N_LEVELS) + marginal(row + j, weight, totals, N_LEVELS)
    p_plus = marginal((row >> 6) * N_SUMS + i + j, weight, totals, N_SUMS)
    p_minus = marginal(row + j - i, weight, totals, N_LEVELS)
    # off the diagonal a cell stands for two entries of half its share each
    same = pairs[:, LEVELS, LEVELS].astype(np.float64)
    squares = (per_offset(weight * weight) + (same * same).sum(axis=1)) / 2.0
    entropy = np.log10(totals) - per_offset(times_log(count)) / totals
    entropy += np.log10(2.0) * (1.0 - p_minus[:, 0])
    return Shares(p_x / 2.0, p_plus, p_minus, squares / totals / totals, entropy, empty)


def pair_statistics(pairs: IntArray) -> FloatArray:
    """The 11 features (offsets, 11) of unordered pair counts (offsets, 64, 64) as in `counts`; NaN rows without pairs.

    Correlat is NaN where all pairs are of one single level. Order as in the catalogue.
    """
    found = shares(pairs)
    k = LEVELS.astype(np.float64)
    sums = np.arange(N_SUMS) + 2.0
    mu = found.level @ (k + 1.0)
    sum_of_squares = (((k + 1.0)[None, :] - mu[:, None]) ** 2 * found.level).sum(axis=1)
    contrast = found.difference @ (k * k)
    sum_average = found.total @ sums
    sum_variance = ((sums[None, :] - sum_average[:, None]) ** 2 * found.total).sum(axis=1)
    is_single = (found.level > 0).sum(axis=1) == 1
    for spread in (sum_of_squares, sum_variance, found.entropy):
        spread[is_single] = 0.0
    difference_mean = found.difference @ k
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = 1.0 - contrast / (2.0 * sum_of_squares)
    correlation[is_single] = NAN
    columns = [
        found.energy,
        contrast,
        correlation,
        sum_of_squares,
        found.difference @ (1.0 / (1.0 + k * k)),
        sum_average,
        sum_variance,
        marginal_entropy(found.total),
        found.entropy,
        ((k[None, :] - difference_mean[:, None]) ** 2 * found.difference).sum(axis=1),
        marginal_entropy(found.difference),
    ]
    table = np.stack(columns, axis=1)
    table[found.empty] = NAN
    return table


def co_occurrence(levels: IntArray, mask: BoolArray) -> Outcome:
    """220 features: 11 for each of the 20 offsets; `levels` (rows, columns) holds 0 … 63 inside the region."""
    pairs = counts(levels, mask)
    table = pair_statistics(pairs)
    values = table.ravel().tolist()
    reasons = [""] * len(values)
    width = table.shape[1]
    for place in np.flatnonzero(np.isnan(table)).tolist():
        reasons[place] = ZERO_VARIANCE if pairs[place // width].any() else NO_PAIRS
    return Outcome(values, reasons)
