"""The L1 path and its cross-validation against R, and its certificate recomputed."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomics.lasso import cross_validate, lambda_sequence, lasso_path
from radiomics.selection import zscore
from tests.radiomics.golden_stats import answer, columns, features, radiomics_column, radiomics_rows

SMALL = ["glm_n80p12", "glm_n40p60", "glm_ties_n50p5", "glm_separable_n20p3"]
BLOCKS = ["CT", "SP", "COM"]


def small(name):
    return features(name)[1], columns(name)["y"]


def radiomics(block):
    names = answer("pipeline_radiomics_full")["kept"][block]
    return names, zscore(radiomics_rows(True, names)).z, radiomics_column("y")


def dense(golden, width):
    coef = np.zeros((len(golden["lambda"]), width))
    coef[np.array(golden["beta_col"]) - 1, np.array(golden["beta_row"]) - 1] = golden["beta_val"]
    coef[np.abs(coef) < 1e-12] = 0.0
    return coef


def violation(X, y, path):
    """Optimality conditions from X alone, by a route of its own."""
    mean, sd = X.mean(axis=0), X.std(axis=0)
    varying = sd > 1e-12 * np.abs(X).max(axis=0)
    Z = np.where(varying, (X - mean) / np.where(varying, sd, 1.0), 0.0)
    worst = []
    for lam, b0, coef in zip(path.lambdas, path.intercept, path.coef, strict=True):
        b = coef * np.where(varying, sd, 1.0)
        p = np.exp(-np.logaddexp(0, -(b0 + coef @ mean + Z @ b)))
        slope = Z.T @ (y - p) / len(y)
        each = np.where(
            b != 0, np.abs(slope - lam * np.sign(b)), np.maximum(np.abs(slope) - lam, 0)
        )
        worst.append(max(each.max(), abs((y - p).mean())) / lam)
    return np.array(worst)


def check_against_r(X, y, golden):
    free = lasso_path(X, y)
    np.testing.assert_allclose(free.lambdas, golden["lambda"], rtol=1e-12)
    path = lasso_path(X, y, golden["lambda"])
    coef = dense(golden, X.shape[1])
    different = (path.coef != 0) != (coef != 0)
    assert different.any(axis=1).sum() <= len(coef) // 100
    assert np.abs(np.where(different, path.coef - coef, 0)).max() <= 5e-5
    # R stops at a violation of some 1e-6 lambda: these bounds are R's own residual
    np.testing.assert_allclose(path.coef, coef, atol=5e-5, rtol=0)
    np.testing.assert_allclose(path.intercept, golden["a0"], atol=2e-5, rtol=0)
    np.testing.assert_allclose(path.dev_ratio, golden["dev.ratio"], atol=1e-6, rtol=0)
    assert path.null_deviance == pytest.approx(golden["nulldev"], rel=1e-12)
    assert path.kkt.max() <= 1e-9
    assert violation(X, y, path).max() <= 1e-9


@pytest.mark.parametrize("name", SMALL)
def test_the_path_of_a_small_table_is_r_s(name):
    check_against_r(*small(name), answer(f"glmnet_path_{name}_th1e-14"))


@pytest.mark.parametrize("block", BLOCKS)
def test_the_path_of_a_radiomics_block_is_r_s(block):
    _, X, y = radiomics(block)
    check_against_r(X, y, answer(f"glmnet_path_radiomics_{block}_fold_patient_th1e-14"))


def check_choice(cv, names, golden):
    assert cv.index_min + 1 == golden["index_min"]
    assert cv.lambda_min == pytest.approx(golden["lambda.min"], rel=1e-12)
    assert cv.lambda_1se == pytest.approx(golden["lambda.1se"], rel=1e-12)
    assert cv.nzero[1:].tolist() == golden["nzero"][1:]
    assert cv.nzero[0] == 0
    for index, key in ((cv.index_min, "coef.min"), (cv.index_1se, "coef.1se")):
        chosen = {names[j] for j in np.flatnonzero(cv.path.coef[index])}
        assert chosen == {k for k, b in golden[key].items() if abs(b) > 1e-12} - {"(Intercept)"}


@pytest.mark.parametrize("name", SMALL)
def test_small_tables_cross_validate_as_in_r(name):
    golden = answer(f"cvglmnet_{name}_th1e-14")["supplied_lambda"]
    X, y = small(name)
    cv = cross_validate(X, y, np.arange(len(y)) % 10 + 1, lambdas=golden["lambda"])
    np.testing.assert_allclose(cv.cvm, golden["cvm"], atol=2e-5, rtol=0)
    np.testing.assert_allclose(cv.cvsd, golden["cvsd"], atol=1e-5, rtol=0)
    check_choice(cv, features(name)[0], golden)
    assert cv.grouped == (len(y) >= 30)
    assert "folds_unchecked" in cv.flags


@pytest.mark.parametrize("fold", ["fold_lesion", "fold_patient"])
@pytest.mark.parametrize("block", BLOCKS)
def test_radiomics_blocks_cross_validate_as_in_r(block, fold):
    golden = answer(f"cvglmnet_radiomics_{block}_{fold}_th1e-14")
    names, X, y = radiomics(block)
    groups = radiomics_column("patient") if fold == "fold_patient" else None
    folds = radiomics_column(fold).astype(int)
    deviance = golden["supplied_lambda"]
    cv = cross_validate(X, y, folds, lambdas=deviance["lambda"], groups=groups)
    np.testing.assert_allclose(cv.cvm, deviance["cvm"], atol=2e-5, rtol=0)
    np.testing.assert_allclose(cv.cvsd, deviance["cvsd"], atol=1e-5, rtol=0)
    check_choice(cv, names, deviance)
    assert cv.fold_kkt_max.max() <= 1e-9


@pytest.mark.parametrize("fold", ["fold_lesion", "fold_patient"])
@pytest.mark.parametrize("block", BLOCKS)
def test_the_auc_of_held_out_folds_is_r_s(block, fold):
    golden = answer(f"cvglmnet_radiomics_{block}_{fold}_th1e-14")["auc_supplied_lambda"]
    names, X, y = radiomics(block)
    cv = cross_validate(
        X, y, radiomics_column(fold).astype(int), lambdas=golden["lambda"], measure="auc"
    )
    # one of R's values differs by a tie of two predictions
    assert (np.abs(cv.cvm - golden["cvm"]) <= 1e-9).sum() >= 99
    assert (np.abs(cv.cvsd - golden["cvsd"]) <= 1e-9).sum() >= 99
    check_choice(cv, names, golden)


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
