"""What cannot be: an interval beside its estimate, chance without a seed, a direction from the data. And the edges of section 13."""

import ast
import inspect
import math
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

import radiomics
import radiomics.stats
from radiomics.logistic import fit_logistic
from radiomics.resampling import bootstrap_optimism, nested_cv, permutation_test
from radiomics.result import Result, require_inside
from radiomics.stats.agreement import bland_altman, fleiss_kappa, gwet_ac1, icc, kappa
from radiomics.stats.calibration import calibration
from radiomics.stats.confusion import confusion
from radiomics.stats.flags import FLAGS
from radiomics.stats.groups import adjust_p, compare_categorical, compare_continuous
from radiomics.stats.mrmc import compare_with_readers, obuchowski_rockette
from radiomics.stats.permutation import permutation_auc
from radiomics.stats.roc import auc, auc_interval, compare_auc

FOLDER = Path(radiomics.__file__).parent
MODULES = ["radiomics.lasso", "radiomics.logistic", "radiomics.selection", "radiomics.resampling"]
MODULES += [f"radiomics.stats.{m.name}" for m in iter_modules(radiomics.stats.__path__)]
SUB_RECORDS = {
    "Rate", "Interval", "TTest", "MannWhitney", "IccForm", "Mean", "Difference", "ReaderDifference",
}  # fmt: skip
RNG = np.random.default_rng(4)
Y = np.tile([0, 1], 20)
S = RNG.normal(size=40) + Y
CASES = RNG.normal(size=(2, 3, 40)) + Y


def results() -> list[type]:
    found = [
        cls
        for name in MODULES
        for cls in vars(import_module(name)).values()
        if inspect.isclass(cls) and issubclass(cls, Result) and cls is not Result
    ]
    return sorted(set(found), key=lambda cls: cls.__name__)


def intervals() -> dict[str, tuple[object, str, str]]:
    """A built result of each kind with the names of its estimate and its lower limit."""
    reading = obuchowski_rockette(Y, CASES)
    table = confusion(Y, S > 0.5)
    return {
        "auc": (auc_interval(Y, S), "auc", "low"),
        "comparison": (compare_auc(Y, S, CASES[0, 0]), "difference", "low"),
        "rate": (table.sensitivity, "value", "low"),
        "ratio": (table.odds_ratio, "value", "low"),
        "readers": (compare_with_readers(Y, S, CASES[0]), "difference", "low"),
        "modality": (reading.differences[0], "estimate", "low"),
        "mean": (reading.means[0], "estimate", "low"),
        "one reader": (reading.reader_differences[0], "estimate", "low"),
        "kappa": (kappa(Y, (S > 0.5).astype(int)), "value", "low"),
        "ac1": (gwet_ac1(np.stack([Y, S > 0.5], axis=1)), "value", "low"),
        "icc": (icc(np.stack([S, S + RNG.normal(size=40)], axis=1)).icc2, "value", "low"),
        "bias": (bland_altman(S, S[::-1]), "bias", "bias_low"),
        "slope": (calibration(Y, 1 / (1 + np.exp(-S))), "slope", "slope_low"),
        "odds": (compare_categorical([[9, 5], [4, 11]]), "odds_ratio", "odds_low"),
    }


@pytest.mark.parametrize("kind", sorted(intervals()))
def test_no_result_can_hold_an_interval_beside_its_estimate(kind):
    found, value, low = intervals()[kind]
    beside = getattr(found, value) + abs(getattr(found, value)) + 1
    with pytest.raises(ValueError, match="does not contain"):
        replace(found, **{low: beside})
    with pytest.raises(ValueError, match="does not contain"):
        replace(found, **{value: getattr(found, low) - 1.0})


def test_no_coefficient_can_stand_beside_its_limits():
    fit = fit_logistic(S[:, None], Y)
    with pytest.raises(ValueError, match=r"does not contain x1|does not contain \(Intercept\)"):
        replace(fit, low=fit.high + 1)


def test_limits_that_are_unknown_contain_anything():
    require_inside("x", 1.0, math.nan, math.nan)
    require_inside("x", math.nan, 0.0, 1.0)
    require_inside("x", 0.5, -math.inf, math.inf)


@pytest.mark.parametrize("cls", results(), ids=lambda cls: cls.__name__)
def test_every_result_carries_flags(cls):
    names = {field.name for field in fields(cls)}
    assert ("flags" in names) != (cls.__name__ in SUB_RECORDS)


def test_every_flag_that_the_code_sets_has_its_sentence():
    """Text constants that look like flags and stand where flags are made."""
    made = set()
    for path in [*FOLDER.glob("*.py"), *(FOLDER / "stats").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "append":
                owner = getattr(node.func.value, "id", "")
                if owner == "flags":
                    made |= {c.value.split(":")[0] for a in node.args for c in ast.walk(a) if isinstance(c, ast.Constant) and isinstance(c.value, str)}  # fmt: skip
    assert made - set(FLAGS) == set()
    assert len(made) >= 10


@pytest.mark.parametrize(
    ("function", "drawn"),
    [(nested_cv, {}), (permutation_test, {"n_perm": 3})],
    ids=["nested_cv", "permutation_test"],
)
def test_nothing_random_runs_without_a_seed(function, drawn):
    with pytest.raises(TypeError, match="seed"):
        function(dict, S[:, None], Y, np.arange(40), **drawn)


def test_draws_of_the_other_functions_need_a_seed_too():
    with pytest.raises(ValueError, match="seed"):
        permutation_auc(Y, S, n_perm=10)
    with pytest.raises(ValueError, match="exactly one of seed"):
        bootstrap_optimism(dict, S[:, None], Y, np.arange(40))
    table = np.full((2, 12), 9)
    with pytest.raises(ValueError, match="seed"):
        compare_categorical(table)
    found = compare_categorical(table, seed=1)
    assert (found.fisher_exact, found.flags) == (False, ("fisher_monte_carlo",))
    assert compare_categorical(table, seed=1).p_fisher == found.p_fisher


def test_the_direction_of_a_curve_never_comes_from_the_data():
    found = auc_interval(Y, -S)
    assert found.auc == pytest.approx(1 - auc(Y, S), abs=1e-12)
    assert "below_half" in found.flags


def test_a_monte_carlo_test_counts_the_observed_labels_as_one_draw():
    found = permutation_auc([0, 0, 0, 0, 1, 1, 1, 1], np.arange(8.0), n_perm=50, seed=1)
    assert found.p_one_sided >= 1 / 51
    assert not found.exact
    with pytest.raises(ValueError, match="at least 1"):
        permutation_auc(Y, S, n_perm=0, seed=1)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_all_label_sets_give_the_exact_rank_test(seed):
    """Without ties the exact one-sided P is Mann and Whitney's."""
    rng = np.random.default_rng(seed)
    n1 = int(rng.integers(2, 6))
    y, s = np.r_[np.ones(n1), np.zeros(5)], rng.permutation(n1 + 5).astype(float)
    wanted = mannwhitneyu(s[y == 1], s[y == 0], alternative="greater", method="exact").pvalue
    assert permutation_auc(y, s).p_one_sided == pytest.approx(wanted, abs=1e-12)


def test_too_many_label_sets_are_refused():
    with pytest.raises(ValueError, match="too many"):
        permutation_auc(Y, S)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_an_icc_s_limits_contain_it_or_are_none_with_a_flag(seed):
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(2, 9)), int(rng.integers(2, 5))
    x = rng.normal(size=(n, k)) + rng.normal(size=(n, 1)) * rng.choice([0, 1, 5])
    x += rng.normal(size=k) * rng.choice([0, 1, 5])
    found = icc(x)
    forms = [getattr(found, name) for name in ("icc1", "icc2", "icc3", "icc1k", "icc2k", "icc3k")]
    missing = any(math.isnan(form.low) for form in forms)
    assert missing == ("limits_undefined" in found.flags)


def test_equal_raters_have_an_icc_of_one_and_a_flag():
    found = icc([[1, 1], [2, 2], [3, 3.0]])
    assert found.icc2.value == found.icc3.value == 1.0
    assert "zero_variance" in found.flags


def test_a_negative_icc_is_reported_as_it_is():
    found = icc([[1, 2], [2, 1], [1, 2], [2, 1.0]])
    assert found.icc3.value == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("a", "b", "p"),
    [([1, 1, 1], [1, 1, 1], math.nan), ([1, 1, 1, 1], [2, 2, 2, 2], 0.01)],
)
def test_constant_groups_are_compared_by_ranks_with_a_flag(a, b, p):
    found = compare_continuous(a, b)
    assert found.chosen == "mann_whitney"
    assert found.flags == ("zero_variance",)
    assert math.isnan(found.p_value) if math.isnan(p) else found.p_value < 0.05
    assert math.isnan(found.levene[1])


def test_two_values_in_a_group_are_compared_by_ranks_only():
    found = compare_continuous([1, 2], [3, 4, 5])
    assert found.chosen == "mann_whitney"
    assert math.isnan(found.student.p_value)


def test_an_empty_row_is_an_empty_category_too():
    assert compare_categorical([[0, 0], [1, 2]]).flags == ("empty_category", "single_category")
    assert "empty_category" in compare_categorical([[1, 0, 3], [4, 0, 2]]).flags


def test_an_impossible_p_value_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        adjust_p([0.1, 1.2])


@pytest.mark.parametrize(
    ("p", "flag"), [(np.full(40, 0.5), "zero_variance"), (np.where(Y == 1, 0.9, 0.1), "separated")]
)
def test_a_calibration_slope_that_cannot_be_is_nan_with_its_reason(p, flag):
    found = calibration(Y, p)
    assert math.isnan(found.slope)
    assert flag in found.flags
    assert "slope_out_of_range" not in found.flags


def test_a_missing_rating_is_refused_where_none_may_be_missing():
    with pytest.raises(ValueError, match="missing rating"):
        kappa([1, np.nan], [1, 1])


def test_one_category_gives_no_coefficient_but_a_flag():
    assert gwet_ac1([[1, 1], [1, 1]]).flags == ("degenerate_margins",)
    assert fleiss_kappa([[1, 1], [1, 1]]).flags == ("degenerate_margins",)


def test_a_single_rated_row_is_too_little_for_ac1():
    with pytest.raises(ValueError, match="at least 2 rated rows"):
        gwet_ac1([[1, 1]])


def test_a_rate_without_rows_is_nan_and_a_zero_cell_has_no_limits():
    found = confusion([0, 1, 1], [1, 1, 1])
    assert math.isnan(found.npv.value)
    assert "zero_variance" in found.flags
    perfect = confusion([0, 1, 1], [0, 1, 1])
    assert perfect.lr_pos.value == math.inf
    assert math.isnan(perfect.odds_ratio.low)


def test_one_positive_row_has_an_auc_but_no_variance():
    found = auc_interval([0, 0, 1], [1, 2, 3.0])
    assert (found.auc, math.isnan(found.variance)) == (1.0, True)
    assert {"few_cases", "degenerate_interval_binomial"} <= set(found.flags)


def test_equal_scores_differ_by_nothing_with_certainty():
    found = compare_auc(Y, S, S)
    assert (found.statistic, found.p_value) == (0.0, 1.0)
    assert "zero_variance" in found.flags


def test_a_cluster_too_few_is_refused():
    with pytest.raises(ValueError, match="at least two clusters"):
        auc_interval([0, 0, 1, 1], [1, 2, 3, 4.0], method="clustered", groups=[1, 2, 3, 3])
