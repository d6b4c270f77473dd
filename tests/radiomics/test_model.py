"""The whole pipeline: its JSON form, its properties, its refusals (R: test_golden.py)."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from radiomics.model import RadiomicsModel, patient_folds
from tests.radiomics.golden_stats import block_names, radiomics_column, radiomics_rows


def fit_case(case, **parameters):
    block, fold = case.split()
    names = block_names(block)
    groups = radiomics_column("patient" if fold == "fold_patient" else "lesion")
    return RadiomicsModel(seed=1, **parameters).fit(
        radiomics_rows(True, names),
        radiomics_column("y"),
        groups,
        feature_names=names,
        blocks=[name[:2] for name in names],
        folds=radiomics_column(fold).astype(int),
    )


@pytest.fixture(scope="module")
def fitted():
    return fit_case("COM fold_patient")


def small_data(n=60, p=8, seed=3):
    rng = np.random.Generator(np.random.PCG64(seed))
    X = rng.normal(size=(n, p))
    y = (X[:, 0] - X[:, 1] + rng.normal(size=n) > 0).astype(int)
    return X, y, np.arange(n) // 2


def small_model(**parameters):
    X, y, groups = small_data()
    return RadiomicsModel(seed=5, n_folds=5, **parameters).fit(X, y, groups)


def test_a_round_trip_through_json_predicts_bit_identically(fitted):
    text = json.dumps(fitted.to_dict(), allow_nan=False)
    again = RadiomicsModel.from_dict(json.loads(text))
    X = radiomics_rows(False, list(fitted.names_))
    assert (again.predict_proba(X) == fitted.predict_proba(X)).all()
    assert (again.predict(X) == fitted.predict(X)).all()
    assert again.to_dict() == fitted.to_dict()
    assert again.lock_id() == fitted.lock_id()


def test_a_row_gets_the_same_bits_alone_and_among_others(fitted):
    X = radiomics_rows(False, list(fitted.names_))
    together = fitted.predict_proba(X)[:, 1]
    alone = [fitted.predict_proba(X[i : i + 1])[0, 1] for i in range(len(X))]
    assert together.tolist() == alone


def test_the_lock_id_changes_with_any_number(fitted):
    document = fitted.to_dict()
    document["threshold"] = float(np.nextafter(document["threshold"], 1.0))
    assert RadiomicsModel.from_dict(document).lock_id() != fitted.lock_id()


@pytest.mark.parametrize("key", ["format", "coef", "training", "path", "refit"])
def test_a_document_without_a_key_is_refused(fitted, key):
    document = fitted.to_dict()
    del document[key]
    with pytest.raises(ValueError, match=key if key != "format" else "version"):
        RadiomicsModel.from_dict(document)


def test_an_unknown_version_is_refused(fitted):
    with pytest.raises(ValueError, match="version 2"):
        RadiomicsModel.from_dict(fitted.to_dict() | {"version": 2})


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused_in_a_document(fitted, bad):
    document = fitted.to_dict()
    document["coef"][0] = bad
    with pytest.raises(ValueError, match="coef"):
        RadiomicsModel.from_dict(document)


def test_a_document_selecting_an_unknown_column_is_refused(fitted):
    document = fitted.to_dict()
    document["selected"][0] = "no_such_feature"
    with pytest.raises(ValueError, match="selected"):
        RadiomicsModel.from_dict(document)


def test_changing_the_caller_s_copy_of_the_document_leaves_the_model_alone(fitted):
    before = fitted.lock_id()
    fitted.to_dict()["coef"].clear()
    assert fitted.lock_id() == before


def test_pandas_columns_are_matched_by_name(fitted):
    X = radiomics_rows(False, list(fitted.names_))
    frame = pd.DataFrame(X, columns=list(fitted.names_))
    shuffled = frame[list(reversed(fitted.names_))]
    assert (fitted.predict_proba(shuffled) == fitted.predict_proba(X)).all()
    with pytest.raises(ValueError, match=fitted.names_[0]):
        fitted.predict_proba(frame.drop(columns=fitted.names_[0]))


def test_pandas_columns_name_the_features():
    X, y, groups = small_data()
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    model = RadiomicsModel(seed=1, n_folds=5).fit(frame, y, groups)
    assert model.names_ == tuple("abcdefgh")


def test_clone_keeps_the_parameters_and_forgets_the_fit():
    model = small_model(cutoff=0.8, rule="1se")
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "coef_")


def test_it_fits_inside_a_scikit_learn_pipeline():
    X, y, groups = small_data()
    pipeline = make_pipeline(FunctionTransformer(), RadiomicsModel(seed=5, n_folds=5))
    pipeline.fit(X, y, radiomicsmodel__groups=groups)
    assert (pipeline.predict_proba(X) == small_model().predict_proba(X)).all()


def test_groups_are_mandatory():
    X, y, _ = small_data()
    with pytest.raises(ValueError, match="groups"):
        RadiomicsModel(seed=1).fit(X, y)


def test_a_missing_feature_value_names_its_column():
    X, y, groups = small_data()
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match="energy"):
        RadiomicsModel(seed=1).fit(X, y, groups, feature_names=[*"ab", "energy", *"defgh"])


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("rule", "best"),
        ("refit", "ridge"),
        ("threshold_rule", "top"),
        ("measure", "mse"),
        ("pruning", "fast"),
        ("cutoff", 1.5),
    ],
)
def test_an_unknown_parameter_value_is_refused(parameter, value):
    with pytest.raises(ValueError, match=parameter if parameter != "pruning" else "method"):
        small_model(**{parameter: value})


def test_a_fold_that_splits_a_patient_is_refused():
    X, y, groups = small_data()
    with pytest.raises(ValueError, match="two folds"):
        RadiomicsModel(seed=1).fit(X, y, groups, folds=np.arange(len(y)) % 5 + 1)


def test_a_masked_column_is_neither_kept_nor_removed():
    X, y, groups = small_data()
    mask = np.ones(8, dtype=bool)
    mask[0] = False
    model = RadiomicsModel(seed=5, n_folds=5).fit(X, y, groups, feature_mask=mask)
    assert "x1" not in model.kept_ + model.removed_ + model.constant_
    assert len(model.names_) == 8


def test_a_constant_column_is_listed_and_ignored():
    X, y, groups = small_data()
    X[:, 4] = 7.0
    model = RadiomicsModel(seed=5, n_folds=5).fit(X, y, groups)
    assert model.constant_ == ("x5",)
    assert "x5" not in model.kept_


def test_features_without_signal_leave_an_intercept_only_model():
    rng = np.random.Generator(np.random.PCG64(0))
    y = np.tile([0, 1], 30)
    X = rng.normal(size=(60, 1))
    X[:, 0] -= np.where(y == 1, X[y == 1, 0].mean(), X[y == 0, 0].mean())
    X[0, 0] += 1e-3
    model = RadiomicsModel(seed=2, n_folds=5).fit(X, y, np.arange(60))
    assert model.selected_ == ()
    assert {"empty_selection", "threshold_default"} <= set(model.flags_)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], 0.5, atol=1e-12)
    assert model.threshold_ == 0.5
    json.dumps(model.to_dict(), allow_nan=False)


def test_the_lasso_refit_keeps_the_shrunken_coefficients():
    model = small_model(refit="lasso")
    path = model.cv_.path
    eta = path.linear_predictor(model.zscore_.z)[:, model.cv_.index_min]
    X, _, _ = small_data()
    np.testing.assert_allclose(model.decision_function(X), eta, atol=1e-12)
    assert np.isnan(model.refit_.se).all()
    json.dumps(model.to_dict(), allow_nan=False)


def test_more_selected_features_than_rows_fall_back_on_the_lasso():
    rng = np.random.Generator(np.random.PCG64(11))
    X = rng.normal(size=(12, 60))
    y = np.tile([0, 1], 6)
    model = RadiomicsModel(seed=1, n_folds=3, lambda_min_ratio=1e-3).fit(X, y, np.arange(12))
    z = model.zscore_.z[:, :11]
    model.selected_ = tuple(model.kept_[:11])
    fit = model._refitted(z, y.astype(float), np.zeros(12))
    assert fit.flags == ("refit_impossible",)
    assert fit.coef.tolist() == [0.0] * 12


def test_a_fixed_threshold_decides_at_or_above():
    X, _, _ = small_data()
    model = small_model(threshold_rule=0.5)
    p = model.predict_proba(X)[:, 1]
    assert model.threshold_ == 0.5
    assert (model.predict(X) == (p >= 0.5)).all()
    model.threshold_ = float(p[7])
    assert model.predict(X)[7] == 1


def test_the_youden_threshold_is_the_smallest_of_the_best():
    X, y, _ = small_data()
    model = small_model()
    p = model.predict_proba(X)[:, 1]
    candidates = np.concatenate([[0.0], (np.sort(p)[1:] + np.sort(p)[:-1]) / 2])
    youden = [(p[y == 1] >= t).mean() + (p[y == 0] < t).mean() - 1 for t in candidates]
    best = candidates[np.flatnonzero(np.array(youden) >= max(youden) - 1e-12)[0]]
    assert model.threshold_ == pytest.approx(best, abs=1e-15)
    assert "threshold_apparent" in model.flags_


def test_the_order_of_rows_does_not_matter():
    X, y, groups = small_data()
    folds = patient_folds(y, groups, n_folds=5, seed=4)
    order = np.random.Generator(np.random.PCG64(8)).permutation(len(y))
    first = RadiomicsModel(seed=1).fit(X, y, groups, folds=folds)
    second = RadiomicsModel(seed=1).fit(X[order], y[order], groups[order], folds=folds[order])
    assert first.selected_ == second.selected_
    np.testing.assert_allclose(first.predict_proba(X), second.predict_proba(X), atol=1e-10)


def test_units_and_offsets_of_features_do_not_matter():
    X, y, groups = small_data()
    scaled = X * np.array([1e-6, 1e6, 1, 2, 3, 4, 5, 6]) + 10
    scaled[:, 0] -= 10
    first, second = (RadiomicsModel(seed=1, n_folds=5).fit(each, y, groups) for each in (X, scaled))
    assert first.selected_ == second.selected_
    np.testing.assert_allclose(first.predict_proba(X), second.predict_proba(scaled), atol=1e-8)


def test_no_row_outside_the_training_rows_can_reach_the_model():
    X, y, groups = small_data(n=90)
    train = groups < 30
    spoiled = X.copy()
    spoiled[~train] = 1e6
    first = RadiomicsModel(seed=1, n_folds=5).fit(X[train], y[train], groups[train])
    second = RadiomicsModel(seed=1, n_folds=5).fit(spoiled[train], y[train], groups[train])
    assert first.lock_id() == second.lock_id()


def test_blocks_are_pruned_apart_and_the_filter_is_kept_for_each():
    X, y, groups = small_data()
    X[:, 4:] = X[:, :4]
    apart = RadiomicsModel(seed=1, n_folds=5).fit(X, y, groups, blocks=["CT"] * 4 + ["SP"] * 4)
    together = RadiomicsModel(seed=1, n_folds=5).fit(X, y, groups)
    assert len(apart.kept_) == 8
    assert len(together.kept_) == 4
    assert set(apart.filter_) == {"CT", "SP"}


def test_the_data_hash_sees_every_input():
    X, y, groups = small_data()
    hashes = {
        RadiomicsModel(seed=1, n_folds=5).fit(*data, feature_names=names).data_sha256_
        for data, names in [
            ((X, y, groups), None),
            ((X + 1e-9, y, groups), None),
            ((X, 1 - y, groups), None),
            ((X, y, groups + 1), None),
            ((X, y, groups), list("abcdefgh")),
        ]
    }
    assert len(hashes) == 5


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_patient_folds_never_split_a_patient(seed):
    y, groups = radiomics_column("y"), radiomics_column("patient")
    folds = patient_folds(y, groups, seed=seed)
    assert set(folds) == set(range(1, 11))
    for patient in np.unique(groups):
        assert np.unique(folds[groups == patient]).size == 1
    assert (folds == patient_folds(y, groups, seed=seed)).all()


def test_patient_folds_refuse_more_folds_than_patients():
    with pytest.raises(ValueError, match="only 4 patients"):
        patient_folds([0, 1, 0, 1, 0, 1], [1, 2, 3, 4, 1, 2], n_folds=5, seed=1)


def test_patient_folds_refuse_a_training_part_with_one_class():
    with pytest.raises(ValueError, match="one class"):
        patient_folds([1, 1, 0, 0, 0, 0], ["a", "a", "b", "c", "d", "e"], n_folds=3, seed=1)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"params": {"seed": 1}}, "params lacks"),
        ({"training": [1, 2]}, "training must be an object"),
    ],
)
def test_a_document_of_the_wrong_shape_is_refused(fitted, part, message):
    with pytest.raises(ValueError, match=message):
        RadiomicsModel.from_dict(fitted.to_dict() | part)


def test_an_unknown_parameter_in_a_document_is_refused(fitted):
    document = fitted.to_dict()
    document["params"]["gamma"] = 1
    with pytest.raises(ValueError, match="gamma"):
        RadiomicsModel.from_dict(document)


def test_a_block_that_is_masked_out_leaves_the_other_alone():
    X, y, groups = small_data()
    blocks, mask = ["CT"] * 4 + ["SP"] * 4, np.repeat([True, False], 4)
    masked = RadiomicsModel(seed=5, n_folds=5).fit(X, y, groups, blocks=blocks, feature_mask=mask)
    alone = RadiomicsModel(seed=5, n_folds=5).fit(X[:, :4], y, groups)
    assert masked.kept_ == alone.kept_
    assert (masked.predict_proba(X) == alone.predict_proba(X[:, :4])).all()


@pytest.mark.parametrize("mask", [[True] * 7, [1] * 8])
def test_a_mask_must_be_one_boolean_per_column(mask):
    X, y, groups = small_data()
    with pytest.raises(ValueError, match="feature_mask"):
        RadiomicsModel(seed=5).fit(X, y, groups, feature_mask=mask)


def test_the_1se_rule_takes_the_larger_penalty():
    lowest, within_one_se = small_model(), small_model(rule="1se")
    assert within_one_se.lambda_ == within_one_se.cv_.lambda_1se >= lowest.lambda_
    assert len(within_one_se.selected_) <= len(lowest.selected_)


def test_a_shorter_lambda_sequence_is_the_one_cross_validated():
    model = small_model(n_lambda=20, lambda_min_ratio=0.05)
    assert model.cv_.lambdas.size <= 20
    ratio = model.cv_.lambdas[1] / model.cv_.lambdas[0]
    assert ratio == pytest.approx(0.05 ** (1 / 19), rel=1e-12)
