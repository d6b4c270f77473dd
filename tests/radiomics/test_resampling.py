"""Optimism against R, and what resampling must never do."""

import json

import numpy as np
import pytest
from scipy.special import expit

from radiomics.logistic import fit_logistic
from radiomics.model import RadiomicsModel
from radiomics.resampling import (
    bootstrap_optimism,
    exchange_labels,
    nested_cv,
    patient_resamples,
    permutation_test,
)
from tests.radiomics.golden_stats import FOLDER, answer, columns


class Logistic:
    """Maximum likelihood on all columns; remembers the rows that it saw."""

    def fit(self, X, y, groups):
        self.seen = X.copy()
        self.groups = groups
        self.coef = fit_logistic(X, y).coef
        return self

    def predict_proba(self, X):
        p = expit(self.coef[0] + X @ self.coef[1:])
        return np.column_stack([1 - p, p])


class FirstColumn:
    """Ranks by the first column, without learning; lists what it selects."""

    selected_ = (0,)

    def fit(self, X, y, groups):
        return self

    def predict_proba(self, X):
        p = expit(X[:, 0])
        return np.column_stack([1 - p, p])


def data(n=60, p=3, seed=1, signal=1.0):
    rng = np.random.Generator(np.random.PCG64(seed))
    X = rng.normal(size=(n, p))
    y = (signal * X[:, 0] + rng.normal(size=n) > 0).astype(int)
    return X, y, np.arange(n) // 2


def golden_bootstrap():
    table = columns("glm_n80p12")
    X = np.column_stack([table[f"x{j}"] for j in (1, 2, 3, 4)])
    # one resample per line, rows counted from 1
    rows = np.loadtxt(FOLDER / "in" / "boot_idx_glm_n80p12.csv", delimiter=",", dtype=int) - 1
    return bootstrap_optimism(Logistic, X, table["y"], np.arange(80), indices=rows)


def test_optimism_is_r_s():
    golden, found = answer("boot_optimism"), golden_bootstrap()
    for ours, theirs in (("apparent", "apparent"), ("optimism", "opt"), ("corrected", "corrected")):
        assert getattr(found, f"{ours}_auc") == pytest.approx(golden[f"{theirs}_auc"], abs=1e-12)
    assert found.apparent_brier == pytest.approx(golden["apparent_brier"], abs=1e-9)
    assert found.optimism_brier == pytest.approx(golden["opt_brier"], abs=1e-9)
    np.testing.assert_allclose(found.boot_auc, golden["boot_auc"], atol=1e-12)
    np.testing.assert_allclose(found.test_auc, golden["test_auc"], atol=1e-12)
    assert found.n_failed == 0
    assert found.selected_fraction is None


def test_a_resample_takes_patients_whole():
    groups = np.array([0, 0, 1, 2, 2, 2, 3])
    for rows in patient_resamples(groups, n_boot=20, seed=3):
        drawn = np.bincount(rows, minlength=7)
        for patient in range(4):
            assert np.unique(drawn[groups == patient]).size == 1
        assert sum(drawn[np.flatnonzero(groups == patient)[0]] for patient in range(4)) == 4


def test_resamples_depend_on_the_seed_only():
    groups = np.arange(12) // 3
    first, again, other = (patient_resamples(groups, n_boot=4, seed=s) for s in (5, 5, 6))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any((a.size != b.size) or (a != b).any() for a, b in zip(first, other, strict=True))
    more = patient_resamples(groups, n_boot=9, seed=5)
    assert all((a == b).all() for a, b in zip(first, more, strict=False))


def test_copies_of_a_patient_keep_one_id():
    fitted = []

    def make():
        fitted.append(Logistic())
        return fitted[-1]

    X, y, groups = data()
    bootstrap_optimism(make, X, y, groups, n_boot=3, seed=2)
    for model in fitted[1:]:
        ids = {tuple(row): group for row, group in zip(X, groups, strict=True)}
        assert [ids[tuple(row)] for row in model.seen] == model.groups.tolist()
        assert len(set(model.groups)) < 30


def test_a_pipeline_that_learns_nothing_has_next_to_no_optimism():
    X, y, groups = data(n=200)
    found = bootstrap_optimism(FirstColumn, X, y, groups, n_boot=100, seed=1)
    assert abs(found.optimism_auc) < 0.02
    assert found.selected_fraction.tolist() == [1.0, 0.0, 0.0]
    assert (found.test_auc == found.apparent_auc).all()


def test_failed_resamples_are_counted_not_redrawn():
    X, y, groups = data()
    y = np.zeros_like(y)
    y[:2] = 1
    found = bootstrap_optimism(FirstColumn, X, y, groups, n_boot=30, seed=1)
    assert found.n_failed == np.isnan(found.boot_auc).sum() > 1
    assert found.boot_auc.size == 30
    assert "resamples_failed" in found.flags
    json.dumps(found.to_dict(), allow_nan=False)


class NamesFirst(Logistic):
    """Selects the first column on most resamples, the second on the others; fails where class 1 is rare."""

    def fit(self, X, y, groups):
        if y.mean() < 0.35:
            raise ValueError("class 1 is rare")
        super().fit(X, y, groups)
        self.selected_ = (0,) if X[:, 1].mean() > 0 else (1,)
        return self


@pytest.mark.parametrize("workers", [2, 3])
def test_two_processes_give_the_bits_of_one(workers):
    X, y, groups = data()
    one, more = (
        bootstrap_optimism(NamesFirst, X, y, groups, n_boot=21, seed=3, workers=w)
        for w in (1, workers)
    )
    assert 0 < one.n_failed < 21
    assert 0 < one.selected_fraction[1] < 1
    assert json.dumps(one.to_dict()) == json.dumps(more.to_dict())


def test_given_resamples_keep_their_order_over_processes():
    X, y, groups = data()
    indices = np.random.Generator(np.random.PCG64(5)).integers(60, size=(7, 60))
    one, two = (
        bootstrap_optimism(Logistic, X, y, groups, indices=indices, workers=w) for w in (1, 2)
    )
    assert (one.boot_auc == two.boot_auc).all()
    assert np.unique(one.boot_auc).size == 7


@pytest.mark.parametrize("workers", [0, -1])
def test_somebody_has_to_work(workers):
    with pytest.raises(ValueError, match="workers must be at least 1"):
        bootstrap_optimism(FirstColumn, *data(), n_boot=2, seed=1, workers=workers)


@pytest.mark.parametrize("given", [{}, {"seed": 1, "indices": [[0] * 60]}])
def test_exactly_one_of_seed_and_indices_is_needed(given):
    with pytest.raises(ValueError, match="exactly one"):
        bootstrap_optimism(FirstColumn, *data(), **given)


@pytest.mark.parametrize("indices", [[[0] * 59], [[60] * 60], [[-1] * 60], [[0.5] * 60]])
def test_resampled_rows_must_exist(indices):
    with pytest.raises(ValueError, match="indices"):
        bootstrap_optimism(FirstColumn, *data(), indices=indices)


def test_the_model_s_selection_is_counted_by_name():
    X, y, groups = data(n=80, p=6, signal=2.0)
    found = bootstrap_optimism(
        lambda: RadiomicsModel(seed=1, n_folds=3), X, y, groups, n_boot=5, seed=4
    )
    assert found.selected_fraction.shape == (6,)
    assert found.selected_fraction[0] == 1.0
    assert found.corrected_auc < found.apparent_auc


def test_a_feature_that_half_the_resamples_miss_is_flagged():
    class Fickle(FirstColumn):
        made = 0

        def fit(self, X, y, groups):
            self.selected_ = (0,) if Fickle.made % 3 else (1,)
            Fickle.made += 1
            return self

    found = bootstrap_optimism(Fickle, *data(), n_boot=9, seed=4)
    assert found.selected_fraction[1] == pytest.approx(3 / 9)
    assert found.flags == ("selection_unstable",)


def test_no_outer_model_sees_a_held_out_patient():
    fitted = []

    def make():
        fitted.append(Logistic())
        return fitted[-1]

    X, y, groups = data()
    found = nested_cv(make, X, y, groups, n_outer=5, repeats=2, seed=7)
    models = iter(fitted)
    for folds in found.folds:
        for k in range(1, 6):
            model = next(models)
            assert not set(groups[folds == k]) & set(model.groups)
            assert (model.seen == X[folds != k]).all()
    assert found.probability.shape == found.folds.shape == (2, 60)
    assert found.fold_auc.shape == (2, 5)


def test_changing_a_held_out_row_changes_its_own_fold_only():
    X, y, groups = data()
    before = nested_cv(Logistic, X, y, groups, n_outer=5, seed=7)
    fold = before.folds[0] == 3
    model = Logistic().fit(X[~fold], y[~fold], groups[~fold])
    np.testing.assert_allclose(
        before.probability[0, fold], model.predict_proba(X[fold])[:, 1], atol=1e-15
    )


def test_nested_summaries_are_those_of_the_held_out_probabilities():
    X, y, groups = data(n=100, signal=2.0)
    found = nested_cv(Logistic, X, y, groups, n_outer=5, seed=7)
    p = found.probability[0]
    gap = p[y == 1][:, None] - p[y == 0][None]
    assert found.auc_pooled == pytest.approx((gap > 0).mean() + 0.5 * (gap == 0).mean(), abs=1e-12)
    assert found.brier == pytest.approx(((p - y) ** 2).mean(), abs=1e-15)
    assert found.auc_mean == pytest.approx(found.fold_auc.mean(), abs=1e-15)
    slope = fit_logistic(np.log(p / (1 - p))[:, None], y).coef[1]
    assert found.calibration_slope == pytest.approx(slope, abs=1e-9)
    assert ("slope_out_of_range" in found.flags) == (not 0.8 <= slope <= 1.2)


def test_nested_cv_repeats_with_the_seed():
    first, again, other = (nested_cv(Logistic, *data(), n_outer=5, seed=s) for s in (1, 1, 2))
    assert (first.probability == again.probability).all()
    assert (first.folds != other.folds).any()


def test_constant_predictions_have_no_calibration_slope():
    class Half(FirstColumn):
        def predict_proba(self, X):
            return np.full((len(X), 2), 0.5)

    found = nested_cv(Half, *data(), n_outer=5, seed=1)
    assert np.isnan(found.calibration_slope)
    assert found.auc_mean == 0.5
    assert found.to_dict()["calibration_slope"] is None


def test_zero_repeats_are_refused():
    with pytest.raises(ValueError, match="repeats"):
        nested_cv(Logistic, *data(), repeats=0, seed=1)


def test_labels_move_between_patients_of_one_size_only():
    codes = np.array([0, 1, 1, 2, 3, 3, 0, 4, 4])
    y = np.array([1.0, 0, 1, 1, 0, 0, 1, 1, 1])
    pairs = [np.flatnonzero(codes == code) for code in (0, 1, 3, 4)]
    seen = set()
    for child in np.random.SeedSequence(1).spawn(40):
        moved = exchange_labels(y, codes, child)
        assert moved[3] == 1.0
        assert sorted(tuple(moved[rows]) for rows in pairs) == sorted(
            tuple(y[rows]) for rows in pairs
        )
        seen.add(tuple(moved))
    assert len(seen) > 5


def test_a_strong_signal_beats_every_permutation():
    X, y, groups = data(signal=5.0)
    found = permutation_test(Logistic, X, y, groups, n_perm=19, seed=3)
    assert found.p_value == 1 / 20
    assert found.observed > found.null.max()
    assert found.exact is False


def test_the_p_value_counts_the_observed_labels_as_one_of_the_draws():
    X, y, groups = data(signal=0.0, seed=8)
    found = permutation_test(FirstColumn, X, y, groups, n_perm=30, seed=3)
    assert found.p_value == (1 + (found.null >= found.observed).sum()) / 31
    again = permutation_test(FirstColumn, X, y, groups, n_perm=30, seed=3)
    assert (again.null == found.null).all()
    with pytest.raises(ValueError, match="n_perm"):
        permutation_test(FirstColumn, X, y, groups, n_perm=0, seed=3)
