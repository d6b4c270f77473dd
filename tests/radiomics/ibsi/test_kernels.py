"""Kernels on arrays that can be counted by hand, and identities that hold for every region."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomics.ibsi import texture
from radiomics.ibsi.aggregation import Counts, mean_of, merged
from radiomics.ibsi.co_occurrence import describe, pairs
from radiomics.ibsi.intensity import histogram, statistics, volume_histogram
from radiomics.ibsi.local import RADIUS_MM, local_intensity, sphere
from radiomics.ibsi.morphology import area_of_ellipsoid, morphology
from radiomics.ibsi.neighbours import dependences, describe_tones, tones
from radiomics.ibsi.region import AROUND, IN_SLICE, all_around, region_of
from radiomics.ibsi.run_length import runs
from radiomics.ibsi.sizes import NAMES, size_features
from radiomics.ibsi.zones import border_distance, slice_distance, zones

ROW = np.array([[[1, 1, 2, 2, 2, 1]]])
EVERY = np.ones_like(ROW, dtype=bool)


def whole(levels, **more):
    levels = np.asarray(levels)
    return region_of(levels, np.ones(levels.shape, dtype=bool), **more)


def test_there_are_13_directions_in_space_and_4_in_a_slice_none_twice():
    assert (len(AROUND), len(IN_SLICE)) == (13, 4)
    assert len(set(all_around(AROUND))) == 26
    assert len(set(all_around(IN_SLICE))) == 8


def test_pairs_of_a_row_are_counted_both_ways():
    table = pairs(whole(ROW), (0, 0, 1)).table
    assert table.tolist() == [[2, 2], [2, 4]]


def test_pairs_never_wrap_from_one_row_to_the_next():
    levels = [[[1, 2], [3, 4]]]
    table = pairs(whole(levels), (0, 0, 1)).table
    assert table[0, 1] == table[2, 3] == 1
    assert table[1, 2] == 0


def test_a_pair_needs_both_ends_in_the_region():
    mask = np.array([[[True, True, False, True, True, True]]])
    assert pairs(region_of(ROW, mask), (0, 0, 1)).table.sum() == 2 * 3


def test_runs_of_a_row_are_two_one_and_three_long():
    table = runs(whole(ROW), (0, 0, 1)).table
    assert table.tolist() == [[1, 1, 0], [0, 0, 1]]


def test_runs_across_the_row_are_single_voxels():
    assert runs(whole(ROW), (0, 1, 0)).table.tolist() == [[3], [3]]


def test_a_hole_in_the_region_ends_a_run():
    mask = np.array([[[True, True, True, False, True, True]]])
    assert runs(region_of(np.ones_like(ROW), mask), (0, 0, 1)).table.tolist() == [[0, 1, 1]]


def test_zones_touch_at_corners_and_are_told_apart_by_level():
    levels = np.array([[[1, 2], [2, 1]]])
    found = zones(levels, np.ones_like(levels))
    assert found.size.tolist() == [2, 2]
    assert found.level.tolist() == [1, 2]


def test_distance_counts_in_city_blocks_from_the_border_and_the_images_edge():
    mask = np.ones((5, 5, 5), dtype=bool)
    distance = border_distance(mask)
    assert distance[2, 2, 2] == 3
    assert distance[0, 2, 2] == distance[2, 2, 4] == 1
    assert slice_distance(mask)[0, 2, 2] == 3
    mask[2, 2, 3] = False
    assert border_distance(mask)[2, 2, 2] == 1


def test_a_zone_lies_as_near_as_its_nearest_voxel():
    levels = np.full((5, 5, 5), 1)
    levels[2, 2, 2] = 2
    found = zones(levels, border_distance(np.ones((5, 5, 5), dtype=bool)))
    assert dict(zip(found.level.tolist(), found.distance.tolist(), strict=True)) == {1: 1, 2: 3}


def test_dependence_counts_the_voxel_and_its_equals_around_it():
    table = dependences(whole(ROW), AROUND).table
    # ends of runs have one equal neighbour, the middle of three has two, the last voxel none
    assert table.tolist() == [[1, 2, 0], [0, 2, 1]]


def test_tone_differences_of_a_row():
    tone = tones(whole(ROW), AROUND)
    assert tone.n.tolist() == [3, 3]
    # 1: |1 - 1|, |1 - 1.5|, |1 - 2|; 2: |2 - 1.5|, 0, |2 - 1.5|
    assert tone.s.tolist() == [1.5, 1.0]


def test_one_level_has_no_contrast_no_busyness_and_the_greatest_coarseness():
    found = describe_tones(tones(whole(np.ones((1, 3, 3), dtype=int)), AROUND))
    assert found == {
        "coarseness": 1e6,
        "contrast": 0,
        "busyness": 0,
        "complexity": 0,
        "strength": 0,
    }


def test_a_single_voxel_has_no_pair_and_no_neighbour():
    region = whole([[[3]]])
    assert all(math.isnan(v) for v in describe(pairs(region, (0, 0, 1))).values())
    assert all(math.isnan(v) for v in describe_tones(tones(region, AROUND)).values())


def test_sizes_of_one_thing_of_level_2_and_size_3():
    table = np.zeros((2, 3))
    table[1, 2] = 1
    found = dict(zip(NAMES["rlm"], size_features(Counts(table, 3)), strict=False))
    assert found == pytest.approx({
        "sre": 1 / 9, "lre": 9, "lgre": 1 / 4, "hgre": 4, "srlge": 1 / 36, "srhge": 4 / 9, "lrlge": 9 / 4,
        "lrhge": 36, "glnu": 1, "glnu_norm": 1, "rlnu": 1, "rlnu_norm": 1, "r_perc": 1 / 3, "gl_var": 0,
        "rl_var": 0, "rl_entr": 0,
    })  # fmt: skip


def test_tables_of_different_width_are_merged():
    total = merged([Counts(np.ones((2, 1)), 2), Counts(np.ones((2, 3)), 6)])
    assert total.table.tolist() == [[2, 1, 1], [2, 1, 1]]
    assert total.n_voxels == 8


def test_an_undefined_value_is_left_out_of_the_mean():
    found = mean_of(
        [{"a": 1.0, "b": math.nan}, {"a": math.nan, "b": math.nan}, {"a": 3.0, "b": math.nan}]
    )
    assert found["a"] == 2
    assert math.isnan(found["b"])


def test_ranks_are_values_that_occur():
    found = statistics([1.0, 2.0, 3.0, 4.0])
    assert (found["stat_p10"], found["stat_p90"]) == (1, 4)
    assert found["stat_iqr"] == 3 - 1
    assert found["stat_median"] == 2.5


def test_statistics_of_equal_values_have_no_shape():
    found = statistics([7.0, 7.0, 7.0])
    assert (found["stat_var"], found["stat_mad"], found["stat_cov"]) == (0, 0, 0)
    assert math.isnan(found["stat_skew"])
    assert math.isnan(found["stat_kurt"])


def test_the_mode_of_a_tie_is_the_level_nearest_the_mean():
    assert histogram([1, 1, 1, 4, 5, 5, 5, 6], 6)["ih_mode"] == 5
    assert histogram([1, 1, 2, 2, 9], 9)["ih_mode"] == 2


def test_the_gradient_of_counts_is_one_sided_at_the_ends():
    found = histogram([1, 2, 2, 3, 3, 3], 3)  # counts 1, 2, 3
    assert (found["ih_max_grad"], found["ih_max_grad_g"]) == (1, 1)
    assert math.isnan(histogram([1, 1], 1)["ih_max_grad"])


def test_a_ramp_has_the_volume_histogram_of_a_ramp():
    found = volume_histogram(np.arange(1, 11))
    assert found["ivh_v10"] == pytest.approx(0.9)  # level 2 is the first at a tenth of the range
    assert found["ivh_i10"] == 10
    assert found["ivh_diff_i10_i90"] == found["ivh_i10"] - found["ivh_i90"]


def test_the_sphere_holds_one_cubic_centimetre():
    assert 4 / 3 * math.pi * RADIUS_MM**3 == pytest.approx(1000)
    assert pytest.approx(6.2035, abs=5e-5) == RADIUS_MM
    assert sphere((0.5, 0.5, 0.5)).shape[0] * 0.125 == pytest.approx(1000, rel=0.02)
    assert sphere((20.0, 20.0, 20.0)).tolist() == [[0, 0, 0]]


def test_a_peak_counts_voxels_outside_the_region_and_none_beyond_the_image():
    image = np.zeros((3, 3, 3))
    image[1, 1, 1], image[1, 1, 2] = 4, 8
    mask = np.zeros((3, 3, 3), dtype=bool)
    mask[1, 1, 1] = True
    found = local_intensity(image, mask, (6.0, 6.0, 6.0))  # the voxel and its six neighbours
    assert found["loc_peak_loc"] == pytest.approx(12 / 7)
    corner = np.zeros((3, 3, 3), dtype=bool)
    corner[0, 0, 0] = True
    assert local_intensity(np.ones((3, 3, 3)), corner, (6.0, 6.0, 6.0))["loc_peak_loc"] == 1


@pytest.mark.parametrize("radius_mm", [8.0, 12.0])
def test_a_ball_has_nearly_the_shape_of_a_ball(radius_mm):
    axis = np.arange(-15, 16)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    mask = z**2 + y**2 + x**2 <= radius_mm**2
    found = morphology(mask, mask, np.ones(mask.shape), (1.0, 1.0, 1.0))
    assert found["morph_volume"] == pytest.approx(4 / 3 * math.pi * radius_mm**3, rel=0.03)
    assert found["morph_diam"] == pytest.approx(2 * radius_mm + 1, abs=1)
    assert found["morph_pca_maj_axis"] == pytest.approx(4 / math.sqrt(5) * radius_mm, rel=0.03)
    assert found["morph_pca_elongation"] == pytest.approx(1)
    assert found["morph_com"] == pytest.approx(0, abs=1e-9)
    assert 0.9 < found["morph_sphericity"] < 1


def test_a_box_of_voxels_has_the_volume_of_its_spacing():
    mask = np.ones((2, 3, 4), dtype=bool)
    found = morphology(mask, mask, np.arange(24.0).reshape(2, 3, 4), (5.0, 2.0, 1.0))
    assert found["morph_vol_approx"] == 24 * 10
    assert found["morph_vol_dens_conv_hull"] == pytest.approx(1)


def test_the_series_gives_the_surface_of_a_sphere_and_the_manuals_of_a_spheroid():
    assert area_of_ellipsoid(3, 3, 3) == pytest.approx(4 * math.pi * 9)
    # b = c: both parameters are e, all polynomials 1, and the series is that of an oblate spheroid over a b
    a, c = 2.0, 1.0
    e = math.sqrt(1 - c**2 / a**2)
    oblate = 2 * math.pi * a**2 * (1 + (1 - e**2) / e * math.atanh(e))
    assert area_of_ellipsoid(a, c, c) / (a * c) == pytest.approx(oblate / a**2, rel=1e-3)


def test_an_ellipsoid_without_volume_has_no_surface():
    assert math.isnan(area_of_ellipsoid(2, 1, 0))
    assert math.isnan(area_of_ellipsoid(2, math.nan, math.nan))


def test_equal_intensities_have_no_autocorrelation():
    mask = np.ones((2, 2, 2), dtype=bool)
    found = morphology(mask, mask, np.full(mask.shape, 5.0), (1.0, 1.0, 1.0))
    assert math.isnan(found["morph_moran_i"])
    assert math.isnan(found["morph_geary_c"])


def test_autocorrelation_of_two_voxels_by_hand():
    mask = np.ones((1, 1, 2), dtype=bool)
    found = morphology(mask, mask, np.array([[[0.0, 2.0]]]), (1.0, 1.0, 4.0))
    assert found["morph_moran_i"] == pytest.approx(-1)  # 2/(2 w) * (-2 w)/2
    assert found["morph_geary_c"] == pytest.approx(1)  # 1/(4 w) * (8 w)/2


regions = st.tuples(
    st.integers(1, 3), st.integers(1, 5), st.integers(2, 5), st.integers(1, 6), st.integers(0, 2**32 - 1)
)  # fmt: skip


def random_region(drawn):
    slices, rows, columns, n_levels, seed = drawn
    rng = np.random.default_rng(seed)
    levels = rng.integers(1, n_levels + 1, (slices, rows, columns))
    mask = rng.random(levels.shape) < 0.8
    mask.ravel()[rng.integers(mask.size)] = True
    return levels, mask


@settings(max_examples=60, deadline=None)
@given(regions)
def test_every_voxel_lies_in_one_run_per_direction_and_in_one_zone(drawn):
    levels, mask = random_region(drawn)
    region = region_of(levels, mask)
    for step in AROUND:
        table = runs(region, step).table
        assert (table * np.arange(1, table.shape[1] + 1)).sum() == mask.sum()
    found = zones(region.levels(), border_distance(mask))
    assert found.size.sum() == mask.sum()
    assert found.distance.min() == 1


@settings(max_examples=60, deadline=None)
@given(regions)
def test_pairs_equal_those_counted_one_by_one(drawn):
    levels, mask = random_region(drawn)
    region = region_of(levels, mask)
    for step in AROUND:
        wanted = np.zeros((region.n_levels,) * 2)
        for place in itertools.product(*(range(n) for n in levels.shape)):
            other = tuple(np.add(place, step))
            if not all(0 <= o < n for o, n in zip(other, levels.shape, strict=True)):
                continue
            if mask[place] and mask[other]:
                wanted[levels[place] - 1, levels[other] - 1] += 1
                wanted[levels[other] - 1, levels[place] - 1] += 1
        assert np.array_equal(pairs(region, step).table, wanted)


@settings(max_examples=40, deadline=None)
@given(regions)
def test_voxels_outside_the_region_and_mirroring_change_no_texture(drawn):
    levels, mask = random_region(drawn)
    before = texture(region_of(levels, mask), mask)
    spoilt = np.where(mask, levels, 99)
    assert str(texture(region_of(spoilt, mask), mask)) == str(before)
    mirrored = texture(
        region_of(levels[::-1, ::-1, ::-1], mask[::-1, ::-1, ::-1]), mask[::-1, ::-1, ::-1]
    )
    for tag, value in before.items():
        assert mirrored[tag] == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(regions)
def test_no_value_is_infinite(drawn):
    levels, mask = random_region(drawn)
    assert not any(math.isinf(v) for v in texture(region_of(levels, mask), mask).values())


@pytest.mark.parametrize(
    ("levels", "mask", "sentence"),
    [
        (np.ones((2, 2)), np.ones((2, 2)), "share a shape"),
        (np.ones((1, 2, 2)), np.ones((1, 2, 3)), "share a shape"),
        (np.ones((1, 2, 2)), np.zeros((1, 2, 2)), "at least one voxel"),
        (np.zeros((1, 2, 2)), np.ones((1, 2, 2)), "whole numbers from 1"),
        (np.full((1, 2, 2), 1.5), np.ones((1, 2, 2)), "whole numbers from 1"),
    ],
)
def test_what_is_no_region_is_refused(levels, mask, sentence):
    with pytest.raises(ValueError, match=sentence):
        region_of(levels, mask)


def test_fewer_levels_than_occur_are_refused():
    with pytest.raises(ValueError, match="at least the highest level 2, got 1"):
        region_of(ROW, EVERY, n_levels=1)
