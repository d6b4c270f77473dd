"""Haar energies on blocks that lie mostly inside the region."""

import numpy as np

from radiomics.features.catalogue import BANDS, SCALES
from radiomics.features.outcome import NO_BLOCK, BoolArray, FloatArray, IntArray, Outcome, undefined


def quadrants(levels: IntArray, mask: BoolArray) -> FloatArray:
    """Sum and number of region pixels (2, rows, columns), with zeros up to multiples of the largest block."""
    side = 2 ** SCALES[-1]
    rows, columns = mask.shape
    both = np.zeros((2, rows + -rows % side, columns + -columns % side))
    both[0, :rows, :columns] = np.where(mask, levels, 0)
    both[1, :rows, :columns] = mask
    return both


def energies(quarters: FloatArray, scale: int) -> Outcome:
    """Mean LL², LH², HL², HH² over the valid blocks of a scale.

    `quarters` (4, 2, rows, columns): of each block top left, top right, bottom left, bottom right; sum and number.
    """
    quadrant_area, block_area = 4 ** (scale - 1), 4**scale
    counts = quarters[:, 1]
    valid = (2 * counts.sum(axis=0) >= block_area) & (4 * counts.min(axis=0) >= quadrant_area)
    if not valid.any():
        return undefined(len(BANDS), NO_BLOCK)
    a, b, c, d = (part[0, valid] / part[1, valid] for part in quarters)
    top, bottom, left, right = a + b, c + d, a - b, c - d
    bands = np.stack([top + bottom, top - bottom, left + right, left - right]) / 4.0
    return Outcome((bands * bands).mean(axis=1).tolist(), [""] * len(BANDS))


def wavelet(levels: IntArray, mask: BoolArray) -> Outcome:
    """Twenty energies, scales 1 … 5; `levels` 0 … 255 (rows, columns), cropped to the region's bounding box.

    Blocks of 2^s pixels tile the plane from the top-left corner; a block is valid if a quarter of each quadrant and
    half of the block lie in the region. LH is high-pass along y, HL along x.
    """
    both = quadrants(levels, mask)
    values: list[float] = []
    reasons: list[str] = []
    for scale in SCALES:
        quarters = np.stack([both[:, i::2, j::2] for i in (0, 1) for j in (0, 1)])
        found = energies(quarters, scale)
        values += found.values
        reasons += found.reasons
        both = quarters.sum(axis=0)
    return Outcome(values, reasons)
