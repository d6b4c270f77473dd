"""Each flag stands where its condition holds and not beside it; each has one sentence."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomics.lasso import cross_validate
from radiomics.stats.calibration import calibration
from radiomics.stats.flags import FLAGS
from radiomics.stats.kappa import fleiss_kappa, gwet_ac1, kappa
from radiomics.stats.mrmc import compare_with_readers, obuchowski_rockette
from radiomics.stats.roc import auc_interval, compare_auc

RNG = np.random.default_rng(8)
Y = np.tile([0, 1], 30)
S = RNG.normal(size=60) + Y
READERS = RNG.normal(size=(4, 60)) + Y


def pairs_of(n_groups):
    return np.arange(60) % n_groups


@pytest.mark.parametrize("flag", sorted(FLAGS))
def test_each_flag_has_one_sentence(flag):
    assert flag == flag.lower()
    assert FLAGS[flag].endswith(".")
    assert list(FLAGS.values()).count(FLAGS[flag]) == 1


@pytest.mark.parametrize("method", ["delong", "logit_delong", "binomial"])
def test_lesions_of_one_patient_taken_for_independent_are_flagged(method):
    assert "clusters_ignored" in auc_interval(Y, S, method=method, groups=pairs_of(40)).flags
    assert "clusters_ignored" not in auc_interval(Y, S, method=method, groups=pairs_of(60)).flags


def test_the_clustered_method_ignores_no_cluster():
    assert "clusters_ignored" not in auc_interval(Y, S, method="clustered", groups=pairs_of(40)).flags  # fmt: skip


@pytest.mark.parametrize(("n_groups", "few"), [(29, True), (30, False)])
def test_fewer_than_thirty_patients_are_few_clusters(n_groups, few):
    groups = pairs_of(n_groups)
    assert ("few_clusters" in auc_interval(Y, S, method="clustered", groups=groups).flags) is few
    assert ("few_clusters" in compare_auc(Y, S, READERS[0], groups=groups).flags) is few


@pytest.mark.parametrize(("n_pos", "few"), [(9, True), (10, False)])
def test_fewer_than_ten_lesions_of_a_class_are_few_cases(n_pos, few):
    y = np.r_[np.ones(n_pos), np.zeros(30)]
    score = np.arange(n_pos + 30.0)[::-1] + 7 * np.sin(np.arange(n_pos + 30))
    assert ("few_cases" in auc_interval(y, score).flags) is few
    assert ("few_cases" in auc_interval(1 - y, score).flags) is few


def test_a_score_of_two_values_is_binary_and_one_of_three_is_not():
    calls = (S > 0.5).astype(float)
    assert "binary_score" in auc_interval(Y, calls).flags
    calls[0] = 0.5
    assert "binary_score" not in auc_interval(Y, calls).flags


def test_binary_calls_of_a_reader_are_flagged_against_a_model():
    calls = (READERS > 0.5).astype(float)
    assert "binary_score" in compare_with_readers(Y, S, calls).flags
    assert "binary_score" not in compare_with_readers(Y, S, READERS).flags


def test_two_nearly_equal_scores_correlate_extremely():
    twin = S + 0.1 * RNG.normal(size=60)
    found = compare_auc(Y, S, twin)
    assert found.correlation > 0.95
    assert "correlation_extreme" in found.flags
    assert "correlation_extreme" not in compare_auc(Y, S, READERS[0]).flags


@pytest.mark.parametrize(("n", "few"), [(2, True), (3, False)])
def test_two_readers_are_few(n, few):
    ratings = np.stack([READERS[:n], READERS[:n] + RNG.normal(size=(n, 60))])
    assert ("few_readers" in obuchowski_rockette(Y, ratings).flags) is few
    assert ("few_readers" in compare_with_readers(Y, S, READERS[:n]).flags) is few


def test_repeating_patients_without_a_clustered_covariance_are_flagged_in_the_reader_analysis():
    ratings = np.stack([READERS, READERS + RNG.normal(size=READERS.shape)])
    for covariance, ignored in (("delong", True), ("jackknife", True), ("clustered", False)):
        found = obuchowski_rockette(Y, ratings, covariance=covariance, groups=pairs_of(40))
        assert ("clusters_ignored" in found.flags) is ignored


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_negative_variance_component_is_shown_and_flagged(seed):
    rng = np.random.default_rng(seed)
    found = obuchowski_rockette(Y, rng.normal(size=(2, 3, 60)) + Y)
    negative = found.var_reader < 0 or found.var_tr < 0
    assert ("negative_variance_component" in found.flags) is negative


def test_cases_that_not_everybody_read_are_counted():
    ratings = np.stack([READERS, READERS + 0.1 * RNG.normal(size=READERS.shape)])
    ratings[0, 1, [3, 7]] = np.nan
    ratings[1, 2, 7] = np.nan
    found = obuchowski_rockette(Y, ratings, missing="common_cases")
    assert "cases_dropped:2" in found.flags
    assert found.n_cases == 58
    with pytest.raises(ValueError, match="reader"):
        obuchowski_rockette(Y, ratings)


def test_an_unbiased_variance_that_cannot_be_is_replaced_by_delong_s():
    """One pair of classes in disorder: the unbiased estimate of these few cases is negative."""
    y = np.array([0, 0, 0, 1, 1, 1])
    found = None
    for seed in range(200):
        rng = np.random.default_rng(seed)
        ratings = rng.integers(0, 3, (2, 2, 6)).astype(float)
        found = obuchowski_rockette(y, ratings, covariance="unbiased")
        if "unbiased_negative" in found.flags:
            break
    assert "unbiased_negative" in found.flags
    plain = obuchowski_rockette(y, ratings, covariance="delong")
    assert (found.var_error, found.cov1) == (plain.var_error, plain.cov1)


def test_missing_ratings_leave_only_the_form_that_allows_them():
    ratings = np.stack([Y, S > 0.5, READERS[0] > 0.5], axis=1).astype(float)
    ratings[4, 1] = np.nan
    found = fleiss_kappa(ratings)
    assert found.flags == ("ratings_missing",)
    assert math.isnan(found.value)
    assert math.isfinite(found.gwet_form.value)
    assert "ratings_missing" in gwet_ac1(ratings).flags


@pytest.mark.parametrize(("slope", "outside"), [(1.0, False), (0.5, True), (2.0, True)])
def test_a_calibration_slope_far_from_one_is_flagged(slope, outside):
    rng = np.random.default_rng(3)
    eta = rng.normal(size=4000) * 1.5
    y = (eta + rng.logistic(size=4000) > 0).astype(int)
    found = calibration(y, 1 / (1 + np.exp(-eta / slope)))
    assert found.slope == pytest.approx(slope, rel=0.15)
    assert ("slope_out_of_range" in found.flags) is outside


def test_high_agreement_with_a_low_kappa_is_a_paradox():
    a = np.r_[np.zeros(90), np.ones(5), np.zeros(5)].astype(int)
    b = np.r_[np.zeros(90), np.zeros(5), np.ones(5)].astype(int)
    found = kappa(a, b)
    assert found.percent_agreement == 0.9
    assert "kappa_paradox" in found.flags
    assert found.ac1 > 0.8
    assert "kappa_paradox" not in kappa(Y, Y).flags


def test_folds_that_were_not_held_against_patients_are_flagged():
    X, folds = RNG.normal(size=(60, 3)), np.arange(60) // 2 % 5 + 1
    assert "folds_unchecked" in cross_validate(X, Y, folds).flags
    assert "folds_unchecked" not in cross_validate(X, Y, folds, groups=np.arange(60)).flags
