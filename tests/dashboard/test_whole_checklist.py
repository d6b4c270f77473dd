"""The checklists with what every floor contributes: each item of trust 4.1, missing and then met."""

from datetime import timedelta

import pytest

from portal.audit.trail import record
from portal.dashboard.exports import EXPORTS
from portal.study.life import Check, checklist
from portal.study.models import STATE_ORDER, Lesion, State, Study
from readers import reading
from readers.models import Assignment, ReadingDesign
from tests.cohort import NOW, make_lesion, make_patient, make_study, make_user
from tests.readers.builders import make_reading_study, plan, read_session
from tests.study.builders import make_cohort
from tests.truth.builders import give_standards, make_standard

pytestmark = pytest.mark.django_db
WHOLE = {
    "DRAFT": {"criteria", "protocol", "analysis_plan", "design"},
    "SCREENING": {"lesions", "series", "split", "truth", "inconclusive", "design-lock", "order"},
    "READING": {"reads", "sessions", "runs"},
    "READS_LOCKED": {"audit", "second"},
    "UNBLINDED": {"evaluation", "exports", "backup"},
    "ARCHIVED": set(),
}


def check(study: Study, code: str) -> Check:
    (found,) = [c for c in checklist(study) if c.code == code]
    return found


def told(study: Study, code: str) -> tuple[bool, str]:
    found = check(study, code)
    return (found.is_met, "" if found.is_met else found.hint)


@pytest.mark.parametrize("state", STATE_ORDER)
def test_the_checklist_of_a_step_is_that_of_the_specification(state: str) -> None:
    codes = [c.code for c in checklist(make_study(state=state))]
    assert set(codes) == WHOLE[state]
    assert len(codes) == len(WHOLE[state])


@pytest.mark.parametrize("state", STATE_ORDER)
def test_every_line_that_is_not_met_says_what_to_do(state: str) -> None:
    for one in checklist(make_study(state=state)):
        assert one.is_met or one.hint.endswith("."), one


def test_screening_waits_for_a_design_and_reading_for_its_lock() -> None:
    study = make_study()
    assert told(study, "design") == (False, "Draft the design on the readers page.")
    make_reading_study("knee", n_lesions=1, state=State.DRAFT)
    knee = Study.objects.get(code="knee")
    assert told(knee, "design") == (True, "")
    assert told(study, "design")[0] is False  # another study's design is none


def test_reading_waits_for_the_lock_of_the_design_and_for_planned_sessions() -> None:
    bare = make_study("bare", state="SCREENING", cast=False)
    assert told(bare, "design-lock") == (False, "Lock the design on the readers page.")
    study = make_reading_study(n_lesions=1, state=State.SCREENING)
    assert told(study, "design-lock") == (True, "")
    assert told(study, "order") == (False, "Plan the sessions on the readers page.")
    plan(study, "expert1")
    assert told(study, "order") == (True, "")
    assert ReadingDesign.objects.filter(study=study, locked_at__isnull=False).count() == 1


def test_reading_counts_the_standards_that_are_missing() -> None:
    study = make_study(state="SCREENING")
    make_cohort(study, 3)
    make_lesion(make_patient(study, "OUT"), included=False)
    assert told(study, "truth") == (False, "Enter the reference standard of 3 more lesions.")
    make_standard(Lesion.objects.of_study(study).order_by("pk")[0], "benign")
    assert told(study, "truth") == (False, "Enter the reference standard of 2 more lesions.")
    for lesion in Lesion.objects.of_study(study).included().order_by("pk")[1:]:
        make_standard(lesion, "metastasis")
    assert told(study, "truth") == (True, "")


def test_an_inconclusive_lesion_is_entered_but_holds_reading_back() -> None:
    study = make_study(state="SCREENING")
    make_cohort(study, 2)
    give_standards(study)
    assert told(study, "inconclusive") == (True, "")
    lesion = Lesion.objects.of_study(study).order_by("pk")[0]
    make_standard(lesion, "inconclusive", reason="biopsy failed")
    assert told(study, "truth") == (True, "")
    assert told(study, "inconclusive") == (False, "Exclude the 1 inconclusive lesions in the screening.")  # fmt: skip
    Lesion.objects.filter(pk=lesion.pk).update(is_included=False, slot=None)
    assert told(study, "inconclusive") == (True, "")


def test_the_reads_are_locked_when_no_case_is_left_and_no_session_open() -> None:
    study = make_reading_study(n_lesions=2)
    (session,) = plan(study, "expert1")
    assert told(study, "reads") == (False, "2 cases are neither locked nor declared missing.")
    assert told(study, "sessions") == (True, "")
    session = reading.open_session(session, actor=make_user("expert1"), now=NOW)
    assert told(study, "sessions") == (False, "1 sessions are still open.")
    read_session(session, actor=make_user("expert1"))
    assert told(study, "reads")[0] is False  # submitted is not locked
    reading.close_session(session, actor=make_user("expert1"), now=NOW + timedelta(hours=1))
    assert told(study, "reads") == (True, "")
    assert told(study, "sessions") == (True, "")


def test_the_cases_of_another_study_do_not_hold_this_one_back() -> None:
    study = make_reading_study(n_lesions=1)
    knee = make_reading_study("knee", n_lesions=1)
    plan(knee, "expert1")
    assert told(study, "reads") == (True, "")
    assert Assignment.objects.of_study(knee).count() == 1


def test_archiving_names_the_tables_that_are_missing_and_asks_for_a_backup() -> None:
    study = make_study(state="UNBLINDED")
    names = sorted(EXPORTS)
    for name in names[1:]:
        record("export.take", obj=f"export:{name}", study="bone")
    assert told(study, "exports") == (False, f"Take these on the exports page: {names[0]}.")
    record("export.take", obj=f"export:{names[0]}", study="knee")
    assert told(study, "exports")[0] is False  # another study's table is none
    record("export.take", obj=f"export:{names[0]}", study="bone")
    assert told(study, "exports") == (True, "")
    assert told(study, "backup") == (False, "Ask the administrator to run manage.py backup.")
    record("backup.verify", obj="backup:1")
    assert told(study, "backup") == (True, "")


def test_what_was_taken_before_the_unblinding_is_taken_again() -> None:
    study = make_study(state="UNBLINDED")
    for name in EXPORTS:
        record("export.take", obj=f"export:{name}", study="bone")
    record("backup.verify", obj="backup:1")
    assert {c.code for c in checklist(study) if not c.is_met} == {"evaluation"}
    record("study.advance", obj="study:bone", study="bone")
    assert {c.code for c in checklist(study) if not c.is_met} == {"evaluation", "exports", "backup"}


def test_archiving_asks_for_the_evaluation_of_both_parts() -> None:
    assert told(make_study(state="UNBLINDED"), "evaluation") == (False, "Evaluate on the dashboard first.")  # fmt: skip
