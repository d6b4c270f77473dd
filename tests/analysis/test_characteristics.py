"""Table 1 counted by hand: means, counts, what is not recorded, the test that the numbers allow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import fisher_exact, ttest_ind

from portal.analysis.characteristics import (
    Subject,
    categorical,
    continuous,
    lesions_of,
    methods_of,
    subjects,
    table,
)
from portal.study.models import Lesion, Patient, Study
from portal.truth.entry import enter
from radiomics.stats.groups import adjust_p
from tests.cohort import NOW, make_lesion, make_patient, make_study, make_user
from tests.dashboard.builders import make_part, people
from tests.truth.builders import make_standard

AB = ("a", "b")
words = st.sampled_from(["", "lung", "prostate", "breast"])


def pairs(a: list, b: list) -> list[tuple[str, object]]:
    return [("a", v) for v in a] + [("b", v) for v in b]


def test_mean_sd_and_sem_of_two_groups_are_those_counted_by_hand():
    # 1 2 3: mean 2, SD 1, SEM 1/sqrt 3; 4 6 8: mean 6, SD 2, SEM 2/sqrt 3
    row = continuous("x", AB, pairs([1.0, 2.0, 3.0], [4.0, 6.0, 8.0]))
    assert row["mean"] == pytest.approx([2.0, 6.0])
    assert row["sd"] == pytest.approx([1.0, 2.0])
    assert row["sem"] == pytest.approx([3**-0.5, 2 * 3**-0.5])
    assert row["n"] == [3, 3]


def test_the_p_value_is_students_where_normal_and_equally_spread():
    a, b = [61.0, 62.0, 63.0, 64.0, 65.0], [51.0, 52.0, 53.0, 54.0, 55.0]
    row = continuous("x", AB, pairs(a, b))
    # difference 10, pooled variance 2.5, SE 1: t = 10 on 8 degrees of freedom
    assert row["test"] == "student"
    assert row["p_value"] == pytest.approx(ttest_ind(a, b).pvalue)
    assert row["p_value"] == pytest.approx(8.488e-06, rel=1e-3)


@pytest.mark.parametrize(
    ("a", "b", "n", "missing"),
    [
        ([1.0], [2.0, 3.0], [1, 2], [0, 0]),
        ([], [2.0, 3.0], [0, 2], [0, 0]),
        ([None, 1.0], [2.0, 3.0, None], [1, 2], [1, 1]),
        ([None, None], [None], [0, 0], [2, 1]),
        ([5.0, 5.0], [5.0, 5.0], [2, 2], [0, 0]),
        ([], [], [0, 0], [0, 0]),
    ],
)
def test_without_two_values_a_group_or_any_difference_there_is_no_test(a, b, n, missing):
    row = continuous("x", AB, pairs(a, b))
    assert (row["n"], row["missing"]) == (n, missing)
    assert (row["mean"], row["test"], row["p_value"]) == (None, "", None)


def test_a_missing_value_is_counted_and_changes_no_mean():
    full = continuous("x", AB, pairs([1.0, 2.0, 3.0], [4.0, 6.0, 8.0]))
    gaps = continuous("x", AB, pairs([1.0, None, 2.0, 3.0], [4.0, 6.0, 8.0, None]))
    assert gaps["missing"] == [1, 1]
    assert {**gaps, "missing": 0} == {**full, "missing": 0}


def test_an_age_of_zero_is_a_value():
    row = continuous("x", AB, pairs([0.0, 2.0], [1.0, 3.0]))
    assert (row["missing"], row["mean"]) == ([0, 0], [1.0, 2.0])


def test_categories_are_counted_in_each_group_in_alphabetical_order():
    row = categorical("Sex", AB, pairs(["M", "F", "M", ""], ["F", "F", "", ""]))
    assert row["categories"] == ["F", "M"]
    assert row["counts"] == [[1, 2], [2, 0]]
    assert row["missing"] == [1, 2]


def test_small_counts_are_tested_by_fisher():
    row = categorical("Sex", AB, pairs(["M"] * 3 + ["F"], ["F"] * 4))
    assert row["test"].startswith("fisher")
    # margins 4 4 / 5 3: the two tables at the ends, 4 of 56 each
    assert row["p_value"] == pytest.approx(8 / 56)
    assert row["p_value"] == pytest.approx(fisher_exact([[1, 3], [4, 0]]).pvalue)


@pytest.mark.parametrize("counts", [[[5, 4], [3, 1]], [[3, 4], [6, 5]], [[5, 3], [2, 2]], [[4, 4], [1, 2]]])  # fmt: skip
def test_tables_as_even_as_can_be_have_a_p_value_of_one_and_not_above(counts):
    """A sum of 1.000000000000002 once stopped the whole evaluation at Holm's correction."""
    a, b = (["F"] * females + ["M"] * males for females, males in counts)
    assert categorical("Sex", AB, pairs(a, b))["p_value"] == 1.0
    found = table(AB, [Subject(False, group, sex=sex) for group, sex in pairs(a, b)])
    assert found["rows"][1]["p_holm"] == 1.0


@settings(max_examples=60, deadline=None)
@given(st.lists(words, min_size=2, max_size=12), st.lists(words, min_size=2, max_size=12))
def test_no_counts_give_a_p_value_outside_zero_and_one(a, b):
    p = categorical("x", AB, pairs(a, b))["p_value"]
    assert p is None or 0 < p <= 1


@pytest.mark.parametrize(("a", "b"), [(["F"] * 3, ["F"] * 4), ([""], [""]), ([], []), (["F"], [])])
def test_one_category_is_no_comparison(a, b):
    assert categorical("Sex", AB, pairs(a, b))["p_value"] is None


def test_the_same_table_gives_the_same_p_value_each_time():
    values = pairs(list("xyzxyzxx"), list("zzzyyyzz"))
    assert categorical("x", AB, values) == categorical("x", AB, values)


@settings(max_examples=30, deadline=None)
@given(st.lists(words, max_size=8), st.lists(words, max_size=8))
def test_every_subject_is_counted_or_missing(a, b):
    row = categorical("x", AB, pairs(a, b))
    for i, group in enumerate((a, b)):
        assert sum(row["counts"][i]) + row["missing"][i] == len(group)


@settings(max_examples=20, deadline=None)
@given(st.lists(words, min_size=1, max_size=6), st.lists(words, min_size=1, max_size=6))
def test_which_group_stands_first_changes_no_p_value(a, b):
    # up to the lot of the exact test's resampling
    one, two = categorical("x", AB, pairs(a, b)), categorical("x", AB, pairs(b, a))
    assert one["p_value"] == (None if two["p_value"] is None else pytest.approx(two["p_value"], abs=0.02))  # fmt: skip


def test_the_table_has_its_six_characteristics_and_counts_both_kinds():
    found = table(("metastasis", "benign"), people())
    assert [r["label"] for r in found["rows"]] == [
        "Age, years", "Sex", "Primary tumour", "Level of the lesion", "Longest diameter, mm", "Reference standard by",
    ]  # fmt: skip
    assert (found["patients"], found["lesions"]) == ([5, 5], [5, 5])


def test_holm_runs_over_the_tested_rows_of_the_table():
    rows = table(("metastasis", "benign"), people())["rows"]
    raw = [np.nan if r["p_value"] is None else r["p_value"] for r in rows]
    shown = [np.nan if r["p_holm"] is None else r["p_holm"] for r in rows]
    assert shown == pytest.approx(list(adjust_p(raw)), nan_ok=True)
    tested = sorted(p for p in raw if not np.isnan(p))
    assert min(p for p in shown if not np.isnan(p)) == pytest.approx(min(1.0, tested[0] * len(tested)))  # fmt: skip


@pytest.fixture
def study(db: None) -> Study:
    return make_study(state="SCREENING")


def people_of(*rows: tuple[Lesion, str]) -> list[Subject]:
    """What the table counts of these lesions with their groups."""
    for lesion, group in rows:
        make_standard(lesion, group)
    part = make_part(lesion_ids=tuple(lesion.pk for lesion, _ in rows))
    return subjects(part, lesions_of(part), [group for _, group in rows])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_patient_with_any_metastasis_counts_once_and_as_metastasis(study, order):
    patient = make_patient(study)
    both = [
        (make_lesion(patient, number=1), "benign"),
        (make_lesion(patient, number=2), "metastasis"),
    ]
    found = people_of(*(both[i] for i in order))
    assert [s.group for s in found if not s.is_lesion] == ["metastasis"]
    assert sorted(s.group for s in found if s.is_lesion) == ["benign", "metastasis"]


def test_a_patient_of_two_lesions_has_one_age(study):
    one, other = make_patient(study), make_patient(study)
    Patient.objects.filter(pk=other.pk).update(age_years=70)
    lesions = (make_lesion(one, number=1), make_lesion(one, number=2), make_lesion(other))
    found = people_of(*((lesion, "benign") for lesion in lesions))
    assert [s.age_years for s in found if not s.is_lesion] == [61, 70]


def test_lesions_come_in_the_order_of_the_part(study):
    one, two = make_lesion(make_patient(study)), make_lesion(make_patient(study))
    assert lesions_of(make_part(lesion_ids=(two.pk, one.pk))) == [two, one]


@pytest.mark.parametrize(
    ("level", "region"),
    [("C1", "cervical"), ("C7", "cervical"), ("T1", "thoracic"), ("T12", "thoracic"), ("L5", "lumbar"), ("S1", "sacral")],
)  # fmt: skip
def test_a_vertebra_belongs_to_its_region(study, level, region):
    lesion = make_lesion(make_patient(study))
    Lesion.objects.filter(pk=lesion.pk).update(level=level)
    (found, _) = people_of((lesion, "benign"))
    assert (found.region, found.method, found.diameter_mm) == (region, "pathology", 21.0)


def test_the_method_is_the_one_of_the_current_standard(study):
    lesion = make_lesion(make_patient(study))
    make_standard(lesion, "benign")
    enter(
        lesion, diagnosis="benign", subtype="", method="follow_up_imaging", determined_on=None,
        actor=make_user("coordinator"), now=NOW, reason="seen again after a year",
    )  # fmt: skip
    assert methods_of(make_part(lesion_ids=(lesion.pk,))) == {lesion.pk: "follow_up_imaging"}


def test_a_subject_of_another_group_is_in_neither_column():
    found = table(AB, [Subject(False, "c", age_years=1.0, sex="F"), Subject(True, "a", region="x")])
    assert (found["patients"], found["lesions"]) == ([0, 0], [1, 0])
