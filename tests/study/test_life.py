"""The life of a study: what each step asks, and that it goes forward one step at a time."""

import pytest

from portal.audit.models import AuditEvent, Signature
from portal.errors import Conflict, Forbidden, Invalid
from portal.study import life
from portal.study.life import Check, advance, checklist, confirm, create_study, register_check
from portal.study.models import Membership, State, Study
from portal.study.screening import add_default_criteria
from tests.cohort import NOW, make_study, make_user
from tests.study.builders import (
    alternating_strata,
    carry_to,
    coordinator,
    make_cohort,
    make_locked_split,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_checks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what upper floors contribute: their own tests hold it."""
    monkeypatch.setattr(life, "CONTRIBUTIONS", {state: [] for state in life.STATE_ORDER})


def ready_for_screening(study: Study) -> Study:
    study.protocol, study.analysis_plan = "As published.", {"text": "Compare AUCs."}
    study.save()
    add_default_criteria(study, actor=coordinator(), now=NOW)
    return study


def codes_missing(study: Study) -> set[str]:
    return {c.code for c in checklist(study) if not c.is_met}


def test_the_creator_of_a_study_becomes_its_coordinator() -> None:
    study = create_study(code="new", name="New", actor=make_user("anna"), now=NOW)
    member = Membership.objects.get(study=study)
    assert (member.user.username, member.role) == ("anna", "coordinator")
    assert member.can_coordinate
    assert not member.can_read


def test_a_study_begins_in_draft_and_its_creation_is_one_audit_row() -> None:
    study = create_study(code="new", name="New", actor=make_user("anna"), now=NOW)
    assert study.state == State.DRAFT
    assert list(AuditEvent.objects.values_list("verb", "study")) == [("study.create", "new")]


def test_a_code_is_given_to_one_study_only() -> None:
    create_study(code="new", name="New", actor=make_user("anna"), now=NOW)
    with pytest.raises(Conflict, match="choose another code"):
        create_study(code="new", name="Other", actor=make_user("berta"), now=NOW)
    assert Study.objects.count() == 1


def test_a_study_has_a_name() -> None:
    with pytest.raises(Invalid, match="name"):
        create_study(code="new", name="  ", actor=make_user("anna"), now=NOW)


def test_the_checklist_of_a_draft_names_what_is_not_written() -> None:
    assert codes_missing(make_study()) == {"criteria", "protocol", "analysis_plan"}


def test_a_step_is_refused_with_everything_that_is_missing() -> None:
    with pytest.raises(Conflict) as refusal:
        advance(make_study(), to="SCREENING", actor=coordinator(), reason="go", now=NOW)
    assert refusal.value.extra["missing"] == ["criteria", "protocol", "analysis_plan"]
    assert "Write the protocol." in refusal.value.sentence


def test_a_complete_draft_goes_to_screening_with_one_audit_row() -> None:
    study = ready_for_screening(make_study())
    before = AuditEvent.objects.count()
    advance(study, to="SCREENING", actor=coordinator(), reason="protocol signed", now=NOW)
    assert study.state == State.SCREENING
    row = AuditEvent.objects.get(seq=before + 1)
    assert (row.verb, row.role) == ("study.advance", "coordinator")
    assert "protocol signed" in row.values.body


@pytest.mark.parametrize("to", ["DRAFT", "READING", "UNBLINDED", "ARCHIVED", "nowhere"])
def test_only_the_next_step_can_be_taken(to: str) -> None:
    study = ready_for_screening(make_study())
    with pytest.raises(Conflict, match="only next step is SCREENING"):
        advance(study, to=to, actor=coordinator(), reason="go", now=NOW)


def test_a_step_needs_a_reason() -> None:
    study = ready_for_screening(make_study())
    with pytest.raises(Invalid, match="Say why"):
        advance(study, to="SCREENING", actor=coordinator(), reason=" ", now=NOW)


@pytest.mark.parametrize("name", ["analyst", "expert1", "monitor", "outsider"])
def test_nobody_but_a_coordinator_takes_a_step(name: str) -> None:
    study = ready_for_screening(make_study())
    with pytest.raises(Forbidden, match="coordinator"):
        advance(study, to="SCREENING", actor=make_user(name), reason="go", now=NOW)


def test_what_an_upper_floor_registers_stands_in_the_checklist_and_holds_the_step_back() -> None:
    register_check("SCREENING", lambda study: (Check("design", "A design", False, "Draft one."),))
    study = ready_for_screening(make_study())
    with pytest.raises(Conflict, match="Draft one"):
        advance(study, to="SCREENING", actor=coordinator(), reason="go", now=NOW)


def test_registering_a_check_twice_asks_it_once() -> None:
    def ask(_study: Study) -> tuple[Check, ...]:
        return (Check("design", "A design", True),)

    register_check("SCREENING", ask)
    register_check("SCREENING", ask)
    assert [c.code for c in checklist(make_study())].count("design") == 1


def test_an_extra_check_of_the_caller_counts() -> None:
    study = ready_for_screening(make_study())
    extra = [Check("password", "Signed", False, "Enter your password.")]
    with pytest.raises(Conflict, match="Enter your password"):
        advance(
            study, to="SCREENING", actor=coordinator(), reason="go", now=NOW, extra_checks=extra
        )


def test_reading_asks_for_lesions_and_a_locked_split() -> None:
    assert codes_missing(make_study(state="SCREENING")) == {"lesions", "split"}


def test_going_to_reading_freezes_the_digests_of_plan_and_split() -> None:
    study = ready_for_screening(make_study())
    carry_to(study, "SCREENING")
    split = make_locked_split(study, alternating_strata(make_cohort(study, 10)))
    advance(study, to="READING", actor=coordinator(), reason="cohort complete", now=NOW)
    assert set(study.digests) == {"protocol", "analysis_plan", "criteria", "split"}
    assert study.digests["split"] == split.digest
    assert len(study.digests["protocol"]) == 64


def test_a_lesion_without_images_holds_reading_back() -> None:
    study = make_study(state="SCREENING")
    patients = make_cohort(study, 4)
    make_locked_split(study, alternating_strata(patients))
    patients[0].lesions.update(ct_series=None)
    assert codes_missing(study) == {"series"}


def locked_study(*, second: bool) -> Study:
    study = make_study(state="READS_LOCKED")
    Study.objects.filter(pk=study.pk).update(needs_second_confirmation=second)
    study.refresh_from_db()
    return study


def test_unblinding_leaves_the_coordinators_signature() -> None:
    study = locked_study(second=False)
    advance(study, to="UNBLINDED", actor=coordinator(), reason="reads complete", now=NOW)
    signature = Signature.objects.get()
    assert signature.user == coordinator()
    assert signature.meaning == "I unblind this study."


def test_unblinding_waits_for_a_second_member() -> None:
    study = locked_study(second=True)
    with pytest.raises(Conflict, match="second member"):
        advance(study, to="UNBLINDED", actor=coordinator(), reason="reads complete", now=NOW)
    confirm(study, to="UNBLINDED", actor=make_user("analyst"), now=NOW)
    advance(study, to="UNBLINDED", actor=coordinator(), reason="reads complete", now=NOW)
    assert study.state == State.UNBLINDED


@pytest.mark.parametrize("name", ["expert1", "delineator1", "outsider"])
def test_readers_and_outsiders_do_not_confirm_the_unblinding(name: str) -> None:
    study = locked_study(second=True)
    with pytest.raises(Forbidden, match="neither reads nor draws"):
        confirm(study, to="UNBLINDED", actor=make_user(name), now=NOW)


def test_nobody_is_both_first_and_second_at_the_unblinding() -> None:
    study = locked_study(second=True)
    confirm(study, to="UNBLINDED", actor=coordinator(), now=NOW)
    with pytest.raises(Forbidden, match="another coordinator"):
        advance(study, to="UNBLINDED", actor=coordinator(), reason="reads complete", now=NOW)
    with pytest.raises(Conflict, match="already"):
        confirm(study, to="UNBLINDED", actor=coordinator(), now=NOW)


def test_only_the_step_that_is_due_can_be_confirmed() -> None:
    with pytest.raises(Conflict, match="not the next step"):
        confirm(make_study(), to="UNBLINDED", actor=make_user("analyst"), now=NOW)


def test_an_archived_study_has_no_next_step() -> None:
    study = make_study(state="ARCHIVED")
    assert checklist(study) == ()
    with pytest.raises(Conflict, match="nothing follows"):
        advance(study, to="ARCHIVED", actor=coordinator(), reason="go", now=NOW)
