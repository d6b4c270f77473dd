"""The cohort file, column by column: each bad value with its sentence, and nothing written."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.archive.models import Series
from portal.audit.models import AuditEvent
from portal.errors import Invalid
from portal.study.cohort_import import (
    COLUMNS,
    CohortRow,
    break_rules,
    inside_file,
    parse,
    read_cohort_csv,
    template_csv,
    write,
)
from portal.study.models import LEVELS, Lesion, Patient, Study
from portal.study.patients import assign_series
from tests.cohort import NOW, make_exam, make_series, make_study
from tests.study.builders import cohort_csv, coordinator, lesion_row

WHOLE = "“{}” is not a whole number."
NUMBER = "“{}” is not a number with a point, such as 12.5."
SUBJECT = "A subject code has 1 to 40 printable characters."
SEX = "Sex is F, M, O or empty."
AGE = "Age lies between 0 and 120."
PRIMARY = "At most 60 printable characters."
COUNT = "Lesions count from 1."
LEVEL = "A lesion has a level C1 to S1, and a patient without a lesion has none."
POSITION = "Give x_mm, y_mm and z_mm, or none of them."
DIAMETER = "The diameter is above 0 and at most 500 mm."
MARK = "Give column and row, or neither."
ORPHAN = "This row describes a lesion; give it its number."
NUMBERS = (
    "x_mm", "y_mm", "z_mm", "longest_diameter_mm", "wb_anterior_column", "wb_anterior_row",
    "wb_posterior_column", "wb_posterior_row",
)  # fmt: skip
BAD = [
    ("subject", "", SUBJECT),
    ("subject", "x" * 41, SUBJECT),
    ("subject", "P\x071", SUBJECT),
    ("subject", "P\u202e1", SUBJECT),
    ("sex", "f", SEX),
    ("sex", "X", SEX),
    ("sex", "female", SEX),
    ("age_years", "sixty", WHOLE.format("sixty")),
    ("age_years", "60.5", WHOLE.format("60.5")),
    ("age_years", "6_1", WHOLE.format("6_1")),
    ("age_years", "٦١", WHOLE.format("٦١")),
    ("age_years", "0x3d", WHOLE.format("0x3d")),
    ("age_years", "6 1", WHOLE.format("6 1")),
    ("age_years", "9" * 41, WHOLE.format("9" * 40)),
    ("age_years", "-1", AGE),
    ("age_years", "121", AGE),
    ("primary_tumour", "x" * 61, PRIMARY),
    ("primary_tumour", "breast\x07", PRIMARY),
    ("lesion_number", "one", WHOLE.format("one")),
    ("lesion_number", "1.0", WHOLE.format("1.0")),
    ("lesion_number", "1_0", WHOLE.format("1_0")),
    ("lesion_number", "0", COUNT),
    ("lesion_number", "-1", COUNT),
    ("lesion_number", "1001", COUNT),
    ("level", "", LEVEL),
    ("level", "l3", LEVEL),
    ("level", "C0", LEVEL),
    ("level", "C8", LEVEL),
    ("level", "T13", LEVEL),
    ("level", "L6", LEVEL),
    ("level", "S2", LEVEL),
    ("level", "C1-C2", LEVEL),
    ("longest_diameter_mm", "0", DIAMETER),
    ("longest_diameter_mm", "-0.1", DIAMETER),
    ("longest_diameter_mm", "500.1", DIAMETER),
    ("ct_series_uid", "2.25.404", "No ready series 2.25.404 is filed under P1."),
    ("spect_series_uid", "2.25.404", "No ready series 2.25.404 is filed under P1."),
    ("wb_series_uid", "2.25.404", "No ready series 2.25.404 is filed under P1."),
    ("ct_series_uid", "9" * 70, f"No ready series {'9' * 64} is filed under P1."),
    *((name, bad, NUMBER.format(bad)) for name in NUMBERS
      for bad in ("nan", "inf", "-inf", "1e400", "100000.5", "1_0", "12 mm", "٦", "--1")),
]  # fmt: skip


def said(row: dict[str, object], study: Study) -> list[tuple[int, str, str]]:
    found = read_cohort_csv(cohort_csv(lesion_row("GOOD"), row), study).problems
    return [(p.row, p.column, p.sentence) for p in found]


@pytest.mark.django_db
@pytest.mark.parametrize(("column", "bad", "sentence"), BAD)
def test_a_bad_value_is_answered_by_its_row_column_and_sentence(
    column: str, bad: str, sentence: str
) -> None:
    marks = {f"wb_{view}_{axis}": 5 for view in ("anterior", "posterior") for axis in ("column", "row")}  # fmt: skip
    assert (3, column, sentence) in said({**lesion_row(), **marks, column: bad}, make_study())


@pytest.mark.parametrize("name", [c.name for c in COLUMNS])
def test_the_table_of_bad_values_leaves_no_column_out(name: str) -> None:
    assert any(column == name for column, _, _ in BAD)


EDGES = [
    ("subject", "x"), ("subject", "x" * 40), ("subject", "Ä 1/2"), ("sex", ""), ("sex", "O"),
    ("age_years", ""), ("age_years", "0"), ("age_years", "120"), ("age_years", "+61"),
    ("primary_tumour", ""), ("primary_tumour", "x" * 60), ("lesion_number", "1"),
    ("lesion_number", "1000"), ("longest_diameter_mm", ""), ("longest_diameter_mm", "0.1"),
    ("longest_diameter_mm", "500"), ("x_mm", "-100000"), ("y_mm", "1e2"), ("z_mm", "0"),
    *(("level", level) for level in LEVELS),
]  # fmt: skip


@pytest.mark.parametrize(("column", "value"), EDGES)
def test_the_last_value_that_is_allowed_is_taken(column: str, value: str) -> None:
    _, problems = parse(cohort_csv({**lesion_row(), column: value}))
    assert problems == []


@pytest.mark.parametrize("given", [("x_mm",), ("y_mm",), ("z_mm",), ("x_mm", "z_mm")])
def test_a_position_is_whole_or_not_given(given: tuple[str, ...]) -> None:
    place = {axis: 1.0 if axis in given else None for axis in ("x_mm", "y_mm", "z_mm")}
    row = CohortRow(2, "P1", lesion_number=1, level="L3", **place)
    assert [(p.column, p.sentence) for p in break_rules(row)] == [("x_mm", POSITION)]


@pytest.mark.parametrize("view", ["anterior", "posterior"])
@pytest.mark.parametrize("axis", ["column", "row"])
def test_a_mark_on_the_whole_body_view_has_column_and_row(view: str, axis: str) -> None:
    row = CohortRow(2, "P1", lesion_number=1, level="L3", **{f"wb_{view}_{axis}": 5.0})
    assert [(p.column, p.sentence) for p in break_rules(row)] == [(f"wb_{view}_column", MARK)]
    assert row.whole_body == {}


@pytest.mark.parametrize(
    "cells",
    [
        {"x_mm": 1, "y_mm": 2, "z_mm": 3},
        {"longest_diameter_mm": 12},
        {"ct_series_uid": "2.25.1"},
        {"spect_series_uid": "2.25.1"},
        {"wb_series_uid": "2.25.1"},
        {"wb_anterior_column": 0, "wb_anterior_row": 0},
        {"wb_posterior_column": 5, "wb_posterior_row": 5},
    ],
)
def test_a_lesion_without_its_number_is_never_dropped_in_silence(cells: dict[str, object]) -> None:
    _, problems = parse(cohort_csv({"subject": "P1", **cells}))
    assert [(p.row, p.column, p.sentence) for p in problems] == [(2, "lesion_number", ORPHAN)]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([lesion_row(), lesion_row()], (3, "lesion_number", "This row is in the file twice.")),
        ([{"subject": "P1"}, {"subject": "P1"}], (3, "lesion_number", "This row is in the file twice.")),
        ([lesion_row(), lesion_row(number=2, sex="M")], (3, "sex", "Row 2 describes this patient otherwise.")),
        ([lesion_row(), lesion_row(number=2, age_years=62)], (3, "sex", "Row 2 describes this patient otherwise.")),
        ([lesion_row(), lesion_row(number=2, primary_tumour="lung")], (3, "sex", "Row 2 describes this patient otherwise.")),
    ],
)  # fmt: skip
def test_rows_that_contradict_each_other_are_named(
    rows: list[dict[str, object]], problem: tuple[int, str, str]
) -> None:
    parsed, _ = parse(cohort_csv(*rows))
    assert [(p.row, p.column, p.sentence) for p in inside_file(parsed)] == [problem]


def test_one_subject_in_two_spellings_is_two_patients() -> None:
    parsed, problems = parse(cohort_csv(lesion_row("p1"), lesion_row("P1")))
    assert [row.subject for row in parsed] == ["p1", "P1"]
    assert problems == []


def filed(study: Study, subject: str = "P1") -> dict[str, str]:
    """Two exams of a subject; the uids of the first, then of the second, by role."""
    found = {}
    for n in (1, 2):
        exam = make_exam(study, subject)
        for role in ("CT", "SPECT", "WB"):
            found[f"{role}{n}"] = make_series(exam, role, frame_of_reference_uid=f"2.25.7{n}").uid
    return found


OTHERWISE = [
    ({"sex": "M"}, "subject", "Patient P1 is registered with other details; change them on the patient's page."),
    ({"age_years": ""}, "subject", "Patient P1 is registered with other details; change them on the patient's page."),
    ({"primary_tumour": "lung"}, "subject", "Patient P1 is registered with other details; change them on the patient's page."),
    *(({column: value}, column, f"Lesion 1 of P1 is registered with another {column}; change it on the lesion's page.")
      for column, value in (("level", "L4"), ("x_mm", 1.6), ("y_mm", 71), ("z_mm", -30), ("longest_diameter_mm", ""),
                            ("wb_anterior_column", 121), ("wb_posterior_column", 8))),
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize(("change", "column", "sentence"), OTHERWISE)
def test_what_is_registered_is_not_changed_by_a_file(
    change: dict[str, object], column: str, sentence: str
) -> None:
    study = make_study()
    marked = lesion_row(wb_anterior_column=120, wb_anterior_row=440)
    write(read_cohort_csv(cohort_csv(marked), study), actor=coordinator(), now=NOW)
    both = {"wb_posterior_row": 440} if column == "wb_posterior_column" else {}
    plan = read_cohort_csv(cohort_csv({**marked, **both, **change}), study)
    assert [(p.row, p.column, p.sentence) for p in plan.problems] == [(2, column, sentence)]


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["CT", "SPECT", "WB"])
def test_another_series_of_a_registered_lesion_is_a_problem_and_the_same_is_none(role: str) -> None:
    study, column = make_study(), f"{role.lower()}_series_uid"
    uids = filed(study)
    first = {"ct_series_uid": uids["CT1"], "spect_series_uid": uids["SPECT1"], "wb_series_uid": uids["WB1"]}  # fmt: skip
    text = cohort_csv(lesion_row(**first))
    write(read_cohort_csv(text, study), actor=coordinator(), now=NOW)
    assert read_cohort_csv(text, study).changes_nothing
    other = cohort_csv(lesion_row(**{**first, column: uids[f"{role}2"]}))
    assert [p.column for p in read_cohort_csv(other, study).problems] == [column]


@pytest.mark.django_db
def test_a_file_that_names_no_series_says_nothing_against_those_chosen_since() -> None:
    study, text = make_study(), cohort_csv(lesion_row())
    write(read_cohort_csv(text, study), actor=coordinator(), now=NOW)
    uids = filed(study)
    lesion = Lesion.objects.select_related("patient__study").get()
    ct = Series.objects.select_related("exam").get(uid=uids["CT1"])
    assign_series(lesion, ct, None, None, actor=coordinator(), now=NOW)
    assert read_cohort_csv(text, study).changes_nothing


@pytest.mark.django_db
@pytest.mark.parametrize("place", range(4))
def test_one_bad_row_anywhere_keeps_all_others_out(place: int) -> None:
    study, rows = make_study(), [lesion_row(f"P{i}") for i in range(4)]
    rows[place]["level"] = "L9"
    plan = read_cohort_csv(cohort_csv(*rows), study)
    with pytest.raises(Invalid) as refusal:
        write(plan, actor=coordinator(), now=NOW)
    assert refusal.value.sentence == f"1 problems are open, the first in row {place + 2}; nothing was written."  # fmt: skip
    assert not Patient.objects.exists()


people = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 3), st.sampled_from(LEVELS)),
    max_size=12, unique_by=lambda row: row[:2],
)  # fmt: skip


@pytest.mark.django_db
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people, st.integers(0, 12))
def test_a_cohort_in_two_files_is_the_cohort_in_one(
    rows: list[tuple[int, int, str]], cut: int
) -> None:
    """Whatever the cut, both files give every lesion once, and each of them again gives nothing."""
    study = make_study(f"s{Study.objects.count()}", cast=False)
    cells = [lesion_row(f"P{subject}", number, level=level) for subject, number, level in rows]
    texts = [cohort_csv(*cells[:cut]), cohort_csv(*cells[cut:])]
    for text in (*texts, *texts):
        write(read_cohort_csv(text, study), actor=coordinator(), now=NOW)
    held = Lesion.objects.of_study(study).values_list("patient__subject", "number", "level")
    assert sorted(held) == sorted((f"P{s}", n, level) for s, n, level in rows)
    acts = AuditEvent.objects.filter(study=study.code, verb="cohort.import").count()
    assert acts == sum(1 for part in (rows[:cut], rows[cut:]) if part)


@pytest.mark.django_db
def test_the_template_names_every_column_in_order() -> None:
    assert template_csv().splitlines()[0].split(",") == [c.name for c in COLUMNS]
