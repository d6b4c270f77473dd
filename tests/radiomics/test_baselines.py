"""Linear baselines: an independent second way, the estimator's contract, no leak between patients."""

import json

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.base import clone

from radiomics.baselines import BaselineModel
from radiomics.resampling import nested_cv
from radiomics.selection import zscore
from radiomics.stats.flags import FLAGS
from radiomics.stats.roc import auc

KINDS = ("elastic_net", "ridge", "svm")


def data(n=60, p=6, seed=3):
    rng = np.random.Generator(np.random.PCG64(seed))
    X = rng.normal(size=(n, p))
    y = (X[:, 0] - X[:, 1] + rng.normal(size=n) > 0).astype(int)
    return X, y, np.arange(n) // 2


def fitted(kind, **parameters):
    return BaselineModel(kind=kind, seed=1, **parameters).fit(*data())


def penalised(z, y, C, l1):
    """The objective that scikit-learn minimises, coefficients split into positive and negative parts."""
    p = z.shape[1]

    def loss(parts):
        b = parts[1 : p + 1] - parts[p + 1 :]
        eta = parts[0] + z @ b
        size = l1 * parts[1:].sum() + (1 - l1) / 2 * b @ b
        return C * (np.logaddexp(0, eta) - y * eta).sum() + size

    bounds = [(None, None)] + [(0, None)] * (2 * p)
    found = minimize(loss, np.zeros(2 * p + 1), bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-9, "maxfun": 10**6})  # fmt: skip
    return found.x[0], found.x[1 : p + 1] - found.x[p + 1 :]


@pytest.mark.parametrize(("kind", "l1"), [("ridge", 0.0), ("elastic_net", 0.5)])
def test_coefficients_minimise_the_penalised_likelihood(kind, l1):
    X, y, _ = data()
    model = fitted(kind, strengths=(0.1,))
    intercept, coef = penalised(zscore(X).z, y, 0.1, l1)
    # the solvers of scikit-learn stop at a relative change of 1e-4
    np.testing.assert_allclose(model.coef_, coef, atol=2e-3)
    assert model.intercept_ == pytest.approx(intercept, abs=2e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_is_found_out_of_fold(kind):
    X, y, groups = data(n=80)
    found = nested_cv(lambda: BaselineModel(kind=kind, seed=1, n_folds=3, strengths=(0.1,)), X, y, groups, n_outer=4, seed=2)  # fmt: skip
    assert found.auc_pooled > 0.7


@pytest.mark.parametrize("kind", KINDS)
def test_a_round_trip_through_json_predicts_bit_identically(kind):
    X, _, _ = data()
    model = fitted(kind)
    again = BaselineModel.from_dict(json.loads(json.dumps(model.to_dict(), allow_nan=False)))
    assert (again.predict_proba(X) == model.predict_proba(X)).all()
    assert again.lock_id() == model.lock_id()
    assert (again.predict(X) == (model.predict_proba(X)[:, 1] >= model.threshold_)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_outside_the_training_rows_cannot_reach_the_model(kind):
    X, y, groups = data()
    first = BaselineModel(kind=kind, seed=1).fit(X[:40], y[:40], groups[:40])
    changed = X.copy()
    changed[40:] = 1e6
    second = BaselineModel(kind=kind, seed=1).fit(changed[:40], y[:40], groups[:40])
    assert first.lock_id() == second.lock_id()


@pytest.mark.parametrize("kind", KINDS)
def test_missing_groups_are_refused(kind):
    X, y, _ = data()
    with pytest.raises(ValueError, match="groups is mandatory"):
        BaselineModel(kind=kind, seed=1).fit(X, y)


def test_folds_that_split_a_patient_are_refused():
    X, y, groups = data()
    with pytest.raises(ValueError, match="two folds"):
        BaselineModel(seed=1).fit(X, y, groups, folds=np.arange(60) % 5 + 1)


def test_the_svm_s_line_is_fitted_on_held_out_margins():
    """With labels that mean nothing, margins of the own rows would look certain; held-out ones do not."""
    rng = np.random.Generator(np.random.PCG64(8))
    X, y = rng.normal(size=(60, 25)), np.tile([0, 1], 30)
    model = BaselineModel(kind="svm", seed=1, strengths=(1.0,)).fit(X, y, np.arange(60) // 2)
    p = model.predict_proba(X)[:, 1]
    assert np.abs(p - 0.5).max() < 0.45
    assert model.cv_deviance_[0] > 1.2


def test_the_strength_with_the_least_held_out_deviance_is_taken():
    model = fitted("ridge")
    assert model.strengths[int(np.argmin(model.cv_deviance_))] == model.C_
    assert len(model.cv_deviance_) == 4


def test_one_of_two_copies_goes_and_a_constant_column_is_left_out():
    X, y, groups = data()
    X = np.column_stack([X, X[:, 0] * 3 + 1, np.ones(60)])
    model = BaselineModel(seed=1).fit(X, y, groups)
    assert len(model.kept_) == 6
    assert "x8" not in model.kept_


def test_units_do_not_matter():
    X, y, groups = data()
    first = BaselineModel(seed=1).fit(X, y, groups)
    second = BaselineModel(seed=1).fit(X * 1000 + 7, y, groups)
    np.testing.assert_allclose(first.predict_proba(X), second.predict_proba(X * 1000 + 7), atol=1e-6)  # fmt: skip


def test_blocks_and_masks_work_as_in_the_study_s_model():
    X, y, groups = data()
    twice = np.column_stack([X, X])
    model = BaselineModel(seed=1).fit(twice, y, groups, blocks=["CT"] * 6 + ["SP"] * 6)
    assert len(model.kept_) == 12
    masked = BaselineModel(seed=1).fit(X, y, groups, feature_mask=[True] * 3 + [False] * 3)
    assert masked.kept_ == ("x1", "x2", "x3")


def test_a_clone_forgets_the_fit():
    copy = clone(fitted("ridge", cutoff=0.8))
    assert copy.cutoff == 0.8
    assert not hasattr(copy, "coef_")


def test_an_early_stop_is_a_flag_not_a_warning():
    rng = np.random.Generator(np.random.PCG64(4))
    X = rng.normal(size=(40, 60))
    y = (X[:, 0] > 0).astype(int)
    model = BaselineModel(kind="elastic_net", strengths=(1e4,), seed=1, n_folds=3).fit(X, y, np.arange(40))  # fmt: skip
    assert "not_converged" in model.flags_
    assert set(model.flags_) <= set(FLAGS)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"format": "x"}, "not a radiomics-baseline"), ({"version": 2}, "version"), ({"coef": [float("nan")] * 6}, "finite")],
)  # fmt: skip
def test_a_broken_document_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        BaselineModel.from_dict(fitted("ridge").to_dict() | change)


@pytest.mark.parametrize("key", ["params", "mean", "names", "training", "threshold"])
def test_a_document_without_a_key_is_refused(key):
    document = fitted("ridge").to_dict()
    del document[key]
    with pytest.raises(ValueError, match=key):
        BaselineModel.from_dict(document)


def test_an_unknown_kind_a_missing_value_and_a_wrong_width_are_refused():
    X, y, groups = data()
    with pytest.raises(ValueError, match="kind"):
        BaselineModel(kind="forest", seed=1).fit(X, y, groups)
    with pytest.raises(ValueError, match="x2"):
        BaselineModel(seed=1).fit(np.where(X[0, 1] == X, np.nan, X), y, groups, feature_names=[f"x{j + 1}" for j in range(6)])  # fmt: skip
    with pytest.raises(ValueError, match="shape"):
        fitted("ridge").predict_proba(X[:, :3])


def test_constant_predictions_get_the_threshold_one_half():
    rng = np.random.Generator(np.random.PCG64(5))
    X, y = rng.normal(size=(40, 2)), np.tile([0, 1], 20)
    model = BaselineModel(kind="elastic_net", strengths=(1e-6,), seed=1).fit(X, y, np.arange(40))
    assert (model.coef_ == 0).all()
    assert model.threshold_ == 0.5
    assert "threshold_default" in model.flags_
    assert auc(y, model.predict_proba(X)[:, 1]) == 0.5
