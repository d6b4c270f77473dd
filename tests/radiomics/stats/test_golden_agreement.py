"""Kappa family, ICC, calibration, decision curves and table 1 against R."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from radiomics.stats.agreement import bland_altman, dice, fleiss_kappa, gwet_ac1, icc, kappa
from radiomics.stats.calibration import calibration
from radiomics.stats.decision import decision_curve
from radiomics.stats.groups import adjust_p, compare_categorical, compare_continuous
from tests.radiomics.golden_stats import answer, columns

NAMES = ["agree_bin4", "agree_ord4"]
FORMS = ("icc1", "icc2", "icc3", "icc1k", "icc2k", "icc3k")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pair", ["ab", "cd"])
@pytest.mark.parametrize("weights", ["linear", "quadratic"])
def test_kappas_are_vcds(name, pair, weights):
    data, wanted = columns(name), answer(name)[f"pair_{pair}"]
    a, b = data[pair[0]], data[pair[1]]
    rows = wanted[f"vcd_{weights}"]
    plain, weighted = kappa(a, b), kappa(a, b, weights=weights)
    assert [plain.value, plain.se] == pytest.approx(rows["unw"], abs=1e-12)
    assert [weighted.value, weighted.se] == pytest.approx(rows["w"], abs=1e-12)
    assert [[plain.low, plain.high], [weighted.low, weighted.high]] == [
        pytest.approx(ci, abs=1e-12) for ci in rows["ci"]
    ]
    assert plain.z == pytest.approx(wanted["irr_unw"]["z"], abs=1e-10)
    assert weighted.z == pytest.approx(wanted[f"irr_{weights}"]["z"], abs=1e-10)
    assert plain.table.tolist() == wanted["table"]


def test_weights_do_nothing_with_two_categories():
    data = columns("agree_bin4")
    found = kappa(data["a"], data["b"], weights="quadratic")
    assert round(found.value, 6) == 0.477612
    assert "weights_without_effect" in found.flags


@pytest.mark.parametrize("name", [*NAMES, "agree_ord4_missing", "agree_degenerate"])
def test_coefficients_of_many_raters_are_irrcacs(name):
    data, wanted = columns(name), answer(name)
    ratings = np.column_stack(list(data.values()))
    for key, found in (
        ("gwet_ac1", gwet_ac1(ratings)),
        ("gwet_ac2_linear", gwet_ac1(ratings, weights="linear")),
        ("fleiss_cac", fleiss_kappa(ratings).gwet_form),
    ):
        if key not in wanted:
            continue
        row = wanted[key]
        assert [found.observed, found.expected] == pytest.approx(
            [row["pa"][0], row["pe"][0]], abs=1e-12
        )
        assert [found.value, found.se] == pytest.approx(
            [row["coeff.val"][0], row["coeff.se"][0]], abs=6e-6
        )


@pytest.mark.parametrize("name", NAMES)
def test_fleiss_and_congers_kappa_are_irrs(name):
    data, wanted = columns(name), answer(name)
    found = fleiss_kappa(np.column_stack(list(data.values())))
    assert found.value == pytest.approx(wanted["fleiss"]["value"], abs=1e-12)
    assert found.z == pytest.approx(wanted["fleiss"]["statistic"], abs=1e-10)
    assert found.conger == pytest.approx(wanted["fleiss_exact"], abs=1e-12)


def test_a_rater_with_one_category_has_kappa_0_and_a_flag():
    found = kappa([1, 1, 1, 1], [0, 1, 1, 1])
    assert found.value == 0.0
    assert math.isnan(found.se)
    assert "degenerate_margins" in found.flags


def rated(feature: str, raters: tuple[str, str]) -> np.ndarray:
    rows = _raw_icc()
    by = {(rater, lesion): value for rater, lesion, value in rows[feature]}
    lesions = sorted({lesion for _, lesion in by})
    return np.array([[by[raters[0], x], by[raters[1], x]] for x in lesions])


def _raw_icc():

    path = Path(__file__).parents[2] / "golden" / "stats" / "in" / "icc30.csv"
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return {
        name: [(r["rater"], int(r["lesion"]), float(r[name])) for r in rows]
        for name in rows[0]
        if name.startswith("f")
    }


@pytest.mark.parametrize("feature", sorted(answer("icc30")))
@pytest.mark.parametrize(("key", "raters"), [("inter", ("A", "B")), ("intra", ("A", "A2"))])
def test_the_six_iccs_are_psychs(feature, key, raters):
    wanted = answer("icc30")[feature][key]
    found = icc(rated(feature, raters))
    for i, form in enumerate(FORMS):
        got = getattr(found, form)
        assert got.value == pytest.approx(wanted["ICC"][i], abs=1e-10)
        assert got.f == pytest.approx(wanted["F"][i], rel=1e-10)
        assert [got.df1, got.df2] == [wanted["df1"][i], wanted["df2"][i]]
        assert got.p_value == pytest.approx(wanted["p"][i], abs=1e-10)
        limits = [wanted["lower bound"][i], wanted["upper bound"][i]]
        assert [got.low, got.high] == pytest.approx(limits, abs=1e-10)


@pytest.mark.parametrize("feature", sorted(answer("icc30"))[:4])
def test_limits_of_agreement_are_bland_and_altmans(feature):
    wanted, data = answer("icc30")[feature]["bland"], rated(feature, ("A", "B"))
    found = bland_altman(data[:, 0], data[:, 1])
    mine = [found.bias, found.sd, found.low, found.high, found.se_bias, found.se_limit]
    keys = ("bias", "sd", "lo", "hi", "se_bias", "se_loa_approx")
    assert mine == pytest.approx([wanted[k] for k in keys], abs=1e-10)


def test_dice_by_hand():
    assert dice([[1, 1], [0, 0]], [[1, 0], [1, 0]]) == 0.5
    assert math.isnan(dice([0], [0]))
    with pytest.raises(ValueError, match="differ"):
        dice([1], [1, 0])


@pytest.mark.parametrize("p", ["p1", "p2"])
def test_calibration_is_rms(p):
    data, wanted = columns("calib_134"), answer("calib_dca")[p]
    found = calibration(data["y"], data[p])
    exact = {"brier": found.brier, "brier_scaled": found.brier_scaled, "slope": found.slope,
             "cal_intercept_given_slope": found.intercept, "cal_in_the_large": found.in_the_large,
             "logloss": found.log_loss, "HL10": found.hl_chi2, "HL_p": found.hl_p}  # fmt: skip
    for key, value in exact.items():
        assert value == pytest.approx(wanted[key], abs=1e-8), key
    assert [found.slope_se, found.in_the_large_se] == pytest.approx(
        [wanted["slope_se"], wanted["citl_se"]], abs=1e-6
    )
    assert found.bin_observed.tolist() == pytest.approx(wanted["bin_obs"], abs=1e-10)
    assert found.bin_predicted.tolist() == pytest.approx(wanted["bin_pred"], abs=1e-10)
    assert found.bin_n.tolist() == wanted["bin_n"]
    assert found.smooth_y.tolist() == pytest.approx(wanted["lowess_y"], abs=1e-12)


def test_net_benefit_is_dcurves():
    data, wanted = columns("calib_134"), answer("calib_dca")["dca"]
    for name in ("p1", "p2"):
        found = decision_curve(data["y"], data[name])
        theirs = [
            nb for v, nb in zip(wanted["variable"], wanted["net_benefit"], strict=True) if v == name
        ]
        assert found.net_benefit.tolist() == pytest.approx(theirs, abs=1e-12)
    everyone = [
        nb for v, nb in zip(wanted["variable"], wanted["net_benefit"], strict=True) if v == "all"
    ]
    assert found.net_benefit_all.tolist() == pytest.approx(everyone, abs=1e-12)
    avoided = answer("calib_dca")["net_int"]
    theirs = [
        n
        for v, n in zip(avoided["variable"], avoided["net_intervention_avoided"], strict=True)
        if v == "p2"
    ]
    assert found.interventions_avoided[1:].tolist() == pytest.approx(theirs[1:], abs=1e-10)


def test_net_benefit_at_zero_is_the_prevalence_of_any_model():
    y = np.array([0, 1, 1, 0, 1])
    for p in (np.full(5, 0.5), np.linspace(0, 1, 5)):
        assert decision_curve(y, p).net_benefit[0] == pytest.approx(0.6)


def groups_of(variable: str):
    data = columns("table1")
    return data[variable][data["group"] == 1], data[variable][data["group"] == 0]


@pytest.mark.parametrize("variable", ["age", "suv"])
def test_continuous_rows_of_table_1_are_rs(variable):
    wanted = answer("table1")[variable]
    found = compare_continuous(*groups_of(variable))
    for mine, theirs in ((found.student, wanted["student"]), (found.welch, wanted["welch"])):
        got = [mine.statistic, mine.df, mine.p_value, mine.low, mine.high]
        assert got == pytest.approx(
            [theirs["t"], theirs["df"], theirs["p"], *theirs["ci"]], abs=1e-8
        )
    assert [found.mann_whitney.u, found.mann_whitney.p_value] == pytest.approx(
        [wanted["mw"]["W"], wanted["mw"]["p"]], abs=1e-10
    )
    assert found.mann_whitney.p_value_uncorrected == pytest.approx(wanted["mw_nocc"], abs=1e-10)
    assert [found.shapiro[0][0], found.shapiro[1][0]] == pytest.approx(
        [wanted["sw1"], wanted["sw0"]], abs=1e-8
    )
    assert [found.shapiro[0][1], found.shapiro[1][1]] == pytest.approx(
        [wanted["sw1p"], wanted["sw0p"]], abs=1e-7
    )
    assert list(found.levene) == pytest.approx(
        [wanted["levene"]["F"], wanted["levene"]["p"]], abs=1e-10
    )
    assert found.quartiles[0] == pytest.approx(wanted["q1"], abs=1e-10)
    assert list(found.sem) == pytest.approx([wanted["sem1"], wanted["sem0"]], abs=1e-10)


@pytest.mark.parametrize("variable", ["sex", "form", "confirm"])
def test_categorical_rows_of_table_1_are_rs(variable):
    wanted = answer("table1")[variable]
    found = compare_categorical(wanted["table"])
    mine = [found.expected_min, found.chi2, found.p_chi2, found.p_fisher]
    theirs = [wanted[k] for k in ("min_expected", "chisq", "p", "fisher_p")]
    assert mine == pytest.approx(theirs, abs=1e-10)
    assert found.fisher_exact
    if variable == "sex":
        assert found.p_chi2_yates == pytest.approx(wanted["p_yates"], abs=1e-10)
        assert found.odds_ratio == pytest.approx(wanted["fisher_or"], abs=1e-5)
        assert [found.odds_low, found.odds_high] == pytest.approx(wanted["fisher_ci"], abs=1e-4)


@pytest.mark.parametrize("method", ["bonferroni", "holm", "hochberg", "hommel"])
def test_adjusted_p_values_are_rs(method):
    wanted = answer("table1")["p_adjust"]
    assert adjust_p(wanted["p"], method=method).tolist() == pytest.approx(wanted[method], abs=1e-12)


def test_a_missing_p_value_does_not_count():
    assert adjust_p([0.01, math.nan, 0.04])[[0, 2]].tolist() == pytest.approx([0.02, 0.04])
