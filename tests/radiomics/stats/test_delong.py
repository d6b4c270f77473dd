"""Components and covariances of AUCs: four rows by hand, leaving rows out, and every sample of a small population."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomics.discrimination import rank_auc
from radiomics.stats.delong import (
    clustered_covariance,
    components,
    delong_covariance,
    jackknife_covariance,
    unbiased_covariance,
)

Y = np.array([0, 0, 1, 1])
SCORE = np.array([1.0, 3.0, 2.0, 4.0])
WHOLE = st.integers(0, 4)


@st.composite
def samples(draw):
    """Labels (n,) with two rows or more of each class and two scores (2, n) with many ties."""
    n1, n0 = draw(st.integers(2, 5)), draw(st.integers(2, 5))
    rows = draw(st.lists(st.tuples(WHOLE, WHOLE), min_size=n1 + n0, max_size=n1 + n0))
    y = draw(st.permutations([1] * n1 + [0] * n0))
    return np.array(y), np.array(rows, dtype=np.float64).T


def test_the_components_of_four_rows_by_hand():
    found = components(Y, SCORE)
    assert found.auc.tolist() == [0.75]
    assert found.v10.tolist() == [[0.5, 1.0]]
    assert found.v01.tolist() == [[1.0, 0.5]]
    assert found.positive.tolist() == [False, False, True, True]
    assert delong_covariance(found).item() == 0.125


def test_a_tie_beats_one_half():
    found = components([0, 0, 1], [2.0, 1.0, 2.0])
    assert found.v10.tolist() == [[0.75]]
    assert found.v01.tolist() == [[0.5, 1.0]]


@given(samples())
def test_both_classes_have_the_area_as_their_mean(sample):
    y, scores = sample
    found = components(y, scores)
    assert found.v10.mean(axis=1) == pytest.approx(found.v01.mean(axis=1))
    assert found.auc == pytest.approx([rank_auc(y, row) for row in scores])


@given(samples())
def test_a_negated_score_has_the_rest_of_each_component_and_the_covariance_turned(sample):
    y, scores = sample
    first, turned = components(y, scores), components(y, scores * [[1], [-1]])
    assert turned.v10[1] == pytest.approx(1 - first.v10[1])
    signs = np.array([[1, -1], [-1, 1]])
    assert delong_covariance(turned) == pytest.approx(delong_covariance(first) * signs)


@given(samples())
def test_the_jackknife_is_that_of_rows_left_out_one_by_one(sample):
    y, scores = sample
    n = y.size
    left_out = np.array(
        [[rank_auc(np.delete(y, i), np.delete(s, i)) for i in range(n)] for s in scores]
    )
    wanted = np.cov(left_out) * (n - 1) ** 2 / n
    assert jackknife_covariance(components(y, scores)) == pytest.approx(wanted, abs=1e-12)


@given(samples())
def test_patients_of_one_row_each_have_delongs_covariance(sample):
    found = components(*sample)
    alone = clustered_covariance(found, np.arange(found.positive.size))
    assert alone == pytest.approx(delong_covariance(found), abs=1e-12)


@pytest.mark.parametrize(
    ("groups", "variance"),
    [(["a", "b", "a", "b"], 0.0), (["a", "b", "b", "a"], 0.25), ([1, 2, 3, 4], 0.125)],
)
def test_pairs_that_err_together_widen_the_variance_and_pairs_in_order_close_it(groups, variance):
    assert clustered_covariance(components(Y, SCORE), groups).item() == pytest.approx(variance)


@pytest.mark.parametrize("groups", [["a", "b", "c", "c"], ["a", "a", "b", "c"]])
def test_one_patient_with_all_rows_of_a_class_is_too_few(groups):
    with pytest.raises(ValueError, match="at least two clusters with positives and two with neg"):
        clustered_covariance(components(Y, SCORE), groups)


def every_sample():
    """Every sample of two positives and two negatives of a small population, as labels and scores (2, 4)."""
    positives, negatives = [(1, 2), (3, 0), (2, 2)], [(0, 1), (2, 1)]
    for rows in product(positives, positives, negatives, negatives):
        yield np.array([1, 1, 0, 0]), np.array(rows, dtype=np.float64).T


def test_over_all_samples_the_unbiased_covariance_is_that_of_the_areas_and_delongs_is_never_less():
    areas = np.array([components(y, scores).auc for y, scores in every_sample()])
    unbiased = np.mean([unbiased_covariance(y, scores) for y, scores in every_sample()], axis=0)
    delong = np.mean([delong_covariance(components(*each)) for each in every_sample()], axis=0)
    assert unbiased == pytest.approx(np.cov(areas.T, bias=True), abs=1e-12)
    assert (np.diag(delong) > np.diag(unbiased) - 1e-12).all()
    assert delong[0, 0] > unbiased[0, 0] + 0.01


def test_a_class_of_one_row_has_an_area_without_variance():
    found = components([0, 0, 1], [1.0, 3.0, 2.0])
    assert found.auc.tolist() == [0.5]
    assert np.isnan(delong_covariance(found)).all()


@pytest.mark.parametrize(
    ("y", "scores", "sentence"),
    [
        ([1, 1, 1], [1.0, 2.0, 3.0], "y holds one class only"),
        ([0, 1, 2], [1.0, 2.0, 3.0], "y must hold 0 and 1 only"),
        ([0, 1], [1.0, 2.0, 3.0], r"y must have shape \(3,\), got \(2,\)"),
        ([0, 1], [[1.0, 2.0], [1.0, np.nan]], r"score has missing or infinite values in column\(s\) 1"),
    ],
)  # fmt: skip
def test_what_has_no_area_is_refused(y, scores, sentence):
    with pytest.raises(ValueError, match=sentence):
        components(y, scores)
