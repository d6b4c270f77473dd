"""Features by class, their correlations and reliability, and Table 1, against numbers worked out by hand."""

import numpy as np
import pytest

from portal.analysis.characteristics import (
    SEED,
    Subject,
    categorical,
    continuous,
    table,
)
from portal.analysis.feature_figures import (
    by_class,
    coefficients,
    correlation,
    distribution,
    five_numbers,
    standardised,
)
from portal.analysis.reliability import Reliability
from radiomics.stats.groups import (
    adjust_p,
    compare_categorical,
    compare_continuous,
)
from tests.dashboard.builders import Y, make_part, people

GROUPS = ("metastasis", "benign")


def test_five_numbers_are_minimum_quartiles_and_maximum():
    assert five_numbers(np.array([4.0, 1.0, 3.0, 2.0, 5.0])) == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_each_feature_is_tested_as_table_1_tests_and_holm_is_over_the_model():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(12, 3)) + Y[:, None] * [2.0, 0.0, 0.5]
    rows = by_class(X, make_part(), ["a", "b", "c"])
    raw = []
    for row, values in zip(rows, X.T, strict=True):
        wanted = compare_continuous(values[Y == 1], values[Y == 0])
        assert (row["test"], row["p_value"]) == (wanted.chosen, wanted.p_value)
        assert row["benign"][2] == np.median(values[Y == 0])
        raw.append(wanted.p_value)
    assert [r["p_holm"] for r in rows] == adjust_p(raw).tolist()


def test_a_feature_of_one_value_is_not_tested():
    (row,) = by_class(np.ones((12, 1)), make_part(), ["a"])
    assert (row["test"], row["p_value"], row["p_holm"]) == ("", None, None)


def test_a_class_of_one_lesion_is_not_tested():
    part = make_part(y=np.array([1] + [0] * 11))
    (row,) = by_class(np.arange(12.0)[:, None], part, ["a"])
    assert row["p_value"] is None
    assert row["metastasis"] == [0.0] * 5


def test_correlations_are_pearsons():
    X = np.array([[1.0, 2.0, 1.0], [2.0, 4.0, 0.0], [3.0, 6.0, 2.0]])
    found = correlation(X)
    assert found[0][1] == 1.0
    assert found[0][2] == pytest.approx(0.5)
    assert [found[i][i] for i in range(3)] == [1.0, 1.0, 1.0]


def test_a_constant_feature_correlates_with_nothing():
    assert correlation(np.array([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]])) == [[1.0, None], [None, None]]  # fmt: skip


def test_no_feature_and_one_feature_have_their_tables_too():
    assert correlation(np.zeros((5, 0))) == []
    assert correlation(np.arange(5.0)[:, None]) == [[1.0]]


def test_values_are_in_the_training_parts_standard_deviations():
    model = {"kept": ["a", "b", "c"], "selected": ["c", "a"], "mean": [1.0, 9.0, 10.0], "scale": [2.0, 9.0, 5.0]}  # fmt: skip
    found = standardised(np.array([[20.0, 3.0], [10.0, 1.0]]), model)
    assert found.tolist() == [[2.0, 1.0], [0.0, 0.0]]


def test_coefficients_come_from_the_refit_with_their_limits():
    model = {
        "selected": ["a"], "coef": [0.1], "intercept": 0.0,
        "refit": {"terms": ["(Intercept)", "a"], "coef": [1.0, 2.0], "low": [0.0, 1.0], "high": [2.0, 3.0], "p_value": [0.1, None]},
    }  # fmt: skip
    assert coefficients(model)[1] == {"term": "a", "coef": 2.0, "low": 1.0, "high": 3.0, "p_value": None}  # fmt: skip


@pytest.mark.parametrize("refit", [None, {}, {"terms": []}])
def test_without_a_refit_they_are_the_lassos(refit):
    model = {"selected": ["a", "b"], "coef": [0.1, -0.2], "intercept": 0.5, "refit": refit}
    found = coefficients(model)
    assert [(r["term"], r["coef"]) for r in found] == [("(Intercept)", 0.5), ("a", 0.1), ("b", -0.2)]  # fmt: skip
    assert {r["low"] for r in found} == {None}


def reliabilities(*values: float | None) -> list[Reliability]:
    return [Reliability("CT", f"f{i}", "x", "ICC2", 30, value=v) for i, v in enumerate(values)]


def test_the_distribution_counts_tenths_and_shares():
    found = distribution(reliabilities(-0.2, 0.05, 0.75, 0.8, 0.9, 1.0, None))
    assert found["counts"] == [2, 0, 0, 0, 0, 0, 0, 1, 1, 2]
    assert (found["features"], found["defined"], found["lesions"]) == (7, 6, 30)
    assert (found["good"], found["excellent"]) == (4, 2)
    assert found["median"] == pytest.approx(0.775)


def test_a_distribution_of_nothing_defined_has_no_median():
    found = distribution(reliabilities(None, float("nan")))
    assert (found["defined"], found["median"], sum(found["counts"])) == (0, None, 0)


def pairs(*values: tuple[str, object]) -> list:
    return list(values)


def test_a_continuous_row_is_the_test_of_the_statistics():
    a, b = [61.0, 64.0, 70.0, 58.0], [50.0, 49.0, 55.0, 61.0]
    row = continuous("Age", GROUPS, [(GROUPS[0], v) for v in a] + [(GROUPS[1], v) for v in b])
    wanted = compare_continuous(a, b)
    assert row["p_value"] == wanted.p_value
    assert row["mean"] == list(wanted.mean)
    assert row["sem"] == list(wanted.sem)
    assert row["missing"] == [0, 0]


def test_missing_values_are_counted_and_not_tested():
    row = continuous("Age", GROUPS, pairs((GROUPS[0], 1.0), (GROUPS[0], None), (GROUPS[1], 3.0)))
    assert row["missing"] == [1, 0]
    assert (row["n"], row["p_value"], row["test"]) == ([1, 1], None, "")


def test_the_same_value_throughout_is_not_tested():
    row = continuous("Age", GROUPS, [(g, 60.0) for g in GROUPS * 3])
    assert row["p_value"] is None


def test_a_categorical_row_counts_by_group_and_is_tested_on_what_is_recorded():
    values = pairs(*[(GROUPS[0], "F")] * 3, *[(GROUPS[0], "M")] * 5, *[(GROUPS[1], "F")] * 6, (GROUPS[1], ""))  # fmt: skip
    row = categorical("Sex", GROUPS, values)
    assert (row["categories"], row["counts"], row["missing"]) == (["F", "M"], [[3, 5], [6, 0]], [0, 1])  # fmt: skip
    wanted = compare_categorical([[3, 5], [6, 0]], seed=SEED)
    assert (row["test"], row["p_value"]) == (wanted.chosen, wanted.p_value)


@pytest.mark.parametrize("values", [[], [("metastasis", "F"), ("benign", "F")]])
def test_one_category_or_none_has_no_p_value(values):
    assert categorical("Sex", GROUPS, values)["p_value"] is None


def test_the_table_counts_patients_and_lesions_apart():
    found = table(GROUPS, people())
    assert (found["patients"], found["lesions"]) == ([5, 5], [5, 5])
    assert [r["label"] for r in found["rows"]] == [
        "Age, years", "Sex", "Primary tumour", "Level of the lesion", "Longest diameter, mm", "Reference standard by",
    ]  # fmt: skip


def test_the_p_values_of_the_table_are_one_family():
    rows = table(GROUPS, people())["rows"]
    raw = [np.nan if r["p_value"] is None else r["p_value"] for r in rows]
    holm = [None if np.isnan(p) else p for p in adjust_p(raw)]
    assert [r["p_holm"] for r in rows] == holm
    assert sum(p is not None for p in holm) == 3


def test_a_table_of_nobody_is_a_table_without_tests():
    found = table(GROUPS, [])
    assert found["patients"] == [0, 0]
    assert {r["p_value"] for r in found["rows"]} == {None}


def test_the_order_of_the_subjects_changes_nothing():
    there: list[Subject] = people()
    assert table(GROUPS, there) == table(GROUPS, there[::-1])
