"""The reference-standard file: checked whole, written whole, twice the same."""

import pytest

from portal.audit.models import AuditEvent
from portal.errors import Conflict, Invalid
from portal.study.models import Study
from portal.truth.models import ReferenceStandard
from portal.truth.truth_import import TruthPlan, read_truth_csv, template_csv, write
from tests.cohort import NOW, make_lesion, make_patient, make_study
from tests.study.builders import carry_to, coordinator

pytestmark = pytest.mark.django_db
HEAD = "subject,lesion_number,diagnosis,subtype,method,determined_on,note,reason\n"


def study_of_two() -> Study:
    study = make_study(state="SCREENING")
    for subject in ("P001", "P002"):
        make_lesion(make_patient(study, subject))
    return study


def import_text(text: str, study: Study) -> TruthPlan:
    return write(read_truth_csv(text, study, now=NOW), actor=coordinator(), now=NOW)


def test_the_template_is_a_file_that_the_import_accepts() -> None:
    study = study_of_two()
    plan = import_text(template_csv(), study)
    assert len(plan.rows) == 2
    assert sorted(ReferenceStandard.objects.values_list("diagnosis", "subtype")) == [
        ("benign", "degenerative"),
        ("metastasis", "breast"),
    ]


def test_the_dry_run_writes_nothing() -> None:
    read_truth_csv(template_csv(), study_of_two(), now=NOW)
    assert not ReferenceStandard.objects.exists()
    assert not AuditEvent.objects.exists()


def test_a_write_is_one_audit_row() -> None:
    import_text(template_csv(), study_of_two())
    assert AuditEvent.objects.get().verb == "truth.import"


def test_the_same_file_twice_changes_nothing() -> None:
    study = study_of_two()
    import_text(template_csv(), study)
    plan = import_text(template_csv(), study)
    assert plan.changes_nothing
    assert plan.n_unchanged == 2
    assert ReferenceStandard.objects.count() == 2
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("P009,1,benign,,pathology,,,", "lesion_number"),
        ("P001,7,benign,,pathology,,,", "lesion_number"),
        ("P001,,benign,,pathology,,,", "lesion_number"),
        ("P001,1,cancer,,pathology,,,", "diagnosis"),
        ("P001,1,benign,,hunch,,,", "method"),
        ("P001,1,benign,,pathology,14.5.2020,,", "determined_on"),
        ("P001,1,benign,,pathology,2031-01-01,,", "determined_on"),
        (f"P001,1,benign,{'x' * 61},pathology,,,", "subtype"),
    ],
)
def test_a_faulty_row_is_named_and_nothing_is_written(line: str, column: str) -> None:
    study = study_of_two()
    text = HEAD + "P002,1,benign,,pathology,,,\n" + line + "\n"
    problems = read_truth_csv(text, study, now=NOW).problems
    assert [(p.row, p.column) for p in problems] == [(3, column)]
    with pytest.raises(Invalid, match="row 3; nothing was written"):
        import_text(text, study)
    assert not ReferenceStandard.objects.exists()


def test_a_lesion_twice_in_the_file_is_a_problem() -> None:
    line = "P001,1,benign,,pathology,,,\n"
    plan = read_truth_csv(HEAD + line + line, study_of_two(), now=NOW)
    assert [p.row for p in plan.problems] == [3]


def test_a_changed_answer_needs_its_reason_in_the_file() -> None:
    study = study_of_two()
    import_text(HEAD + "P001,1,benign,,pathology,,,\n", study)
    changed = HEAD + "P001,1,metastasis,,pathology,,,{}\n"
    assert [p.column for p in read_truth_csv(changed.format(""), study, now=NOW).problems] == [
        "reason"
    ]
    import_text(changed.format("second biopsy"), study)
    rows = ReferenceStandard.objects.order_by("revision").values_list(
        "revision", "is_current", "reason"
    )
    assert list(rows) == [(1, False, ""), (2, True, "second biopsy")]


def test_case_of_words_does_not_matter() -> None:
    study = study_of_two()
    import_text(HEAD + "P001,1,Metastasis,,Pathology,,,\n", study)
    assert ReferenceStandard.objects.get().diagnosis == "metastasis"


def test_the_answers_of_another_study_are_not_reached() -> None:
    other = make_study("other", state="SCREENING", cast=False)
    make_lesion(make_patient(other, "P777"))
    plan = read_truth_csv(HEAD + "P777,1,benign,,pathology,,,\n", study_of_two(), now=NOW)
    assert [p.column for p in plan.problems] == ["lesion_number"]


def test_a_file_without_its_columns_is_refused() -> None:
    with pytest.raises(Invalid, match="diagnosis, method is missing"):
        read_truth_csv("subject,lesion_number\nP001,1\n", study_of_two(), now=NOW)


def test_a_file_comes_too_late_once_the_reads_are_locked() -> None:
    study = study_of_two()
    plan = read_truth_csv(template_csv(), study, now=NOW)
    carry_to(study, "READS_LOCKED")
    with pytest.raises(Conflict, match="READS_LOCKED"):
        write(plan, actor=coordinator(), now=NOW)
