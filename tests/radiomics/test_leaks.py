"""Where there is no effect: the pipeline finds none, and each leak that the package refuses is shown for what it costs.

132 patients, 192 lesions, 300 features; labels and features lean with the patient, and nothing links them. The
specification gives what its simulation found (MEASURED) and leaves open how much a patient's lesions were alike and how
many columns were chosen; one setting for all (`apart`, `lean`, N_BEST) meets its four figures within Monte-Carlo error.
"""

import numpy as np
import pytest
from scipy.stats import ttest_ind

from radiomics.discrimination import rank_auc
from radiomics.evaluation import performance
from radiomics.logistic import fit_logistic
from radiomics.model import RadiomicsModel, patient_folds
from radiomics.resampling import nested_cv

REPEATS = 24
N_BEST = 7
MEASURED = {"nested": 0.510, "folds by lesion": 0.604, "hold-out by lesion": 0.581, "chosen before the folds": 0.744}  # fmt: skip


def patients_without_effect(seed, *, apart=0.5, lean=6.0):
    """Features, labels, patients; `apart` by which lesions of a patient differ, `lean` of the labels with the patient."""
    rng = np.random.Generator(np.random.PCG64(seed))
    groups = np.concatenate([np.arange(132), np.arange(60)])
    X = rng.normal(size=(132, 300))[groups] + apart * rng.normal(size=(192, 300))
    leaning = rng.normal(size=132)[groups] * lean
    return X, (leaning + rng.logistic(size=192) > 0).astype(int), groups


def model():
    return RadiomicsModel(seed=1)


def nested(seed, groups_of):
    X, y, groups = patients_without_effect(seed)
    return nested_cv(model, X, y, groups_of(groups), n_outer=5, seed=seed).auc_mean


def held_out_by_lesion(seed):
    """Thirty in a hundred lesions held out, whoever's they are; folds by lesion within, too."""
    X, y, _ = patients_without_effect(seed)
    out = np.random.Generator(np.random.PCG64(seed)).permutation(192) < 58
    fitted = model().fit(X[~out], y[~out], np.flatnonzero(~out))
    return rank_auc(y[out].astype(float), fitted.predict_proba(X[out])[:, 1])


def chosen_before_the_folds(seed):
    """The columns with the largest t of all rows, then folds by patient: the test rows have chosen them."""
    X, y, groups = patients_without_effect(seed)
    best = np.argsort(-np.abs(ttest_ind(X[y == 1], X[y == 0]).statistic))[:N_BEST]
    folds, score = patient_folds(y, groups, n_folds=5, seed=seed), np.empty(192)
    for k in range(1, 6):
        out = folds == k
        coef = fit_logistic(X[~out][:, best], y[~out]).coef
        score[out] = coef[0] + X[out][:, best] @ coef[1:]
    return rank_auc(y.astype(float), score)


def mean_and_error(areas):
    return np.mean(areas), np.std(areas, ddof=1) / np.sqrt(len(areas))


def check_inflation(what, areas):
    """An effect beyond three standard errors, as large as the specification's within three of the difference."""
    mean, error = mean_and_error(areas)
    assert mean - 3 * error > 0.5
    assert abs(mean - MEASURED[what]) <= 3 * np.sqrt(2) * error


@pytest.mark.slow
def test_nested_cv_by_patient_finds_nothing_where_there_is_nothing():
    mean, error = mean_and_error([nested(seed, lambda groups: groups) for seed in range(REPEATS)])
    assert abs(mean - 0.5) <= 3 * error
    assert abs(mean - MEASURED["nested"]) <= 3 * np.sqrt(2) * error


@pytest.mark.slow
def test_folds_by_lesion_find_an_effect_that_is_not_there():
    areas = [nested(seed, lambda _: np.arange(192)) for seed in range(REPEATS)]
    check_inflation("folds by lesion", areas)


@pytest.mark.slow
def test_a_hold_out_by_lesion_finds_an_effect_that_is_not_there():
    check_inflation("hold-out by lesion", [held_out_by_lesion(seed) for seed in range(REPEATS)])


@pytest.mark.parametrize("repeats", [5, pytest.param(REPEATS, marks=pytest.mark.slow)])
def test_columns_chosen_before_the_folds_find_an_effect_that_is_not_there(repeats):
    areas = [chosen_before_the_folds(seed) for seed in range(repeats)]
    check_inflation("chosen before the folds", areas)
    assert mean_and_error(areas)[0] > 0.6


def test_folds_by_lesion_are_refused_where_patients_are_known():
    X, y, groups = patients_without_effect(1)
    with pytest.raises(ValueError, match="two folds"):
        RadiomicsModel(seed=1).fit(X[:, :9], y, groups, folds=np.arange(192) % 5 + 1)


def test_a_fit_without_patients_is_refused():
    X, y, _ = patients_without_effect(1)
    with pytest.raises(ValueError, match="groups is mandatory"):
        RadiomicsModel(seed=1).fit(X[:, :9], y, None)


def test_a_hold_out_by_lesion_cannot_be_called_held_out():
    X, y, groups = patients_without_effect(1)
    out = np.arange(192) % 5 == 0
    fitted = RadiomicsModel(n_folds=3, n_lambda=20, seed=1).fit(X[~out, :9], y[~out], groups[~out])
    assert performance(fitted, X[out, :9], y[out], groups[out]).label == "apparent"


def test_the_outer_folds_of_nested_cv_never_part_a_patient():
    X, y, groups = patients_without_effect(2)
    found = nested_cv(lambda: RadiomicsModel(n_folds=3, n_lambda=10, seed=1), X[:, :5], y, groups, n_outer=3, seed=4)  # fmt: skip
    for patient in range(60):
        assert np.unique(found.folds[0][groups == patient]).size == 1
