"""Whether the cohort holds the signal it was made with, and whether its absence and a planted leak show."""

import os
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest

from radiomics.lasso import lasso_path
from radiomics.logistic import fit_logistic
from radiomics.model import RadiomicsModel, patient_folds
from radiomics.phantom.calibrate import (
    MODELS,
    Table,
    auc,
    expert_auc,
    table_of,
    tables_of,
    validation_aucs,
)
from radiomics.phantom.plan import make_plan
from radiomics.resampling import nested_cv
from radiomics.selection import correlation_filter, zscore

pytestmark = pytest.mark.slow

SEEDS, NULL_SEEDS, SPLITS = (2022, 1, 2, 3, 4, 5), (11, 12, 13, 14, 15, 16), (1, 2, 3, 4, 5)
PAPER_LAMBDA = 0.035  # the combined model's, Jin et al. 2022
WORKERS = os.cpu_count() or 1
Means = dict[str, float]


@cache
def with_signal() -> list[Table]:
    return [table_of(make_plan(seed=seed), workers=WORKERS) for seed in SEEDS]


@cache
def without_signal() -> list[tuple[Table, ...]]:
    """Both delineators' tables of each null seed."""
    plans = [make_plan(seed=seed, null=True) for seed in NULL_SEEDS]
    return [tables_of(plan, (0, 1), workers=WORKERS) for plan in plans]


@cache
def splits_of_signal() -> list[Means]:
    return [validation_aucs(table, seed) for table in with_signal() for seed in SPLITS]


def mean_of(rows: list[Means], name: str) -> float:
    return float(np.mean([row[name] for row in rows]))


def nested_auc(table: Table, name: str, seed: int) -> float:
    """Mean fold AUC of nested CV of the portal's own pipeline."""
    return nested_cv(
        partial(RadiomicsModel, seed=seed),
        table.columns(name),
        table.labels,
        table.patients,
        seed=seed,
    ).auc_mean


@cache
def nested_aucs(name: str) -> list[float]:
    """Mean fold AUC of nested patient-grouped CV, one per null seed."""
    found = []
    for seed, (table, _) in zip(NULL_SEEDS, without_signal(), strict=True):
        found.append(nested_auc(table, name, seed))
    return found


def held_out_auc(z: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> float:
    """Mean over folds of the AUC of an unpenalised refit of the given columns."""
    areas = []
    for k in range(1, int(folds.max()) + 1):
        out = folds == k
        fit = fit_logistic(z[~out], labels[~out])
        areas.append(auc(labels[out], z[out] @ fit.coef[1:]))
    return float(np.mean(areas))


def leaky_auc(table: Table, seed: int) -> float:
    """Choose columns on all lesions first, then cross-validate only the refit."""
    X = table.columns("combined")
    z = zscore(X[:, correlation_filter(X).kept]).z
    path = lasso_path(z, table.labels)
    at = int(np.argmin(np.abs(np.log(path.lambdas / PAPER_LAMBDA))))
    chosen = np.flatnonzero(path.coef[at])
    folds = patient_folds(table.labels, table.patients, seed=seed)
    return held_out_auc(z[:, chosen], table.labels, folds)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("ct", 0.81, 0.88), ("spect", 0.84, 0.90), ("combined", 0.89, 0.95)],
)
def test_a_model_reaches_the_published_auc_over_seeds_and_splits(
    name: str, low: float, high: float
) -> None:
    assert low <= mean_of(splits_of_signal(), name) <= high


def test_the_models_are_ordered_as_published_in_the_mean_and_in_most_splits() -> None:
    rows = splits_of_signal()
    ct, spect, combined = (mean_of(rows, name) for name in MODELS)
    assert ct < spect < combined
    assert np.mean([row["combined"] > row["ct"] for row in rows]) >= 0.75
    assert np.mean([row["combined"] > row["spect"] for row in rows]) >= 0.70


def test_the_experts_reach_the_published_auc_of_their_calls() -> None:
    assert 0.80 <= np.mean([expert_auc(make_plan(seed=seed)) for seed in SEEDS]) <= 0.88


@pytest.mark.parametrize("name", MODELS)
def test_without_signal_a_model_finds_nothing(name: str) -> None:
    rows = [validation_aucs(first, k) for first, _ in without_signal() for k in SPLITS]
    assert 0.45 <= mean_of(rows, name) <= 0.55
    assert 0.46 <= np.mean(nested_aucs(name)) <= 0.54


def test_without_signal_the_experts_guess() -> None:
    plans = [make_plan(seed=seed, null=True) for seed in NULL_SEEDS]
    assert 0.45 <= np.mean([expert_auc(plan) for plan in plans]) <= 0.55


def test_choosing_features_before_folding_shows() -> None:
    leaky = np.mean(
        [leaky_auc(first, s) for s, (first, _) in zip(NULL_SEEDS, without_signal(), strict=True)]
    )
    assert leaky >= 0.56
    assert leaky >= np.mean(nested_aucs("combined")) + 0.06


def test_two_drawings_of_a_lesion_as_independent_rows_show() -> None:
    areas = []
    for seed, (first, second) in zip(NULL_SEEDS, without_signal(), strict=True):
        n = len(first.labels)
        both = replace(
            first,
            ct=np.concatenate([first.ct, second.ct]),
            spect=np.concatenate([first.spect, second.spect]),
            labels=np.tile(first.labels, 2),
            patients=np.arange(2 * n),  # a leak: every drawing counts as a patient of its own
        )
        areas.append(nested_auc(both, "spect", seed))
    assert np.mean(areas) >= 0.53


def test_the_model_refuses_rows_without_their_patients() -> None:
    table = without_signal()[0][0]
    with pytest.raises(ValueError, match="groups is mandatory"):
        RadiomicsModel(seed=1).fit(table.columns("ct"), table.labels)
