"""Every family's features on matrices that can be counted by hand, and steps of the chain worked out on paper."""

import math

import numpy as np
import pytest

from radiomics.ibsi import measure, texture
from radiomics.ibsi.aggregation import Counts, apart
from radiomics.ibsi.co_occurrence import NAMES as PAIR_NAMES
from radiomics.ibsi.co_occurrence import describe, name_at, pairs
from radiomics.ibsi.intensity import histogram, statistics, volume_histogram
from radiomics.ibsi.morphology import morphology
from radiomics.ibsi.neighbours import Tones, describe_tones
from radiomics.ibsi.processing import (
    CONFIGURATIONS,
    COUNTS_DEFAULT,
    CT_DEFAULT,
    Binning,
    Settings,
    Whole,
    discretised,
    ivh_values,
    positions,
    prepare,
    reaches,
)
from radiomics.ibsi.reasons import reasons_of
from radiomics.ibsi.region import AROUND, IN_SLICE, region_of
from radiomics.ibsi.sizes import NAMES, size_features

ROW = [[[1, 1, 2, 3]]]


def whole(levels, **more):
    levels = np.asarray(levels)
    return region_of(levels, np.ones(levels.shape, dtype=bool), **more)


def test_the_25_pair_features_of_a_row_of_four():
    """Pairs 11, 12, 23 both ways: p11 = 1/3, p12 = p21 = p23 = p32 = 1/6; p_x = 1/2, 1/3, 1/6; mean 5/3."""
    found = describe(pairs(whole(ROW), (0, 0, 1)))
    log = math.log2
    h_x = 0.5 * 1 + log(3) / 3 + log(6) / 6
    h_xy = log(3) / 3 + 4 / 6 * log(6)
    wanted = {
        "joint_max": 1 / 3, "joint_avg": 5 / 3, "joint_var": 5 / 9, "joint_entr": h_xy,
        "diff_avg": 2 / 3, "dissimilarity": 2 / 3, "diff_var": 2 / 9,
        "diff_entr": log(3) / 3 + 2 / 3 * log(1.5),
        "sum_avg": 10 / 3, "sum_var": 14 / 9, "clust_tend": 14 / 9, "sum_entr": log(3),
        "energy": 2 / 9, "contrast": 2 / 3,
        "inv_diff": 1 / 3 + 2 / 3 / 2, "inv_diff_norm": 1 / 3 + 2 / 3 / (1 + 1 / 3),
        "inv_diff_mom": 1 / 3 + 2 / 3 / 2, "inv_diff_mom_norm": 1 / 3 + 2 / 3 / (1 + 1 / 9),
        "inv_var": 2 / 3, "corr": 2 / 5, "auto_corr": (2 + 4 + 12) / 6,
        "clust_shade": ((-4 / 3) ** 3 + (-1 / 3) ** 3 + (5 / 3) ** 3) / 3,
        "clust_prom": ((4 / 3) ** 4 + (1 / 3) ** 4 + (5 / 3) ** 4) / 3,
        "info_corr1": (h_xy - 2 * h_x) / h_x, "info_corr2": math.sqrt(1 - math.exp(-2 * (2 * h_x - h_xy))),
    }  # fmt: skip
    assert set(wanted) == set(PAIR_NAMES) == set(found)
    assert found == pytest.approx(wanted)


def test_levels_that_do_not_occur_count_in_the_normed_differences():
    six = describe(pairs(whole(ROW, n_levels=6), (0, 0, 1)))
    assert six["inv_diff_norm"] == pytest.approx(1 / 3 + 2 / 3 / (1 + 1 / 6))
    assert six["inv_diff_mom_norm"] == pytest.approx(1 / 3 + 2 / 3 / (1 + 1 / 36))
    three = describe(pairs(whole(ROW), (0, 0, 1)))
    for name in set(PAIR_NAMES) - {"inv_diff_norm", "inv_diff_mom_norm"}:
        assert six[name] == pytest.approx(three[name])


def test_a_checkerboard_is_perfectly_anticorrelated_along_its_rows():
    found = describe(pairs(whole([[[1, 2], [2, 1]]]), (0, 0, 1)))
    assert found["corr"] == pytest.approx(-1)
    assert (found["joint_entr"], found["sum_entr"], found["diff_entr"]) == (1, 0, 0)
    assert found["info_corr1"] == pytest.approx(-1)
    assert [math.copysign(1, found[n]) for n in ("sum_entr", "diff_entr")] == [1, 1]
    board = [[[1, 2, 1], [2, 1, 2], [1, 2, 1]]]
    assert describe(pairs(whole(board), (0, 1, 1)))["corr"] == pytest.approx(1)


def test_pairs_two_apart_skip_the_voxel_between():
    table = pairs(whole(ROW, reach=2), (0, 0, 2)).table
    wanted = np.zeros((3, 3))
    wanted[0, 1] = wanted[1, 0] = wanted[0, 2] = wanted[2, 0] = 1
    assert np.array_equal(table, wanted)


@pytest.mark.parametrize("distance", [1, 2, 5])
def test_longer_steps_are_the_same_directions(distance):
    for steps in (AROUND, IN_SLICE):
        longer = apart(steps, distance)
        assert len(longer) == len(set(longer)) == len(steps)
        assert all(max(map(abs, step)) == distance for step in longer)


def test_the_distance_stands_in_the_tag_beyond_one_only():
    assert name_at("energy", 1) == "energy"
    assert name_at("energy", 3) == "energy_d3"
    mask = np.ones((1, 1, 4), dtype=bool)
    found = texture(whole(ROW, reach=3), mask, (3,))
    assert "cm_energy_d3_3D_avg" in found
    assert "cm_energy_3D_avg" not in found
    assert found["cm_contrast_d3_3D_comb"] == 4  # the only pair is 1 and 3


def sixteen(table, n_voxels: int) -> dict[str, float]:
    counts = Counts(np.asarray(table, dtype=float), n_voxels)
    return dict(zip(NAMES["ngl"], size_features(counts), strict=True))


def test_the_seventeen_size_features_of_two_kinds_of_things():
    """One thing of level 1 and size 1, three of level 2 and size 2, of 7 voxels."""
    found = sixteen([[1, 0], [0, 3]], 7)
    assert found == pytest.approx({
        "lde": (1 + 3 / 4) / 4, "hde": (1 + 3 * 4) / 4, "lgce": (1 + 3 / 4) / 4, "hgce": (1 + 3 * 4) / 4,
        "ldlge": (1 + 3 / 16) / 4, "ldhge": (1 + 3) / 4, "hdlge": (1 + 3) / 4, "hdhge": (1 + 3 * 16) / 4,
        "glnu": (1 + 9) / 4, "glnu_norm": (1 + 9) / 16, "dcnu": (1 + 9) / 4, "dcnu_norm": (1 + 9) / 16,
        "dc_perc": 4 / 7, "gl_var": 3 / 16, "dc_var": 3 / 16,
        "dc_entr": 0.25 * 2 + 0.75 * math.log2(4 / 3), "dc_energy": (1 + 9) / 16,
    })  # fmt: skip


def test_emphases_tell_levels_from_sizes():
    low_and_long, high_and_short = (
        sixteen([[0, 0, 1], [0, 0, 0]], 3),
        sixteen([[0, 0, 0], [1, 0, 0]], 1),
    )
    assert low_and_long["hdlge"] == 9
    assert low_and_long["ldhge"] == pytest.approx(1 / 9)
    assert high_and_short["hdlge"] == pytest.approx(1 / 4)
    assert high_and_short["ldhge"] == 4


def test_tone_differences_of_two_levels_by_hand():
    """Three voxels of level 1 with s = 2, one of level 3 with s = 2: p = 3/4, 1/4."""
    found = describe_tones(Tones(np.array([3.0, 0.0, 1.0]), np.array([2.0, 0.0, 2.0])))
    assert found == pytest.approx({
        "coarseness": 1 / (1.5 + 0.5),
        "contrast": (2 * 0.75 * 0.25 * 4) / 2 * (4 / 4),
        "busyness": 0.0,  # 1 x 3/4 and 3 x 1/4 are equal: nothing to divide by
        "complexity": 2 * 2 * (1.5 + 0.5) / 1 / 4,
        "strength": 2 * 1 * 4 / 4,
    })  # fmt: skip


def test_a_flat_slice_beside_a_busy_one_counts_as_much_as_it():
    levels = np.ones((2, 3, 3), dtype=int)
    levels[1, 1, 1] = 3
    found = texture(whole(levels), np.ones(levels.shape, dtype=bool))
    assert found["ngt_contrast_2D"] > 0
    flat = describe_tones(Tones(np.array([9.0]), np.array([0.0])))
    assert (flat["coarseness"], flat["strength"]) == (1e6, 0)
    assert found["ngt_coarseness_2D"] > 1e5


def test_the_eighteen_statistics_of_one_to_five():
    found = statistics([1, 2, 3, 4, 5])
    assert found == pytest.approx({
        "stat_mean": 3, "stat_var": 2, "stat_skew": 0, "stat_kurt": 34 / 5 / 4 - 3, "stat_median": 3, "stat_min": 1,
        "stat_p10": 1, "stat_p90": 5, "stat_max": 5, "stat_iqr": 4 - 2, "stat_range": 4, "stat_mad": 6 / 5,
        "stat_rmad": 6 / 5, "stat_medad": 6 / 5, "stat_cov": math.sqrt(2) / 3, "stat_qcod": 2 / 6,
        "stat_energy": 55, "stat_rms": math.sqrt(11),
    })  # fmt: skip


def test_the_histogram_of_three_levels():
    """Counts 1, 3, 2: slopes 2, 1/2, -1."""
    found = histogram([1, 2, 2, 2, 3, 3], 3)
    assert (found["ih_max_grad"], found["ih_max_grad_g"]) == (2, 1)
    assert (found["ih_min_grad"], found["ih_min_grad_g"]) == (-1, 3)
    assert found["ih_mode"] == 2
    assert found["ih_uniformity"] == pytest.approx((1 + 9 + 4) / 36)
    assert len(found) == 23


def test_the_volume_histogram_of_four_values():
    """0, 10, 10, 20: three quarters reach a tenth of the range, one quarter nine tenths and the greatest value."""
    found = volume_histogram([0.0, 10.0, 10.0, 20.0])
    assert (found["ivh_v10"], found["ivh_v90"]) == (0.75, 0.25)
    assert found["ivh_diff_v10_v90"] == 0.5
    assert found["ivh_i90"] == 1  # the least grey level that at most nine tenths reach
    assert math.isnan(found["ivh_i10"])  # a quarter reaches even the greatest
    assert 0 < found["ivh_auc"] < 1


def test_a_cube_of_voxels_is_a_cube_with_its_corners_cut():
    mask = np.ones((4, 4, 4), dtype=bool)
    found = morphology(mask, mask, np.arange(64.0).reshape(4, 4, 4), (2.0, 2.0, 2.0))
    assert found["morph_vol_approx"] == 512
    assert found["morph_volume"] < 512
    assert found["morph_pca_elongation"] == found["morph_pca_flatness"] == pytest.approx(1)
    assert found["morph_pca_maj_axis"] == pytest.approx(4 * math.sqrt(64 / 63 * 5 / 4 * 4))
    assert found["morph_asphericity"] == pytest.approx(1 / found["morph_sphericity"] - 1)
    assert found["morph_sph_dispr"] == pytest.approx(1 / found["morph_sphericity"])
    assert found["morph_integ_int"] == pytest.approx(31.5 * found["morph_volume"])


def test_the_weighted_centroid_is_drawn_to_the_bright_end():
    mask = np.ones((1, 1, 3), dtype=bool)
    found = morphology(mask, mask, np.array([[[0.0, 0.0, 6.0]]]), (1.0, 1.0, 2.5))
    assert found["morph_com"] == pytest.approx(2.5)


def test_the_new_grid_of_a_part_is_that_of_the_whole():
    (places,) = positions([100], [2.5], [2.0])
    assert places.size == 125
    assert places.mean() == pytest.approx(49.5)
    image = np.add.outer(np.add.outer(np.arange(100.0) * 2.5, np.zeros(9)), np.zeros(9))
    mask = np.zeros(image.shape, dtype=bool)
    mask[40:44, 3:6, 3:6] = True
    chain = Settings((2.0, 1.0, 1.0), binning=Binning(n_bins=4))
    part = prepare(image[30:55], mask[30:55], (2.5, 1.0, 1.0), chain, whole=Whole((100, 9, 9), (30, 0, 0)))  # fmt: skip
    everything = prepare(image, mask, (2.5, 1.0, 1.0), chain)
    assert np.allclose(part.image, everything.image)
    assert np.array_equal(part.mask, everything.mask)
    slices = np.unique(part.image[part.mask].round(9))
    assert np.diff(slices) == pytest.approx(np.full(slices.size - 1, 2.0))


def test_a_margin_of_a_centimetre_and_a_voxel_is_kept():
    mask = np.zeros((50, 50, 50), dtype=bool)
    mask[20:22, 25, 30:33] = True
    assert reaches(mask, (2.0, 5.0, 1.0)) == [(14, 27), (22, 28), (19, 43)]
    kept = prepare(np.ones(mask.shape), mask, (2.0, 5.0, 1.0), Settings())
    assert kept.image.shape == (27 - 14 + 1, 28 - 22 + 1, 43 - 19 + 1)


def test_the_portals_settings_are_the_documented_ones():
    assert CT_DEFAULT.grid_mm == COUNTS_DEFAULT.grid_mm == (2.0, 2.0, 2.0)
    assert CT_DEFAULT.binning == Binning(width=25)
    assert CT_DEFAULT.rounds_to_whole
    assert COUNTS_DEFAULT.binning == Binning(n_bins=64)
    assert not COUNTS_DEFAULT.rounds_to_whole


@pytest.mark.parametrize(
    ("name", "grid", "interpolation", "range_", "outliers", "binning", "ivh"),
    [
        ("A", None, "linear", (-500, 400), False, Binning(width=25), Binning()),
        ("B", (None, 2, 2), "linear", (-500, 400), False, Binning(n_bins=32), Binning()),
        ("C", (2, 2, 2), "linear", (-1000, 400), False, Binning(width=25), Binning(width=2.5)),
        ("D", (2, 2, 2), "linear", None, True, Binning(n_bins=32), Binning()),
        ("E", (2, 2, 2), "cubic", (-1000, 400), True, Binning(n_bins=32), Binning(n_bins=1000)),
    ],
)
def test_the_published_configurations_are_those_of_the_manual(
    name, grid, interpolation, range_, outliers, binning, ivh
):
    chain = CONFIGURATIONS[name]
    assert (chain.grid_mm, chain.interpolation, chain.range_) == (grid, interpolation, range_)
    assert (chain.no_outliers, chain.binning, chain.ivh_binning) == (outliers, binning, ivh)
    assert chain.rounds_to_whole


def test_the_volume_histogram_takes_bin_centres_of_a_width_and_numbers_of_bins():
    image, mask = np.array([[[-10.0, 0.0, 4.9, 5.0]]]), np.ones((1, 1, 4), dtype=bool)
    levels, _ = discretised(image, mask, Binning(width=5))
    wide = Settings(binning=Binning(width=5), ivh_binning=Binning(width=5))
    values, step = ivh_values(image, mask, levels, wide, lower=None)
    assert (values[mask].tolist(), step) == ([-7.5, 2.5, 2.5, 7.5], 5)
    many = Settings(binning=Binning(width=5), ivh_binning=Binning(n_bins=3))
    values, step = ivh_values(image, mask, levels, many, lower=None)
    assert (values[mask].tolist(), step) == ([1, 3, 3, 3], 1)
    bare = Settings(binning=Binning(width=5))
    assert ivh_values(np.rint(image), mask, levels, bare, lower=None)[0].tolist() == [[[-10, 0, 5, 5]]]  # fmt: skip


def test_distance_zones_use_the_mask_before_re_segmentation():
    """A block of 5 x 5 x 5 whose rim is re-segmented away: the one voxel left lies three from the border."""
    mask = np.ones((5, 5, 5), dtype=bool)
    kept = np.zeros_like(mask)
    kept[2, 2, 2] = True
    image = np.ones(mask.shape)
    found = measure(image, mask, (1.0, 1.0, 1.0), levels=kept.astype(int), intensity_mask=kept).values  # fmt: skip
    assert found["dzm_lde_3D"] == 9
    assert found["szm_lze_3D"] == 1
    assert found["morph_vol_approx"] == 125


def test_reasons_are_given_to_what_is_undefined_only():
    nan = math.nan
    given = {"cm_joint_max_3D_avg": nan, "cm_corr_3D_avg": nan, "cm_joint_max_2D_avg": 0.5, "cm_corr_2D_avg": nan,
             "rlm_sre_3D_avg": 1.0, "ngt_contrast_2D": nan, "ivh_i10": nan, "ivh_auc": nan, "stat_skew": nan}  # fmt: skip
    assert reasons_of(given) == {
        "cm_joint_max_3D_avg": "no_pairs", "cm_corr_3D_avg": "no_pairs", "cm_corr_2D_avg": "zero_variance",
        "ngt_contrast_2D": "no_neighbours", "ivh_i10": "not_reached", "ivh_auc": "zero_variance",
        "stat_skew": "zero_variance",
    }  # fmt: skip
