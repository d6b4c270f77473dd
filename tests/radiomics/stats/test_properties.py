"""What no data may change: order of rows, names of patients and readers, units of scores, who comes first."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from radiomics.discrimination import rank_auc, youden_threshold
from radiomics.stats.agreement import bland_altman, dice, icc
from radiomics.stats.calibration import calibration
from radiomics.stats.confusion import confusion, mcnemar, wilson_interval
from radiomics.stats.contrast import compare_with_readers
from radiomics.stats.decision import decision_curve
from radiomics.stats.groups import adjust_p, compare_categorical, compare_continuous
from radiomics.stats.kappa import fleiss_kappa, gwet_ac1, kappa
from radiomics.stats.mrmc import obuchowski_rockette
from radiomics.stats.permutation import permutation_auc
from radiomics.stats.roc import auc, auc_interval, compare_auc, partial_auc, roc_curve, youden

SEED = st.integers(0, 10**6)
EACH = settings(max_examples=25, deadline=None)
CLOSE = 1e-10


def study(seed: int, n: int = 40, levels: int = 8):  # type: ignore[no-untyped-def]
    """Labels, two tied scores, patients with one or two rows, and a shuffle of the rows."""
    rng = np.random.default_rng(seed)
    y = np.zeros(n)
    y[: int(rng.integers(8, n - 8))] = 1
    a, b = (np.round(rng.normal(size=n) * 2 + y) % levels for _ in range(2))
    patients = np.arange(n) // 2
    return y, a, b, patients, rng.permutation(n)


def numbers(result: object) -> dict[str, float]:
    return {k: v for k, v in vars(result).items() if isinstance(v, (int, float))}


def same(one: object, two: object) -> None:
    first, second = numbers(one), numbers(two)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert second[name] == pytest.approx(value, rel=CLOSE, abs=CLOSE, nan_ok=True), name


@EACH
@given(SEED)
def test_negated_scores_have_the_rest_of_the_area(seed: int) -> None:
    y, a, *_ = study(seed)
    assert auc(y, a) + auc(y, -a) == pytest.approx(1, abs=CLOSE)
    assert auc(1 - y, a) == pytest.approx(1 - auc(y, a), abs=CLOSE)


@EACH
@given(SEED)
def test_the_area_is_the_share_of_pairs_in_order(seed: int) -> None:
    """Mann-Whitney by counting pairs, ties one half: a second way."""
    y, a, *_ = study(seed)
    pairs = a[y == 1][:, None] - a[y == 0][None, :]
    assert auc(y, a) == pytest.approx(float((np.sign(pairs) + 1).mean() / 2), abs=CLOSE)
    assert rank_auc(y, a) == pytest.approx(auc(y, a), abs=CLOSE)


@EACH
@given(SEED)
def test_the_area_is_that_under_the_curve(seed: int) -> None:
    y, a, *_ = study(seed)
    curve = roc_curve(y, a)
    trapezia = np.trapezoid(curve.sensitivity, curve.specificity)
    assert abs(trapezia) == pytest.approx(auc(y, a), abs=CLOSE)
    assert partial_auc(y, a, 0, 1) == pytest.approx(auc(y, a), abs=CLOSE)


@EACH
@given(SEED, st.floats(0.05, 0.95))
def test_partial_areas_add_up(seed: int, cut: float) -> None:
    y, a, *_ = study(seed)
    for focus in ("specificity", "sensitivity"):
        parts = [partial_auc(y, a, *ends, focus=focus) for ends in ((0, cut), (cut, 1))]
        assert sum(parts) == pytest.approx(auc(y, a), abs=CLOSE)


@EACH
@given(SEED, st.sampled_from(["logit_delong", "delong", "binomial", "clustered"]))
def test_row_order_and_patient_names_do_not_move_an_interval(seed: int, method: str) -> None:
    y, a, _, patients, order = study(seed)
    named = np.array([f"P{(7 * p) % 1000}" for p in patients])
    one = auc_interval(y, a, method=method, groups=patients)
    same(one, auc_interval(y[order], a[order], method=method, groups=patients[order]))
    same(one, auc_interval(y, a, method=method, groups=named))


@EACH
@given(SEED, st.sampled_from(["logit_delong", "delong", "binomial"]))
def test_increasing_transforms_do_not_move_an_interval(seed: int, method: str) -> None:
    y, a, *_ = study(seed)
    same(auc_interval(y, a, method=method), auc_interval(y, np.exp(a / 3) * 7 - 2, method=method))


@EACH
@given(SEED)
def test_a_higher_level_has_wider_limits(seed: int) -> None:
    y, a, *_ = study(seed)
    for method in ("logit_delong", "delong", "binomial"):
        narrow, wide = (auc_interval(y, a, method=method, level=level) for level in (0.8, 0.99))
        assert wide.low <= narrow.low <= narrow.auc <= narrow.high <= wide.high


@EACH
@given(SEED)
def test_swapping_the_scores_turns_the_sign(seed: int) -> None:
    y, a, b, patients, _ = study(seed)
    for groups in (None, patients):
        one, two = compare_auc(y, a, b, groups=groups), compare_auc(y, b, a, groups=groups)
        assert two.difference == -one.difference
        assert (two.low, two.high) == pytest.approx((-one.high, -one.low), abs=CLOSE)
        assert two.p_value == pytest.approx(one.p_value, abs=CLOSE, nan_ok=True)


@EACH
@given(SEED)
def test_row_order_does_not_move_a_comparison(seed: int) -> None:
    y, a, b, patients, order = study(seed)
    same(
        compare_auc(y, a, b, groups=patients),
        compare_auc(y[order], a[order], b[order], groups=patients[order]),
    )


@EACH
@given(SEED)
def test_patients_with_one_row_each_are_compared_as_delong_does(seed: int) -> None:
    y, a, b, *_ = study(seed)
    same(compare_auc(y, a, b), compare_auc(y, a, b, groups=np.arange(y.size)))


@EACH
@given(SEED)
def test_doubling_every_row_doubles_the_certainty_only_if_patients_are_ignored(seed: int) -> None:
    """As two rows of one patient they carry nothing new: the clustered variance stays near the single one's."""
    y, a, _, _, _ = study(seed)
    twice = [np.concatenate([v, v]) for v in (y, a)]
    patients = np.concatenate([np.arange(y.size)] * 2)
    single = auc_interval(y, a).variance
    if single == 0:
        return
    ignored = auc_interval(*twice).variance
    kept = auc_interval(*twice, method="clustered", groups=patients).variance
    assert ignored < 0.6 * single
    assert kept == pytest.approx(single, rel=1e-9)


@EACH
@given(SEED)
def test_youden_is_the_best_of_all_thresholds(seed: int) -> None:
    y, a, *_ = study(seed)
    found, curve = youden(y, a), roc_curve(y, a)
    assert found.index == pytest.approx((curve.sensitivity + curve.specificity - 1).max(), abs=1e-12)  # fmt: skip
    assert found.threshold == youden_threshold(y, a)
    assert found.threshold == found.thresholds[0] == found.thresholds.min()
    assert 0 <= found.index <= 1


@EACH
@given(SEED)
def test_the_calls_at_youdens_threshold_have_its_rates(seed: int) -> None:
    y, a, *_ = study(seed)
    found = youden(y, a)
    calls = confusion(y, (a > found.threshold).astype(float))
    assert calls.sensitivity.value == pytest.approx(found.sensitivity)
    assert calls.specificity.value == pytest.approx(found.specificity)
    assert calls.youden.value == pytest.approx(found.index)


@EACH
@given(SEED)
def test_the_four_cells_add_up_and_swapping_classes_swaps_the_rates(seed: int) -> None:
    y, a, *_ = study(seed)
    call = (a > 3).astype(float)
    one, two = confusion(y, call), confusion(1 - y, 1 - call)
    assert one.tp + one.fp + one.fn + one.tn == one.n == y.size
    assert (one.tp, one.fp) == (two.tn, two.fn)
    assert one.sensitivity.value == pytest.approx(two.specificity.value, nan_ok=True)
    assert one.ppv.value == pytest.approx(two.npv.value, nan_ok=True)
    assert one.accuracy.value == two.accuracy.value


@EACH
@given(SEED)
def test_predictive_values_follow_bayes(seed: int) -> None:
    y, a, *_ = study(seed)
    found = confusion(y, (a > 3).astype(float))
    prior, se, sp = found.prevalence, found.sensitivity.value, found.specificity.value
    if found.tp + found.fp:
        bayes = se * prior / (se * prior + (1 - sp) * (1 - prior))
        assert found.ppv.value == pytest.approx(bayes)


@given(st.integers(1, 200), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_wilson_limits_solve_the_score_equation(n: int, share: float) -> None:
    """|p - limit| = z sqrt(limit (1 - limit) / n) at both ends."""
    p, z = round(share * n) / n, float(norm.ppf(0.975))
    for limit in wilson_interval(p, n, 0.95):
        assert abs(p - limit) == pytest.approx(z * math.sqrt(max(limit * (1 - limit), 0) / n), abs=1e-7)  # fmt: skip


@EACH
@given(SEED)
def test_mcnemar_mirrors_and_is_the_sign_test(seed: int) -> None:
    y, a, b, *_ = study(seed)
    calls = [(s > 3).astype(float) for s in (a, b)]
    one, two = mcnemar(y, *calls), mcnemar(y, *calls[::-1])
    assert (one.n10, one.n01) == (two.n01, two.n10)
    assert one.difference == -two.difference
    n, k = one.n10 + one.n01, min(one.n10, one.n01)
    tail = sum(math.comb(n, i) for i in range(k + 1)) / 2**n
    assert one.p_exact == two.p_exact == pytest.approx(min(1.0, 2 * tail))


@EACH
@given(SEED)
def test_exact_permutation_p_knows_no_order_of_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, s = np.array([1.0] * 4 + [0.0] * 5), np.round(rng.normal(size=9), 1)
    order = rng.permutation(9)
    same(permutation_auc(y, s), permutation_auc(y[order], s[order]))


@EACH
@given(SEED, st.sampled_from([None, "linear", "quadratic"]))
def test_kappa_knows_neither_first_rater_nor_row_order(seed: int, weights: str | None) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 4, (2, 30))
    a[:4] = range(4)
    order = rng.permutation(30)
    one = kappa(a, b, weights=weights)
    for other in (kappa(b, a, weights=weights), kappa(a[order], b[order], weights=weights)):
        for name in ("value", "se", "se_null", "z", "p_value", "observed", "expected"):
            assert getattr(other, name) == pytest.approx(getattr(one, name), abs=CLOSE)


@EACH
@given(SEED)
def test_kappa_without_weights_knows_no_order_of_categories(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 4, (2, 30))
    names = np.array(["d", "a", "c", "b"])
    assert kappa(names[a], names[b]).value == pytest.approx(kappa(a, b).value, abs=CLOSE)


@EACH
@given(SEED, st.sampled_from(["linear", "quadratic"]))
def test_weighted_kappa_is_unchanged_when_the_scale_is_turned(seed: int, weights: str) -> None:
    a, b = np.random.default_rng(seed).integers(0, 4, (2, 30))
    turned = kappa(3 - a, 3 - b, weights=weights, labels=range(4))
    same(kappa(a, b, weights=weights, labels=range(4)), turned)


@EACH
@given(SEED)
def test_raters_may_change_places_in_the_coefficients_of_many(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ratings = rng.integers(0, 3, (20, 4)).astype(float)
    turned = ratings[rng.permutation(20)][:, rng.permutation(4)]
    same(gwet_ac1(ratings), gwet_ac1(turned))
    same(fleiss_kappa(ratings), fleiss_kappa(turned))


@EACH
@given(SEED)
def test_icc_is_unchanged_by_units_and_by_the_order_of_raters(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ratings = rng.normal(size=(12, 3)) + rng.normal(size=(12, 1))
    one = icc(ratings)
    others = (icc(5 * ratings + 3), icc(ratings[:, ::-1]), icc(ratings[rng.permutation(12)]))
    for other in others:
        for form in ("icc1", "icc2", "icc3", "icc2k"):
            assert getattr(other, form).value == pytest.approx(getattr(one, form).value, abs=1e-9)


@EACH
@given(SEED)
def test_a_rater_s_bias_lowers_absolute_agreement_only(seed: int) -> None:
    """ICC(3,1) is consistency; ICC(2,1) asks for the same number."""
    rng = np.random.default_rng(seed)
    ratings = rng.normal(size=(15, 2)) * 0.3 + rng.normal(size=(15, 1)) * 2
    biased = ratings + [0.0, 4.0]
    assert icc(biased).icc3.value == pytest.approx(icc(ratings).icc3.value, abs=1e-9)
    assert icc(biased).icc2.value < icc(ratings).icc2.value


@EACH
@given(SEED)
def test_limits_of_agreement_mirror_when_methods_change_places(seed: int) -> None:
    a, b = np.random.default_rng(seed).normal(size=(2, 20))
    one, two = bland_altman(a, b), bland_altman(b, a)
    assert (one.bias, one.low, one.high) == pytest.approx((-two.bias, -two.high, -two.low))
    assert one.sd == pytest.approx(two.sd)


@EACH
@given(SEED)
def test_dice_is_symmetric_and_full_only_for_equal_masks(seed: int) -> None:
    a, b = np.random.default_rng(seed).random((2, 6, 7)) > 0.5
    assert dice(a, b) == dice(b, a)
    assert dice(a, a) == 1
    assert 0 <= dice(a, b) <= 1
    assert (dice(a, b) == 1) == bool((a == b).all())


@EACH
@given(SEED)
def test_predictions_that_are_the_truth_s_own_rate_are_calibrated(seed: int) -> None:
    """The prevalence for everyone: calibration in the large 0, Brier p (1 - p), nothing explained."""
    y, *_ = study(seed)
    found = calibration(y, np.full(y.size, y.mean()))
    assert found.brier == pytest.approx(y.mean() * (1 - y.mean()))
    assert "zero_variance" in found.flags
    assert math.isnan(found.slope)


@EACH
@given(SEED)
def test_the_refitted_log_odds_have_slope_one_and_intercept_nought(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, eta = study(seed)[0], rng.normal(size=40)
    first = calibration(y, 1 / (1 + np.exp(-eta)))
    again = calibration(y, 1 / (1 + np.exp(-(first.intercept + first.slope * eta))))
    assert (again.slope, again.intercept) == pytest.approx((1.0, 0.0), abs=1e-6)


@EACH
@given(SEED)
def test_net_benefit_of_the_truth_is_the_prevalence_everywhere(seed: int) -> None:
    y, *_ = study(seed)
    found = decision_curve(y, y, [0.1, 0.5, 0.9])
    np.testing.assert_allclose(found.net_benefit, y.mean())


@EACH
@given(SEED)
def test_net_benefit_is_linear_in_its_counts(seed: int) -> None:
    y, a, *_ = study(seed)
    p = (a + 0.5) / 9
    found = decision_curve(y, p)
    odds = found.thresholds / (1 - found.thresholds)
    np.testing.assert_allclose(found.net_benefit, found.tp_rate - found.fp_rate * odds)
    assert (np.diff(found.tp_rate) <= 1e-12).all()
    assert (np.diff(found.fp_rate) <= 1e-12).all()


@EACH
@given(SEED)
def test_groups_may_change_places_in_table_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=15), rng.normal(0.5, 2, size=11)
    one, two = compare_continuous(a, b), compare_continuous(b, a)
    assert one.chosen == two.chosen
    assert one.p_value == pytest.approx(two.p_value, abs=CLOSE)
    table = rng.integers(1, 12, (2, 3))
    first, second = compare_categorical(table), compare_categorical(table[::-1, ::-1])
    assert (first.p_value, first.p_fisher) == pytest.approx((second.p_value, second.p_fisher))


@pytest.mark.parametrize("method", ["holm", "bonferroni", "hochberg", "hommel", "bh", "by"])
@pytest.mark.parametrize("seed", range(3))
def test_adjusted_p_values_are_larger_and_keep_their_order(seed: int, method: str) -> None:
    p = np.random.default_rng(seed).random(9)
    found = adjust_p(p, method=method)
    assert (found >= p - 1e-12).all()
    assert (found <= 1).all()
    assert (np.diff(found[np.argsort(p)]) >= -1e-12).all()


@pytest.mark.parametrize("seed", range(6))
def test_holm_is_never_above_bonferroni_and_hommel_never_above_hochberg(seed: int) -> None:
    p = np.random.default_rng(seed).random(8)
    by = {m: adjust_p(p, method=m) for m in ("holm", "bonferroni", "hochberg", "hommel")}
    assert (by["holm"] <= by["bonferroni"] + 1e-12).all()
    assert (by["hochberg"] <= by["holm"] + 1e-12).all()
    assert (by["hommel"] <= by["hochberg"] + 1e-12).all()


def readings(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.repeat([0.0, 1.0], 15)
    return y, np.round(rng.normal(size=(2, 3, 30)) * 2 + 1.5 * y)


@EACH
@given(SEED, st.sampled_from(["random", "fixed_readers", "fixed_cases"]))
def test_readers_and_cases_may_be_named_otherwise(seed: int, design: str) -> None:
    y, ratings = readings(seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(30)
    one = obuchowski_rockette(y, ratings, design=design)
    same(one, obuchowski_rockette(y[order], ratings[:, rng.permutation(3)][:, :, order], design=design))  # fmt: skip


@EACH
@given(SEED)
def test_modalities_that_change_places_turn_the_difference(seed: int) -> None:
    y, ratings = readings(seed)
    one, two = obuchowski_rockette(y, ratings), obuchowski_rockette(y, ratings[::-1])
    assert one.differences[0].estimate == pytest.approx(-two.differences[0].estimate, abs=CLOSE)
    assert one.p_value == pytest.approx(two.p_value, abs=CLOSE)


@EACH
@given(SEED)
def test_a_model_s_contrast_knows_no_order_of_readers(seed: int) -> None:
    y, ratings = readings(seed)
    score = ratings[1, 0] + np.arange(30) / 50
    for readers in ("fixed", "random"):
        one = compare_with_readers(y, score, ratings[0], readers=readers)
        same(one, compare_with_readers(y, score, ratings[0][::-1], readers=readers))
        assert one.difference == pytest.approx(one.auc_model - one.mean_readers, abs=CLOSE)
