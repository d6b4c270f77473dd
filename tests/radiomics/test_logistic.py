"""Logistic regression against R, brglm and by hand."""

import json

import numpy as np
import pytest

from radiomics.logistic import RankDeficientError, fit_logistic, is_separated
from tests.radiomics.golden_stats import answer, columns, features


def table(name):
    names, X = features(name)
    return names, X, columns(name)["y"]


@pytest.mark.parametrize("name", ["glm_n80p12", "glm_ties_n50p5", "missing_n60p4"])
def test_estimates_and_wald_limits_are_r_s(name):
    golden = answer(f"glm_{name}")
    names, X, y = table(name)
    fit = fit_logistic(X, y, names=names, missing="drop")
    assert list(fit.terms) == golden["terms"]
    assert fit.n_used == golden["n_used"]
    np.testing.assert_allclose(fit.coef, golden["est"], atol=1e-9, rtol=0)
    for ours, theirs in (
        ("deviance", "deviance"),
        ("null_deviance", "null"),
        ("aic", "aic"),
        ("bic", "bic"),
    ):
        assert getattr(fit, ours) == pytest.approx(golden[theirs], abs=1e-9)
    # R's standard errors come from the last but one weights
    for ours, theirs in (("se", "se"), ("low", "wald_lo"), ("high", "wald_hi"), ("p_value", "p")):
        np.testing.assert_allclose(getattr(fit, ours), golden[theirs], atol=1e-6, rtol=0)
    assert fit.converged
    assert not fit.separated
    assert fit.flags == (("rows_dropped",) if name == "missing_n60p4" else ())


def test_separated_classes_get_firth_s_estimates():
    names, X, y = table("glm_separable_n20p3")
    fit = fit_logistic(X, y, names=names)
    assert (fit.separated, fit.method, fit.flags) == (True, "firth", ("separation_firth",))
    # brglm 0.7.2
    np.testing.assert_allclose(fit.coef, [-1.085361, 3.690182, 1.661030, -0.253642], atol=1e-5)
    np.testing.assert_allclose(fit.se, [0.822980, 1.713937, 1.230519, 0.824302], atol=1e-5)


def test_maximum_likelihood_of_separated_classes_is_not_a_number():
    names, X, y = table("glm_separable_n20p3")
    fit = fit_logistic(X, y, names=names, method="ml")
    assert np.isnan(fit.coef).all()
    assert np.isnan(fit.deviance)
    assert not fit.converged
    assert fit.flags == ("separated",)
    assert json.loads(json.dumps(fit.to_dict(), allow_nan=False))["coef"] == [None] * 4


def test_firth_solves_its_own_equation():
    names, X, y = table("glm_n80p12")
    fit = fit_logistic(X, y, method="firth")
    design = np.column_stack([np.ones(len(y)), X])
    m = 1 / (1 + np.exp(-design @ fit.coef))
    W = m * (1 - m)
    hat = design @ np.linalg.inv((design.T * W) @ design) @ (design.T * W)
    score = design.T @ (y - m + np.diag(hat) * (0.5 - m))
    assert np.abs(score).max() < 1e-10
    assert fit.flags == ()


@pytest.mark.parametrize(("n", "p"), [(14, 9), (14, 13), (20, 17), (30, 24), (60, 40)])
@pytest.mark.parametrize("seed", range(12))
def test_firth_finds_its_maximum_with_nearly_as_many_columns_as_rows(n, p, seed):
    """Scoring steps alone swung for ever here and left coefficients that ranked the classes the wrong way."""
    rng = np.random.default_rng(seed)
    y = (np.arange(n) % 5 < 3).astype(float)
    X = rng.normal(size=(n, p)) + 0.8 * y[:, None]
    fit = fit_logistic(X, y, method="firth")
    design = np.column_stack([np.ones(n), X])
    m = 1 / (1 + np.exp(-design @ fit.coef))
    hat = (np.linalg.qr(design * np.sqrt(m * (1 - m))[:, None])[0] ** 2).sum(axis=1)
    assert fit.converged
    assert np.abs(design.T @ (y - m + hat * (0.5 - m))).max() < 1e-9


def test_firth_of_a_saturated_design_gives_three_to_one():
    """Every leverage is 1, so y - m + 1/2 - m = 0: m is 3/4 or 1/4."""
    X = np.random.default_rng(2).normal(size=(9, 8))
    y = np.array([1, 0, 1, 1, 0, 0, 1, 0, 1.0])
    fit = fit_logistic(X, y, method="firth")
    m = 1 / (1 + np.exp(-fit.coef[0] - X @ fit.coef[1:]))
    np.testing.assert_allclose(m, (y + 0.5) / 2, atol=1e-10)


def test_a_fit_that_stopped_early_says_so(monkeypatch):
    monkeypatch.setattr("radiomics.logistic.MAX_FIRTH_STEPS", 1)
    names, X, y = table("glm_separable_n20p3")
    fit = fit_logistic(X, y, names=names)
    assert not fit.converged
    assert fit.flags == ("separation_firth", "not_converged")


def test_firth_of_a_two_by_two_table_adds_half_to_each_cell():
    X = np.repeat([[0.0], [1.0]], [10, 12], axis=0)
    y = np.array([1] * 2 + [0] * 8 + [1] * 9 + [0] * 3)
    fit = fit_logistic(X, y, method="firth")
    assert fit.coef[0] == pytest.approx(np.log(2.5 / 8.5), abs=1e-10)
    assert fit.coef[1] == pytest.approx(np.log(9.5 / 3.5 / (2.5 / 8.5)), abs=1e-10)


def test_a_two_by_two_table_gives_its_log_odds_ratio():
    X = np.repeat([[0.0], [1.0]], [10, 12], axis=0)
    y = np.array([1] * 2 + [0] * 8 + [1] * 9 + [0] * 3)
    fit = fit_logistic(X, y)
    assert fit.coef[1] == pytest.approx(np.log(9 / 3 / (2 / 8)), abs=1e-12)
    assert fit.se[1] == pytest.approx(np.sqrt(1 / 2 + 1 / 8 + 1 / 9 + 1 / 3), abs=1e-12)


def test_without_columns_the_intercept_is_the_log_odds():
    fit = fit_logistic(np.empty((8, 0)), [1, 1, 1, 1, 1, 1, 0, 0])
    assert fit.coef.tolist() == [pytest.approx(np.log(3), abs=1e-12)]
    assert fit.deviance == pytest.approx(fit.null_deviance, abs=1e-12)


@pytest.mark.parametrize(
    ("x", "y", "separated"),
    [
        ([1, 2, 3, 4], [0, 0, 1, 1], True),
        ([1, 2, 2, 3], [0, 0, 1, 1], True),
        ([1, 2, 3, 4], [0, 1, 0, 1], False),
        ([1e6, 1e6 + 1, 1e6 + 2, 1e6 + 3], [1, 1, 0, 0], True),
        ([1e-6, 3e-6, 2e-6, 4e-6], [0, 0, 1, 1], False),
    ],
)
def test_separation_is_complete_or_quasi_and_knows_no_units(x, y, separated):
    X = np.array(x, dtype=float)[:, None]
    assert is_separated(X, np.array(y, dtype=float)) is separated


def test_a_confidence_level_moves_the_limits_by_its_quantile():
    _, X, y = table("glm_ties_n50p5")
    fit = fit_logistic(X, y, level=0.9)
    np.testing.assert_allclose(fit.high - fit.low, 2 * 1.6448536269514722 * fit.se, rtol=1e-12)


@pytest.mark.parametrize("method", ["ml", "firth"])
def test_units_and_offsets_scale_the_coefficients(method):
    _, X, y = table("glm_ties_n50p5")
    plain = fit_logistic(X, y, method=method)
    scaled = fit_logistic(X * 1e5 + 1e4, y, method=method)
    np.testing.assert_allclose(scaled.coef[1:] * 1e5, plain.coef[1:], atol=1e-9)
    np.testing.assert_allclose(scaled.z[1:], plain.z[1:], atol=1e-8)


def test_columns_that_repeat_others_are_named():
    _, X, y = table("glm_ties_n50p5")
    doubled = np.column_stack([X, X[:, 0] + X[:, 1], np.ones(len(y))])
    with pytest.raises(RankDeficientError, match=r"sum, flat") as refusal:
        fit_logistic(doubled, y, names=[*"abcde", "sum", "flat"])
    assert "a," not in str(refusal.value)


def test_more_columns_than_rows_are_refused():
    rng = np.random.Generator(np.random.PCG64(0))
    with pytest.raises(RankDeficientError):
        fit_logistic(rng.normal(size=(6, 8)), [0, 1, 0, 1, 0, 1])


def test_missing_values_are_refused_unless_dropping_was_asked_for():
    names, X, y = table("missing_n60p4")
    with pytest.raises(ValueError, match="missing or infinite"):
        fit_logistic(X, y, names=names)


@pytest.mark.parametrize(("key", "value"), [("method", "newton"), ("missing", "impute")])
def test_an_unknown_choice_is_refused(key, value):
    _, X, y = table("glm_ties_n50p5")
    with pytest.raises(ValueError, match=key):
        fit_logistic(X, y, **{key: value})
