"""No reader, one, two or three: every table and figure of a part stands, and says what its numbers rest on."""

import json
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from portal.analysis.cases import Reader
from portal.analysis.figures import all_figures, few_from
from portal.dashboard.cohort_plots import draw_part, part_figures
from portal.dashboard.cohort_tables import make_table, part_tables
from portal.dashboard.plots import Plot, Scene, words
from portal.dashboard.tables import Beside, Table
from radiomics.stats.agreement import fleiss_kappa, icc
from radiomics.stats.calibration import calibration
from radiomics.stats.confusion import mcnemar
from radiomics.stats.flags import FLAGS
from radiomics.stats.mrmc import compare_with_readers, obuchowski_rockette
from radiomics.stats.roc import auc_interval, compare_auc
from tests.dashboard.builders import CT, GROUPS, SPECT, Y, make_part

ALONE = Beside({}, is_published=False)
CEM = Reader(
    "Cem", np.array([1, 1, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0]),
    np.array([9, 8, 2, 7, 6, 1, 1, 2, 7, 3, 1, 2.0]), np.full(12, np.nan),
)  # fmt: skip
EVERYONE = (*make_part().readers, CEM)
COUNTS = (0, 1, 2, 3)
SCORE_KEYS = tuple(part_tables({}))
PLOT_KEYS = tuple(part_figures({}))


@lru_cache(maxsize=8)
def of(n: int, *, models: tuple[str, ...] = ("ct", "spect"), repeats: bool = True) -> dict[str, Any]:  # fmt: skip
    groups = GROUPS if repeats else np.array([f"Q{i}" for i in range(12)])
    p = {"ct": CT, "spect": SPECT}
    return all_figures(make_part(readers=EVERYONE[:n], groups=groups, probability={k: p[k] for k in models}))  # fmt: skip


def scene() -> Scene:
    return Scene("validation", 1, is_synthetic=False)


def table(key: str, n: int, **more: Any) -> Table:
    return make_table(of(n, **more), scene(), ALONE, key)


def plot(key: str, n: int) -> Plot:
    return draw_part(of(n), scene(), key)


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("key", SCORE_KEYS)
def test_every_table_stands_and_has_a_cell_per_column(key, n):
    found = table(key, n)
    assert all(len(row) == len(found.columns) for row in found.rows)
    json.dumps(found.rows, allow_nan=False)


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("key", PLOT_KEYS)
def test_every_figure_stands_in_strict_json(key, n):
    json.dumps(plot(key, n).as_json(), allow_nan=False)


@pytest.mark.parametrize(("n", "family"), [(0, 1), (1, 3), (2, 6), (3, 10)])
def test_the_family_grows_with_the_readers(n, family):
    assert len(table("differences", n).rows) == of(n)["comparisons"]["family"] == family


@pytest.mark.parametrize(("n", "rows"), [(0, 2), (1, 4), (2, 4), (3, 4)])
def test_the_experts_stand_below_the_models_where_there_are_any(n, rows):
    assert len(table("auc", n).rows) == rows


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_mean_of_the_readers_is_the_mean_of_their_aucs(n):
    own = [auc_interval(Y, r.calls.astype(float), method="delong").auc for r in EVERYONE[:n]]
    (row,) = [r for r in table("auc", n).rows if r[0] == "Experts (mean of calls)"]
    assert row[1] == pytest.approx(np.mean(own))


def test_a_single_readers_interval_is_his_own():
    (row,) = [r for r in table("auc", 1).rows if r[0] == "Experts (mean of scores)"]
    wanted = auc_interval(Y, EVERYONE[0].scores, method="clustered", groups=GROUPS)
    assert row[1:6] == (wanted.auc, wanted.low, wanted.high, wanted.se, "clustered")


@pytest.mark.parametrize("n", [2, 3])
def test_agreement_has_five_rows_for_each_pair(n):
    rows = [r for r in table("agreement", n).rows if r[0] != "all"]
    pairs = [f"{a.name} and {b.name}" for a, b in combinations(EVERYONE[:n], 2)]
    assert [r[0] for r in rows] == [name for name in pairs for _ in range(5)]


def test_fleiss_is_for_more_than_two_and_the_icc_for_all():
    found = {r[1]: r[2] for r in table("agreement", 3).rows if r[0] == "all"}
    calls, scores = (np.array([getattr(r, k) for r in EVERYONE]).T for k in ("calls", "scores"))
    assert found["Fleiss' kappa of the calls"] == fleiss_kappa(calls).value
    assert found["ICC(2,1) of the scores"] == icc(scores).icc2.value
    assert "Fleiss' kappa of the calls" not in {r[1] for r in table("agreement", 2).rows}


@pytest.mark.parametrize(("n", "is_few"), [(0, False), (1, False), (2, True), (3, False)])
def test_two_readers_alone_are_said_to_be_these_readers(n, is_few):
    assert (FLAGS["few_readers"] in table("agreement", n).notes) is is_few


@pytest.mark.parametrize(("n", "design"), [(2, "fixed_readers"), (3, "random")])
def test_readers_are_random_from_three_on(n, design):
    ratings = np.array([[r.scores for r in EVERYONE[:n]]])
    wanted = obuchowski_rockette(Y, ratings, covariance="clustered", design=design, groups=GROUPS)
    (row,) = [r for r in table("mrmc", n).rows if r[0] == "mean AUC of the scores"]
    mean = wanted.to_dict()["means"][0]
    assert row[1:] == tuple(mean[k] for k in ("estimate", "se", "df", "low", "high"))


@pytest.mark.parametrize("n", [0, 1])
def test_without_two_readers_there_is_no_reader_average(n):
    found = table("mrmc", n)
    assert (found.rows, found.notes[0]) == ([], "It needs two readers.")


@pytest.mark.parametrize("kind", ["CT", "SPECT"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_model_is_set_against_the_mean_of_these_readers(n, kind):
    p = {"CT": CT, "SPECT": SPECT}[kind]
    calls = np.array([r.calls for r in EVERYONE[:n]], dtype=float)
    wanted = compare_with_readers(Y, p, calls, readers="fixed", groups=GROUPS).to_dict()
    (row,) = [r for r in table("contrasts", n).rows if r[0] == kind]
    keys = ("auc_model", "mean_readers", "difference", "low", "high", "p_value")
    assert row[1:] == tuple(wanted[k] for k in keys)


def test_without_readers_no_model_is_set_against_them():
    assert table("contrasts", 0).rows == table("matched", 0).rows == table("readers", 0).rows == []


@pytest.mark.parametrize("reader", EVERYONE, ids=lambda r: r.name)
@pytest.mark.parametrize(("kind", "p"), [("CT", CT), ("SPECT", SPECT)])
def test_mcnemars_test_is_of_the_calls_at_the_fixed_threshold(kind, p, reader):
    wanted = mcnemar(Y, p >= 0.5, reader.calls)
    (row,) = [r for r in table("matched", 3).rows if r[:2] == (kind, reader.name)]
    assert row[5:] == (wanted.n10, wanted.n01, wanted.p_exact)


@pytest.mark.parametrize("reader", EVERYONE, ids=lambda r: r.name)
def test_the_matched_sensitivity_is_the_best_at_no_lower_specificity(reader):
    """A second way: try every threshold."""
    wanted = (reader.calls[Y == 0] == 0).mean()
    best = max((CT[Y == 1] >= t).mean() for t in [*CT, 2.0] if (CT[Y == 0] < t).mean() >= wanted)
    (row,) = [r for r in table("matched", 3).rows if r[:2] == ("CT", reader.name)]
    assert row[4] == pytest.approx(best)


@pytest.mark.parametrize(("repeats", "method"), [(True, "clustered"), (False, "logit_delong")])
def test_the_interval_follows_from_whether_patients_repeat(repeats, method):
    row = table("auc", 2, repeats=repeats).rows[0]
    assert row[5] == method
    assert {r[1] for r in table("intervals", 2, repeats=repeats).rows} >= {"logit_delong", "delong", "binomial"}  # fmt: skip
    assert ("clustered" in {r[1] for r in table("intervals", 2, repeats=repeats).rows}) is repeats


def test_with_a_lesion_per_patient_the_comparison_is_delongs_own():
    row = table("differences", 2, repeats=False).rows[0]
    wanted = compare_auc(Y, CT, SPECT)
    assert row[2:4] == pytest.approx((wanted.difference, wanted.low))
    assert row[5] == pytest.approx(row[8])


def test_a_reader_without_times_has_a_row_and_no_point():
    (row,) = [r for r in table("readers", 3).rows if r[0] == "Cem"]
    assert row[-3:] == (None, None, None)
    assert [p["x"] for p in plot("times", 3).series[0].points] == ["Ann", "Ben"]


def test_a_single_model_is_compared_with_the_readers_alone():
    found = table("differences", 2, models=("ct",))
    assert [r[:2] for r in found.rows] == [("CT", "Ann"), ("CT", "Ben"), ("Ann", "Ben")]


@pytest.mark.parametrize("n", COUNTS)
def test_failures_are_fewer_the_more_readers_there_are(n):
    wrong = ((CT >= 0.5) != (Y == 1)) & ((SPECT >= 0.5) != (Y == 1))
    for reader in EVERYONE[:n]:
        wrong &= reader.calls != Y
    assert [r[0] for r in table("failures", n).rows] == [make_part().labels[i] for i in np.flatnonzero(wrong)]  # fmt: skip


@pytest.mark.parametrize(("kind", "p"), [("CT", CT), ("SPECT", SPECT)])
def test_calibration_is_the_statistics_own(kind, p):
    wanted = calibration(Y, p).to_dict()
    found = table("calibration", 0)
    (row,) = [r for r in found.rows if r[0] == kind]
    for name, value in zip(found.columns[1:-1], row[1:-1], strict=True):
        assert value == wanted[name.replace(" ", "_")], name


@pytest.mark.parametrize(
    ("p", "wanted"),
    [([0.9] * 5, 0.91), ([0.9] * 4, 0.0), ([0.99] * 5 + [0.1], None), ([0.5] * 4 + [0.3] * 2, 0.31), ([1.0] * 6, None)],
)  # fmt: skip
def test_few_positive_calls_begin_where_fewer_than_five_reach_the_threshold(p, wanted):
    assert few_from(np.array(p)) == wanted


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ((), ()),
        ((["few_readers"], ["few_readers"]), (FLAGS["few_readers"],)),
        ((["few_readers: Ann"],), (FLAGS["few_readers"],)),
        ((["not a known flag"],), ("not a known flag",)),
    ],
)
def test_flags_become_sentences_each_once(flags, wanted):
    assert words(*flags) == wanted


@pytest.mark.parametrize(
    ("part", "looks", "n_notes"), [("train", 5, 0), ("validation", 0, 1), ("validation", 1, 1), ("validation", 2, 2)]
)  # fmt: skip
def test_only_the_validation_part_counts_its_looks_and_a_second_one_is_flagged(part, looks, n_notes):  # fmt: skip
    assert len(Scene(part, looks, is_synthetic=False).notes) == n_notes
