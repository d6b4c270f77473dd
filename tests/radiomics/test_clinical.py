"""Clinical columns: which tumours are told apart, what is left out, and the uptake ratio by hand."""

import json
import math

import numpy as np
import pytest

from radiomics.clinical import (
    ClinicalColumns,
    ClinicalRow,
    fit_columns,
    folded,
    independent,
    uptake_ratio,
)


def rows(tumours, *, ages=None, male=None):
    n = len(tumours)
    rng = np.random.default_rng(4)
    ages = rng.integers(40, 80, n) if ages is None else ages
    male = rng.integers(0, 2, n) if male is None else male
    uptake = rng.uniform(1, 5, n)
    return [
        ClinicalRow(float(a), float(m), float(u), t)
        for a, m, u, t in zip(ages, male, uptake, tumours, strict=True)
    ]


def test_the_commonest_tumour_is_the_reference_and_frequent_ones_have_a_column():
    found = fit_columns(rows(["Lung"] * 12 + ["breast"] * 14 + ["Prostate"] * 10))
    assert found.reference == ("breast",)
    assert found.names == ("age_years", "sex_male", "uptake_ratio", "primary_tumour: lung", "primary_tumour: prostate")  # fmt: skip


def test_of_two_equally_common_tumours_the_first_by_name_is_the_reference():
    assert fit_columns(rows(["lung"] * 5 + ["breast"] * 5)).reference[0] == "breast"


def test_rare_tumours_share_a_column_when_there_are_enough_of_them():
    found = fit_columns(rows(["lung"] * 20 + ["liver"] * 6 + ["thyroid"] * 4))
    assert found.names[-1] == "primary_tumour: other"
    assert found.reference == ("lung",)
    assert found.apply(rows(["liver", "lung", "thyroid", "colon"]))[:, -1].tolist() == [1, 0, 1, 1]


def test_too_few_rare_tumours_count_with_the_reference():
    found = fit_columns(rows(["lung"] * 20 + ["liver"] * 6 + ["thyroid"] * 3))
    assert found.names == ("age_years", "sex_male", "uptake_ratio")
    assert found.reference == ("lung", "liver", "thyroid")


@pytest.mark.parametrize("fewest", [9, 10, 11])
def test_a_tumour_has_a_column_from_the_stated_number_of_rows_on(fewest):
    found = fit_columns(rows(["lung"] * 20 + ["liver"] * 10), fewest=fewest)
    assert ("primary_tumour: liver" in found.names) is (fewest <= 10)


def test_case_and_spaces_do_not_make_another_tumour():
    found = fit_columns(rows(["Lung  cancer"] * 6 + [" lung cancer"] * 6 + ["breast"] * 15))
    assert found.tumours == ("lung cancer",)
    assert folded("  Lung\tCANCER ") == "lung cancer"


def test_columns_hold_the_numbers_of_their_row():
    data = rows(["lung"] * 12 + ["breast"] * 12)
    found = fit_columns(data).apply(data)
    assert found[:, 0].tolist() == [r.age_years for r in data]
    assert found[:, 1].tolist() == [r.male for r in data]
    assert found[:, 2].tolist() == [r.uptake_ratio for r in data]
    assert found[:, 3].tolist() == [float(r.tumour == "lung") for r in data]


def test_a_column_that_does_not_vary_is_left_out():
    found = fit_columns(rows(["lung"] * 12, male=[0] * 12))
    assert found.names == ("age_years", "uptake_ratio")
    assert found.apply(rows(["lung"], male=[1])).shape == (1, 2)


def test_a_column_that_those_before_determine_is_left_out():
    found = fit_columns(rows(["prostate"] * 12 + ["breast"] * 13, male=[1] * 12 + [0] * 13))
    assert found.names == ("age_years", "sex_male", "uptake_ratio")


def test_no_column_that_varies_is_refused():
    same = [ClinicalRow(60.0, 0.0, 2.0, "lung")] * 12
    with pytest.raises(ValueError, match="no clinical column that varies"):
        fit_columns(same)


def test_no_row_is_refused():
    with pytest.raises(ValueError, match="rows must not be empty"):
        fit_columns([])


def test_a_number_that_is_not_finite_names_its_column():
    data = rows(["lung"] * 12)
    data[3] = ClinicalRow(61.0, 1.0, math.nan, "lung")
    with pytest.raises(ValueError, match="no finite uptake_ratio"):
        fit_columns(data)


def test_columns_survive_a_round_trip_through_json():
    data = rows(["lung"] * 20 + ["liver"] * 6 + ["thyroid"] * 4)
    found = fit_columns(data)
    again = ClinicalColumns.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found
    np.testing.assert_array_equal(again.apply(data), found.apply(data))


@pytest.mark.parametrize("key", ["names", "tumours", "reference", "seen"])
def test_a_document_without_a_key_is_refused(key):
    document = fit_columns(rows(["lung"] * 12)).to_dict()
    del document[key]
    with pytest.raises(ValueError, match=f"lack {key}"):
        ClinicalColumns.from_dict(document)


def test_a_document_with_a_foreign_column_is_refused():
    document = fit_columns(rows(["lung"] * 12)).to_dict() | {"names": ["age_years", "height"]}
    with pytest.raises(ValueError, match="height is no clinical column"):
        ClinicalColumns.from_dict(document)


@pytest.mark.parametrize("seed", range(5))
def test_the_kept_columns_have_full_rank_and_the_rank_of_all(seed):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 2, (30, 6)).astype(float)
    X[:, 3] = X[:, 0] + X[:, 1]
    X[:, 5] = 1 - X[:, 2]
    kept = independent(X)
    whole = np.column_stack([np.ones(30), X])
    assert np.linalg.matrix_rank(whole[:, [True, *kept]]) == 1 + kept.sum() == np.linalg.matrix_rank(whole)  # fmt: skip
    assert not kept[3]
    assert not kept[5]


def test_the_uptake_ratio_is_the_lesion_s_mean_over_the_tissue_s_median():
    pixels = np.array([[0.0, 10, 20, 30], [100, 60, 1, 4.9]])
    mask = np.array([[0, 0, 0, 0], [1, 1, 0, 0]], dtype=bool)
    # tissue: from 5 on outside the lesion, so 10, 20 and 30
    assert uptake_ratio(pixels, mask) == 80 / 20


def test_the_uptake_ratio_has_no_unit():
    rng = np.random.default_rng(1)
    pixels, mask = rng.uniform(0, 50, (12, 12)), np.zeros((12, 12), dtype=bool)
    mask[4:7, 4:8] = True
    assert uptake_ratio(pixels * 37.5, mask) == pytest.approx(uptake_ratio(pixels, mask), rel=1e-12)


@pytest.mark.parametrize(
    ("pixels", "mask"),
    [
        ([[0.0, 0.0]], [[True, False]]),
        ([[5.0, 0.0]], [[True, False]]),
        ([[5.0, 5.0]], [[False, False]]),
    ],
    ids=["no counts", "no tissue", "no lesion"],
)
def test_an_uptake_ratio_that_the_slice_does_not_allow_is_nan(pixels, mask):
    assert math.isnan(uptake_ratio(np.array(pixels), np.array(mask)))


def test_an_uptake_ratio_of_unequal_shapes_or_unfinite_pixels_is_refused():
    with pytest.raises(ValueError, match=r"mask shape \(1, 2\) does not match"):
        uptake_ratio(np.ones((2, 2)), np.ones((1, 2), dtype=bool))
    with pytest.raises(ValueError, match="pixels must be finite"):
        uptake_ratio(np.array([[1.0, np.inf]]), np.array([[True, False]]))
