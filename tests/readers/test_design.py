"""Designs, questionnaires, the order of cases and who is planned for what."""

import pytest

from portal.audit.models import AuditEvent
from portal.errors import Conflict, Invalid
from readers.design import (
    choose_repeats,
    coverage,
    create_design,
    create_questionnaire,
    lock_design,
    plan_sessions,
)
from readers.models import Assignment, Questionnaire
from readers.ordering import is_spaced
from tests.cohort import NOW, make_lesion, make_patient, make_study, make_user
from tests.readers.builders import make_reading_study, plan

pytestmark = pytest.mark.django_db


@pytest.fixture
def study():
    return make_reading_study(n_lesions=0, state="SCREENING")


def with_lesions(study, n_patients: int):
    """Patients S01 … with two lesions each; index rows only."""
    patients = [make_patient(study, f"S{i:02d}") for i in range(n_patients)]
    return [make_lesion(p, number=n) for p in patients for n in (1, 2)]


def order_of(study, name, **options):
    sessions = plan(study, name, **options)
    rows = Assignment.objects.filter(session__in=sessions).order_by("session__number", "position")
    return [str(a.lesion) for a in rows.select_related("lesion__patient")]


def test_a_design_is_versioned_locked_once_and_named_by_its_digest(study):
    boss = make_user("coordinator")
    design = create_design(study, seed=3, actor=boss, now=NOW)
    assert design.version == 2
    lock_design(design, actor=boss, now=NOW)
    assert len(design.digest) == 64
    with pytest.raises(Conflict, match="locked already"):
        lock_design(design, actor=boss, now=NOW)


@pytest.mark.parametrize("wrong", [{"sitting": 0}, {"patient_gap": 0}, {"scale": "stars"}])
def test_a_design_that_cannot_be_is_refused(study, wrong):
    with pytest.raises(Invalid):
        create_design(study, seed=3, actor=make_user("coordinator"), now=NOW, **wrong)


def test_the_default_questionnaire_asks_call_and_confidence():
    study = make_study()
    asked = create_questionnaire(study, "read", actor=make_user("coordinator"), now=NOW)
    assert [q["id"] for q in asked.questions][:2] == ["call", "confidence"]
    assert "metastasis or a benign lesion" in asked.instructions


def test_sittings_hold_as_many_cases_as_the_design_says(study):
    with_lesions(study, 23)
    sessions = plan(study, "expert1")
    assert [s.assignments.count() for s in sessions] == [20, 20, 6]
    assert [s.number for s in sessions] == [1, 2, 3]
    assert len({s.order_digest for s in sessions}) == 1


@pytest.mark.promise("B3")
def test_lesions_of_one_patient_are_the_gap_apart(study):
    with_lesions(study, 12)
    order = order_of(study, "expert1")
    assert is_spaced([name.split("/")[0] for name in order], gap=3)


def test_two_readers_have_two_orders(study):
    with_lesions(study, 12)
    first, second = order_of(study, "expert1"), order_of(study, "expert2")
    assert first != second
    assert sorted(first) == sorted(second)


def test_the_order_is_the_same_on_another_database_with_other_row_numbers(study):
    with_lesions(study, 8)
    here = order_of(study, "expert1")
    twin = make_reading_study("twin", n_lesions=0, state="SCREENING")
    make_patient(twin, "S99")
    lesions = list(reversed(with_lesions(twin, 8)))
    assert order_of(twin, "expert1", lesions=lesions) == here


def test_case_codes_are_random(study):
    with_lesions(study, 3)
    plan(study, "expert1", "expert2")
    codes = list(Assignment.objects.values_list("code", flat=True))
    assert len(set(codes)) == 12
    assert all(len(code) == 24 for code in codes)


def test_only_who_may_is_planned(study):
    with_lesions(study, 1)
    for name, task in (("delineator1", "read"), ("expert1", "outline"), ("outsider", "read")):
        with pytest.raises(Invalid, match=f"{name} may not {task}"):
            plan(study, name, task=task)


def test_nobody_meets_a_lesion_twice_on_one_occasion(study):
    with_lesions(study, 4)
    plan(study, "expert1")
    with pytest.raises(Conflict, match="already"):
        plan(study, "expert1")
    assert plan(study, "expert1", kind="repeat", occasion=2)[0].number == 2


def test_excluded_lesions_are_not_planned(study):
    with_lesions(study, 1)
    make_lesion(make_patient(study), included=False)
    with pytest.raises(Invalid, match="not included"):
        plan(study, "expert1")


def test_an_open_design_plans_nothing(study):
    boss = make_user("coordinator")
    design = create_design(study, seed=1, actor=boss, now=NOW)
    with pytest.raises(Conflict, match="Lock the design"):
        plan_sessions(
            design,
            kind="main",
            task="read",
            readers=[make_user("expert1")],
            lesions=with_lesions(study, 1),
            actor=boss,
            now=NOW,
        )


def test_planning_locks_the_questionnaire_and_is_audited_once(study):
    with_lesions(study, 4)
    plan(study, "expert1")
    assert Questionnaire.objects.get(study=study, task="read").locked_at == NOW
    assert AuditEvent.objects.filter(verb="sessions.plan").count() == 1


def test_repeats_are_a_keyed_choice_of_the_designs_size(study):
    lesions = with_lesions(study, 20)
    design = study.designs.get()
    chosen = choose_repeats(design, lesions)
    assert len(chosen) == len(set(chosen)) == 30
    assert chosen == choose_repeats(design, lesions[::-1])


def test_the_coverage_matrix_counts_main_cases_of_each_reader_and_lesion(study):
    lesions = with_lesions(study, 4)
    plan(study, "expert1", lesions=lesions[::2])
    plan(study, "expert2")
    plan(study, "expert2", kind="training")
    found = coverage(study.designs.get())
    assert found.readers == ("expert1", "expert2")
    assert found.lesions[:3] == ("S00/1", "S00/2", "S01/1")
    assert found.counts == ((1, 0) * 4, (1, 1) * 4)
