"""ROC, AUC intervals and comparisons against pROC, epiR and the clustered reference."""

import math

import numpy as np
import pytest

from radiomics.stats.confusion import confusion
from radiomics.stats.permutation import permutation_auc
from radiomics.stats.roc import (
    auc,
    auc_interval,
    compare_auc,
    partial_auc,
    roc_curve,
    youden,
)
from tests.radiomics.golden_stats import answer, columns

SETS = ["134_cont", "58_prob", "below_half", "binary", "constant", "ord5", "perfect", "tiny5"]
SCORES = [
    (name, score)
    for name in SETS
    for score in sorted(answer(f"roc_roc_{name}"))
    if score != "pairs"
]
PAIRS = [
    (name, pair) for name in SETS for pair in sorted(answer(f"roc_roc_{name}").get("pairs") or {})
]


def finite(values):
    return [v for v in values if v is not None]


@pytest.mark.parametrize(("name", "score"), SCORES)
def test_auc_and_intervals_are_procs(name, score):
    data, wanted = columns(f"roc_{name}"), answer(f"roc_roc_{name}")[score]
    y, s = data["y"], data[score]
    assert auc(y, s) == pytest.approx(wanted["auc"], abs=1e-12)
    found = {m: auc_interval(y, s, method=m) for m in ("delong", "logit_delong", "binomial")}
    assert found["delong"].variance == pytest.approx(wanted["var_delong"], abs=1e-12)
    assert [found["delong"].low, found["delong"].high] == pytest.approx(
        wanted["ci_delong"], abs=1e-12
    )
    exact = wanted["ci_binomial_exact"]
    assert [found["binomial"].low, found["binomial"].high] == pytest.approx(exact, abs=1e-12)
    logit = wanted.get("ci_delong_logit") or []
    if found["logit_delong"].variance > 0 and None not in logit and 0 < wanted["auc"] < 1:
        mine = [found["logit_delong"].low, found["logit_delong"].high]
        assert mine == pytest.approx(logit, abs=1e-12)


@pytest.mark.parametrize(("name", "score"), SCORES)
def test_curve_youden_and_partial_areas_are_procs(name, score):
    data, wanted = columns(f"roc_{name}"), answer(f"roc_roc_{name}")[score]
    curve = roc_curve(data["y"], data[score])
    assert curve.thresholds[1:-1].tolist() == pytest.approx(finite(wanted["thresholds"]), rel=1e-12)
    assert curve.sensitivity.tolist() == pytest.approx(wanted["sens"], abs=1e-12)
    assert curve.specificity.tolist() == pytest.approx(wanted["spec"], abs=1e-12)
    best = youden(data["y"], data[score])
    assert best.index == pytest.approx(wanted["youden"]["youden"][0] - 1, abs=1e-12)
    theirs = finite(wanted["youden"]["threshold"])
    assert all(any(math.isclose(t, m, rel_tol=1e-12) for m in best.thresholds) for t in theirs)
    for key, focus, low in (
        ("pauc_spec_1_.9", "specificity", 0.9),
        ("pauc_sens_1_.8", "sensitivity", 0.8),
    ):
        mine = partial_auc(data["y"], data[score], low, 1.0, focus=focus)
        assert mine == pytest.approx(wanted[key], abs=1e-12)
    corrected = wanted.get("pauc_spec_1_.9_corrected")
    if corrected is not None:
        mine = partial_auc(data["y"], data[score], 0.9, 1.0, corrected=True)
        assert mine == pytest.approx(corrected, abs=1e-12)


@pytest.mark.parametrize(("name", "pair"), PAIRS)
def test_paired_and_unpaired_comparisons_are_procs(name, pair):
    data, wanted = columns(f"roc_{name}"), answer(f"roc_roc_{name}")["pairs"][pair]
    first, second = (data[s] for s in pair.split("_"))
    found = compare_auc(data["y"], first, second)
    assert found.difference == pytest.approx(
        -wanted["diff"], abs=1e-12
    ) or found.difference == pytest.approx(wanted["diff"], abs=1e-12)
    assert found.covariance == pytest.approx(wanted["cov"], abs=1e-12)
    if wanted["z"] is not None and found.se > 0:
        assert abs(found.statistic) == pytest.approx(abs(wanted["z"]), abs=1e-10)
        assert found.p_value == pytest.approx(wanted["p"], abs=1e-10)
    if wanted.get("unpaired_D") is not None:
        apart = compare_auc(data["y"], first, second, y_b=data["y"])
        assert abs(apart.statistic) == pytest.approx(abs(wanted["unpaired_D"]), abs=1e-10)
        assert apart.df == pytest.approx(wanted["unpaired_df"], abs=1e-9)
        assert apart.p_value == pytest.approx(wanted["unpaired_p"], abs=1e-10)


@pytest.mark.parametrize("name", ["roc_clustered", "roc_clustered_ties"])
def test_clustered_variances_are_obuchowskis(name):
    data, wanted = columns(name), answer(name)["clustered"]
    y, groups = data["y"], data["patient"]
    for score, key in (("s1", "var"), ("s2", "var2")):
        found = auc_interval(y, data[score], method="clustered", groups=groups)
        assert found.variance == pytest.approx(wanted[key], abs=1e-12)
    found = compare_auc(y, data["s1"], data["s2"], groups=groups)
    assert found.method == "clustered"
    assert abs(found.statistic) == pytest.approx(abs(wanted["z"]), abs=1e-10)
    assert found.p_value == pytest.approx(wanted["p"], abs=1e-10)


@pytest.mark.parametrize("interval", ["exact", "wilson"])
@pytest.mark.parametrize("score", ["s1", "s2"])
def test_rates_and_ratios_are_epirs(score, interval):
    data, wanted = columns("roc_binary"), answer("confusion_roc_binary")[score]
    found = confusion(data["y"], data[score], interval=interval)
    assert [found.tp, found.fp, found.fn, found.tn] == [wanted[k] for k in ("tp", "fp", "fn", "tn")]
    mine = {"se": found.sensitivity, "sp": found.specificity, "pv.pos": found.ppv, "pv.neg": found.npv,
            "diag.ac": found.accuracy, "lr.pos": found.lr_pos, "lr.neg": found.lr_neg,
            "diag.or": found.odds_ratio, "youden": found.youden}  # fmt: skip
    rows = wanted[interval]
    for name, est, low, high in zip(
        rows["statistic"], rows["est"], rows["lower"], rows["upper"], strict=True
    ):
        got = mine[name]
        assert [got.value, got.low, got.high] == pytest.approx([est, low, high], abs=1e-10), name


def test_all_permutations_of_a_tiny_set():
    data, wanted = columns("roc_tiny5"), answer("perm_tiny")
    found = permutation_auc(data["y"], data["s1"])
    assert (found.observed, found.p_one_sided, found.p_two_sided) == pytest.approx(
        (wanted["auc"], wanted["p_one_sided"], wanted["p_two"]), abs=1e-12
    )
    assert found.exact


def test_a_perfect_score_has_an_exact_interval():
    y = np.repeat([0, 1], 10)
    found = auc_interval(y, np.arange(20.0))
    assert found.low == pytest.approx(0.83157, abs=5e-6)
    assert found.high == 1.0
    assert "degenerate_interval_binomial" in found.flags
    wald = auc_interval(y, np.arange(20.0), method="delong")
    assert (wald.low, wald.high) == (1.0, 1.0)
    assert "zero_variance" in wald.flags


@pytest.mark.parametrize("seed", range(5))
def test_auc_is_unchanged_by_increasing_transforms_and_mirrored_by_decreasing_ones(seed):
    rng = np.random.default_rng(seed)
    y, s = rng.integers(0, 2, 60), rng.integers(0, 9, 60).astype(float)
    y[:2] = [0, 1]
    assert auc(y, s) == pytest.approx(auc(y, np.exp(s)), abs=1e-12)
    assert auc(y, s) + auc(y, -s) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("y", "s", "says"),
    [
        ([0, 1], [0.1, math.nan], "score"),
        ([0, 0], [0.1, 0.2], "class"),
        ([0, 2], [0.1, 0.2], "0 and 1"),
        ([0, 1, 1], [0.1, 0.2], "shape"),
    ],
)
def test_bad_input_names_its_argument(y, s, says):
    with pytest.raises(ValueError, match=says):
        auc(y, s)
