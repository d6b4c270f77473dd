"""The cohort file: every row's problem before a write, all or nothing, twice the same."""

import pytest

from portal.audit.models import AuditEvent
from portal.errors import Conflict, Invalid
from portal.study.cohort_import import COLUMNS, CohortPlan, read_cohort_csv, template_csv, write
from portal.study.models import Lesion, Patient, Study
from tests.cohort import NOW, make_exam, make_patient, make_series, make_study
from tests.study.builders import cohort_csv, coordinator, lesion_row

pytestmark = pytest.mark.django_db


def import_text(text: str, study: Study) -> CohortPlan:
    return write(read_cohort_csv(text, study), actor=coordinator(), now=NOW)


def problems(text: str, study: Study) -> list[tuple[int, str]]:
    return [(p.row, p.column) for p in read_cohort_csv(text, study).problems]


def test_the_template_is_a_file_that_the_import_accepts() -> None:
    study = make_study()
    plan = import_text(template_csv(), study)
    assert plan.problems == ()
    assert (len(plan.new_patients), len(plan.new_lesions)) == (2, 1)


def test_a_row_becomes_a_patient_and_a_lesion() -> None:
    study = make_study()
    row = lesion_row(wb_anterior_column=120.5, wb_anterior_row=440)
    import_text(cohort_csv(row), study)
    lesion = Lesion.objects.select_related("patient").get()
    patient = lesion.patient
    assert (patient.subject, patient.sex, patient.age_years) == ("P1", "F", 61)
    assert lesion.world_mm == (1.5, 70.0, -30.25)
    assert lesion.whole_body_pixels == {"anterior": [120.5, 440.0]}
    assert not lesion.is_included


def test_a_patient_without_a_lesion_is_a_row_of_its_own() -> None:
    study = make_study()
    import_text(cohort_csv({"subject": "P9", "sex": "M"}), study)
    assert Patient.objects.get().lesions.count() == 0


def test_two_lesions_of_one_patient_are_two_rows() -> None:
    study = make_study()
    import_text(cohort_csv(lesion_row(), lesion_row(number=2, level="L4")), study)
    assert list(Patient.objects.get().lesions.values_list("number", "level")) == [
        (1, "L3"),
        (2, "L4"),
    ]


def test_the_dry_run_writes_nothing() -> None:
    study = make_study()
    read_cohort_csv(cohort_csv(lesion_row()), study)
    assert not Patient.objects.exists()
    assert not AuditEvent.objects.exists()


def test_a_write_is_one_audit_row() -> None:
    import_text(cohort_csv(lesion_row(), lesion_row("P2")), make_study())
    assert AuditEvent.objects.get().verb == "cohort.import"


def test_the_same_file_twice_changes_nothing() -> None:
    study, text = make_study(), cohort_csv(lesion_row(), {"subject": "P2"})
    import_text(text, study)
    again = read_cohort_csv(text, study)
    assert again.changes_nothing
    write(again, actor=coordinator(), now=NOW)
    assert (Patient.objects.count(), Lesion.objects.count()) == (2, 1)
    assert AuditEvent.objects.count() == 1


def test_a_longer_file_adds_only_what_is_new() -> None:
    study = make_study()
    import_text(cohort_csv(lesion_row()), study)
    plan = import_text(cohort_csv(lesion_row(), lesion_row(number=2), lesion_row("P2")), study)
    assert plan.new_patients == ("P2",)
    assert plan.new_lesions == (("P1", 2), ("P2", 1))


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"sex": "female"}, "sex"),
        ({"age_years": "sixty"}, "age_years"),
        ({"age_years": 121}, "age_years"),
        ({"level": "L9"}, "level"),
        ({"x_mm": ""}, "x_mm"),
        ({"y_mm": "nan"}, "y_mm"),
        ({"z_mm": "inf"}, "z_mm"),
        ({"z_mm": "1e9"}, "z_mm"),
        ({"longest_diameter_mm": 0}, "longest_diameter_mm"),
        ({"longest_diameter_mm": -3}, "longest_diameter_mm"),
        ({"lesion_number": 0}, "lesion_number"),
        ({"lesion_number": "1.5"}, "lesion_number"),
        ({"wb_anterior_column": 5}, "wb_anterior_column"),
        ({"wb_posterior_row": 5}, "wb_posterior_column"),
        ({"primary_tumour": "x" * 61}, "primary_tumour"),
        ({"ct_series_uid": "2.25.404"}, "ct_series_uid"),
        ({"subject": ""}, "subject"),
        ({"subject": "x" * 41}, "subject"),
    ],
)
def test_a_faulty_cell_is_named_by_row_and_column(cells: dict[str, object], column: str) -> None:
    text = cohort_csv(lesion_row("GOOD"), {**lesion_row(), **cells})
    assert (3, column) in problems(text, make_study())


def test_every_row_is_checked_before_the_first_is_written() -> None:
    study = make_study()
    bad = {**lesion_row("P2"), "sex": "x", "age_years": "y"}
    text = cohort_csv(lesion_row(), bad, {**lesion_row("P3"), "level": "Z"})
    assert problems(text, study) == [(3, "age_years"), (3, "sex"), (4, "level")]
    with pytest.raises(Invalid, match="3 problems are open, the first in row 3"):
        import_text(text, study)
    assert not Patient.objects.exists()


def test_a_level_without_a_lesion_is_a_problem() -> None:
    assert problems(cohort_csv({"subject": "P1", "level": "L3"}), make_study()) == [(2, "level")]


def test_a_row_twice_in_the_file_is_a_problem() -> None:
    assert problems(cohort_csv(lesion_row(), lesion_row()), make_study()) == [(3, "lesion_number")]


def test_a_patient_described_in_two_ways_is_a_problem() -> None:
    other = lesion_row(number=2, age_years=62)
    assert problems(cohort_csv(lesion_row(), other), make_study()) == [(3, "sex")]


def test_what_is_registered_otherwise_is_never_written_over() -> None:
    study = make_study()
    import_text(cohort_csv(lesion_row()), study)
    text = cohort_csv(lesion_row(age_years=62, level="L4"))
    assert problems(text, study) == [(2, "subject"), (2, "level")]
    assert Lesion.objects.get().level == "L3"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "subject is missing"),
        ("sex,level\nF,L3\n", "subject is missing"),
        ("subject,colour\nP1,red\n", "colour"),
        ("subject,subject\nP1,P1\n", "twice"),
        ('subject\n"P1\n', "not a readable CSV"),
    ],
)
def test_a_file_that_is_no_cohort_is_refused_whole(text: str, match: str) -> None:
    with pytest.raises(Invalid, match=match):
        read_cohort_csv(text, make_study())


def test_semicolons_a_byte_order_mark_and_empty_lines_are_understood() -> None:
    study = make_study()
    plan = read_cohort_csv("\ufeffsubject;sex\nP1;F\n;\nP2;M\n", study)
    assert plan.problems == ()
    assert plan.new_patients == ("P1", "P2")


def test_columns_may_stand_in_any_order_and_be_left_out() -> None:
    study = make_study()
    import_text("level,lesion_number,subject\nL3,1,P1\n", study)
    assert Lesion.objects.get().level == "L3"


def test_a_short_line_has_empty_cells_at_its_end() -> None:
    assert read_cohort_csv("subject,sex,age_years\nP1\n", make_study()).problems == ()


def with_images(study: Study, subject: str, *, frames: tuple[str, ...] = ("2.25.9",)) -> list[str]:
    """An exam with one whole body, and a CT and SPECT pair for each frame of reference."""
    exam = make_exam(study, subject)
    make_series(exam, "WB", frame_of_reference_uid="")
    pairs = [(make_series(exam, r, frame_of_reference_uid=f)) for f in frames for r in ("CT", "SPECT")]  # fmt: skip
    return [s.uid for s in pairs]


def test_the_only_series_of_the_subject_are_found_by_themselves() -> None:
    study = make_study()
    ct, spect = with_images(study, "P1")
    import_text(cohort_csv(lesion_row()), study)
    lesion = Lesion.objects.select_related("ct_series", "spect_series", "whole_body_series").get()
    assert lesion.ct_series is not None
    assert lesion.spect_series is not None
    assert lesion.whole_body_series is not None
    assert (lesion.ct_series.uid, lesion.spect_series.uid) == (ct, spect)


def test_images_filed_for_another_study_or_subject_are_not_taken() -> None:
    study = make_study()
    with_images(study, "P2")
    with_images(make_study("other", cast=False), "P1")
    import_text(cohort_csv(lesion_row()), study)
    assert Lesion.objects.get().ct_series is None


def test_among_two_cts_the_one_in_the_spects_frame_is_chosen() -> None:
    study = make_study()
    ct, _ = with_images(study, "P1")
    exam = make_exam(study, "P1")
    make_series(exam, "CT", frame_of_reference_uid="2.25.1000")
    import_text(cohort_csv(lesion_row()), study)
    lesion = Lesion.objects.select_related("ct_series").get()
    assert lesion.ct_series is not None
    assert lesion.ct_series.uid == ct


def test_an_ambiguous_choice_is_left_open_and_said() -> None:
    study = make_study()
    with_images(study, "P1", frames=("2.25.7", "2.25.8"))
    plan = import_text(cohort_csv(lesion_row()), study)
    assert Lesion.objects.get().ct_series is None
    assert [n.column for n in plan.notices] == ["ct_series_uid", "spect_series_uid"]


def test_a_series_named_in_the_file_is_taken() -> None:
    study = make_study()
    uids = with_images(study, "P1", frames=("2.25.7", "2.25.8"))
    row = lesion_row(ct_series_uid=uids[2], spect_series_uid=uids[3])
    import_text(cohort_csv(row), study)
    lesion = Lesion.objects.select_related("ct_series").get()
    assert lesion.ct_series is not None
    assert lesion.ct_series.uid == uids[2]


def test_a_series_of_another_kind_is_a_problem() -> None:
    study = make_study()
    _, spect = with_images(study, "P1")
    assert problems(cohort_csv(lesion_row(ct_series_uid=spect)), study) == [(2, "ct_series_uid")]


def test_a_cohort_that_changed_since_the_check_is_refused_whole() -> None:
    study = make_study()
    plan = read_cohort_csv(cohort_csv(lesion_row(), lesion_row("P2")), study)
    make_patient(study, "P2")
    with pytest.raises(Conflict, match="check it again"):
        write(plan, actor=coordinator(), now=NOW)
    assert Patient.objects.count() == 1


def test_the_cohort_is_closed_once_reading_has_begun() -> None:
    with pytest.raises(Conflict, match="READING"):
        import_text(cohort_csv(lesion_row()), make_study(state="READING"))


def test_checking_a_long_file_asks_few_queries(django_assert_max_num_queries: object) -> None:
    study = make_study()
    for i in range(3):
        with_images(study, f"P{i}")
    text = cohort_csv(*(lesion_row(f"P{i}") for i in range(300)))
    with django_assert_max_num_queries(4):  # type: ignore[operator]
        assert len(read_cohort_csv(text, study).new_lesions) == 300


def test_every_column_is_explained() -> None:
    assert all(c.text for c in COLUMNS)
    assert len({c.name for c in COLUMNS}) == len(COLUMNS)
