"""Obuchowski–Rockette against MRMCaov, models against readers by construction."""

import numpy as np
import pytest

from radiomics.stats.mrmc import compare_with_readers, obuchowski_rockette
from radiomics.stats.roc import compare_auc
from tests.radiomics.golden_stats import answer, columns

SETS = ["mrmc_5x2x80", "mrmc_5x2x80_bin", "mrmc_5x2x80_ord"]
DESIGNS = {"none": "random", "reader": "fixed_readers", "case": "fixed_cases"}
COVARIANCES = {"DeLong": "delong", "jackknife": "jackknife", "unbiased": "unbiased"}


def ratings_of(name: str) -> tuple[np.ndarray, np.ndarray]:
    data = columns(name)
    axes = [np.unique(data[k], return_inverse=True)[1] for k in ("treatment", "reader", "case")]
    table = np.full([a.max() + 1 for a in axes], np.nan)
    table[tuple(axes)] = data["rating"]
    y = np.zeros(table.shape[2])
    y[axes[2]] = data["truth"]
    return y, table


def near(value):
    return pytest.approx(value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("key", sorted(COVARIANCES))
@pytest.mark.parametrize("design", sorted(DESIGNS))
def test_every_figure_is_mrmcaovs(name, key, design):
    wanted = answer(name)[f"{key}_{design}"]
    if "error" in wanted:
        assert isinstance(wanted["error"], str)
        return
    y, table = ratings_of(name)
    found = obuchowski_rockette(y, table, covariance=COVARIANCES[key], design=DESIGNS[design])
    if "vcov_comps" in wanted:
        mine = [found.var_reader, found.var_tr, found.var_error, found.cov1, found.cov2, found.cov3]
        assert mine == pytest.approx(wanted["vcov_comps"]["Estimate"], abs=1e-12)
    test = wanted["test_equality"]
    assert found.ms_t == near(test["MS(T)"][0])
    statistic = test.get("F") or test.get("X2")
    assert found.statistic == near(statistic[0])
    assert found.p_value == near(test["p-value"][0])
    for mine, est, se in zip(
        found.differences,
        wanted["test_diffs"]["Estimate"],
        wanted["test_diffs"]["StdErr"],
        strict=True,
    ):
        assert [mine.estimate, mine.se] == near([est, se])
    means = wanted["test_means"]
    assert [m.estimate for m in found.means] == near(means["Estimate"])
    assert [m.se for m in found.means] == near(means["StdErr"])
    if "df" in means:
        assert [m.df for m in found.means] == near(means["df"])


def test_renaming_readers_changes_nothing():
    y, table = ratings_of("mrmc_5x2x80")
    first = obuchowski_rockette(y, table)
    second = obuchowski_rockette(y, table[:, ::-1])
    assert second.statistic == pytest.approx(first.statistic, rel=1e-10)
    assert second.p_value == pytest.approx(first.p_value, rel=1e-10)


def test_a_missing_rating_is_refused_or_its_case_dropped():
    y, table = ratings_of("mrmc_5x2x80")
    table[0, 1, 2] = np.nan
    with pytest.raises(ValueError, match="reader 1, case 2"):
        obuchowski_rockette(y, table)
    assert "cases_dropped:1" in obuchowski_rockette(y, table, missing="common_cases").flags


def test_one_reader_is_refused():
    y, table = ratings_of("mrmc_5x2x80")
    with pytest.raises(ValueError, match="2 readers"):
        obuchowski_rockette(y, table[:, :1])


def test_a_model_against_one_reader_is_the_paired_comparison():
    y, table = ratings_of("mrmc_5x2x80")
    found = compare_with_readers(y, table[0, 0], table[1, :1])
    pair = compare_auc(y, table[0, 0], table[1, 0])
    assert [found.difference, found.se, found.p_value] == pytest.approx(
        [pair.difference, pair.se, pair.p_value], rel=1e-12
    )


def test_a_model_equal_to_every_reader_differs_by_nothing():
    y, table = ratings_of("mrmc_5x2x80")
    score = table[0, 0]
    found = compare_with_readers(y, score, np.stack([score, score]))
    assert (found.difference, found.statistic, found.p_value) == (0.0, 0.0, 1.0)
