"""The chain: grid on grid, re-segmentation, bins, and the published configurations on any volume."""

import math
from pathlib import Path

import numpy as np
import pytest

from radiomics.ibsi import measure
from radiomics.ibsi.compliance import Line, report
from radiomics.ibsi.processing import (
    CONFIGURATIONS,
    COUNTS_DEFAULT,
    CT_DEFAULT,
    Binning,
    Settings,
    compute,
    discretised,
    positions,
    prepare,
    resegmented,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "features"
PAGE = Path(__file__).parents[3] / "docs" / "ibsi.md"
SPACING = (3.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def lesion():
    """A ball in soft tissue with noise, HU, slices 3 mm apart."""
    rng = np.random.default_rng(4)
    z, y, x = np.meshgrid(np.arange(9) * 3.0, np.arange(24.0), np.arange(24.0), indexing="ij")
    mask = (z - 12) ** 2 + (y - 11.5) ** 2 + (x - 11.5) ** 2 <= 9**2
    return np.where(mask, 120.0, 30.0) + rng.normal(0, 40, mask.shape), mask


def test_the_new_grid_lies_centre_on_centre_and_covers_the_old():
    (places,) = positions([5], [3.0], [2.0])
    assert places.size == math.ceil(5 * 3 / 2) == 8
    assert places.mean() == pytest.approx(2.0)
    assert np.diff(places) == pytest.approx(2 / 3)


def test_the_same_grid_changes_nothing(lesion):
    image, mask = lesion
    same = prepare(image, mask, SPACING, Settings(SPACING, binning=Binning(n_bins=8)))
    bare = prepare(image, mask, SPACING, Settings(binning=Binning(n_bins=8)))
    assert np.allclose(same.image, bare.image)
    assert np.array_equal(same.mask, bare.mask)
    assert np.array_equal(same.levels, bare.levels)


def test_a_plane_of_intensity_is_kept_by_linear_and_cubic_interpolation():
    z, y, x = np.meshgrid(*[np.arange(20.0)] * 3, indexing="ij")
    image, mask = 2 * z + 3 * y - x + 50, np.zeros((20, 20, 20), dtype=bool)
    mask[8:12, 8:12, 8:12] = True
    for how in ("linear", "cubic"):
        found = prepare(
            image, mask, (1.0, 1.0, 1.0), Settings((0.5, 0.5, 0.5), how, binning=Binning(n_bins=4))
        )
        places = positions((20, 20, 20), (1.0,) * 3, (0.5,) * 3)
        zz, yy, xx = np.meshgrid(*places, indexing="ij")
        inner = found.mask
        assert np.allclose(found.image[inner], (2 * zz + 3 * yy - xx + 50)[inner], atol=1e-3)


def test_slices_are_kept_where_only_the_plane_is_interpolated(lesion):
    found = prepare(*lesion, SPACING, CONFIGURATIONS["B"])
    assert found.image.shape == (9, 12, 12)
    assert found.spacing_mm == (3.0, 2.0, 2.0)


def test_volume_survives_interpolation(lesion):
    image, mask = lesion
    found = prepare(image, mask, SPACING, Settings((1.5, 1.0, 1.0), binning=Binning(n_bins=8)))
    assert found.mask.sum() * 1.5 == pytest.approx(mask.sum() * 3.0, rel=0.08)


def test_hounsfield_units_are_whole_after_interpolation(lesion):
    found = prepare(*lesion, SPACING, CT_DEFAULT)
    assert np.array_equal(found.image, np.rint(found.image))


def test_the_range_narrows_the_intensity_mask_and_leaves_the_shape(lesion):
    image, mask = lesion
    found = prepare(image, mask, SPACING, Settings(range_=(60.0, 180.0), binning=Binning(width=25)))
    inside = image[found.intensity_mask]
    assert np.array_equal(found.mask, mask)
    assert found.intensity_mask.sum() < mask.sum()
    assert inside.min() >= 60
    assert inside.max() <= 180


def test_outliers_are_those_beyond_three_deviations_of_the_whole_mask():
    image = np.zeros((1, 1, 100))
    image[0, 0, 0], image[0, 0, 1] = 1000.0, -1000.0
    image[0, 0, 2] = 300.0
    mask = np.ones(image.shape, dtype=bool)
    kept = resegmented(image, mask, Settings(no_outliers=True))
    assert (~kept).sum() == 2
    both = resegmented(image, mask, Settings(no_outliers=True, range_=(-500.0, 200.0)))
    assert (~both).sum() == 3


@pytest.mark.parametrize(
    ("values", "n_bins", "levels"),
    [([0, 1, 2, 3, 4], 2, [1, 1, 2, 2, 2]), ([0, 10], 4, [1, 4]), ([5, 5], 4, [1, 1]), ([0, 1, 2, 3], 1, [1] * 4)],
)  # fmt: skip
def test_a_fixed_number_of_bins_puts_the_maximum_into_the_last(values, n_bins, levels):
    image = np.array([[values]], dtype=float)
    found, n = discretised(image, np.ones(image.shape, dtype=bool), Binning(n_bins=n_bins))
    assert found.ravel().tolist() == levels
    assert n == n_bins


@pytest.mark.parametrize(("lower", "levels"), [(None, [1, 1, 2, 3]), (-50.0, [3, 3, 4, 5])])
def test_a_fixed_width_begins_at_the_range_or_at_the_least_value(lower, levels):
    image = np.array([[[0.0, 24.9, 25.0, 51.0]]])
    found, n = discretised(image, np.ones(image.shape, dtype=bool), Binning(width=25), lower=lower)
    assert found.ravel().tolist() == levels
    assert n == levels[-1]


@pytest.mark.parametrize("name", sorted(CONFIGURATIONS))
def test_every_published_configuration_runs_and_defines_every_value(lesion, name):
    found = compute(*lesion, SPACING, CONFIGURATIONS[name])
    assert len(found.values) == 483
    undefined = [t for t, why in found.reasons.items() if why == "not_reached"]
    assert undefined in ([], ["ivh_i10"], ["ivh_i90"]), undefined


def test_counts_take_64_bins(lesion):
    image, mask = lesion
    assert prepare(image.clip(0), mask, SPACING, COUNTS_DEFAULT).n_levels == 64


def test_shape_does_not_depend_on_the_intensities(lesion):
    image, mask = lesion
    one = compute(image, mask, SPACING, CT_DEFAULT).values
    two = compute(image * 2 + 7, mask, SPACING, CT_DEFAULT).values
    for tag in ("morph_volume", "morph_area_mesh", "morph_diam", "morph_pca_flatness"):
        assert one[tag] == two[tag]


def test_texture_by_a_number_of_bins_survives_a_linear_change_of_units(lesion):
    image, mask = lesion
    chain = Settings(binning=Binning(n_bins=16))
    whole = np.rint(image)
    one, two = (compute(i, mask, SPACING, chain).values for i in (whole, 4 * whole + 8))
    for tag in one:
        if tag.split("_")[0] in {"cm", "rlm", "szm", "dzm", "ngt", "ngl"}:
            assert two[tag] == pytest.approx(one[tag], nan_ok=True), tag


def test_the_arguments_are_left_as_they_were(lesion):
    image, mask = (a.copy() for a in lesion)
    compute(image, mask, SPACING, CONFIGURATIONS["E"])
    assert np.array_equal(image, lesion[0])
    assert np.array_equal(mask, lesion[1])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"n_bins": 4, "width": 2.0}, "got both"),
        ({"n_bins": 0}, "at least 1, got 0"),
        ({"width": 0.0}, "must be positive"),
        ({"width": -1.0}, "must be positive"),
    ],
)
def test_an_impossible_binning_is_refused(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        Binning(**given)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"interpolation": "nearest"}, "one of linear, cubic"),
        ({"range_": (5.0, 5.0)}, r"\(lower, upper\)"),
        ({"grid_mm": (0.0, 1.0, 1.0)}, "positive spacings"),
    ],
)
def test_impossible_settings_are_refused(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        Settings(**given)


BALL = np.zeros((3, 3, 3), dtype=bool)
BALL[1] = True


@pytest.mark.parametrize(
    ("image", "mask", "spacing", "chain", "sentence"),
    [
        (np.ones((3, 3)), BALL, (1, 1, 1), Settings(), "share a shape"),
        (np.ones((3, 3, 3)), BALL, (1, 0, 1), Settings(), "three positive numbers"),
        (np.ones((3, 3, 3)), BALL, (1, 1, math.nan), Settings(), "three positive numbers"),
        (np.ones((3, 3, 3)), ~BALL & BALL, (1, 1, 1), Settings(), "at least one"),
        (np.full((3, 3, 3), np.nan), BALL, (1, 1, 1), Settings(), "finite inside the mask"),
        (np.ones((3, 3, 3)), BALL, (1, 1, 1), Settings(range_=(5.0, 6.0)), "after re-segmentation"),
        (np.full((3, 3, 3), 0.5), BALL, (1, 1, 1), Settings(), "whole numbers from 1"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_its_reason(image, mask, spacing, chain, sentence):
    with pytest.raises(ValueError, match=sentence):
        compute(image, mask, spacing, chain)


def test_values_outside_the_mask_may_be_nan_where_no_peak_reaches_them():
    image = np.where(BALL, np.arange(27.0).reshape(3, 3, 3) + 1, np.nan)
    found = measure(image, BALL, (20.0, 20.0, 20.0), levels=np.where(BALL, image, 0).astype(int))
    assert found.values["stat_mean"] == np.nanmean(image)


@pytest.mark.parametrize(
    ("reference", "tolerance", "found", "within"),
    [(2.15, 0, 2.149, True), (2.15, 0, 2.144, False), (556, 4, 559.9, True), (556, 4, 561, False),
     (None, 0, 3.0, None), (1.0, 0, None, False)],
)  # fmt: skip
def test_a_line_of_the_report_agrees_to_three_digits(reference, tolerance, found, within):
    assert Line("tag", reference, tolerance, found).is_within is within


def test_the_compliance_page_is_what_the_command_makes():
    made = report(GOLDEN / "ibsi_1_dig_phantom_reference.csv", GOLDEN / "ibsi_digital_phantom.npz")
    assert "**482 of 482 published values reproduced.**" in made
    assert PAGE.read_text() == made
