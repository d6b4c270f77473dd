"""What fitting may not depend on, in generated data: units, order, copies; and what its doors refuse."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import norm

from radiomics.checks import binary_labels, finite_matrix, fold_numbers, group_codes
from radiomics.discrimination import rank_auc, youden_threshold
from radiomics.logistic import bernoulli_deviance, fit_logistic, is_separated, shrunken_fit
from radiomics.model import patient_folds
from radiomics.resampling import exchange_labels, patient_resamples
from radiomics.selection import correlation_filter, filter_blocks, zscore

SEED = st.integers(0, 10**6)
EACH = settings(max_examples=25, deadline=None)


def overlapping(seed: int, n: int = 60, p: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Columns and labels that no hyperplane separates: every row occurs with both labels."""
    X = np.random.default_rng(seed).normal(size=(n // 2, p))
    chance = 1 / (1 + np.exp(-X[:, 0]))
    y = (np.random.default_rng(seed + 1).random(n // 2) < chance).astype(float)
    return np.vstack([X, X[:4], X[:4]]), np.concatenate([y, np.zeros(4), np.ones(4)])


@EACH
@given(SEED, st.sampled_from(["ml", "firth"]))
def test_row_order_does_not_move_a_fit(seed: int, method: str) -> None:
    X, y = overlapping(seed)
    order = np.random.default_rng(seed).permutation(len(y))
    one, two = fit_logistic(X, y, method=method), fit_logistic(X[order], y[order], method=method)
    np.testing.assert_allclose(one.coef, two.coef, atol=1e-9)
    np.testing.assert_allclose(one.se, two.se, atol=1e-9)


@EACH
@given(SEED, st.sampled_from(["ml", "firth"]))
def test_swapped_classes_turn_every_sign(seed: int, method: str) -> None:
    X, y = overlapping(seed)
    one, two = fit_logistic(X, y, method=method), fit_logistic(X, 1 - y, method=method)
    np.testing.assert_allclose(one.coef, -two.coef, atol=1e-9)
    np.testing.assert_allclose(one.low, -two.high, atol=1e-9)
    assert one.deviance == pytest.approx(two.deviance)


@EACH
@given(SEED, st.floats(1e-5, 1e5))
def test_a_column_in_other_units_has_the_coefficient_of_the_old(seed: int, unit: float) -> None:
    X, y = overlapping(seed)
    other = X * [unit, 1.0, 1.0]
    one, two = fit_logistic(X, y), fit_logistic(other, y)
    np.testing.assert_allclose(two.coef * [1, unit, 1, 1], one.coef, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(two.z, one.z, rtol=1e-7, atol=1e-9)


@EACH
@given(SEED)
def test_the_fit_has_the_least_deviance(seed: int) -> None:
    """A general optimiser from another start finds nothing better: a second way."""
    X, y = overlapping(seed)
    fit = fit_logistic(X, y)
    design = np.column_stack([np.ones(len(y)), X])
    other = minimize(lambda b: bernoulli_deviance(y, design @ b), np.full(4, 0.3), method="BFGS")
    assert fit.deviance <= other.fun + 1e-9
    np.testing.assert_allclose(fit.coef, other.x, atol=1e-3)


@EACH
@given(SEED)
def test_a_fit_with_intercept_predicts_as_many_cases_as_there_are(seed: int) -> None:
    X, y = overlapping(seed)
    coef = fit_logistic(X, y).coef
    p = 1 / (1 + np.exp(-(coef[0] + X @ coef[1:])))
    assert p.sum() == pytest.approx(y.sum(), abs=1e-7)
    np.testing.assert_allclose(X.T @ (y - p), 0, atol=1e-6)


@EACH
@given(SEED)
def test_firth_draws_towards_even_odds(seed: int) -> None:
    """Its penalty adds information, so the likelihood itself is never better than at the maximum."""
    X, y = overlapping(seed)
    assert fit_logistic(X, y, method="firth").deviance >= fit_logistic(X, y).deviance - 1e-9


@EACH
@given(SEED)
def test_criteria_are_the_deviance_and_its_price(seed: int) -> None:
    X, y = overlapping(seed)
    fit = fit_logistic(X, y)
    assert fit.aic == pytest.approx(fit.deviance + 8)
    assert fit.bic == pytest.approx(fit.deviance + 4 * math.log(len(y)))
    np.testing.assert_allclose(fit.p_value, 2 * norm.sf(np.abs(fit.coef / fit.se)))


@EACH
@given(SEED)
def test_classes_that_share_a_row_are_not_separated(seed: int) -> None:
    assert not is_separated(*overlapping(seed))


@EACH
@given(SEED)
def test_labels_cut_from_a_line_are_separated_in_any_units(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(20, 2))
    y = (np.median(X @ [1.0, -2.0]) < X @ [1.0, -2.0]).astype(float)
    assert is_separated(X, y)
    assert is_separated(X * [1e6, 1e-6] + [1e6, 0], y)


@pytest.mark.parametrize(
    ("eta", "y", "deviance"),
    [
        ([0.0], [1.0], 2 * math.log(2)),
        ([0.0, 0.0], [1.0, 0.0], 4 * math.log(2)),
        ([700.0], [1.0], 0.0),
        ([-700.0], [1.0], 1400.0),
        ([math.nan], [1.0], math.nan),
    ],
)
def test_the_deviance_by_hand(eta: list[float], y: list[float], deviance: float) -> None:
    found = bernoulli_deviance(np.array(y), np.array(eta))
    assert found == pytest.approx(deviance, abs=1e-12, nan_ok=True)


def test_a_shrunken_fit_has_no_standard_errors() -> None:
    X, y = overlapping(0)
    fit = shrunken_fit(X, y, np.array([0.1, 0.2, 0.0, 0.0]), ["a", "b", "c"], ("refit_impossible",))
    assert fit.method == "lasso"
    assert np.isnan(fit.se).all()
    assert np.isnan(fit.low).all()
    assert fit.deviance == pytest.approx(bernoulli_deviance(y, 0.1 + 0.2 * X[:, 0]))


@EACH
@given(SEED)
def test_standardising_twice_changes_nothing(seed: int) -> None:
    X = np.random.default_rng(seed).normal(5, 3, (12, 4))
    once = zscore(X)
    np.testing.assert_allclose(zscore(once.z).z, once.z, atol=1e-12)
    np.testing.assert_allclose(once.apply(X), once.z, atol=1e-12)


@pytest.mark.parametrize(("ddof", "scale"), [(1, math.sqrt(5 / 3)), (0, math.sqrt(5 / 4))])
def test_the_spread_of_one_to_four_by_hand(ddof: int, scale: float) -> None:
    found = zscore([[1.0], [2.0], [3.0], [4.0]], ddof=ddof)
    assert found.mean[0] == 2.5
    assert found.scale[0] == pytest.approx(scale)


def test_too_few_rows_for_a_spread_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 1 are needed"):
        zscore([[1.0, 2.0]])


@EACH
@given(SEED)
def test_every_removed_column_had_a_partner_above_the_cutoff(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(15, 4)) @ rng.normal(size=(4, 10)) + 0.3 * rng.normal(size=(15, 10))
    found = correlation_filter(X, cutoff=0.8)
    R = np.abs(np.corrcoef(X.T))
    for i, j, r, _, _, gone in found.decisions:
        assert r == pytest.approx(R[i, j])
        assert r > 0.8
        assert gone in (i, j)
    assert sorted([*found.kept, *found.removed]) == list(range(10))
    assert [gone for *_, gone in found.decisions] != [] or not found.removed.size


def test_of_three_columns_the_one_most_like_the_others_goes() -> None:
    """b = a + c is correlated with both; a and c are not with each other."""
    rng = np.random.default_rng(0)
    a, c = rng.normal(size=(2, 400))
    found = correlation_filter(np.column_stack([a, a + c, c]), cutoff=0.6, names=["a", "b", "c"])
    assert found.removed_names == ("b",)
    assert found.kept_names == ("a", "c")


def test_blocks_are_pruned_on_their_own() -> None:
    """The same column in CT and SPECT stays in both; within one modality one of the copies goes."""
    x = np.random.default_rng(1).normal(size=(20, 2))
    X = np.column_stack([x[:, 0], x[:, 0], x[:, 0], x[:, 1]])
    names = ["CT_a", "CT_b", "SP_a", "SP_c"]
    found = filter_blocks(
        X, ["CT", "CT", "SP", "SP"], np.ones(4, bool), names=names, cutoff=0.9, method="caret_exact"
    )
    assert len(found.removed) == 1
    assert found.removed[0] in (0, 1)
    assert {2, 3} < set(found.kept.tolist())


def test_columns_that_are_not_allowed_are_not_looked_at() -> None:
    X = np.random.default_rng(2).normal(size=(20, 3))
    X[:, 2] = X[:, 0]
    allowed = np.array([True, True, False])
    found = filter_blocks(X, ["CT"] * 3, allowed, names=["a", "b", "c"], cutoff=0.9, method="caret_exact")  # fmt: skip
    assert found.kept.tolist() == [0, 1]
    assert found.removed == ()


@EACH
@given(SEED)
def test_a_youden_threshold_is_a_gap_between_predictions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, p = (rng.random(20) < 0.5).astype(float), np.round(rng.random(20), 1)
    y[:2] = 0, 1
    found = youden_threshold(y, p)
    assert found not in p
    best = max((p[y == 1] >= t).mean() - (p[y == 0] >= t).mean() for t in [*np.unique(p), np.inf])
    got = (p[y == 1] >= found).mean() - (p[y == 0] >= found).mean()
    assert got == pytest.approx(best)


@pytest.mark.parametrize(
    ("y", "score", "area"),
    [
        ([0, 1], [1.0, 2.0], 1.0),
        ([0, 1], [2.0, 1.0], 0.0),
        ([0, 1], [1.0, 1.0], 0.5),
        ([0, 0, 1, 1], [1.0, 3.0, 2.0, 4.0], 0.75),
        ([1, 1], [1.0, 2.0], math.nan),
    ],
)
def test_the_area_of_a_few_rows_by_hand(y: list[int], score: list[float], area: float) -> None:
    found = rank_auc(np.array(y, dtype=float), np.array(score))
    assert found == pytest.approx(area, nan_ok=True)


@EACH
@given(SEED, st.integers(3, 8))
def test_folds_keep_patients_whole_and_spread_both_classes(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    patients = np.sort(rng.integers(0, 40, 60))
    y = (patients % 2).astype(float)
    folds = patient_folds(y, patients, n_folds=k, seed=seed)
    assert set(np.unique(folds)) == set(range(1, k + 1))
    for patient in np.unique(patients):
        assert np.unique(folds[patients == patient]).size == 1
    assert (folds == patient_folds(y, patients, n_folds=k, seed=seed)).all()


@EACH
@given(SEED)
def test_resamples_draw_as_many_patients_as_there_are(seed: int) -> None:
    patients = np.array(["a", "b", "b", "c", "d", "d", "d"])
    for rows in patient_resamples(patients, n_boot=4, seed=seed):
        counts = {name: int((patients[rows] == name).sum()) for name in "abcd"}
        sizes = {"a": 1, "b": 2, "c": 1, "d": 3}
        drawn = {name: counts[name] / sizes[name] for name in "abcd"}
        assert all(value == int(value) for value in drawn.values())
        assert sum(drawn.values()) == 4


def test_a_resample_does_not_depend_on_how_many_are_drawn() -> None:
    few, many = (patient_resamples(range(9), n_boot=n, seed=3) for n in (2, 20))
    for one, two in zip(few, many, strict=False):
        np.testing.assert_array_equal(one, two)


@EACH
@given(SEED)
def test_exchanged_labels_keep_each_patient_s_pattern_somewhere(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = np.sort(rng.integers(0, 12, 24))
    codes = np.unique(codes, return_inverse=True)[1]
    y = (rng.random(24) < 0.5).astype(float)
    moved = exchange_labels(y, codes, np.random.SeedSequence(seed))
    for size in np.unique(np.bincount(codes)):
        own = [c for c in range(codes.max() + 1) if (codes == c).sum() == size]
        before, after = (sorted(tuple(v[codes == c]) for c in own) for v in (y, moved))
        assert before == after


Y6 = np.array([0, 1, 0, 1, 0, 1.0])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: finite_matrix([1.0, 2.0]), "X must be two-dimensional"),
        (lambda: finite_matrix([[1.0, math.nan]]), r"column\(s\) 1"),
        (lambda: finite_matrix([[math.inf, 1.0]], names=["a", "b"]), r"column\(s\) a"),
        (lambda: binary_labels([0, 1], 3), r"y must have shape \(3,\), got \(2,\)"),
        (lambda: binary_labels([0, 0.5], 2), "y must hold 0 and 1 only"),
        (lambda: binary_labels([1, 1], 2), "y holds one class only"),
        (lambda: group_codes(["a"], 2), "groups must have 2 entries, got 1"),
        (lambda: group_codes(["a", None], 2), "groups has no id in row 1"),
        (lambda: group_codes([1.0, math.nan], 2), "groups has no id in row 1"),
        (lambda: fold_numbers([1, 2, 3], Y6, None), "folds must hold whole numbers"),
        (lambda: fold_numbers([1, 1, 2, 2, 3, 3.5], Y6, None), "folds must hold whole numbers"),
        (lambda: fold_numbers([1, 1, 1, 2, 2, 2], Y6, None), "K >= 3"),
        (lambda: fold_numbers([0, 0, 1, 1, 2, 2], Y6, None), "numbered 1..K"),
        (lambda: fold_numbers([1, 1, 2, 2, 4, 4], Y6, None), "none empty"),
        (lambda: fold_numbers([1, 2, 3, 1, 2, 3], Y6, np.array([0, 0, 1, 1, 2, 2])), "one group"),
        (
            lambda: fold_numbers([1, 2, 3, 3], np.array([1, 0, 0, 0.0]), None),
            "training part of fold 1 holds one class only",
        ),
        (lambda: correlation_filter(np.eye(4), cutoff=1.0), "cutoff must lie between 0 and 1"),
        (lambda: fit_logistic(np.eye(4)[:, :1], [0, 1, 0]), r"y must have shape \(4,\)"),
        (lambda: fit_logistic(np.eye(4)[:, :1], [0, 1, 0, 1], names=["a", "b"]), "1 different names"),
        (lambda: zscore(np.eye(3)).apply(np.eye(2)), "X_new has 2 columns, expected 3"),
    ],
)  # fmt: skip
def test_each_door_says_what_it_expected(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        call()


def test_group_codes_count_from_the_first_that_appears() -> None:
    assert group_codes(["b", "a", "b", "c"], 4).tolist() == [0, 1, 0, 2]
    assert group_codes([7, 7.0, "7"], 3).tolist() == [0, 0, 1]
