"""Run lengths along four directions: the runs first, their statistics second."""

from dataclasses import dataclass

import numpy as np

from radiomics.features.catalogue import DIRECTIONS
from radiomics.features.outcome import IntArray, Outcome


@dataclass(frozen=True)
class Runs:
    """Grey level (n,) from 1 and length (n,) in pixels of each run."""

    levels: IntArray
    lengths: IntArray


def lines(levels: IntArray, direction: str) -> IntArray:
    """Pixels (n,) along a direction, line after line, each line ended by at least one 0.

    `levels` (rows, columns) holds 1 … Ng inside the region and 0 outside. Diagonals are read as columns of an
    array whose every row is shifted by one.
    """
    rows, columns = levels.shape
    if direction in ("Horzl", "Vertl"):
        straight = levels if direction == "Horzl" else levels.T
        ended = np.zeros((straight.shape[0], straight.shape[1] + 1), dtype=levels.dtype)
        ended[:, :-1] = straight
        return ended.ravel()
    source = levels if direction == "45dgr" else levels[:, ::-1]
    width = rows + columns + 1
    wide = np.zeros((rows + 1, width), dtype=levels.dtype)
    wide[:rows, :columns] = source
    shifted = wide.ravel()[: (rows + 1) * (width - 1)].reshape(rows + 1, width - 1)
    return shifted.T.ravel()


def runs(levels: IntArray, direction: str) -> Runs:
    """Maximal chains of one level inside the region along a direction.

    `levels` as in `lines`; `direction` one of Horzl (1, 0), Vertl (0, 1), 45dgr (1, -1), 135dr (1, 1), as (dx, dy)
    with y downwards. Source: Galloway 1975.
    """
    sequence = lines(levels, direction)
    starts = np.concatenate([[0], np.flatnonzero(sequence[1:] != sequence[:-1]) + 1])
    lengths = np.diff(starts, append=sequence.size)
    values = sequence[starts]
    inside = values > 0
    return Runs(values[inside], lengths[inside])


def statistics(found: Runs) -> list[float]:
    """RLNonUni, GLevNonU, LngREmph, ShrtREmp, Fraction of a non-empty set of runs."""
    count = found.lengths.size
    lengths = found.lengths.astype(np.float64)
    by_length = np.bincount(found.lengths).astype(np.float64)
    by_level = np.bincount(found.levels).astype(np.float64)
    return [
        float((by_length * by_length).sum()) / count,
        float((by_level * by_level).sum()) / count,
        float((lengths * lengths).sum()) / count,
        float((1.0 / (lengths * lengths)).sum()) / count,
        count / float(lengths.sum()),
    ]


def run_length(levels: IntArray) -> Outcome:
    """Twenty features of a region; `levels` (rows, columns) holds 1 … 64 inside and 0 outside."""
    values = [value for direction in DIRECTIONS for value in statistics(runs(levels, direction))]
    return Outcome(values, [""] * len(values))
