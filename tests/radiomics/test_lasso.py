"""The L1 path and its cross-validation: certificate recomputed, properties, refusals (R: test_golden.py)."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomics.lasso import cross_validate, lambda_sequence, lasso_path
from tests.radiomics.golden_comparisons import violation
from tests.radiomics.golden_stats import columns, features


def small(name):
    return features(name)[1], columns(name)["y"]


def random_problem(seed):
    """A problem with the trials of the edge-case table: duplicates, constants, scales, offsets, separation."""
    rng = np.random.Generator(np.random.PCG64(seed))
    n, p = int(rng.integers(8, 151)), int(rng.integers(1, 301))
    X = rng.normal(size=(n, p))
    y = (X[:, 0] + rng.normal(size=n) * rng.choice([0.0, 1.0, 5.0]) > 0).astype(float)
    y[:2] = 0, 1
    kind = seed % 6
    if kind == 1:
        X = X[:, rng.integers(0, p, size=p)]
    elif kind == 2:
        X[:, rng.random(p) < 0.3] = 3.0
        X[:, 0] = rng.normal(size=n)
    elif kind == 3:
        X *= 10.0 ** rng.uniform(-6, 6, size=p)
    elif kind == 4:
        X += 1e6
    elif kind == 5:
        X = np.round(X)
        X[:, 0] = rng.normal(size=n)
    # an offset of 1e6 cancels ten digits in X itself
    return X, y, 1e-6 if kind == 4 else 1e-9


def check_random_problems(seeds):
    for seed in seeds:
        X, y, bound = random_problem(seed)
        path = lasso_path(X, y)
        assert path.kkt.max() <= 1e-9, seed
        assert path.flags == ()
        assert violation(X, y, path).max() <= bound, seed


def test_forty_random_problems_are_solved_to_the_certificate():
    check_random_problems(range(40))


@pytest.mark.slow
def test_four_hundred_random_problems_are_solved_to_the_certificate():
    check_random_problems(range(400))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_scaling_a_column_scales_its_coefficient(seed):
    rng = np.random.Generator(np.random.PCG64(seed))
    X, factors = rng.normal(size=(40, 6)), 10.0 ** rng.uniform(-3, 3, 6)
    y = np.tile([0.0, 1.0], 20)
    first = lasso_path(X, y, n_lambda=10, lambda_min_ratio=0.05)
    second = lasso_path(X * factors, y, n_lambda=10, lambda_min_ratio=0.05)
    np.testing.assert_allclose(second.coef * factors, first.coef, atol=1e-8)


def test_row_order_does_not_matter():
    X, y = small("glm_n80p12")
    order = np.random.Generator(np.random.PCG64(1)).permutation(len(y))
    first, second = lasso_path(X, y), lasso_path(X[order], y[order])
    np.testing.assert_allclose(first.coef, second.coef, atol=1e-8)


def test_the_same_input_gives_the_same_bits():
    X, y = small("glm_n40p60")
    assert (lasso_path(X, y).coef == lasso_path(X, y).coef).all()


def test_the_first_lambda_just_empties_the_model():
    X, y = small("glm_n80p12")
    lambdas = lambda_sequence(X, y)
    path = lasso_path(X, y, [lambdas[0] * 1.0000001, lambdas[0] * 0.9999])
    assert path.df.tolist() == [0, 1]
    assert lambdas[-1] / lambdas[0] == pytest.approx(1e-4)
    wide = lambda_sequence(*small("glm_n40p60"))
    assert wide[-1] / wide[0] == pytest.approx(1e-2)


def test_separated_classes_end_the_path_early():
    path = lasso_path(np.arange(10.0)[:, None], np.repeat([0, 1], 5))
    assert path.lambdas.size < 100
    assert path.dev_ratio[-1] > 0.999


def test_constant_columns_get_no_coefficient():
    X, y = small("glm_n80p12")
    X = X.copy()
    X[:, 3] = 2.5
    assert (lasso_path(X, y).coef[:, 3] == 0).all()


def test_a_path_of_constant_columns_is_refused():
    with pytest.raises(ValueError, match="largest lambda"):
        lasso_path(np.ones((6, 2)), [0, 1, 0, 1, 0, 1])


def test_the_linear_predictor_is_intercept_plus_coefficients():
    X, y = small("glm_n80p12")
    path = lasso_path(X, y)
    np.testing.assert_allclose(
        path.linear_predictor(X), path.intercept + X @ path.coef.T, atol=1e-12
    )
    with pytest.raises(ValueError, match="12"):
        path.linear_predictor(X[:, :5])


@pytest.mark.parametrize(
    "lambdas", [[], [0.1, 0.1], [0.1, 0.2], [0.1, 0.0], [0.1, -1], [np.nan], [[0.1]]]
)
def test_lambdas_must_be_positive_and_decreasing(lambdas):
    with pytest.raises(ValueError, match="lambdas"):
        lasso_path(*small("glm_n80p12"), lambdas)


@pytest.mark.parametrize("y", [[0, 1, 2, 0], [0, 0, 0, 0], [0, 1, 0], [0, 1, np.nan, 0]])
def test_labels_other_than_two_classes_of_0_and_1_are_refused(y):
    with pytest.raises(ValueError, match="y "):
        lasso_path(np.arange(8.0).reshape(4, 2), y)


def test_an_unreachable_tolerance_is_flagged_not_raised():
    X, y = small("glm_n80p12")
    assert lasso_path(X, y, [0.05], tol=1e-20).flags == ("kkt_not_met",)


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        (np.arange(80) % 2 + 1, "K >= 3"),
        (np.arange(80) % 5, "numbered 1..K"),
        (np.arange(80) % 5 + 1.5, "whole numbers"),
        (np.arange(79) % 5 + 1, "shape"),
    ],
)
def test_bad_folds_are_refused(folds, message):
    with pytest.raises(ValueError, match=message):
        cross_validate(*small("glm_n80p12"), folds)


def test_a_group_in_two_folds_is_refused():
    X, y = small("glm_n80p12")
    with pytest.raises(ValueError, match="two folds"):
        cross_validate(X, y, np.arange(80) % 5 + 1, groups=np.arange(80) // 2)


def test_auc_with_small_folds_is_refused():
    X, y = small("glm_n80p12")
    with pytest.raises(ValueError, match="10 rows per fold"):
        cross_validate(X, y, np.arange(80) % 10 + 1, measure="auc")


def test_a_fold_without_both_classes_is_left_out_of_the_auc():
    X, y = small("glm_n80p12")
    order = np.argsort(-y, kind="stable")
    X, y = X[order], y[order]
    folds = np.concatenate([np.full(12, 1), np.arange(68) % 4 + 2])
    cv = cross_validate(X, y, folds, measure="auc")
    reference = []
    for k in range(2, 6):
        eta = lasso_path(X[folds != k], y[folds != k], cv.lambdas).linear_predictor(X[folds == k])
        pos, neg = eta[y[folds == k] == 1], eta[y[folds == k] == 0]
        gap = pos[:, None] - neg[None]
        reference.append(((gap > 0) + 0.5 * (gap == 0)).mean(axis=(0, 1)))
    np.testing.assert_allclose(cv.cvm, np.average(reference, axis=0, weights=[17] * 4), atol=1e-12)
    spread = np.sqrt(((np.array(reference) - cv.cvm) ** 2).mean(axis=0) / 4)
    np.testing.assert_allclose(cv.cvsd, spread, atol=1e-12)


def test_a_chosen_lambda_at_the_path_s_end_is_flagged():
    X, y = small("glm_n80p12")
    cv = cross_validate(X, y, np.arange(80) % 10 + 1, lambdas=[0.15, 0.1], groups=np.arange(80))
    assert cv.flags == ("lambda_at_path_end",)


def test_answers_are_read_only_and_strict_json():
    X, y = small("glm_n80p12")
    cv = cross_validate(X, y, np.arange(80) % 10 + 1)
    with pytest.raises(ValueError, match="read-only"):
        cv.path.coef[0, 0] = 1.0
    document = json.loads(json.dumps(cv.to_dict(), allow_nan=False))
    assert document["path"]["coef"] == cv.path.coef.tolist()
