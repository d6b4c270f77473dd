"""What must hold of every region: nothing outside matters, moving and mirroring change nothing, each NaN has a reason."""

import math
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomics.ibsi import MAX_DISTANCE, measure, texture
from radiomics.ibsi.intensity import statistics
from radiomics.ibsi.local import local_intensity
from radiomics.ibsi.morphology import autocorrelation, morphology
from radiomics.ibsi.processing import CT_DEFAULT, MARGIN_MM, Binning, Settings, Whole, compute
from radiomics.ibsi.region import region_of

FEW = settings(max_examples=12, deadline=None)
TEXTURE = {"cm", "rlm", "szm", "dzm", "ngt", "ngl"}
UNIT = (2.0, 1.0, 1.0)


@st.composite
def regions(draw):
    """Levels and a ragged mask with at least one voxel."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = tuple(draw(st.integers(1, n)) for n in (3, 6, 6))
    levels = rng.integers(1, draw(st.integers(1, 6)) + 1, shape)
    mask = rng.random(shape) < draw(st.sampled_from([0.2, 0.7, 1.0]))
    mask.ravel()[rng.integers(mask.size)] = True
    return levels, mask


def of(levels, mask, **more):
    return measure(levels, mask, UNIT, levels=np.where(mask, levels, 0), **more)


def close(one, two, tags=None):
    """The tags whose values differ."""
    return [
        t for t in (tags or one)
        if not (math.isnan(one[t]) and math.isnan(two[t])) and not math.isclose(one[t], two[t], rel_tol=1e-9, abs_tol=1e-9)
    ]  # fmt: skip


@FEW
@given(regions())
def test_a_voxel_outside_changes_nothing_but_the_local_peaks(region):
    levels, mask = region
    spoilt = np.where(mask, levels.astype(float), 1e9)
    one, two = of(levels, mask).values, of(spoilt, mask).values
    assert close(one, two, [t for t in one if not t.startswith("loc_")]) == []


@FEW
@given(regions(), st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 3)))
def test_moving_the_region_in_a_larger_image_changes_nothing_but_the_peaks(region, by):
    levels, mask = region
    pad = [(n, 2) for n in by]
    one, two = of(levels, mask).values, of(np.pad(levels, pad), np.pad(mask, pad)).values
    assert close(one, two, [t for t in one if not t.startswith("loc_")]) == []


@FEW
@given(regions(), st.sampled_from([0, 1, 2]))
def test_mirroring_along_an_axis_changes_only_what_has_single_directions(region, axis):
    """Averages over all directions stay, and so does everything without a direction; the peaks as well."""
    levels, mask = region
    one = of(levels, mask).values
    two = of(np.flip(levels, axis), np.flip(mask, axis)).values
    # a mesh is triangulated from one corner: its ambiguous cubes are not mirrored with it
    mesh = {t for t in one if t.startswith("morph_")} - {"morph_vol_approx", "morph_pca_maj_axis"}
    assert close(one, two, [t for t in one if t not in mesh]) == []


@FEW
@given(regions())
def test_exchanging_rows_and_columns_changes_no_texture(region):
    levels, mask = region
    one, two = (
        texture(region_of(x, m), m)
        for x, m in ((levels, mask), (levels.swapaxes(1, 2), mask.swapaxes(1, 2)))
    )
    assert close(one, two) == []


@FEW
@given(regions())
def test_every_undefined_value_has_a_reason_and_no_other_has(region):
    found = of(*region)
    undefined = {t for t, v in found.values.items() if math.isnan(v)}
    missing = {t for t, why in found.reasons.items() if why == "not implemented"}
    assert undefined == set(found.reasons) - missing
    assert len(missing) == 4
    assert "undefined" not in found.reasons.values()
    assert not any(math.isinf(v) for v in found.values.values())


@FEW
@given(regions(), st.integers(2, 5))
def test_a_longer_distance_adds_150_tags_and_changes_no_other(region, distance):
    levels, mask = region
    one, two = of(levels, mask).values, of(levels, mask, distances=(1, distance)).values
    assert close(one, two) == []
    added = set(two) - set(one)
    assert len(added) == 150
    assert all(f"_d{distance}_" in tag for tag in added)


@FEW
@given(regions())
def test_the_bounds_of_the_matrices_hold(region):
    values = of(*region).values
    for tag, value in values.items():
        if math.isnan(value):
            continue
        if "energy" in tag and tag.startswith("cm_"):
            assert 0 < value <= 1 + 1e-12
        if tag.split("_")[1] in {"sre", "sze", "sde", "lde"} and not tag.startswith("dzm_lde"):
            assert 0 < value <= 1 + 1e-12, tag
        if tag.endswith("glnu_norm_3D") or "entr" in tag:
            assert value >= -1e-12, tag


def test_a_single_voxel_says_why_it_has_no_texture():
    found = of(np.array([[[3]]]), np.array([[[True]]]))
    assert found.reasons["cm_energy_3D_avg"] == "no_pairs"
    assert found.reasons["cm_corr_2D_comb"] == "no_pairs"
    assert found.reasons["ngt_coarseness_3D"] == "no_neighbours"
    assert found.reasons["stat_skew"] == "zero_variance"
    assert found.reasons["morph_pca_maj_axis"] == "no_extent"
    assert found.reasons["ivh_v10"] == "not_reached"
    assert found.values["stat_mean"] == 3
    assert found.values["rlm_sre_3D_comb"] == 1


def test_one_level_has_pairs_but_no_correlation():
    found = of(np.full((2, 3, 3), 2), np.ones((2, 3, 3), dtype=bool))
    assert found.values["cm_energy_3D_avg"] == 1
    assert found.values["cm_joint_entr_3D_avg"] == 0
    assert found.reasons["cm_corr_3D_avg"] == "zero_variance"
    assert found.reasons["cm_info_corr1_3D_avg"] == "zero_variance"
    assert found.reasons["morph_moran_i"] == "zero_variance"


@pytest.mark.parametrize("value", [0.1, 0.7, 1e-200, 123456.789])
def test_equal_values_are_constant_however_their_sum_rounds(value):
    found = statistics([value] * 7)
    assert found["stat_mean"] == value
    assert (found["stat_var"], found["stat_mad"], found["stat_rmad"], found["stat_medad"]) == (0, 0, 0, 0)  # fmt: skip
    assert math.isnan(found["stat_skew"])
    mask = np.ones((1, 1, 7), dtype=bool)
    assert math.isnan(morphology(mask, mask, np.full((1, 1, 7), value), UNIT)["morph_moran_i"])


def test_values_whose_mean_or_quartiles_cancel_say_so():
    image = np.array([[[-2.0, -1.0, 1.0, 2.0]]])
    mask = np.ones(image.shape, dtype=bool)
    found = measure(image, mask, UNIT, levels=np.array([[[1, 2, 3, 4]]]))
    assert found.reasons["stat_cov"] == "zero_sum"
    assert found.reasons["morph_com"] == "zero_sum"


def test_a_peak_that_meets_nan_outside_says_so():
    image = np.array([[[1.0, 2.0, np.nan]]])
    mask = np.array([[[True, True, False]]])
    found = measure(image, mask, UNIT, levels=np.array([[[1, 2, 0]]]))
    assert found.reasons["loc_peak_loc"] == "not_finite_around"
    assert found.values["stat_max"] == 2


@pytest.mark.parametrize("distances", [(), (0,), (1, 1), (1.0,), (True,), (MAX_DISTANCE + 1,)])
def test_impossible_distances_are_refused(distances):
    with pytest.raises(ValueError, match="different whole numbers from 1 to 32"):
        of(np.ones((1, 2, 2), dtype=int), np.ones((1, 2, 2), dtype=bool), distances=distances)


def test_a_value_whose_fourth_power_overflows_is_refused():
    image = np.full((1, 2, 2), 1e61)
    with pytest.raises(ValueError, match="must not exceed 1e"):
        measure(image, np.ones((1, 2, 2), dtype=bool), UNIT, levels=np.ones((1, 2, 2)))


def test_pairs_farther_apart_than_the_region_do_not_exist():
    found = of(np.array([[[1, 2, 1]]]), np.ones((1, 1, 3), dtype=bool), distances=(1, 2, 3))
    assert found.values["cm_contrast_3D_comb"] == 1
    assert found.values["cm_contrast_d2_3D_comb"] == 0
    assert found.reasons["cm_contrast_d3_3D_comb"] == "no_pairs"


def test_threads_give_the_same_bits_as_one():
    rng = np.random.default_rng(1)
    given = [(rng.integers(1, 6, (3, 8, 8)), rng.random((3, 8, 8)) < 0.8) for _ in range(6)]
    alone = [str(dict(of(*g).values)) for g in given]
    with ThreadPoolExecutor(4) as pool:
        assert [str(dict(f.values)) for f in pool.map(lambda g: of(*g), given)] == alone


def peak_mb(task) -> float:
    tracemalloc.start()
    task()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def test_moran_and_geary_of_many_voxels_stay_within_200_mb():
    """The blocks hold two million distances, whatever the number of voxels: 6,000 voxels fill them."""
    rng = np.random.default_rng(1)
    places, values = rng.normal(size=(6_000, 3)), rng.normal(size=6_000)
    assert peak_mb(lambda: autocorrelation(places, values)) < 200


def test_local_peaks_of_a_fine_grid_stay_within_200_mb():
    image = np.random.default_rng(1).normal(size=(30, 30, 30))
    mask = np.zeros(image.shape, dtype=bool)
    mask[10:20, 10:20, 10:20] = True
    assert peak_mb(lambda: local_intensity(image, mask, (0.8, 0.8, 0.8))) < 200


@pytest.fixture(scope="module")
def scan():
    """A lesion of 6 mm about the middle of a larger scan, HU."""
    rng = np.random.default_rng(8)
    image = rng.normal(60, 50, (14, 60, 52))
    z, y, x = np.meshgrid(np.arange(14) * 3.0, np.arange(60.0), np.arange(52.0), indexing="ij")
    return image, (z - 21) ** 2 + (y - 27) ** 2 + (x - 25) ** 2 <= 36


@pytest.mark.parametrize("chain", [CT_DEFAULT, Settings(binning=Binning(width=25))])
def test_a_part_of_an_image_gives_the_values_of_the_whole(scan, chain):
    image, mask = scan
    spacing = (3.0, 1.0, 1.0)
    box = (slice(0, 14), slice(6, 47), slice(3, 50))
    part = Whole(image.shape, (0, 6, 3))
    one = compute(image, mask, spacing, chain)
    two = compute(image[box], mask[box], spacing, chain, whole=part)
    # places on the grid differ in the last bit, so a whole HU may tip over only on an exact half
    assert close(one.values, two.values) == []


def test_the_grid_is_the_whole_images_wherever_the_region_lies(scan):
    """Without the whole, a part is centred on itself and the values are others: the place of the grid matters."""
    image, mask = scan
    box = (slice(0, 14), slice(6, 47), slice(3, 50))
    one = compute(image, mask, (3.0, 1.0, 1.0), CT_DEFAULT).values
    two = compute(image[box], mask[box], (3.0, 1.0, 1.0), CT_DEFAULT).values
    assert close(one, two) != []
    assert MARGIN_MM > 6.2035
