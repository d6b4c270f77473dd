"""Haar energies on blocks that lie mostly inside the region."""

import numpy as np

from radiomics.features.catalogue import BANDS, SCALES
from radiomics.features.outcome import NO_BLOCK, BoolArray, FloatArray, IntArray, Outcome, undefined


def halved(image: FloatArray) -> FloatArray:
    """Sums of 2 x 2 neighbours of an image with even sides."""
    return np.asarray(image[0::2, 0::2] + image[0::2, 1::2] + image[1::2, 0::2] + image[1::2, 1::2])


def padded(image: FloatArray) -> FloatArray:
    """The image with zeros below and to the right up to multiples of the largest block."""
    side = 2 ** SCALES[-1]
    down, right = (-image.shape[0]) % side, (-image.shape[1]) % side
    return np.pad(image, ((0, down), (0, right)))


def energies(sums: FloatArray, counts: FloatArray, scale: int) -> Outcome:
    """Mean LL², LH², HL², HH² over the valid blocks of a scale; `sums`, `counts` are per quadrant."""
    a, b, c, d = ((slice(i, None, 2), slice(j, None, 2)) for i in (0, 1) for j in (0, 1))
    quadrants = (a, b, c, d)
    quadrant_area, block_area = 4 ** (scale - 1), 4**scale
    valid = 2 * sum(counts[q] for q in quadrants) >= block_area
    for q in quadrants:
        valid &= 4 * counts[q] >= quadrant_area
    if not valid.any():
        return undefined(len(BANDS), NO_BLOCK)
    ma, mb, mc, md = (sums[q][valid] / counts[q][valid] for q in quadrants)
    bands = (ma + mb + mc + md, ma + mb - mc - md, ma - mb + mc - md, ma - mb - mc + md)
    return Outcome([float(((x / 4.0) ** 2).mean()) for x in bands], [""] * len(BANDS))


def wavelet(levels: IntArray, mask: BoolArray) -> Outcome:
    """Twenty energies, scales 1 … 5; `levels` 0 … 255 (rows, columns), cropped to the region's bounding box.

    Blocks of 2^s pixels tile the plane from the top-left corner; a block is valid if a quarter of each quadrant and
    half of the block lie in the region. LH is high-pass along y, HL along x.
    """
    sums = padded(np.where(mask, levels, 0).astype(np.float64))
    counts = padded(mask.astype(np.float64))
    values: list[float] = []
    reasons: list[str] = []
    for scale in SCALES:
        found = energies(sums, counts, scale)
        values += found.values
        reasons += found.reasons
        sums, counts = halved(sums), halved(counts)
    return Outcome(values, reasons)
