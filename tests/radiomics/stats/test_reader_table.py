"""Mean squares and covariances of a table of AUCs by hand, their identities, and the quantiles of its tests."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomics.stats.mrmc import obuchowski_rockette
from radiomics.stats.reader_table import Table, p_of

COVARIANCE = np.array(
    [[10, 2, 3, 0.5], [2, 12, 1.5, 5], [3, 1.5, 14, 8], [0.5, 5, 8, 16]]
)  # rows: modality 1 by readers 1 and 2, modality 2 by readers 1 and 2
AUC = np.array([[0.9, 0.8, 0.7], [0.4, 0.3, 0.5]])
EMPTY = np.zeros((6, 6))


@st.composite
def tables(draw):
    """A table of 2..3 modalities by 2..4 readers with a covariance that may occur."""
    m, r, seed = draw(st.integers(2, 3)), draw(st.integers(2, 4)), draw(st.integers(0, 99))
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(m * r, m * r))
    return Table(rng.uniform(0.5, 1, (m, r)), root @ root.T, 0.95)


def figures(table):
    return [
        table.var_error, table.cov1, table.cov2, table.cov3, table.ms_t, table.ms_r, table.ms_tr,
    ]  # fmt: skip


def test_the_covariances_of_two_readers_and_two_modalities_by_hand():
    table = Table(np.full((2, 2), 0.5), COVARIANCE, 0.95)
    assert (table.m, table.r) == (2, 2)
    assert table.var_error == 13
    assert table.cov1 == 4
    assert (table.cov2_of(0), table.cov2_of(1), table.cov2) == (2, 8, 5)
    assert table.cov3 == 1


def test_the_mean_squares_of_three_readers_by_hand():
    table = Table(AUC, EMPTY, 0.95)
    assert (table.m, table.r) == (2, 3)
    assert table.ms_t == pytest.approx(0.24)
    assert table.ms_r == pytest.approx(0.005)
    assert table.ms_tr == pytest.approx(0.015)
    assert [table.ms_r_of(0), table.ms_r_of(1)] == pytest.approx([0.01, 0.01])


@given(tables())
def test_the_sums_of_squares_add_up_to_that_of_all_areas(table):
    m, r = table.m, table.r
    total = float(((table.auc - table.auc.mean()) ** 2).sum())
    parts = (m - 1) * table.ms_t + (r - 1) * table.ms_r + (m - 1) * (r - 1) * table.ms_tr
    assert parts == pytest.approx(total)


@given(tables())
def test_the_four_covariances_share_out_the_whole_matrix(table):
    m, r = table.m, table.r
    each = (
        table.var_error + (m - 1) * table.cov1 + (r - 1) * table.cov2 + (m - 1) * (r - 1) * table.cov3
    )  # fmt: skip
    assert m * r * each == pytest.approx(float(table.C.sum()))


@given(tables(), st.randoms(use_true_random=False))
def test_readers_and_modalities_may_stand_in_any_order(table, random):
    modalities, readers = list(range(table.m)), list(range(table.r))
    random.shuffle(modalities)
    random.shuffle(readers)
    C = table.blocks[np.ix_(modalities, readers, modalities, readers)].reshape(table.C.shape)
    moved = Table(table.auc[np.ix_(modalities, readers)], C, table.level)
    assert figures(moved) == pytest.approx(figures(table))


def test_one_modality_has_nothing_to_compare():
    table = Table(AUC[:1], np.diag([1.0, 2.0, 3.0]) + 0.5, 0.95)
    assert (table.cov1, table.cov3, table.ms_t, table.ms_tr) == (0.0, 0.0, 0.0, 0.0)
    assert table.cov2 == pytest.approx(0.5)
    assert table.ms_r == pytest.approx(table.ms_r_of(0))


@pytest.mark.parametrize(
    ("level", "df", "quantile"),
    [(0.95, math.inf, 1.959964), (0.95, math.nan, 1.959964), (0.95, 1, 12.706205), (0.9, 10, 1.812461)],
)  # fmt: skip
def test_the_quantiles_are_those_of_the_printed_tables(level, df, quantile):
    assert Table(AUC, EMPTY, level).quantile(df) == pytest.approx(quantile, abs=1e-6)
    assert p_of(quantile, df) == pytest.approx(1 - level, abs=1e-6)


@given(st.floats(0.5, 200), st.floats(0.5, 0.999))
def test_the_limit_of_an_interval_has_the_p_value_of_its_level(df, level):
    limit = Table(AUC, EMPTY, level).quantile(df)
    assert p_of(limit, df) == pytest.approx(1 - level, abs=1e-9)
    assert p_of(-limit, df) == p_of(limit, df)


@pytest.mark.parametrize("df", [1, 7.5, math.inf, math.nan])
def test_no_difference_at_all_has_a_p_value_of_one(df):
    assert p_of(0.0, df) == 1.0


def test_fewer_degrees_of_freedom_ask_for_more():
    given_df = [p_of(2.0, df) for df in (1, 2, 5, 30, math.inf)]
    assert given_df == sorted(given_df, reverse=True)
    assert len(set(given_df)) == 5


@pytest.mark.parametrize("area", [0.1, 0.7, 0.83, 0.9])
def test_areas_that_are_all_equal_have_no_mean_square_however_their_means_round(area):
    for m, r in [(2, 3), (3, 5), (3, 7)]:
        table = Table(np.full((m, r), area), np.zeros((m * r, m * r)), 0.95)
        squares = [table.ms_t, table.ms_tr, table.ms_r, *(table.ms_r_of(a) for a in range(m))]
        assert squares == [0.0] * (3 + m)


def test_modalities_read_alike_have_no_test_with_the_cases_held_fixed():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        y = np.concatenate([[0, 1, 0, 1], rng.integers(0, 2, 20)])
        ratings = np.tile(rng.integers(0, 9, (5, 24)).astype(float), (3, 1, 1))
        found = obuchowski_rockette(y, ratings, design="fixed_cases")
        assert math.isnan(found.p_value)
        assert "zero_variance" in found.flags
