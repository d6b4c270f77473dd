"""The reference-standard file, column by column: each bad value with its sentence; all rows or none."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.audit.models import AuditEvent
from portal.errors import Conflict, Invalid
from portal.study.models import STATE_ORDER, Lesion, Study
from portal.truth.entry import ENTERING, enter
from portal.truth.models import ReferenceStandard
from portal.truth.truth_import import COLUMNS, TruthPlan, parse_date, read_truth_csv, write
from tests.cohort import NOW, make_lesion, make_patient, make_study
from tests.study.builders import coordinator

pytestmark = pytest.mark.django_db
NAMES = [c.name for c in COLUMNS]
GOOD = {"subject": "P1", "lesion_number": "1", "diagnosis": "benign", "method": "pathology"}
DIAGNOSIS = "A diagnosis is metastasis, benign or inconclusive."
METHOD = "A method is one of pathology, follow_up_imaging, clinical_course."
DATE = "“{}” is not a date; write it as 2020-05-14."
FUTURE = "The standard cannot be dated in the future."
TOMORROW = (NOW + timedelta(days=1)).date().isoformat()
BAD = [
    ("subject", "", "lesion_number", "There is no lesion 1 of ; import the cohort first."),
    ("subject", "P9", "lesion_number", "There is no lesion 1 of P9; import the cohort first."),
    ("subject", "p1", "lesion_number", "There is no lesion 1 of p1; import the cohort first."),
    ("subject", "x" * 50, "lesion_number", f"There is no lesion 1 of {'x' * 40}; import the cohort first."),
    ("lesion_number", "", "lesion_number", "There is no lesion  of P1; import the cohort first."),
    ("lesion_number", "3", "lesion_number", "There is no lesion 3 of P1; import the cohort first."),
    ("lesion_number", "1.0", "lesion_number", "There is no lesion 1.0 of P1; import the cohort first."),
    ("lesion_number", "9" * 20, "lesion_number", f"There is no lesion {'9' * 10} of P1; import the cohort first."),
    ("diagnosis", "", "diagnosis", DIAGNOSIS),
    ("diagnosis", "malignant", "diagnosis", DIAGNOSIS),
    ("diagnosis", "1", "diagnosis", DIAGNOSIS),
    ("method", "", "method", METHOD),
    ("method", "biopsy", "method", METHOD),
    ("method", "follow-up imaging", "method", METHOD),
    ("subtype", "x" * 61, "subtype", "A subtype has at most 60 characters."),
    ("determined_on", "14.5.2020", "determined_on", DATE.format("14.5.2020")),
    ("determined_on", "2020-5-14", "determined_on", DATE.format("2020-5-14")),
    ("determined_on", "20200514", "determined_on", DATE.format("20200514")),
    ("determined_on", "2020-W20-4", "determined_on", DATE.format("2020-W20-4")),
    ("determined_on", "2020-02-30", "determined_on", DATE.format("2020-02-30")),
    ("determined_on", "2021-02-29", "determined_on", DATE.format("2021-02-29")),
    ("determined_on", "2020-05-14T10:00", "determined_on", DATE.format("2020-05-14T10:00")),
    ("determined_on", "yesterday " * 3, "determined_on", DATE.format("yesterday yesterday ")),
    ("determined_on", TOMORROW, "determined_on", FUTURE),
]  # fmt: skip


def text_of(*rows: dict[str, str]) -> str:
    lines = [",".join(row.get(name, "") for name in NAMES) for row in rows]
    return "\n".join([",".join(NAMES), *lines]) + "\n"


def study_of(n: int = 2, code: str = "bone", *, state: str = "SCREENING") -> Study:
    """Patient P1 with `n` lesions."""
    study = make_study(code, state=state, cast=False)
    patient = make_patient(study, "P1")
    for number in range(1, n + 1):
        make_lesion(patient, number=number, included=number <= 2)
    return study


def import_text(text: str, study: Study) -> TruthPlan:
    return write(read_truth_csv(text, study, now=NOW), actor=coordinator(), now=NOW)


def said(plan: TruthPlan) -> list[tuple[int, str, str]]:
    return [(p.row, p.column, p.sentence) for p in plan.problems]


@pytest.mark.parametrize(("name", "bad", "column", "sentence"), BAD)
def test_a_bad_value_is_answered_by_its_row_column_and_sentence(
    name: str, bad: str, column: str, sentence: str
) -> None:
    study = study_of()
    text = text_of({**GOOD, "lesion_number": "2"}, {**GOOD, name: bad})
    assert said(read_truth_csv(text, study, now=NOW)) == [(3, column, sentence)]
    with pytest.raises(Invalid) as refusal:
        import_text(text, study)
    assert refusal.value.sentence == "1 problems are open, the first in row 3; nothing was written."
    assert not ReferenceStandard.objects.exists()


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("diagnosis", "METASTASIS", "metastasis"),
        ("diagnosis", " Inconclusive ", "inconclusive"),
        ("method", "Clinical_Course", "clinical_course"),
        ("subtype", "x" * 60, "x" * 60),
        ("subtype", "Fracture", "Fracture"),
        ("note", "seen twice", "seen twice"),
    ],
)
def test_the_words_that_are_taken_are_kept_so(name: str, value: str, kept: str) -> None:
    import_text(text_of({**GOOD, name: value}), study_of())
    assert getattr(ReferenceStandard.objects.get(), name) == kept


@pytest.mark.parametrize("text", ["2020-02-29", "1999-12-31", NOW.date().isoformat()])
def test_a_date_of_the_calendar_up_to_today_is_taken(text: str) -> None:
    import_text(text_of({**GOOD, "determined_on": text}), study_of())
    found = ReferenceStandard.objects.get().determined_on
    assert found is not None
    assert found.isoformat() == text


@given(st.dates())
def test_every_date_is_read_as_it_is_written(day: object) -> None:
    assert parse_date(str(day)) == day


CHANGES = [
    ({"diagnosis": "metastasis"}, True),
    ({"method": "clinical_course"}, True),
    ({"subtype": "fracture"}, True),
    ({"determined_on": "2020-05-14"}, True),
    ({"note": "second look"}, True),
    ({}, False),
    ({"diagnosis": "BENIGN"}, False),
    ({"reason": "no change"}, False),
]


@pytest.mark.parametrize(("change", "is_change"), CHANGES)
def test_any_changed_word_needs_a_reason_and_an_unchanged_row_none(
    change: dict[str, str], is_change: bool
) -> None:
    study = study_of()
    import_text(text_of(GOOD), study)
    plan = read_truth_csv(text_of({**GOOD, **change}), study, now=NOW)
    why = "This lesion has another reference standard; say why it changes."
    assert said(plan) == ([(2, "reason", why)] if is_change else [])
    assert (len(plan.rows), plan.n_unchanged) == ((1, 0) if is_change else (0, 1))


def test_a_change_with_its_reason_is_the_next_revision() -> None:
    study = study_of()
    import_text(text_of(GOOD), study)
    import_text(text_of({**GOOD, "diagnosis": "metastasis", "reason": "biopsy came"}), study)
    rows = ReferenceStandard.objects.order_by("revision")
    assert [(r.revision, r.diagnosis, r.reason, r.is_current) for r in rows] == [
        (1, "benign", "", False),
        (2, "metastasis", "biopsy came", True),
    ]


def test_the_reason_of_a_first_standard_is_not_kept() -> None:
    import_text(text_of({**GOOD, "reason": "because"}), study_of())
    assert ReferenceStandard.objects.get().reason == ""


def test_a_standard_entered_since_the_check_keeps_the_whole_file_out() -> None:
    study = study_of()
    plan = read_truth_csv(text_of({**GOOD, "lesion_number": "2"}, GOOD), study, now=NOW)
    enter(
        Lesion.objects.get(number=1), diagnosis="metastasis", subtype="", method="pathology",
        determined_on=None, actor=coordinator(), now=NOW,
    )  # fmt: skip
    with pytest.raises(Invalid, match="This lesion has a reference standard; say why it changes."):
        write(plan, actor=coordinator(), now=NOW)
    assert ReferenceStandard.objects.count() == 1


@pytest.mark.parametrize("state", STATE_ORDER)
def test_a_file_is_written_while_standards_are_entered_and_not_later(state: str) -> None:
    study = study_of(state=state)
    plan = read_truth_csv(text_of(GOOD), study, now=NOW)
    if state in ENTERING:
        write(plan, actor=coordinator(), now=NOW)
        assert ReferenceStandard.objects.count() == 1
        return
    with pytest.raises(Conflict) as refusal:
        write(plan, actor=coordinator(), now=NOW)
    assert refusal.value.sentence == (
        "Reference standards are entered only while a study is in DRAFT or SCREENING or READING; "
        f"this one is in {state}."
    )


def test_entering_ends_with_the_lock_of_the_reads() -> None:
    assert ENTERING == ("DRAFT", "SCREENING", "READING")


answers = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.sampled_from(["metastasis", "benign", "inconclusive"]),
        st.sampled_from(["pathology", "clinical_course"]),
    ),
    max_size=8,
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers)
def test_files_one_after_another_leave_the_last_answer_of_each_lesion(
    acts: list[tuple[int, str, str]],
) -> None:
    """Against a dictionary: revisions count the changes, one row per lesion is current."""
    study = study_of(4, f"s{Study.objects.count()}")
    last, changes = dict[int, tuple[str, str]](), 0
    for number, diagnosis, method in acts:
        row = {**GOOD, "lesion_number": str(number), "diagnosis": diagnosis, "method": method}
        import_text(text_of({**row, "reason": "new finding"}), study)
        changes += last.get(number) != (diagnosis, method)
        last[number] = (diagnosis, method)
    of_study = ReferenceStandard.objects.filter(lesion__patient__study=study)
    current = of_study.current().values_list("lesion__number", "diagnosis", "method")
    assert {number: (d, m) for number, d, m in current} == last
    assert of_study.count() == changes
    assert AuditEvent.objects.filter(study=study.code, verb="truth.import").count() == changes
