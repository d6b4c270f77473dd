"""The table of edge cases (section 13 of the statistics), row by row, and bad input with its sentence."""

import math

import numpy as np
import pytest
from scipy.stats import beta, binom

from radiomics.stats.agreement import bland_altman, dice, icc
from radiomics.stats.calibration import calibration
from radiomics.stats.confusion import confusion, mcnemar
from radiomics.stats.contrast import compare_with_readers
from radiomics.stats.decision import decision_curve
from radiomics.stats.groups import adjust_p, compare_categorical, compare_continuous
from radiomics.stats.kappa import fleiss_kappa, gwet_ac1, kappa
from radiomics.stats.mrmc import obuchowski_rockette
from radiomics.stats.permutation import permutation_auc
from radiomics.stats.roc import auc, auc_interval, compare_auc, partial_auc, roc_curve, youden

Y = np.repeat([0.0, 1.0], 10)
PERFECT, CONSTANT = np.arange(20.0), np.ones(20)
PATIENTS = np.arange(20) // 2
TWO_FLAGS = {"zero_variance", "degenerate_interval_binomial"}


@pytest.mark.parametrize(
    ("score", "area", "low", "high"),
    [(PERFECT, 1.0, 0.83157, 1.0), (-PERFECT, 0.0, 0.0, 1 - 0.83157)],
)
@pytest.mark.parametrize("method", ["logit_delong", "clustered"])
def test_an_area_of_nought_or_one_has_exact_binomial_limits(
    score: np.ndarray, area: float, low: float, high: float, method: str
) -> None:
    """AUC 1, n 20: .025^(1/20) = .83157."""
    found = auc_interval(Y, score, method=method, groups=PATIENTS)
    assert found.auc == area
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-6)
    assert set(found.flags) >= TWO_FLAGS


@pytest.mark.parametrize("method", ["logit_delong", "clustered"])
def test_a_constant_score_has_binomial_limits_about_a_half(method: str) -> None:
    found = auc_interval(Y, CONSTANT, method=method, groups=PATIENTS)
    assert (found.auc, found.variance) == (0.5, 0.0)
    assert found.low == pytest.approx(beta.ppf(0.025, 10, 11))
    assert found.high == pytest.approx(beta.ppf(0.975, 11, 10))
    assert set(found.flags) >= TWO_FLAGS


@pytest.mark.parametrize(("score", "area"), [(PERFECT, 1.0), (-PERFECT, 0.0), (CONSTANT, 0.5)])
def test_delong_limits_without_variance_have_no_width_and_a_flag(
    score: np.ndarray, area: float
) -> None:
    found = auc_interval(Y, score, method="delong")
    assert (found.low, found.auc, found.high) == (area, area, area)
    assert "zero_variance" in found.flags
    assert "degenerate_interval_binomial" not in found.flags


@pytest.mark.parametrize(
    ("a", "b", "statistic", "p"),
    [
        (PERFECT, PERFECT, 0.0, 1.0),
        (CONSTANT, CONSTANT, 0.0, 1.0),
        (PERFECT, PERFECT**3, 0.0, 1.0),
        (PERFECT, CONSTANT, math.nan, math.nan),
        (PERFECT, -PERFECT, math.nan, math.nan),
    ],
)
def test_a_comparison_without_variance(
    a: np.ndarray, b: np.ndarray, statistic: float, p: float
) -> None:
    for found in (compare_auc(Y, a, b), compare_auc(Y, a, b, y_b=Y)):
        assert found.statistic == pytest.approx(statistic, nan_ok=True)
        assert found.p_value == pytest.approx(p, nan_ok=True)
        assert "zero_variance" in found.flags


def test_an_unpaired_comparison_without_variance_has_no_df() -> None:
    assert math.isnan(compare_auc(Y, PERFECT, PERFECT, y_b=Y).df)


@pytest.mark.parametrize("y", [[1.0] + [0.0] * 5, [0.0] + [1.0] * 5])
def test_one_row_of_a_class_has_an_area_with_binomial_limits(y: list[float]) -> None:
    found = auc_interval(y, [3.0, 1, 2, 4, 5, 6])
    assert 0 < found.auc < 1
    assert math.isnan(found.variance)
    assert {"few_cases", "degenerate_interval_binomial"} <= set(found.flags)
    x = found.auc * 6
    assert found.low == pytest.approx(beta.ppf(0.025, x, 6 - x + 1))


@pytest.mark.parametrize("y", [[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1]])
def test_fewer_than_two_patients_of_a_class_are_refused(y: list[float]) -> None:
    with pytest.raises(ValueError, match="at least two clusters"):
        auc_interval(y, range(6), method="clustered", groups=[1, 1, 2, 2, 3, 3])


@pytest.mark.parametrize(
    ("call", "undefined"),
    [(np.zeros(20), "ppv"), (np.ones(20), "npv")],
)
def test_a_rate_without_rows_has_no_value_and_no_limits(call: np.ndarray, undefined: str) -> None:
    found = confusion(Y, call)
    rate = getattr(found, undefined)
    assert rate.denominator == 0
    assert all(math.isnan(v) for v in (rate.value, rate.low, rate.high))
    assert "zero_variance" in found.flags


@pytest.mark.parametrize(
    ("cells", "lr_pos", "lr_neg", "odds"),
    [
        ((5, 0, 5, 10), math.inf, 0.5, math.inf),
        ((10, 5, 0, 5), 2.0, 0.0, math.inf),
        ((0, 5, 10, 5), 0.0, 2.0, 0.0),
        ((5, 10, 5, 0), 0.5, math.inf, 0.0),
        ((10, 0, 0, 10), math.inf, 0.0, math.inf),
    ],
)
def test_a_zero_cell_has_ratios_without_limits(
    cells: tuple[int, int, int, int], lr_pos: float, lr_neg: float, odds: float
) -> None:
    tp, fp, fn, tn = cells
    y = np.repeat([1.0, 0.0, 1.0, 0.0], cells)
    call = np.repeat([1.0, 1.0, 0.0, 0.0], cells)
    found = confusion(y, call)
    assert (found.tp, found.fp, found.fn, found.tn) == (tp, fp, fn, tn)
    assert (found.lr_pos.value, found.lr_neg.value) == (lr_pos, lr_neg)
    assert found.odds_ratio.value == odds
    assert math.isnan(found.odds_ratio.low)
    assert math.isnan(found.odds_ratio.high)


def test_ratios_of_a_plain_table_by_hand() -> None:
    """40 20 / 10 30: sensitivity .8, specificity .6, LR+ 2, LR- 1/3, odds 6."""
    cells = (40, 20, 10, 30)
    found = confusion(np.repeat([1.0, 0, 1, 0], cells), np.repeat([1.0, 1, 0, 0], cells))
    assert (found.sensitivity.value, found.specificity.value) == (0.8, 0.6)
    assert (found.lr_pos.value, found.lr_neg.value) == pytest.approx((2.0, 1 / 3))
    assert found.odds_ratio.value == 6
    half = 1.959964 * math.sqrt(1 / 40 + 1 / 20 + 1 / 10 + 1 / 30)
    assert math.log(found.odds_ratio.high / 6) == pytest.approx(half, abs=1e-6)
    assert found.youden.value == pytest.approx(0.4)
    assert found.balanced_accuracy == pytest.approx(0.7)


@pytest.mark.parametrize(("n", "k"), [(10, 0), (10, 3), (10, 10), (1, 1)])
def test_exact_limits_leave_their_tail_on_each_side(n: int, k: int) -> None:
    """Clopper-Pearson: at the lower limit k or more has probability .025, at the upper k or fewer."""
    y, call = np.ones(n + 1), np.zeros(n + 1)
    y[-1], call[:k] = 0, 1
    rate = confusion(y, call).sensitivity
    assert (rate.numerator, rate.denominator) == (k, n)
    assert rate.low == 0 if k == 0 else binom.sf(k - 1, n, rate.low) == pytest.approx(0.025)
    assert rate.high == 1 if k == n else binom.cdf(k, n, rate.high) == pytest.approx(0.025)


@pytest.mark.parametrize("interval", ["exact", "wilson"])
def test_rows_of_one_patient_that_agree_widen_a_rate(interval: str) -> None:
    """Ten patients with two equal rows each: variance K/(K-1) over p(1-p)/n doubles, times 10/9."""
    y = np.concatenate([np.ones(20), [0.0]])
    call = np.concatenate([np.repeat([1.0, 0.0], [12, 8]), [0.0]])
    patients = np.concatenate([np.arange(20) // 2, [99]])
    plain = confusion(y, call, interval=interval).sensitivity
    wide = confusion(y, call, interval=interval, groups=patients).sensitivity
    assert wide.design_effect == pytest.approx(20 / 9)
    assert wide.low < plain.low < plain.value < plain.high < wide.high


def test_a_constant_rater_has_kappa_nought_without_limits() -> None:
    found = kappa([1, 1, 1, 1], [1, 2, 1, 2])
    assert found.value == 0
    assert math.isnan(found.se)
    assert "degenerate_margins" in found.flags


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_two_constant_equal_raters_have_no_kappa(weights: str | None) -> None:
    found = kappa([1, 1, 1], [1, 1, 1], labels=[1, 2, 3], weights=weights)
    assert math.isnan(found.value)
    assert found.percent_agreement == 1
    assert "degenerate_margins" in found.flags


def test_two_constant_raters_of_different_opinion_have_kappa_nought() -> None:
    found = kappa([1, 1, 1], [2, 2, 2])
    assert found.value == 0
    assert found.percent_agreement == 0


def test_high_agreement_with_low_kappa_is_called_a_paradox() -> None:
    """118 of 124 agree, two lone deviations each way: kappa near nought, AC1 near one."""
    a, b = np.zeros(124), np.zeros(124)
    a[:3], b[3:6] = 1, 1
    found = kappa(a, b)
    assert found.value < 0.4
    assert "kappa_paradox" in found.flags
    assert found.ac1 > 0.9


def test_two_categories_ignore_weights_with_a_flag() -> None:
    a, b = [0, 1, 1, 0, 1], [0, 1, 0, 0, 1]
    plain = kappa(a, b)
    for weights in ("linear", "quadratic"):
        found = kappa(a, b, weights=weights)
        assert found.value == pytest.approx(plain.value)
        assert "weights_without_effect" in found.flags


def test_unused_categories_of_the_scale_change_weighted_agreement_only() -> None:
    a, b = [1, 2, 1, 2, 2], [1, 2, 2, 2, 1]
    five = {"labels": [1, 2, 3, 4, 5]}
    assert kappa(a, b, **five).value == pytest.approx(kappa(a, b).value)  # type: ignore[arg-type]
    wide = kappa(a, b, weights="linear", **five)  # type: ignore[arg-type]
    assert wide.observed == pytest.approx(1 - 2 / 5 * 1 / 4)


@pytest.mark.parametrize("size", [(1, 2), (2, 1), (0, 2)])
def test_an_icc_needs_two_subjects_and_two_raters(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        icc(np.ones(size))


def test_an_icc_without_spread_between_lesions_is_negative_as_it_is() -> None:
    """Rows with equal means: B = 0, ICC(1,1) = -1/(k - 1)."""
    found = icc([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0], [2.0, 1.0]])
    assert found.icc1.value == pytest.approx(-1.0)


def test_no_model_gains_where_everyone_is_equally_likely() -> None:
    found = decision_curve(Y, np.full(20, 0.5), [0.0, 0.5, 0.6])
    np.testing.assert_allclose(found.net_benefit, [0.5, 0.0, 0.0])
    assert math.isnan(found.interventions_avoided[0])


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_a_certain_prediction_is_clipped_with_a_flag(p: float) -> None:
    predicted = np.linspace(0.05, 0.95, 20)
    predicted[3] = p
    found = calibration(np.tile([0.0, 1.0], 10), predicted)
    assert "probability_clipped" in found.flags
    assert math.isfinite(found.log_loss)


@pytest.mark.parametrize(
    ("a", "b", "n10", "n01", "p"),
    [
        (Y, Y, 0, 0, 1.0),
        (Y, 1 - Y, 20, 0, 2 * 0.5**20),
        (np.ones(20), np.zeros(20), 10, 10, 1.0),
    ],
)
def test_mcnemar_by_hand(a: np.ndarray, b: np.ndarray, n10: int, n01: int, p: float) -> None:
    found = mcnemar(Y, a, b)
    assert (found.n10, found.n01) == (n10, n01)
    assert found.p_exact == pytest.approx(p)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: auc([1, 1, 1], [1, 2, 3]), "y holds one class only"),
        (lambda: auc([0, 1, 2], [1, 2, 3]), "y must hold 0 and 1 only"),
        (lambda: auc([0, 1], [1, 2, 3]), "y must have shape"),
        (lambda: auc([0, 1], [1, math.nan]), "missing or infinite"),
        (lambda: roc_curve([0, 1], [math.inf, 1]), "missing or infinite"),
        (lambda: auc_interval(Y, PERFECT, method="bootstrap"), "method must be one of"),
        (lambda: auc_interval(Y, PERFECT, method="clustered"), "clustered needs groups"),
        (lambda: auc_interval(Y, PERFECT, groups=[1, 2]), "groups must have 20 entries"),
        (lambda: compare_auc(Y, PERFECT, PERFECT, y_b=Y, groups=PATIENTS), "unpaired"),
        (lambda: partial_auc(Y, PERFECT, 0.9, 0.9), "0 <= low < high <= 1"),
        (lambda: partial_auc(Y, PERFECT, 0, 1, focus="ppv"), "known focus"),
        (lambda: youden([0, 0], [1, 2]), "one class only"),
        (lambda: confusion(Y, np.full(20, 0.5)), "call must hold 20 values 0 or 1"),
        (lambda: confusion(Y, Y, interval="wald"), "exact or wilson"),
        (lambda: mcnemar(Y, Y, np.full(20, 2)), "call_b"),
        (lambda: calibration(Y, np.full(20, 1.1)), "between 0 and 1"),
        (lambda: calibration(Y, np.full(19, 0.5)), "y must have shape"),
        (lambda: decision_curve(Y, np.full(20, 0.5), [1.0]), "0 <= t < 1"),
        (lambda: decision_curve(Y, np.full(20, 0.5), [-0.1]), "0 <= t < 1"),
        (lambda: kappa([1, 2], [1]), "equal 1-D shapes"),
        (lambda: kappa([], []), "equal 1-D shapes"),
        (lambda: kappa([1, 2], [1, 3], labels=[1, 2]), "every category"),
        (lambda: kappa([1, 2], [1, 2], weights="cubic"), "None, linear or quadratic"),
        (lambda: kappa([1, 2], [1, 2], labels=[1, 2, 2]), "different categories"),
        (lambda: gwet_ac1([1, 2, 3]), "at least 2 raters"),
        (lambda: gwet_ac1([[math.inf, 1], [1, 1]]), "finite numbers"),
        (lambda: fleiss_kappa([[1], [2]]), "at least 2 raters"),
        (lambda: bland_altman([1.0], [2.0]), "at least 2 values"),
        (lambda: bland_altman([1.0, math.nan], [2.0, 1.0]), "finite"),
        (lambda: dice(np.ones((2, 2)), np.ones((2, 3))), "mask shapes differ"),
        (lambda: compare_continuous([], [1, 2, 3]), "a"),
        (lambda: compare_categorical([[1, 2]]), r"shape \(2, k\)"),
        (lambda: compare_categorical([[1, -2], [1, 1]]), "whole counts"),
        (lambda: compare_categorical([[1, 0.5], [1, 1]]), "whole counts"),
        (lambda: adjust_p([0.1], method="sidak"), "method must be one of"),
        (lambda: adjust_p([-0.1]), "between 0 and 1"),
        (lambda: permutation_auc(Y, PERFECT, n_perm=10), "seed must be given"),
        (lambda: permutation_auc(Y, PERFECT, n_perm=0, seed=1), "at least 1"),
        (lambda: compare_with_readers(Y, PERFECT, [PERFECT], readers="random"), "at least 2"),
        (lambda: compare_with_readers(Y, PERFECT, [PERFECT], readers="all"), "fixed, or random"),
        (lambda: obuchowski_rockette(Y, np.ones((2, 1, 20))), "at least 2 readers"),
        (lambda: obuchowski_rockette(Y, np.ones((2, 20))), "ratings must have shape"),
        (lambda: obuchowski_rockette(Y[9:11], np.ones((2, 2, 2))), "at least 2 cases"),
        (
            lambda: obuchowski_rockette(Y, np.full((2, 2, 20), math.nan), missing="common_cases"),
            "no case was read",
        ),
    ],
)
def test_bad_input_is_refused_in_words(call: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        call()  # type: ignore[operator]


def test_cases_that_someone_did_not_read_are_dropped_with_their_number() -> None:
    rng = np.random.default_rng(0)
    ratings = rng.normal(size=(2, 3, 20)) + Y
    gap = ratings.copy()
    gap[1, 2, 4] = gap[0, 0, 7] = math.nan
    found = obuchowski_rockette(Y, gap, missing="common_cases")
    assert "cases_dropped:2" in found.flags
    keep = np.setdiff1d(np.arange(20), [4, 7])
    alone = obuchowski_rockette(Y[keep], ratings[:, :, keep])
    assert found.p_value == alone.p_value


def test_the_first_missing_reading_is_named() -> None:
    gap = np.ones((2, 3, 20))
    gap[1, 2, 4] = math.nan
    with pytest.raises(ValueError, match="modality 1, reader 2, case 4 is missing"):
        obuchowski_rockette(Y, gap)
