"""Cases and readers of a planned study: RJafroc's numbers, and what must hold of any plan."""

import csv
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from radiomics.stats.mrmc import obuchowski_rockette
from radiomics.stats.planning import design_table, power, sample_size
from tests.radiomics.stats.test_golden_mrmc import ratings_of

SHARED = Path(os.environ.get("OSTEON_SHARED", Path(__file__).parents[4] / "shared"))
PUBLIC = SHARED / "golden" / "stats" / "public"
needs_public = pytest.mark.skipif(
    not PUBLIC.exists(), reason="golden public data not present (read from ../shared only)"
)


@dataclass(frozen=True)
class Components:
    var_tr: float = 0.0002
    var_error: float = 0.0008
    cov1: float = 0.00034
    cov2: float = 0.00034
    cov3: float = 0.00024
    n_cases: int = 114


def public_ratings(name: str):
    with (PUBLIC / "in" / f"{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    axes = [
        np.unique([r[k] for r in rows], return_inverse=True)[1]
        for k in ("treatment", "reader", "case")
    ]
    table = np.full([a.max() + 1 for a in axes], np.nan)
    table[tuple(axes)] = [float(r["rating"]) for r in rows]
    y = np.zeros(table.shape[2])
    y[axes[2]] = [float(r["truth"]) for r in rows]
    return y, table


@pytest.fixture(scope="module")
def van_dyke():
    return public_ratings("VanDyke")


@needs_public
@pytest.mark.parametrize(("n_readers", "n_cases"), [(4, 361), (5, 213), (6, 170), (10, 119)])
def test_the_cases_of_van_dyke_are_rjafrocs(van_dyke, n_readers, n_cases):
    pilot = obuchowski_rockette(*van_dyke, covariance="jackknife")
    assert sample_size(pilot, n_readers=n_readers, effect=0.05).n_cases == n_cases


@needs_public
def test_the_power_of_van_dyke_is_rjafrocs(van_dyke):
    pilot = obuchowski_rockette(*van_dyke, covariance="jackknife")
    found = sample_size(pilot, n_readers=6, effect=0.05)
    assert found.power == pytest.approx(0.80161864, abs=1e-7)


@needs_public
def test_three_readers_never_reach_it_with_2000_cases(van_dyke):
    pilot = obuchowski_rockette(*van_dyke, covariance="jackknife")
    found = sample_size(pilot, n_readers=3, effect=0.05)
    assert (found.n_cases, found.reached) == (None, False)
    assert found.power < 0.8


@needs_public
def test_van_dyke_has_the_published_tests(van_dyke):
    delong = obuchowski_rockette(*van_dyke)
    assert (delong.statistic, delong.df2, delong.p_value) == (
        pytest.approx(4.4849, abs=5e-5), pytest.approx(15.07, abs=5e-3), pytest.approx(0.05123, abs=5e-6),
    )  # fmt: skip
    jackknife = obuchowski_rockette(*van_dyke, covariance="jackknife")
    wanted = json.loads((PUBLIC / "out" / "rjafroc_dataset02_VanDyke.json").read_text())["RRRC"][
        "FTests"
    ]
    assert jackknife.statistic == pytest.approx(wanted["FStat"][0], rel=1e-9)
    assert jackknife.df2 == pytest.approx(wanted["DF"][1], rel=1e-9)
    assert jackknife.p_value == pytest.approx(wanted["p"][0], rel=1e-9)


@needs_public
def test_van_dyke_with_readers_or_cases_fixed(van_dyke):
    readers = obuchowski_rockette(*van_dyke, covariance="jackknife", design="fixed_readers")
    assert readers.statistic == pytest.approx(5.4760, abs=5e-5)
    assert readers.p_value == pytest.approx(0.0193, abs=5e-5)
    cases = obuchowski_rockette(*van_dyke, covariance="jackknife", design="fixed_cases")
    assert cases.statistic == pytest.approx(8.704, abs=5e-4)
    assert cases.p_value == pytest.approx(0.0420, abs=5e-5)


@needs_public
def test_franken_has_the_published_test():
    found = obuchowski_rockette(*public_ratings("Franken"))
    assert (found.statistic, found.df1, found.df2) == (
        pytest.approx(4.6941, abs=5e-5), 1, pytest.approx(3, abs=5e-3),
    )  # fmt: skip
    assert found.p_value == pytest.approx(0.1188, abs=5e-5)


@needs_public
@pytest.mark.parametrize("name", ["VanDyke", "Franken"])
@pytest.mark.parametrize(("key", "covariance"), [("DeLong", "delong"), ("jackknife", "jackknife")])
def test_variance_components_of_public_studies_are_mrmcaovs(name, key, covariance):
    wanted = json.loads((PUBLIC / "out" / f"mrmc_PUBLIC_{name}.json").read_text())[f"{key}_none"]
    found = obuchowski_rockette(*public_ratings(name), covariance=covariance)
    mine = [found.var_reader, found.var_tr, found.var_error, found.cov1, found.cov2, found.cov3]
    assert mine == pytest.approx(wanted["vcov_comps"]["Estimate"], abs=1e-12)
    assert found.statistic == pytest.approx(wanted["test_equality"]["F"][0], rel=1e-9)
    assert found.p_value == pytest.approx(wanted["test_equality"]["p-value"][0], rel=1e-9)


@needs_public
@pytest.mark.parametrize("modality", [0, 1, 2])
def test_kundel_runs_and_stays_finite(modality):
    y, table = public_ratings("Kundel")
    readers = ~np.isnan(table[modality]).all(axis=1)
    one = table[modality : modality + 1, readers]
    found = obuchowski_rockette(y, one, missing="common_cases")
    assert np.isfinite([found.var_error, found.cov2, *np.ravel(found.auc)]).all()
    assert all(0.5 < auc <= 1 for auc in np.ravel(found.auc))


@needs_public
def test_readings_that_are_not_crossed_are_refused_in_words():
    with pytest.raises(ValueError, match="no case was read by every reader in every modality"):
        obuchowski_rockette(*public_ratings("Kundel"), missing="common_cases")


def test_power_by_hand():
    c = Components()
    found = power(c, n_readers=5, n_cases=228, effect=0.05)
    group = c.cov2 - c.cov3
    denominator = c.var_tr + 0.5 * (c.var_error - c.cov1 + 4 * group)
    own = c.var_tr + 0.5 * (c.var_error - c.cov1 - group)
    df2, ncp = denominator**2 / (own**2 / 4), 5 * 0.05**2 / (2 * denominator)
    assert (found.df2, found.ncp) == (pytest.approx(df2), pytest.approx(ncp))
    assert found.power == pytest.approx(stats.ncf.sf(stats.f.isf(0.05, 1, df2), 1, df2, ncp))


@pytest.mark.parametrize("name", ["n_readers", "n_cases", "effect", "alpha"])
def test_more_of_anything_gives_more_power(name):
    plan = {"n_readers": 4, "n_cases": 100, "effect": 0.04, "alpha": 0.05}
    more = {**plan, name: plan[name] * 2}
    assert power(Components(), **more).power > power(Components(), **plan).power


def test_the_least_number_of_cases_reaches_the_power_and_one_less_does_not():
    found = sample_size(Components(), n_readers=5, effect=0.05)
    assert found.reached
    assert power(Components(), n_readers=5, n_cases=found.n_cases, effect=0.05).power >= 0.8
    assert power(Components(), n_readers=5, n_cases=found.n_cases - 1, effect=0.05).power < 0.8


def test_more_readers_need_no_more_cases():
    rows = design_table(Components(), readers=(4, 5, 6, 8, 10), effect=0.05)
    cases = [size.n_cases or 10**9 for _, size in rows]
    assert [n for n, _ in rows] == [4, 5, 6, 8, 10]
    assert cases == sorted(cases, reverse=True)


def test_negative_components_count_as_none():
    odd = Components(var_tr=-0.001, cov2=0.0002, cov3=0.0003)
    plain = Components(var_tr=0.0, cov2=0.0003, cov3=0.0003)
    assert power(odd, n_readers=5, n_cases=100, effect=0.05) == power(plain, n_readers=5, n_cases=100, effect=0.05)  # fmt: skip


def test_a_study_is_its_own_pilot():
    pilot = obuchowski_rockette(*ratings_of("mrmc_5x2x80"))
    found = sample_size(pilot, n_readers=5, effect=0.1)
    assert found.n_cases is None or found.n_cases >= 4


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"n_readers": 1}, "n_readers must be at least 2, got 1"),
        ({"n_cases": 3}, "n_cases must be at least 4, got 3"),
        ({"effect": 0.0}, "effect must lie between 0 and 1"),
        ({"effect": -0.05}, "effect must lie between 0 and 1"),
        ({"alpha": 1.0}, "alpha must lie between 0 and 1"),
    ],
)
def test_a_plan_that_is_none_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        power(Components(), **{"n_readers": 5, "n_cases": 100, "effect": 0.05, **change})


def test_a_power_beyond_certainty_is_refused():
    with pytest.raises(ValueError, match="power must lie between 0 and 1"):
        sample_size(Components(), n_readers=5, effect=0.05, power=1.0)


def test_a_pilot_without_variance_is_refused():
    empty = Components(0.0, 0.0, 0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="positive variances"):
        power(empty, n_readers=5, n_cases=100, effect=0.05)
