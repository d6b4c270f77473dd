"""The coordinator's paperwork of the demo: the files say what the plan says, and nothing is done twice."""

import csv
import io
from collections import Counter
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.audit.models import AuditEvent
from portal.demo import paperwork
from portal.demo.options import Options
from portal.demo.paperwork import COHORT_COLUMNS, CRITERIA, LESION_CRITERIA, METHODS, TRUTH_COLUMNS
from portal.study import cohort_import
from portal.study.models import Criterion, Lesion, Patient, Screening, Split
from portal.truth import truth_import
from portal.truth.models import ReferenceStandard
from radiomics.phantom.plan import make_plan
from tests.cohort import NOW
from tests.demo.builders import SMALL, founded, registered, truth_of, truths_of

PLAN = SMALL.plan
LARGE = make_plan(seed=2022)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, settings):
    settings.DATA_DIR = tmp_path


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# --- the files ----------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_a_file_gives_back_what_was_put_in(rows):
    clean = [[c.replace("\r", "").replace("\n", "") for c in row] for row in rows]
    found = list(csv.reader(io.StringIO(paperwork.csv_of(("a", "b"), clean), newline="")))
    assert found == [["a", "b"], *clean]


def test_the_columns_are_those_that_the_imports_take():
    assert set(COHORT_COLUMNS) <= {c.name for c in cohort_import.COLUMNS}
    assert set(TRUTH_COLUMNS) <= {c.name for c in truth_import.COLUMNS}


def test_a_place_is_written_in_tenths_of_pixels_and_thousandths_of_mm():
    (first, *_) = truth_of(PLAN, 3)
    assert paperwork.place(first) == [18.423, 70.0, 31.0, 21.3, 10.3, 23.0, 21.0, 20.5]


@pytest.mark.parametrize("plan", [PLAN, LARGE], ids=["8 patients", "132 patients"])
def test_the_cohort_file_holds_everybody_who_was_screened(plan):
    rows = table(paperwork.cohort_csv(plan, truths_of(plan)))
    people = {r["subject"]: (r["sex"], int(r["age_years"]), r["primary_tumour"]) for r in rows}
    planned = {p.subject: (p.sex, p.age, p.primary) for p in (*plan.patients, *plan.excluded)}
    assert people == planned
    lesions = [(r["subject"], int(r["lesion_number"]), r["level"]) for r in rows if r["level"]]
    kept = [(p.subject, x.slot, x.level) for p in plan.patients for x in p.lesions]
    further = [(plan.patients[x.patient].subject, x.number, x.level) for x in plan.excluded_lesions]
    assert Counter(lesions) == Counter(kept + further)
    assert len(rows) == len(kept) + len(further) + len(plan.excluded)


def test_who_was_left_out_has_no_lesion_and_no_place():
    rows = table(paperwork.cohort_csv(LARGE, truths_of(LARGE)))
    left_out = {p.subject for p in LARGE.excluded}
    for row in rows:
        if row["subject"] in left_out:
            assert set(list(row.values())[4:]) == {""}


def test_a_file_for_other_lesions_than_the_plans_is_not_written():
    truths = truths_of(PLAN)
    truths[0] = truths[0][:-1]
    with pytest.raises(ValueError, match="shorter"):
        paperwork.cohort_csv(PLAN, truths)


def test_nothing_in_the_cohort_file_is_a_word_of_the_answer():
    text = paperwork.cohort_csv(LARGE, truths_of(LARGE))
    answers = {x.truth for p in LARGE.patients for x in p.lesions}
    kinds = {x.subtype for p in LARGE.patients for x in p.lesions}
    assert [word for word in answers | kinds if word in text] == []


@pytest.mark.parametrize("seed", range(5))
def test_every_word_of_a_plan_has_its_word_in_the_study(seed):
    plan = make_plan(seed=seed)
    assert {x.method for p in plan.patients for x in p.lesions} <= set(METHODS)
    assert {p.criterion for p in plan.excluded} <= set(CRITERIA)
    assert {x.reason for x in plan.excluded_lesions} <= set(LESION_CRITERIA)


# --- in a study ---------------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_is_registered_is_what_was_planned():
    study, _ = registered()
    patients = Patient.objects.filter(study=study)
    assert set(patients.values_list("subject", "sex", "age_years", "primary_tumour")) == {
        (p.subject, p.sex, p.age, p.primary) for p in (*PLAN.patients, *PLAN.excluded)
    }
    for patient in PLAN.patients:
        for lesion, truth in zip(patient.lesions, truth_of(PLAN, patient.index), strict=True):
            row = Lesion.objects.get(patient__subject=patient.subject, number=lesion.slot)
            assert row.level == lesion.level
            assert (row.x_mm, row.y_mm, row.z_mm) == pytest.approx(truth.centroid_mm, abs=5e-4)
            assert row.longest_diameter_mm == 21.3
            assert row.whole_body_pixels["posterior"] == [21.0, 20.5]
            roles = (row.ct_series.role, row.spect_series.role, row.whole_body_series.role)
            assert roles == ("CT", "SPECT", "WB")
            assert row.ct_series.exam.subject == patient.subject


@pytest.mark.django_db
def test_a_registered_study_says_so():
    study, _ = founded()
    assert not paperwork.is_registered(study)
    study, _ = registered()
    assert paperwork.is_registered(study)
    assert not paperwork.has_truth(study)


@pytest.mark.django_db
def test_every_word_of_exclusion_is_a_criterion_of_the_study():
    study, _ = founded()
    codes = dict(Criterion.objects.filter(study=study).values_list("code", "level"))
    assert {codes[c] for c in CRITERIA.values()} == {"patient"}
    assert {codes[c] for c in LESION_CRITERIA.values()} == {"lesion"}


@pytest.mark.django_db
def test_screening_decides_about_everybody_once_by_the_plan():
    study, people = registered()
    boss = people.users["coordinator"]
    paperwork.screen(study, PLAN, actor=boss, now=NOW)
    rows = Screening.objects.filter(patient__study=study) | Screening.objects.filter(
        lesion__patient__study=study
    )
    excluded = {
        (s.patient.subject, s.criterion.code)
        for s in rows.filter(decision="excluded", lesion=None).select_related(
            "patient", "criterion"
        )
    }
    assert excluded == {(p.subject, CRITERIA[p.criterion]) for p in PLAN.excluded}
    included = set(
        Lesion.objects.of_study(study).included().values_list("patient__subject", "number")
    )
    assert included == {(p.subject, x.slot) for p in PLAN.patients for x in p.lesions}
    count, acts = rows.count(), AuditEvent.objects.count()
    paperwork.screen(study, PLAN, actor=boss, now=NOW)
    assert (rows.count(), AuditEvent.objects.count()) == (count, acts)


@pytest.mark.django_db
def test_screening_goes_on_where_it_was_interrupted():
    study, people = registered()
    boss = people.users["coordinator"]
    half = replace(PLAN, patients=PLAN.patients[:4], excluded_lesions=())
    paperwork.screen(study, half, actor=boss, now=NOW)
    included = Lesion.objects.of_study(study).included()
    assert included.count() == sum(len(p.lesions) for p in PLAN.patients[:4])
    paperwork.screen(study, PLAN, actor=boss, now=NOW)
    assert included.count() == sum(len(p.lesions) for p in PLAN.patients)


@pytest.mark.django_db
def test_the_reference_standards_are_the_plans():
    study, people = registered()
    boss = people.users["coordinator"]
    paperwork.screen(study, PLAN, actor=boss, now=NOW)
    paperwork.enter_truth(study, PLAN, actor=boss, now=NOW)
    assert paperwork.has_truth(study)
    rows = ReferenceStandard.objects.current().filter(lesion__patient__study=study)
    found = {
        (r.lesion.patient.subject, r.lesion.number): (r.diagnosis, r.subtype, r.method, r.determined_on)
        for r in rows.select_related("lesion__patient")
    }  # fmt: skip
    assert found == {
        (p.subject, x.slot): (x.truth, x.subtype, METHODS[x.method], x.determined_on)
        for p in PLAN.patients
        for x in p.lesions
    }
    assert all(isinstance(row[3], date) for row in found.values())


@pytest.mark.django_db
def test_the_split_is_made_once_locked_and_keeps_a_patients_lesions_together():
    study, people = registered()
    boss = people.users["coordinator"]
    paperwork.screen(study, PLAN, actor=boss, now=NOW)
    paperwork.enter_truth(study, PLAN, actor=boss, now=NOW)
    first = paperwork.split(study, SMALL, actor=boss, now=NOW)
    assert first.locked_at is not None
    assert paperwork.split(study, Options(patients=8, seed=5), actor=boss, now=NOW) == first
    assert Split.objects.filter(study=study).count() == 1
