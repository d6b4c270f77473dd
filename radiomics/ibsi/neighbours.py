"""What a voxel's neighbours say: grey-tone difference and dependence on the level."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radiomics.ibsi.aggregation import Counts, Values, by_space, mean_of, tagged
from radiomics.ibsi.region import AROUND, IN_SLICE, FloatArray, Region, Step, all_around
from radiomics.ibsi.sizes import named, table_of

COARSEST = 1e6


@dataclass(frozen=True)
class Tones:
    """Per level (levels,): the voxels `n` that have a neighbour, and the sum `s` of their differences from its mean."""

    n: FloatArray
    s: FloatArray


def tones(region: Region, steps: Sequence[Step]) -> Tones:
    """Differences of each voxel's level from the mean of its neighbours in the region."""
    flat, places = region.flat, region.places
    around = np.stack([flat[places + region.stride(step)] for step in all_around(steps)])
    count = np.count_nonzero(around, axis=0)
    known = count > 0
    level = flat[places][known]
    apart = np.abs(level - around.sum(axis=0)[known] / count[known])
    n = np.bincount(level - 1, minlength=region.n_levels).astype(np.float64)
    s = np.bincount(level - 1, weights=apart, minlength=region.n_levels)
    return Tones(n, np.asarray(s, dtype=np.float64))


def describe_tones(tone: Tones) -> Values:
    """Coarseness, contrast, busyness, complexity and strength; NaN if no voxel has a neighbour."""
    total = tone.n.sum()
    if total == 0:
        return dict.fromkeys(
            ("coarseness", "contrast", "busyness", "complexity", "strength"), float("nan")
        )
    there = tone.n > 0
    level = np.flatnonzero(there) + 1.0
    p, s = tone.n[there] / total, tone.s[there]
    i, j = level[:, None], level[None, :]
    p_i, p_j, s_i, s_j = p[:, None], p[None, :], s[:, None], s[None, :]
    g, weighted = level.size, float(p @ s)
    wobble = float(np.abs(i * p_i - j * p_j).sum())
    spread = float((p_i * p_j * (i - j) ** 2).sum())
    return {
        "coarseness": 1 / weighted if weighted > 0 else COARSEST,
        "contrast": spread / (g * (g - 1)) * float(s.sum()) / total if g > 1 else 0.0,
        "busyness": weighted / wobble if wobble > 0 else 0.0,
        "complexity": float((np.abs(i - j) * (p_i * s_i + p_j * s_j) / (p_i + p_j)).sum()) / total,
        "strength": float(((p_i + p_j) * (i - j) ** 2).sum()) / float(s.sum())
        if s.sum() > 0
        else 0.0,
    }


def tone_features(region: Region) -> Values:
    """All 15 tags `ngt_…`. Source: Amadasun, King 1989; IBSI manual 3.10."""
    slices = [tones(one, IN_SLICE) for one in region.slices()]
    across = Tones(np.sum([t.n for t in slices], axis=0), np.sum([t.s for t in slices], axis=0))
    found = {
        "2D": mean_of([describe_tones(t) for t in slices]),
        "2_5D": describe_tones(across),
        "3D": describe_tones(tones(region, AROUND)),
    }
    return tagged("ngt", found)


def dependences(region: Region, steps: Sequence[Step]) -> Counts:
    """Counts (levels, 1 + neighbours of the same level)."""
    flat, places = region.flat, region.places
    same = np.zeros(places.size, dtype=np.int64)
    for step in all_around(steps):
        same += flat[places + region.stride(step)] == flat[places]
    return Counts(table_of(flat[places], same + 1, region.n_levels), region.n_voxels)


def dependence_features(region: Region) -> Values:
    """All 51 tags `ngl_…` at distance 1 and coarseness 0. Source: Sun, Wee 1983; IBSI manual 3.11."""
    slices = [dependences(one, IN_SLICE) for one in region.slices()]
    return tagged("ngl", by_space(slices, dependences(region, AROUND), named("ngl")))
