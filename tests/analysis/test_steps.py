"""The ICC filter and the harmonisation are fitted on the rows given, and on no other."""

import numpy as np
import pytest

from portal.analysis.parameters import DEFAULTS
from portal.analysis.pipeline import Factory, Pipeline, numbered, parted
from portal.analysis.steps import Pair, StepPlan, fit_steps, varies_within
from radiomics.harmonisation import UnknownBatchError, fit_combat
from radiomics.resampling import bootstrap_optimism, nested_cv

N, P = 60, 8
NAMES = tuple(f"CT_f{j}" for j in range(P))
BLOCKS = ("CT",) * 5 + ("SPECT",) * 3
EVERYONE = np.arange(N)
GROUPS = np.array([f"S{i // 2:02d}" for i in range(N)])


def cohort(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Labels and values; column 0 follows the label, and scanner B adds 4 to everything."""
    rng = np.random.default_rng(seed)
    y = (np.arange(N) // 2 % 2).astype(np.int64)
    X = rng.normal(size=(N, P))
    X[:, 0] += 1.5 * y
    X[np.arange(N) >= N // 2] += 4.0
    return X, y


def pair(reliable: tuple[int, ...], *, seed: int = 2, n_twice: int = N) -> Pair:
    """Second drawings that repeat the first in `reliable` and are noise elsewhere."""
    X, _ = cohort()
    rng = np.random.default_rng(seed)
    second = rng.normal(size=X.shape)
    second[:, list(reliable)] = X[:, list(reliable)] + 0.01 * rng.normal(size=(N, len(reliable)))
    first = X.copy()
    first[n_twice:] = np.nan
    return Pair("one and two", first, second)


SCANNERS = ("A",) * (N // 2) + ("B",) * (N // 2)
BATCHES = {"CT": SCANNERS, "SPECT": SCANNERS}


def plan(**more: object) -> StepPlan:
    return StepPlan(BLOCKS, **more)  # type: ignore[arg-type]


def test_without_steps_nothing_happens() -> None:
    X, _ = cohort()
    steps = fit_steps(X, EVERYONE, plan(pairs=(pair((0,)),)))
    assert steps.allowed.all()
    assert steps.apply(X, {}).tolist() == X.tolist()
    assert steps.to_dict(NAMES) == {}


def test_the_filter_lets_reliable_columns_pass_and_no_other() -> None:
    X, _ = cohort()
    steps = fit_steps(X, EVERYONE, plan(pairs=(pair((0, 3, 6)),), threshold=0.75))
    assert np.flatnonzero(steps.allowed).tolist() == [0, 3, 6]


def test_the_filter_looks_at_the_rows_it_is_given_alone() -> None:
    X, _ = cohort()
    whole = pair((0, 3))
    rows = np.arange(30)
    before = fit_steps(X[rows], rows, plan(pairs=(whole,), threshold=0.75)).allowed
    spoilt = whole.second.copy()
    spoilt[30:] = np.random.default_rng(9).normal(size=spoilt[30:].shape) * 100
    after = fit_steps(X[rows], rows, plan(pairs=(Pair("x", whole.first, spoilt),), threshold=0.75))
    assert after.allowed.tolist() == before.tolist()


def test_a_lesion_drawn_by_lot_three_times_still_counts_once() -> None:
    X, _ = cohort()
    rows = np.repeat(np.arange(9), 3)
    with pytest.raises(ValueError, match="fewer than 10 training lesions"):
        fit_steps(X[rows], rows, plan(pairs=(pair((0,)),), threshold=0.75))


def test_no_feature_above_the_threshold_is_said() -> None:
    X, _ = cohort()
    with pytest.raises(ValueError, match=r"no feature reaches the ICC threshold of 0\.9"):
        fit_steps(X, EVERYONE, plan(pairs=(pair(()),), threshold=0.9))


def test_harmonising_brings_the_scanners_together() -> None:
    X, _ = cohort()
    steps = fit_steps(X, EVERYONE, plan(batches=BATCHES))
    Z = steps.apply(X, BATCHES)
    before, after = (np.abs(x[: N // 2].mean(axis=0) - x[N // 2 :].mean(axis=0)) for x in (X, Z))
    # what remains is what the prior takes for chance, here at most a tenth of the planted 4
    assert (before > 3).all()
    assert (after < 0.4).all()


def test_each_block_is_harmonised_by_its_own_fit() -> None:
    X, _ = cohort()
    steps = fit_steps(X, EVERYONE, plan(batches=BATCHES))
    alone = fit_combat(X[:, 5:], SCANNERS).apply(X[:, 5:], SCANNERS)
    assert steps.apply(X, BATCHES)[:, 5:].tolist() == alone.tolist()


def test_only_the_blocks_that_have_batches_are_harmonised() -> None:
    X, _ = cohort()
    Z = fit_steps(X, EVERYONE, plan(batches={"CT": SCANNERS})).apply(X, BATCHES)
    assert Z[:, 5:].tolist() == X[:, 5:].tolist()
    assert (Z[:, :5] != X[:, :5]).all()


def test_one_scanner_is_the_identity() -> None:
    X, _ = cohort()
    same = {"CT": ("A",) * N}
    assert fit_steps(X, EVERYONE, plan(batches=same)).apply(X, same).tolist() == X.tolist()


def test_a_scanner_that_was_not_fitted_is_refused() -> None:
    X, _ = cohort()
    steps = fit_steps(X, EVERYONE, plan(batches=BATCHES))
    with pytest.raises(UnknownBatchError, match="batch C did not occur in training"):
        steps.apply(X[:1], {"CT": ["C"], "SPECT": ["A"]})


def test_a_scanner_of_nine_lesions_is_refused_by_name() -> None:
    X, _ = cohort()
    few = ("A",) * (N - 9) + ("B",) * 9
    with pytest.raises(ValueError, match="batch B has 9 training lesions; at least 10"):
        fit_steps(X, EVERYONE, plan(batches={"CT": few}))


def test_a_column_that_only_tells_the_scanner_is_left_out() -> None:
    X, _ = cohort()
    X[:, 2] = np.arange(N) >= N // 2
    steps = fit_steps(X, EVERYONE, plan(batches=BATCHES))
    assert np.flatnonzero(~steps.allowed).tolist() == [2]
    assert 2 not in steps.combat["CT"][0]


def test_columns_vary_within_a_batch_or_not() -> None:
    X = np.array([[1.0, 1, 1], [1, 2, 1], [3, 4, 1], [3, 4, 1]])
    assert varies_within(X, ["a", "a", "b", "b"]).tolist() == [False, True, False]


def test_what_the_filter_stops_is_not_harmonised_either() -> None:
    X, _ = cohort()
    steps = fit_steps(X, EVERYONE, plan(pairs=(pair((0, 3)),), threshold=0.75, batches=BATCHES))
    assert steps.combat["CT"][0].tolist() == [0, 3]
    assert "SPECT" not in steps.combat


def test_the_stored_form_names_the_columns() -> None:
    X, _ = cohort()
    document = fit_steps(X, EVERYONE, plan(batches={"SPECT": SCANNERS})).to_dict(NAMES)
    assert document["SPECT"]["columns"] == list(NAMES[5:])
    assert document["SPECT"]["combat"]["batches"] == ["A", "B"]


def pipeline(steps: StepPlan) -> Factory:
    parameters = {**DEFAULTS, "n_folds": 4}
    return Factory(parameters, 4, 3, NAMES, steps)


def test_rows_are_numbered_and_parted_again() -> None:
    X, _ = cohort()
    values, rows = parted(numbered(X))
    assert values.tolist() == X.tolist()
    assert rows.tolist() == list(range(N))


def test_a_pipeline_knows_a_row_in_any_order() -> None:
    X, y = cohort()
    fitted = pipeline(plan(batches=BATCHES))().fit(numbered(X), y, GROUPS)
    order = np.random.default_rng(0).permutation(N)
    straight = fitted.predict_proba(numbered(X))[:, 1]
    assert fitted.predict_proba(numbered(X)[order])[:, 1].tolist() == straight[order].tolist()


def test_a_filtered_column_is_never_selected() -> None:
    X, y = cohort()
    fitted = pipeline(plan(pairs=(pair((1, 2, 3)),), threshold=0.75))().fit(numbered(X), y, GROUPS)
    assert not {NAMES[0]} & set(fitted.selected_)
    assert set(fitted.model.kept_) <= {NAMES[1], NAMES[2], NAMES[3]}


def test_held_out_rows_change_nothing_that_was_fitted() -> None:
    """B7 for the steps: noise in the rows that a fold holds out leaves the fold's fit alone."""
    X, y = cohort()
    inside = np.arange(40)
    steps = plan(pairs=(pair((0, 1, 2)),), threshold=0.5, batches=BATCHES)
    first = pipeline(steps)().fit(numbered(X)[inside], y[inside], GROUPS[inside])
    noisy = X.copy()
    noisy[40:] = 1e3
    second = pipeline(steps)().fit(numbered(noisy)[inside], y[inside], GROUPS[inside])
    assert first.model.to_dict() == second.model.to_dict()


def test_nested_validation_refits_the_steps_in_every_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    kept = Pipeline.fit

    def watched(self: Pipeline, X, y, groups):  # type: ignore[no-untyped-def]
        seen.append(len(X))
        return kept(self, X, y, groups)

    monkeypatch.setattr(Pipeline, "fit", watched)
    X, y = cohort()
    nested_cv(pipeline(plan(batches=BATCHES)), numbered(X), y, GROUPS, n_outer=3, seed=1)
    assert len(seen) == 3
    assert sum(N - n for n in seen) == N


def test_the_row_number_is_no_feature_and_no_answer() -> None:
    X, y = cohort()
    boot = bootstrap_optimism(pipeline(plan()), numbered(X), y, GROUPS, n_boot=2, seed=1)
    assert boot.selected_fraction is not None
    assert boot.selected_fraction.shape == (P,)
