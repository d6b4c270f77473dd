import numpy as np
import pytest

from radiomics.phantom.people import expert_answers, flat_lesions, shared_difficulty
from radiomics.phantom.plan import make_plan


def agreement(seed: int, null: bool = False) -> tuple[float, float]:
    """Mean AUC of the calls and Cohen's kappa."""
    plan = make_plan(seed=seed, null=null)
    lesions = flat_lesions(plan)
    truth = np.array([le.truth == "metastasis" for le in lesions])
    calls = []
    for expert in (0, 1):
        answers = expert_answers(plan, expert)
        calls.append(
            np.array([answers[le.patient, le.slot].call == "metastasis" for le in lesions])
        )
    auc = [(c[truth].mean() + (1 - c[~truth]).mean()) / 2 for c in calls]
    chance = calls[0].mean() * calls[1].mean() + (1 - calls[0].mean()) * (1 - calls[1].mean())
    kappa = ((calls[0] == calls[1]).mean() - chance) / (1 - chance)
    return float(np.mean(auc)), float(kappa)


def test_shared_difficulty_is_the_solved_correlation() -> None:
    assert shared_difficulty() == pytest.approx(0.880, abs=0.005)


def test_experts_reach_the_published_accuracy_and_agreement() -> None:
    figures = np.array([agreement(seed) for seed in range(1, 21)])
    assert 0.82 < figures[:, 0].mean() < 0.86
    assert 0.76 < figures[:, 1].mean() < 0.85


def test_null_calls_are_chance() -> None:
    aucs = [agreement(seed, null=True)[0] for seed in range(1, 13)]
    assert 0.46 < np.mean(aucs) < 0.54


def test_reads_have_plausible_times_and_three_are_reopened() -> None:
    plan = make_plan(seed=2022)
    for expert in (0, 1):
        answers = expert_answers(plan, expert)
        assert len(answers) == 192
        assert sum(a.reopen for a in answers.values()) == 3
        changed = [a for a in answers.values() if a.changed_call]
        assert len(changed) == 1
        assert changed[0].reopen
        assert changed[0].changed_call != changed[0].call
        assert all(8 <= a.seconds <= 600 and 1 <= a.confidence <= 5 for a in answers.values())
        assert 25 < np.median([a.seconds for a in answers.values()]) < 50
        assert 0 < sum(a.blur_seconds > 0 for a in answers.values()) < 20


def test_answers_repeat_and_differ_between_experts() -> None:
    plan = make_plan(seed=3, n_patients=24)
    assert expert_answers(plan, 0) == expert_answers(plan, 0)
    assert expert_answers(plan, 0) != expert_answers(plan, 1)


def test_a_third_expert_is_refused() -> None:
    with pytest.raises(ValueError, match="expert"):
        expert_answers(make_plan(seed=1, n_patients=8), 2)
