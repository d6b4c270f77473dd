"""A model against readers: the difference and its variance by hand, fixed and random readers, and the refusals."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from radiomics.stats.contrast import compare_with_readers, random_variance

Y = np.array([0, 0, 1, 1])
MODEL = [1.0, 3.0, 2.0, 4.0]  # AUC 0.75, components 1/2 and 1, 1 and 1/2
FLAT = [1.0, 1.0, 1.0, 1.0]  # AUC 1/2 without variance
ORDERED = [1.0, 2.0, 3.0, 4.0]  # AUC 1 without variance
RNG = np.random.default_rng(5)
LABELS = np.repeat([0, 1], 20)
SCORE = LABELS + RNG.normal(size=40)
RATINGS = LABELS + RNG.normal(size=(4, 40))


def test_readers_without_variance_leave_the_models_own():
    found = compare_with_readers(Y, MODEL, [FLAT, ORDERED, FLAT])
    assert found.auc_model == 0.75
    assert found.auc_readers.tolist() == [0.5, 1.0, 0.5]
    assert found.difference == pytest.approx(0.75 - 2 / 3)
    assert found.se == pytest.approx(math.sqrt(0.125))
    assert found.statistic == pytest.approx((0.75 - 2 / 3) / math.sqrt(0.125))
    assert found.p_value == pytest.approx(2 * norm.sf(found.statistic))
    assert (found.low + found.high) / 2 == pytest.approx(found.difference)
    assert found.high - found.low == pytest.approx(2 * 1.959964 * found.se, rel=1e-6)
    assert found.df == math.inf
    assert found.flags == ()


def test_a_reader_who_ranks_as_the_model_halves_its_variance():
    found = compare_with_readers(Y, MODEL, [MODEL, FLAT])  # weights 1 - 1/2 on one score
    assert found.difference == pytest.approx(0.125)
    assert found.se == pytest.approx(math.sqrt(0.125) / 2)
    assert found.flags == ("few_readers",)


def test_the_variance_with_random_readers_by_hand():
    C = np.array([[4, 1, 2, 3], [1, 9, 0.5, 1], [2, 0.5, 9, 1.5], [3, 1, 1.5, 9]])
    areas = np.array([0.6, 0.7, 0.8])  # mean square 0.01
    variance, df = random_variance(areas, C)
    assert variance == pytest.approx(4 + 0.01 / 3 + 1.0 - 2 * 2.0)
    assert df == pytest.approx(variance**2 / ((0.01 / 3) ** 2 / 2))


def test_a_negative_covariance_of_readers_counts_as_none_and_equal_readers_leave_normal_limits():
    C = np.array([[4, 0, 0], [0, 9, -5], [0, -5, 9.0]])
    assert random_variance(np.array([0.7, 0.7]), C) == (4.0, math.inf)


def test_random_readers_change_the_limits_and_not_the_difference():
    fixed = compare_with_readers(LABELS, SCORE, RATINGS)
    drawn = compare_with_readers(LABELS, SCORE, RATINGS, readers="random")
    assert drawn.difference == fixed.difference
    assert math.isfinite(drawn.df)
    assert drawn.se != fixed.se
    assert [each.difference for each in drawn.per_reader] == [
        pytest.approx(drawn.auc_model - area) for area in drawn.auc_readers
    ]


@pytest.mark.parametrize("readers", ["fixed", "random"])
def test_rows_in_any_order_and_readers_in_any_order_are_the_same_study(readers):
    order = np.random.default_rng(1).permutation(40)
    first = compare_with_readers(LABELS, SCORE, RATINGS, readers=readers)
    moved = compare_with_readers(
        LABELS[order], SCORE[order], RATINGS[::-1][:, order], readers=readers
    )
    assert (moved.difference, moved.se, moved.p_value) == pytest.approx(
        (first.difference, first.se, first.p_value)
    )


def test_patients_of_one_lesion_each_change_nothing_and_repeated_ones_do():
    first = compare_with_readers(LABELS, SCORE, RATINGS)
    assert compare_with_readers(LABELS, SCORE, RATINGS, groups=np.arange(40)).se == first.se
    pairs = compare_with_readers(LABELS, SCORE, RATINGS, groups=np.arange(40) // 2)
    assert pairs.difference == first.difference
    assert pairs.se != pytest.approx(first.se, rel=1e-3)


def test_every_row_twice_is_no_more_certain_when_its_patient_is_known():
    twice = [np.tile(x, 2) for x in (LABELS, SCORE)]
    ratings, patients = np.tile(RATINGS, (1, 2)), np.tile(np.arange(40), 2)
    once = compare_with_readers(LABELS, SCORE, RATINGS)
    known = compare_with_readers(*twice, ratings, groups=patients)
    unknown = compare_with_readers(*twice, ratings)
    assert known.se == pytest.approx(once.se)
    assert unknown.se == pytest.approx(once.se * math.sqrt(19 / 39))


def test_scores_of_two_values_and_no_variance_at_all_are_flagged():
    found = compare_with_readers(Y, ORDERED, [[0.0, 0, 1, 1]] * 3)
    assert (found.difference, found.se, found.statistic, found.p_value) == (0.0, 0.0, 0.0, 1.0)
    assert found.flags == ("binary_score", "zero_variance")


@pytest.mark.parametrize("readers", ["fixed", "random"])
@pytest.mark.parametrize("r", [2, 3, 5, 6, 7])
def test_a_model_that_equals_every_reader_differs_by_nothing_however_the_sums_round(r, readers):
    for seed in range(15):
        rng = np.random.default_rng(seed)
        y = np.concatenate([[0, 1, 0, 1], rng.integers(0, 2, seed + 4)])
        score = rng.integers(0, 9, y.size).astype(float)
        found = compare_with_readers(y, score, np.tile(score, (r, 1)), readers=readers)
        assert (found.difference, found.se, found.statistic, found.p_value) == (0.0, 0.0, 0.0, 1.0)
        assert (found.low, found.high) == (0.0, 0.0)
        assert "zero_variance" in found.flags


@pytest.mark.parametrize(
    ("ratings", "readers", "sentence"),
    [
        ([MODEL], "random", "random with at least 2 readers, got 'random' and 1"),
        ([MODEL, FLAT], "some", "readers must be fixed, or random .* got 'some' and 2"),
        ([[1.0, np.nan, 2, 3]], "fixed", r"score has missing or infinite values in column\(s\) 1"),
    ],
)
def test_what_is_no_comparison_is_refused(ratings, readers, sentence):
    with pytest.raises(ValueError, match=sentence):
        compare_with_readers(Y, MODEL, ratings, readers=readers)
