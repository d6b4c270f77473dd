"""A model on rows of its training patients is "apparent": by construction, for every model of the package."""

from dataclasses import replace

import numpy as np
import pytest

from radiomics.baselines import BaselineModel
from radiomics.combined import CombinedModel
from radiomics.evaluation import performance
from radiomics.model import RadiomicsModel
from radiomics.stats.flags import FLAGS
from radiomics.stats.roc import auc_interval

QUICK = {"n_folds": 3, "n_lambda": 20}


def data(n=48, seed=2):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    y = (X[:, 0] + X[:, 1] + rng.logistic(size=n) > 0).astype(int)
    return X, y, np.array([f"S{i // 2:03d}" for i in range(n)])


TRAIN = np.arange(48) < 32
MODELS = {
    "radiomics": lambda: RadiomicsModel(**QUICK, seed=1),
    "combined": lambda: CombinedModel(clinical=(4, 5), radiomics=QUICK, n_folds=3, seed=1),
    "ridge": lambda: BaselineModel(kind="ridge", n_folds=3, seed=1),
}


@pytest.fixture(scope="module")
def fitted():
    X, y, groups = data()
    return {k: make().fit(X[TRAIN], y[TRAIN], groups[TRAIN]) for k, make in MODELS.items()}


@pytest.mark.parametrize("kind", MODELS)
def test_rows_of_training_patients_are_apparent_and_others_are_held_out(fitted, kind):
    X, y, groups = data()
    inside = performance(fitted[kind], X[TRAIN], y[TRAIN], groups[TRAIN])
    outside = performance(fitted[kind], X[~TRAIN], y[~TRAIN], groups[~TRAIN])
    assert (inside.label, inside.n_trained_on, outside.label, outside.n_trained_on) == ("apparent", 32, "held_out", 0)  # fmt: skip
    assert "apparent" in inside.flags
    assert "apparent" not in outside.flags


def test_one_row_of_a_training_patient_among_others_makes_it_apparent(fitted):
    X, y, groups = data()
    chosen = ~TRAIN
    chosen[5] = True
    found = performance(fitted["radiomics"], X[chosen], y[chosen], groups[chosen])
    assert (found.label, found.n_trained_on, found.n) == ("apparent", 1, 17)


def test_another_lesion_of_a_training_patient_is_apparent_although_it_was_not_fitted(fitted):
    X, y, groups = data()
    other, _, _ = data(seed=9)
    found = performance(fitted["radiomics"], other[TRAIN], y[TRAIN], groups[TRAIN])
    assert found.label == "apparent"


def test_the_caller_cannot_choose_the_label(fitted):
    X, y, groups = data()
    found = performance(fitted["radiomics"], X[TRAIN], y[TRAIN], groups[TRAIN])
    with pytest.raises(ValueError, match="label must be apparent where 32 of 32 rows"):
        replace(found, label="held_out")
    with pytest.raises(ValueError, match="flags must name apparent"):
        replace(found, flags=())
    with pytest.raises(ValueError, match="label must be held_out"):
        replace(found, n_trained_on=0)


def test_another_list_of_training_patients_is_refused(fitted):
    X, y, groups = data()
    with pytest.raises(ValueError, match="patients that the model was fitted on"):
        performance(fitted["radiomics"], X[TRAIN], y[TRAIN], groups[TRAIN], trained_on=["S900"])


def test_a_model_rebuilt_from_its_document_must_be_told_its_patients(fitted):
    X, y, groups = data()
    again = RadiomicsModel.from_dict(fitted["radiomics"].to_dict())
    with pytest.raises(ValueError, match="trained_on must name the training patients"):
        performance(again, X[~TRAIN], y[~TRAIN], groups[~TRAIN])
    told = performance(again, X, y, groups, trained_on=groups[TRAIN])
    assert told == performance(fitted["radiomics"], X, y, groups)
    assert told.label == "apparent"


def test_its_numbers_are_the_clustered_auc_and_the_mean_squared_error(fitted):
    X, y, groups = data()
    p = fitted["radiomics"].predict_proba(X[~TRAIN])[:, 1]
    found = performance(fitted["radiomics"], X[~TRAIN], y[~TRAIN], groups[~TRAIN], level=0.9)
    wanted = auc_interval(y[~TRAIN], p, method="clustered", groups=groups[~TRAIN], level=0.9)
    assert found.auc == wanted
    assert found.brier == pytest.approx(np.mean((p - y[~TRAIN]) ** 2), abs=1e-15)


def test_single_lesions_get_the_plain_interval(fitted):
    X, y, groups = data()
    rows = np.flatnonzero(~TRAIN)[::2]
    assert performance(fitted["radiomics"], X[rows], y[rows], groups[rows]).auc.method == "logit_delong"  # fmt: skip


def test_apparent_stands_as_a_sentence():
    assert FLAGS["apparent"].startswith("Apparent: ")
