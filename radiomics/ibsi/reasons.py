"""Why a value of the IBSI layer is undefined, as one code per tag."""

import math
from collections.abc import Mapping

NO_PAIRS = "no_pairs"
NO_NEIGHBOURS = "no_neighbours"
ZERO_VARIANCE = "zero_variance"
ZERO_SUM = "zero_sum"
NO_EXTENT = "no_extent"
NOT_REACHED = "not_reached"
NOT_FINITE = "not_finite_around"
NOT_IMPLEMENTED = "not implemented"

BY_FAMILY = {"ngt": NO_NEIGHBOURS, "ivh": NOT_REACHED, "morph": NO_EXTENT, "loc": NOT_FINITE}
BY_NAME = {
    "stat_cov": ZERO_SUM, "stat_qcod": ZERO_SUM, "ih_cov": ZERO_SUM, "ih_qcod": ZERO_SUM, "morph_com": ZERO_SUM,
    "morph_moran_i": ZERO_VARIANCE, "morph_geary_c": ZERO_VARIANCE, "ivh_auc": ZERO_VARIANCE,
}  # fmt: skip
PAIRLESS = ("corr", "info_corr1")


def reasons_of(values: Mapping[str, float]) -> dict[str, str]:
    """The reason of every tag whose value is NaN.

    `no_pairs` no voxel pair at that distance, `no_neighbours` no voxel has one, `zero_variance` a single intensity
    or level, `zero_sum` a denominator that vanishes, `no_extent` a region without length in some direction,
    `not_reached` no intensity fulfils the condition, `not_finite_around` a peak's sphere meets NaN outside the mask.
    """
    return {tag: reason(tag, values) for tag, value in values.items() if math.isnan(value)}


def reason(tag: str, values: Mapping[str, float]) -> str:
    """The reason of one tag."""
    if tag in BY_NAME:
        return BY_NAME[tag]
    family = tag.split("_")[0]
    if family == "cm":
        return ZERO_VARIANCE if has_pairs(tag, values) else NO_PAIRS
    return BY_FAMILY.get(family, ZERO_VARIANCE)


def has_pairs(tag: str, values: Mapping[str, float]) -> bool:
    """Whether the matrices behind a co-occurrence tag hold pairs: then only two features can be undefined."""
    for name in PAIRLESS:
        head = f"cm_{name}_"
        if tag.startswith(head):
            return not math.isnan(values[f"cm_joint_max_{tag.removeprefix(head)}"])
    return False
