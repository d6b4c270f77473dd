"""The state machine as one table: every step from every state, and each step with each item missing."""

import dataclasses
from collections.abc import Callable

import pytest

from portal.audit.models import AuditEvent, Signature
from portal.errors import Conflict, Forbidden, Invalid
from portal.study import life
from portal.study.life import advance, checklist, confirm, frozen_digests, next_state, record_of
from portal.study.models import STATE_ORDER, Criterion, Lesion, State, Study
from portal.study.screening import add_default_criteria
from portal.study.splitting import lock, propose, save
from tests.cohort import NOW, make_lesion, make_member, make_patient, make_study, make_user
from tests.study.builders import (
    alternating_strata,
    carry_to,
    coordinator,
    make_cohort,
    make_locked_split,
)

pytestmark = pytest.mark.django_db
PLAN = {"text": "Compare AUCs."}


@pytest.fixture(autouse=True)
def own_checks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what upper floors contribute: `test_whole_checklist` holds it."""
    monkeypatch.setattr(life, "CONTRIBUTIONS", {state: [] for state in life.STATE_ORDER})


def ready(state: str) -> Study:
    """A study in `state` with everything that its next step asks of this floor."""
    study = make_study()
    Study.objects.update(protocol="As published.", analysis_plan=PLAN)
    add_default_criteria(study, actor=coordinator(), now=NOW)
    carry_to(study, State.SCREENING if state != State.DRAFT else State.DRAFT)
    if state != State.DRAFT:
        make_locked_split(study, alternating_strata(make_cohort(study, 6)))
    carry_to(study, state)
    if state == State.READS_LOCKED:
        confirm(study, to=State.UNBLINDED, actor=make_user("analyst"), now=NOW)
    return study


def take(study: Study, to: str, *, name: str = "coordinator", reason: str = "as planned") -> Study:
    return advance(study, to=to, actor=make_user(name), reason=reason, now=NOW)


STEPS = list(zip(STATE_ORDER[:-1], STATE_ORDER[1:], strict=True))


@pytest.mark.parametrize(("here", "there"), STEPS)
def test_a_step_with_everything_present_is_taken(here: str, there: str) -> None:
    study = ready(here)
    assert [c.code for c in checklist(study) if not c.is_met] == []
    take(study, there)
    assert Study.objects.get().state == there


NO_STEPS = [
    (here, there)
    for here in STATE_ORDER
    for there in (*STATE_ORDER, "reading", "", "DONE")
    if (here, there) not in STEPS
]


@pytest.mark.parametrize(("here", "there"), NO_STEPS)
def test_no_other_step_is_taken_from_anywhere(here: str, there: str) -> None:
    study = ready(here)
    with pytest.raises(Conflict) as refusal:
        take(study, there)
    following = next_state(study)
    assert refusal.value.sentence == (
        f"The study is in {here}; the only next step is {following}."
        if following else "This study is archived; nothing follows."
    )  # fmt: skip
    assert Study.objects.get().state == here


def without_criteria(study: Study) -> None:
    Criterion.objects.filter(study=study).delete()


def without_protocol(study: Study) -> None:
    Study.objects.update(protocol=" \n")


def without_plan(study: Study) -> None:
    Study.objects.update(analysis_plan={})


def without_lesions(study: Study) -> None:
    Lesion.objects.update(is_included=False, slot=None)


def without_ct(study: Study) -> None:
    Lesion.objects.filter(pk=Lesion.objects.order_by("pk")[0].pk).update(ct_series=None)


def without_spect(study: Study) -> None:
    Lesion.objects.filter(pk=Lesion.objects.order_by("-pk")[0].pk).update(spect_series=None)


def grown_since_the_split(study: Study) -> None:
    make_lesion(make_patient(study, "LATE"))


def shrunk_since_the_split(study: Study) -> None:
    Lesion.objects.filter(patient__subject="S000").update(is_included=False, slot=None)


STALE = "The cohort has changed since split 1 was locked; make a new one and lock it."
MISSING: list[tuple[str, Callable[[Study], None], list[str], str]] = [
    ("DRAFT", without_criteria, ["criteria"], "Add the inclusion and exclusion criteria."),
    ("DRAFT", without_protocol, ["protocol"], "Write the protocol."),
    ("DRAFT", without_plan, ["analysis_plan"], "Write the analysis plan."),
    ("SCREENING", without_lesions, ["lesions", "split"], f"Include lesions in the screening. {STALE}"),
    ("SCREENING", without_ct, ["series"], "Import the missing images and choose the series of each lesion."),
    ("SCREENING", without_spect, ["series"], "Import the missing images and choose the series of each lesion."),
    ("SCREENING", grown_since_the_split, ["split"], STALE),
    ("SCREENING", shrunk_since_the_split, ["split"], STALE),
]  # fmt: skip


@pytest.mark.parametrize(("state", "spoil", "codes", "hint"), MISSING)
def test_a_step_with_one_item_missing_is_refused_by_that_item(
    state: str, spoil: Callable[[Study], None], codes: list[str], hint: str
) -> None:
    study = ready(state)
    spoil(study)
    study.refresh_from_db()
    before, to = AuditEvent.objects.count(), next_state(study) or ""
    with pytest.raises(Conflict) as refusal:
        take(study, to)
    assert refusal.value.sentence == f"The study cannot go to {to} yet. {hint}"
    assert refusal.value.extra == {"missing": codes}
    assert (Study.objects.get().state, AuditEvent.objects.count()) == (state, before)
    assert not Signature.objects.filter(obj=f"study:bone:{to}").exists()


def test_a_new_split_of_the_grown_cohort_opens_the_step_again() -> None:
    study = ready(State.SCREENING)
    grown_since_the_split(study)
    patients = [x.patient for x in Lesion.objects.of_study(study).included()]
    strata = {p.pk: "benign" for p in patients}
    lock(save(propose(study, strata=strata, ratio=0.7, seed=2), actor=coordinator(), now=NOW), actor=coordinator(), now=NOW)  # fmt: skip
    assert take(study, State.READING).state == State.READING


def test_a_newer_split_that_is_not_locked_does_not_count() -> None:
    study = ready(State.SCREENING)
    grown_since_the_split(study)
    strata = {x.patient_id: "benign" for x in Lesion.objects.of_study(study).included()}
    save(propose(study, strata=strata, ratio=0.7, seed=2), actor=coordinator(), now=NOW)
    assert [c.code for c in checklist(study) if not c.is_met] == ["split"]


SIGNED = {State.READING, State.READS_LOCKED, State.UNBLINDED}


@pytest.mark.parametrize(("here", "there"), STEPS)
def test_who_carries_a_step_signs_it_where_the_step_asks_for_it(here: str, there: str) -> None:
    study = ready(here)
    take(study, there)
    rows = Signature.objects.filter(obj=f"study:bone:{there}", user=coordinator())
    assert rows.count() == (there in SIGNED)
    for row in rows:
        assert (row.meaning, row.reason) == (life.MEANINGS[State(there)], "as planned")
        assert len(row.record_digest) == 64


@pytest.mark.parametrize(("here", "there"), STEPS)
def test_each_step_is_one_act_with_both_states_and_the_reason(here: str, there: str) -> None:
    study = ready(here)
    before = AuditEvent.objects.count()
    take(study, there)
    (row,) = AuditEvent.objects.filter(seq__gt=before)
    assert (row.verb, row.obj, row.role) == ("study.advance", "study:bone", "coordinator")
    for word in (f'"state":"{here}"', f'"state":"{there}"', "as planned"):
        assert word in row.values.body


@pytest.mark.parametrize(("here", "there"), STEPS)
@pytest.mark.parametrize("name", ["analyst", "expert1", "delineator1", "monitor", "outsider"])
def test_only_a_coordinator_takes_any_step(here: str, there: str, name: str) -> None:
    study = ready(here)
    with pytest.raises(Forbidden) as refusal:
        take(study, there, name=name)
    assert refusal.value.sentence == "Only a coordinator of the study takes its steps."
    assert Study.objects.get().state == here


@pytest.mark.parametrize("reason", ["", " ", "\t\n"])
def test_no_step_without_a_reason(reason: str) -> None:
    with pytest.raises(Invalid) as refusal:
        take(ready(State.DRAFT), State.SCREENING, reason=reason)
    assert (refusal.value.field, refusal.value.sentence) == ("reason", "Say why the study takes this step.")  # fmt: skip


def test_the_coordinator_of_another_study_is_nobody_here() -> None:
    study = ready(State.DRAFT)
    make_member(make_study("other", cast=False), "outsider", "coordinator")
    with pytest.raises(Forbidden):
        take(study, State.SCREENING, name="outsider")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("expert1", "A member who neither reads nor draws must confirm this step."),
        ("delineator2", "A member who neither reads nor draws must confirm this step."),
        ("outsider", "A member who neither reads nor draws must confirm this step."),
        ("analyst", "You have confirmed this step already; another member must take it."),
    ],
)
def test_who_does_not_confirm_the_unblinding(name: str, sentence: str) -> None:
    study, before = ready(State.READS_LOCKED), Signature.objects.count()
    with pytest.raises((Forbidden, Conflict)) as refusal:
        confirm(study, to=State.UNBLINDED, actor=make_user(name), now=NOW)
    assert refusal.value.sentence == sentence
    assert Signature.objects.count() == before


@pytest.mark.parametrize("to", [s for s in (*STATE_ORDER, "nowhere") if s != "UNBLINDED"])
def test_nothing_but_the_due_step_is_confirmed(to: str) -> None:
    with pytest.raises(Conflict) as refusal:
        confirm(ready(State.READS_LOCKED), to=to, actor=make_user("monitor"), now=NOW)
    assert refusal.value.sentence == f"{to} is not the next step of this study, so there is nothing to confirm."  # fmt: skip


def test_a_voided_confirmation_does_not_count() -> None:
    study = ready(State.READS_LOCKED)
    signed = Signature.objects.get(user=make_user("analyst"))
    kept = {f.attname: getattr(signed, f.attname) for f in Signature._meta.concrete_fields}
    del kept["id"]
    Signature.objects.create(**{**kept, "kind": Signature.Kind.VOIDED, "reason": "given by mistake"})  # fmt: skip
    with pytest.raises(Conflict, match="Ask a second member who does not read"):
        take(study, State.UNBLINDED)


def test_a_confirmation_of_one_study_does_not_open_another() -> None:
    ready(State.READS_LOCKED)
    other = make_study("knee", state=State.READS_LOCKED, cast=False)
    make_member(other, "coordinator")
    with pytest.raises(Conflict, match="Ask a second member who does not read"):
        take(other, State.UNBLINDED)


@pytest.mark.parametrize(
    ("part", "spoil"),
    [
        ("protocol", lambda s: Study.objects.update(protocol="Another.")),
        ("analysis_plan", lambda s: Study.objects.update(analysis_plan={"text": "Another."})),
        ("criteria", lambda s: Criterion.objects.filter(code="no-ct-lesion").update(text="Another.")),
        ("criteria", lambda s: Criterion.objects.filter(code="no-ct-lesion").update(kind="include")),
        ("criteria", lambda s: Criterion.objects.filter(code="no-ct-lesion").delete()),
    ],
)  # fmt: skip
def test_a_digest_follows_its_part_and_leaves_the_others(part: str, spoil: Callable[[Study], object]) -> None:  # fmt: skip
    study = ready(State.SCREENING)
    before = frozen_digests(study)
    spoil(study)
    study.refresh_from_db()
    after = frozen_digests(study)
    assert {name for name in before if before[name] != after[name]} == {part}


def test_the_digests_of_one_plan_are_equal_in_every_study() -> None:
    one = frozen_digests(ready(State.DRAFT))
    other = make_study("knee", cast=False)
    Study.objects.filter(code="knee").update(protocol="As published.", analysis_plan=PLAN)
    add_default_criteria(other, actor=coordinator(), now=NOW)
    other.refresh_from_db()
    assert frozen_digests(other) == one


def test_digests_are_frozen_once_and_kept_through_the_later_steps() -> None:
    study = ready(State.SCREENING)
    assert study.digests == {}
    take(study, State.READING)
    frozen = dict(study.digests)
    take(study, State.READS_LOCKED)
    assert study.digests == frozen
    assert frozen["split"] == record_of(study)["split"]


def test_a_stale_copy_of_the_study_takes_no_step_twice() -> None:
    """Two tabs: the second holds the study as it was before the first went on."""
    study = ready(State.DRAFT)
    stale = Study.objects.get()
    take(study, State.SCREENING)
    with pytest.raises(Conflict, match="only next step is READING"):
        take(stale, State.SCREENING)


def test_a_check_is_a_frozen_line() -> None:
    (first, *_) = checklist(make_study())
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.is_met = True  # type: ignore[misc]
