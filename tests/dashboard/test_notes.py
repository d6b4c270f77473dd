"""The paper's open points: what its own printed figures imply, against values worked out beforehand."""

import pytest

from portal.analysis.plausibility import (
    binomial_limits,
    expected_straddlers,
    hanley_mcneil_se,
    implied_correlation,
    se_of_p,
)
from portal.dashboard.notes import notes_on_method
from portal.dashboard.published import (
    CT_VALIDATION_LIMITS,
    EXPERT_LIMITS,
    PUBLISHED_AUC,
    PUBLISHED_BRIER,
    PUBLISHED_LESIONS,
    is_published_study,
    published_auc,
)
from portal.study.models import Study

# specification of the statistics, section 12, oddities 1 and 2
CT_LIMITS = (0.7248, 0.9259)
EXPERT_BINOMIAL = {"train": (0.777, 0.905), "validation": (0.719, 0.922)}


def note(words: str) -> str:
    (found,) = [n for n in notes_on_method() if words in n]
    return found


def test_the_ct_interval_in_validation_is_binomial_and_its_upper_end_a_misprint():
    found = binomial_limits(0.844, 58)
    assert (found.low, found.high) == pytest.approx(CT_LIMITS, abs=5e-5)
    assert "0.026 is a misprint for 0.926" in note("misprint")
    assert not CT_VALIDATION_LIMITS[0] < 0.844 < CT_VALIDATION_LIMITS[1]


@pytest.mark.parametrize("part", ["train", "validation"])
def test_the_experts_intervals_are_not_binomial(part):
    found = binomial_limits(PUBLISHED_AUC[part]["experts"], PUBLISHED_LESIONS[part])
    assert (found.low, found.high) == pytest.approx(EXPERT_BINOMIAL[part], abs=6e-4)
    assert not found.is_near(*EXPERT_LIMITS[part])


def test_limits_are_near_up_to_a_rounding():
    found = binomial_limits(0.844, 58)
    assert found.is_near(0.725, 0.926)
    assert not found.is_near(0.725, 0.928)


def test_binomial_limits_are_clopper_and_pearsons_for_whole_counts():
    # 20 of 20: low .05/2 to the power 1/20
    assert binomial_limits(1.0, 20).low == pytest.approx(0.025 ** (1 / 20))
    assert binomial_limits(1.0, 20).high == 1.0


def test_hanley_and_mcneils_standard_error_of_their_own_example():
    # Hanley & McNeil 1982: area .893, 51 abnormal and 58 normal images, SE .032
    assert hanley_mcneil_se(0.893, 51, 58) == pytest.approx(0.032, abs=1e-3)


def test_the_standard_error_behind_a_p_value_gives_it_back():
    assert se_of_p(1.959963984540054, 0.05) == pytest.approx(1.0)
    assert se_of_p(-0.005, 0.094) == pytest.approx(0.003, abs=1e-4)


def test_the_implied_correlation_reproduces_its_p_value():
    r = implied_correlation(0.9, 0.8, 0.03, n_pos=40, n_neg=30)
    a, b = hanley_mcneil_se(0.9, 40, 30), hanley_mcneil_se(0.8, 40, 30)
    assert (a**2 + b**2 - 2 * r * a * b) ** 0.5 == pytest.approx(se_of_p(0.1, 0.03))


def test_the_ct_model_and_the_experts_would_have_to_correlate_almost_perfectly():
    r = implied_correlation(0.844, 0.839, 0.094, n_pos=0.6 * 58, n_neg=0.4 * 58)
    assert 0.997 < r < 1
    assert f"{r:.3f}" in note("correlations that cannot be")


def test_about_twenty_five_patients_are_expected_on_both_sides():
    assert expected_straddlers(60, 134, 58) == pytest.approx(25.4, abs=0.05)
    assert "25 of them are expected on both sides" in note("132 patients")


def test_a_split_of_two_lesions_always_parts_a_pair():
    assert expected_straddlers(1, 1, 1) == 1.0


@pytest.mark.parametrize("text", ["0.725–0.926", "0.757–0.945", "0.829–0.941"])
def test_the_models_intervals_are_recomputed(text):
    assert text in note("six model intervals")


def test_holm_leaves_one_comparison_of_twelve():
    assert "0.012" in note("Twelve comparisons")
    assert "0.042" in note("Twelve comparisons")


def test_events_per_feature_are_those_of_the_paper():
    assert "4.5 for 12, 4.2 for 13, 3.0 for 18" in note("unpenalised")


@pytest.mark.parametrize("words", ["weighted", "threshold 0", "IBSI", "sign convention", "by patient or by lesion", "not published in the text"])  # fmt: skip
def test_what_cannot_be_computed_is_still_said(words):
    assert note(words)


def test_the_published_figures_are_those_of_the_paper():
    assert PUBLISHED_AUC["train"] == {"ct": 0.894, "spect": 0.914, "combined": 0.951, "experts": 0.849}  # fmt: skip
    assert PUBLISHED_AUC["validation"] == {"ct": 0.844, "spect": 0.871, "combined": 0.926, "experts": 0.839}  # fmt: skip
    assert PUBLISHED_BRIER == {"spect": 0.110, "ct": 0.126, "combined": 0.082}
    assert sum(PUBLISHED_LESIONS.values()) == 192


@pytest.mark.parametrize(("generator", "wanted"), [({}, False), ({"reproduces": ""}, False), ({"reproduces": "Jin 2022"}, True)])  # fmt: skip
def test_the_published_column_belongs_to_the_study_that_reproduces_the_paper(generator, wanted):
    study = Study(code="x", generator=generator)
    assert is_published_study(study) is wanted
    assert bool(published_auc(study, "train")) is wanted
