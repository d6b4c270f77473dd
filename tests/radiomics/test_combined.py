"""The radiomics score beside clinical columns: no leak into the score, nomogram by hand, JSON, refusals."""

import json

import numpy as np
import pytest
from scipy.special import expit

from radiomics.combined import SCORE, CombinedModel
from radiomics.logistic import fit_logistic
from radiomics.model import RadiomicsModel
from radiomics.resampling import nested_cv

QUICK = {"n_folds": 4, "n_lambda": 20}
NAMES = [*(f"f{j}" for j in range(8)), "age", "sex", "uptake"]


def data(n=72, seed=3, signal=1.0):
    rng = np.random.Generator(np.random.PCG64(seed))
    features = rng.normal(size=(n, 8))
    age, sex = rng.normal(60, 10, n), (rng.random(n) < 0.5).astype(float)
    uptake = rng.lognormal(size=n)
    eta = signal * (features[:, 0] - features[:, 1] + 0.08 * (age - 60) + sex - 0.5)
    y = (eta + rng.logistic(size=n) > 0).astype(int)
    return np.column_stack([features, age, sex, uptake]), y, np.arange(n) // 2


def model(**parameters):
    return CombinedModel(**{"clinical": (8, 9, 10), "radiomics": QUICK, "n_folds": 4, "seed": 1} | parameters)  # fmt: skip


@pytest.fixture(scope="module")
def fitted():
    return model().fit(*data(), feature_names=NAMES)


def test_the_last_fit_is_a_logistic_one_on_score_and_clinical_columns(fitted):
    X, y, _ = data()
    again = fit_logistic(np.column_stack([fitted.score_, X[:, 8:]]), y)
    np.testing.assert_allclose(fitted.fit_.coef, again.coef, atol=1e-12)
    assert fitted.fit_.terms == ("(Intercept)", SCORE, "age", "sex", "uptake")


def test_the_score_of_a_patient_comes_from_a_model_without_that_patient(fitted):
    X, y, groups = data()
    for k in np.unique(fitted.folds_):
        out = fitted.folds_ == k
        assert not set(groups[out]) & set(groups[~out])
        alone = RadiomicsModel(**QUICK, seed=1).fit(X[~out, :8], y[~out], groups[~out])
        np.testing.assert_allclose(fitted.score_[out], alone.decision_function(X[out, :8]), atol=1e-12)  # fmt: skip


def test_changing_a_patient_s_label_leaves_that_patient_s_score_alone(fitted):
    X, y, groups = data()
    changed = y.copy()
    changed[:2] = 1 - changed[:2]
    again = model()
    again.radiomics = QUICK
    out = fitted.folds_ == fitted.folds_[0]
    part = RadiomicsModel(**QUICK, seed=1).fit(X[~out, :8], changed[~out], groups[~out])
    np.testing.assert_allclose(part.decision_function(X[:2, :8]), fitted.score_[:2], atol=1e-12)


def test_a_row_outside_the_training_rows_cannot_reach_the_model():
    X, y, groups = data()
    changed = X.copy()
    changed[60:] = -1e5
    first = model().fit(X[:60], y[:60], groups[:60])
    assert first.lock_id() == model().fit(changed[:60], y[:60], groups[:60]).lock_id()


def test_a_score_that_says_nothing_is_left_out_of_the_last_fit():
    X, y, groups = data(seed=11, signal=0.0)
    found = model(radiomics=QUICK | {"rule": "1se"}).fit(X, y, groups)
    assert found.radiomics_.selected_ == ()
    assert found.fit_.terms == ("(Intercept)", "x9", "x10", "x11")
    assert "empty_selection" in found.flags_
    np.testing.assert_allclose(found.fit_.coef, fit_logistic(X[:, 8:], y).coef, atol=1e-12)
    again = CombinedModel.from_dict(found.to_dict())
    assert (again.predict_proba(X) == found.predict_proba(X)).all()
    assert [axis.name for axis in again.nomogram().axes] == ["x9", "x10", "x11"]


def test_the_out_of_fold_score_claims_less_than_the_score_of_its_own_rows(fitted):
    X, y, _ = data()
    own = fit_logistic(fitted.radiomics_.decision_function(X[:, :8])[:, None], y)
    assert fit_logistic(fitted.score_[:, None], y).deviance > own.deviance


def test_new_rows_get_the_score_of_the_model_of_all_rows(fitted):
    X, _, _ = data(seed=4)
    b0, b, *rest = fitted.fit_.coef
    eta = b0 + b * fitted.radiomics_.decision_function(X[:, :8]) + X[:, 8:] @ rest
    np.testing.assert_allclose(fitted.decision_function(X), eta, atol=1e-12)
    np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1.0, atol=1e-15)
    assert (fitted.predict(X) == (expit(eta) >= fitted.threshold_)).all()


def test_clinical_columns_may_stand_anywhere(fitted):
    X, y, groups = data()
    order = [8, 0, 1, 2, 9, 3, 4, 5, 6, 7, 10]
    other = model(clinical=(0, 4, 10)).fit(X[:, order], y, groups)
    np.testing.assert_allclose(other.predict_proba(X[:, order]), fitted.predict_proba(X), atol=1e-12)  # fmt: skip


def test_a_round_trip_through_json_predicts_bit_identically(fitted):
    X, _, _ = data(seed=5)
    again = CombinedModel.from_dict(json.loads(json.dumps(fitted.to_dict(), allow_nan=False)))
    assert (again.predict_proba(X) == fitted.predict_proba(X)).all()
    assert again.lock_id() == fitted.lock_id()
    assert again.nomogram().to_dict() == fitted.nomogram().to_dict()


def test_it_runs_inside_nested_cross_validation():
    X, y, groups = data()
    found = nested_cv(lambda: model(n_folds=3), X, y, groups, n_outer=3, seed=2)
    assert np.isfinite(found.probability).all()


def test_the_fitted_nomogram_agrees_with_the_fitted_model(fitted):
    X, _, _ = data()
    chart, row = fitted.nomogram(), X[7]
    score = fitted.radiomics_.decision_function(row[None, :8])[0]
    values = dict(zip(fitted.terms_, (score, *row[8:]), strict=True))
    total = sum(axis.points(values[axis.name]) for axis in chart.axes)
    p = fitted.predict_proba(row[None])[0, 1]
    assert chart.probability(total) == pytest.approx(p, abs=1e-12)


def test_the_nomogram_spans_the_training_range_of_each_column(fitted):
    X, _, _ = data()
    ranges = {axis.name: (axis.low, axis.high) for axis in fitted.nomogram().axes}
    assert ranges.pop(SCORE) == (fitted.score_.min(), fitted.score_.max())
    assert list(ranges.values()) == list(
        zip(X[:, 8:].min(axis=0), X[:, 8:].max(axis=0), strict=True)
    )


@pytest.mark.parametrize("clinical", [(), (8, 8), (11,), (-1,), tuple(range(11))])
def test_clinical_columns_must_exist_and_leave_some_radiomics(clinical):
    with pytest.raises(ValueError, match="clinical must be"):
        model(clinical=clinical).fit(*data())


def test_missing_groups_and_missing_clinical_values_are_refused():
    X, y, groups = data()
    with pytest.raises(ValueError, match="groups is mandatory"):
        model().fit(X, y)
    X = X.copy()
    X[3, 8] = np.nan
    with pytest.raises(ValueError, match="age"):
        model().fit(X, y, groups, feature_names=NAMES)


def test_a_constant_clinical_column_is_named():
    X, y, groups = data()
    X = X.copy()
    X[:, 9] = 1.0
    with pytest.raises(ValueError, match="sex"):
        model().fit(X, y, groups, feature_names=NAMES)


@pytest.mark.parametrize("key", ["params", "radiomics", "fit", "threshold"])
def test_a_document_without_a_key_is_refused(fitted, key):
    document = fitted.to_dict()
    del document[key]
    with pytest.raises(ValueError, match=key):
        CombinedModel.from_dict(document)


def test_an_unknown_format_and_an_unfinite_coefficient_are_refused(fitted):
    with pytest.raises(ValueError, match="radiomics-combined"):
        CombinedModel.from_dict(fitted.to_dict() | {"version": 9})
    document = fitted.to_dict()
    document["fit"]["coef"][1] = None
    with pytest.raises(ValueError, match="finite"):
        CombinedModel.from_dict(document)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"threshold": None}, "threshold must be a finite number"),
        ({"threshold": "0.5"}, "threshold must be a finite number"),
        ({"low": [0.0]}, "low must hold a number for each of the 4 terms"),
        ({"high": None}, "high must hold a number for each of the 4 terms"),
        ({"high": [1.0, 2.0, 3.0, None]}, "high must hold a number for each of the 4 terms"),
        ({"names": NAMES[:-1]}, "clinical must be"),
        ({"names": [*NAMES[:8], "sex", "age", "uptake"]}, "fit has the terms"),
        ({"fit": []}, "fit must be an object"),
        ({"fit": {"terms": []}}, "fit lacks coef"),
    ],
)
def test_a_document_that_was_tampered_with_is_refused(fitted, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        CombinedModel.from_dict(fitted.to_dict() | change)


def test_a_document_with_a_coefficient_too_many_is_refused(fitted):
    document = fitted.to_dict()
    document["fit"]["coef"].append(1.0)
    with pytest.raises(ValueError, match="fit.coef must have one entry per term"):
        CombinedModel.from_dict(document)


def test_the_order_of_patients_does_not_matter_to_the_last_fit(fitted):
    """Folds follow patients, so shuffled rows may change the score; the fit on a given score does not."""
    X, y, _ = data()
    order = np.random.default_rng(0).permutation(len(y))
    design = np.column_stack([fitted.score_, X[:, 8:]])
    again = fit_logistic(design[order], y[order])
    np.testing.assert_allclose(again.coef, fitted.fit_.coef, atol=1e-9)


def test_new_rows_of_another_width_or_with_a_gap_are_refused(fitted):
    X, _, _ = data()
    with pytest.raises(ValueError, match=r"shape \(rows, 11\)"):
        fitted.predict_proba(X[:, :10])
    gap = X[:2].copy()
    gap[1, 9] = np.nan
    with pytest.raises(ValueError, match="missing or infinite"):
        fitted.predict_proba(gap)


def test_the_threshold_calls_the_rows_that_reach_it(fitted):
    X, _, _ = data()
    p = fitted.predict_proba(X)[:, 1]
    assert (fitted.predict(X) == (p >= fitted.threshold_)).all()
    assert 0 < fitted.predict(X).mean() < 1
    assert "threshold_apparent" in fitted.flags_
