"""A case from opening to the signature, through the verbs."""

import uuid
from datetime import timedelta

import pytest

from portal.audit.models import AuditEvent, Signature
from portal.errors import Conflict, Invalid, Locked, NotFound
from portal.study.models import Study
from readers import reading
from readers.models import Assignment, DraftSave, Read, ReadingSession
from tests.cohort import NOW, make_user
from tests.readers.builders import (
    answers,
    draft,
    make_reading_study,
    plan,
    read_case,
    read_session,
    start,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def study():
    return make_reading_study()


@pytest.fixture
def reader(study):
    return make_user("expert1")


@pytest.fixture
def session(study):
    return start(study)


@pytest.fixture
def case(session):
    return session.assignments.order_by("position").first()


def save(case, reader, document=None, *, base=0, key="", now=NOW):
    key = key or uuid.uuid4().hex
    document = draft() if document is None else document
    return reading.save_draft(case, document, base_version=base, key=key, actor=reader, now=now)


def test_an_opened_case_is_everything_the_reader_may_see(case, reader):
    seen = reading.open_case(case, actor=reader, now=NOW)
    assert (seen.code, seen.position, seen.count) == (case.code, 1, 3)
    assert seen.world == (18.0, 70.0, 30.0)
    assert seen.draft_version == 0
    assert seen.aid is None
    assert [s.role for s in seen.series] == ["CT", "SPECT", "WB-ANT", "WB-POST"]


def test_opening_is_audited_once_per_opening(case, reader):
    reading.open_case(case, actor=reader, now=NOW)
    reading.open_case(case, actor=reader, now=NOW)
    events = AuditEvent.objects.filter(verb="case.open", obj=f"case:{case.code}")
    assert [e.scope for e in events] == ["own", "own"]


def test_a_case_must_wait_for_the_one_before_it(session, reader):
    later = session.assignments.get(position=2)
    with pytest.raises(NotFound):
        reading.open_case(later, actor=reader, now=NOW)


def test_another_reader_meets_no_case_of_mine(case, study):
    other = make_user("expert2")
    for act in (
        lambda: reading.open_case(case, actor=other, now=NOW),
        lambda: save(case, other),
        lambda: reading.submit(case, version=0, actor=other, now=NOW),
        lambda: reading.record_events(case, "p", [], actor=other, now=NOW),
    ):
        with pytest.raises(NotFound):
            act()


def test_each_save_is_one_version_and_one_audit_row(case, reader):
    reading.open_case(case, actor=reader, now=NOW)
    versions = [save(case, reader, base=n).version for n in range(3)]
    assert versions == [1, 2, 3]
    assert AuditEvent.objects.filter(verb="read.save").count() == 3
    assert Read.objects.get(assignment=case).version == 3


@pytest.mark.promise("R8")
def test_a_replay_returns_the_same_version_and_adds_nothing(case, reader):
    first = save(case, reader, key="k")
    again = save(case, reader, key="k", base=0)
    assert (again.version, again.saved_at) == (first.version, first.saved_at)
    assert DraftSave.objects.count() == 1


def test_a_key_cannot_be_used_for_another_body(case, reader):
    save(case, reader, key="k")
    with pytest.raises(Invalid, match="another draft"):
        save(case, reader, draft({"comment": "x"}), key="k", base=1)


@pytest.mark.promise("R10")
def test_a_save_on_an_old_version_gets_both_versions_and_changes_nothing(case, reader):
    save(case, reader, draft(answers("benign", 2)))
    with pytest.raises(Conflict) as refusal:
        save(case, reader, draft(answers("metastasis", 5)), base=0)
    assert refusal.value.extra["version"] == 1
    assert refusal.value.extra["document"]["answers"]["call"] == "benign"
    assert Read.objects.get(assignment=case).document["answers"]["call"] == "benign"


def test_an_incomplete_draft_is_stored_with_its_problems(case, reader):
    saved = save(case, reader, draft({}))
    assert saved.problems.answers == {"call": "required", "confidence": "required"}
    with pytest.raises(Invalid) as refusal:
        reading.submit(case, version=1, actor=reader, now=NOW)
    assert refusal.value.extra["problems"]["answers"]["call"] == "required"


def test_a_submitted_read_has_call_confidence_and_score(case, reader):
    read = read_case(case, said=answers("metastasis", 4), actor=reader)
    assert (read.call, read.confidence, read.score) == ("metastasis", 4, 9)
    assert read.state == "submitted"
    assert len(read.digest) == 64
    assert Assignment.objects.get(pk=case.pk).state == "submitted"


def test_wall_time_is_taken_by_the_server(case, reader):
    read = read_case(case, actor=reader, seconds=42.0)
    assert read.wall_seconds == 42.0
    assert read.active_seconds is None


def test_active_time_comes_from_the_events(case, reader):
    reading.open_case(case, actor=reader, now=NOW)
    events = [
        {"seq": 0, "t_ms": 500, "kind": "first_image", "detail": {}},
        {"seq": 1, "t_ms": 10_000, "kind": "hidden", "detail": {}},
        {"seq": 2, "t_ms": 70_000, "kind": "visible", "detail": {}},
        {"seq": 3, "t_ms": 90_000, "kind": "submit_pressed", "detail": {}},
    ]
    late = NOW + timedelta(seconds=90)
    reading.record_events(case, "page", events, actor=reader, now=late)
    reading.record_events(case, "page", events, actor=reader, now=late)
    saved = save(case, reader, now=late)
    read = reading.submit(case, version=saved.version, actor=reader, now=late)
    assert (read.wall_seconds, read.active_seconds) == (90.0, 30.0)
    assert case.events.count() == 4


def test_a_lost_event_is_marked_and_leaves_active_time_unknown(case, reader):
    events = [{"seq": n, "t_ms": n, "kind": "answer", "detail": {}} for n in (0, 2)]
    reading.record_events(case, "page", events, actor=reader, now=NOW)
    read = read_case(case, actor=reader)
    assert read.has_event_gap
    assert read.active_seconds is None


@pytest.mark.parametrize(
    "event",
    [
        {"seq": -1, "t_ms": 0, "kind": "answer"},
        {"seq": 0, "t_ms": 0.5, "kind": "answer"},
        {"seq": 0, "t_ms": 0, "kind": "peeked"},
        {"seq": 0, "t_ms": 0, "kind": ["answer"]},
        {"seq": 0, "t_ms": 0, "kind": "answer", "detail": {"a": {"b": 1}}},
        "answer",
    ],
)
def test_a_malformed_event_is_refused(case, reader, event):
    with pytest.raises(Invalid):
        reading.record_events(case, "page", [event], actor=reader, now=NOW)


def test_a_submission_repeated_after_a_lost_answer_finds_its_work_done(case, reader):
    read = read_case(case, actor=reader)
    again = reading.submit(case, version=read.version, actor=reader, now=NOW)
    assert again.pk == read.pk
    assert AuditEvent.objects.filter(verb="read.submit").count() == 1


def test_a_submission_of_an_old_version_is_refused(case, reader):
    save(case, reader)
    with pytest.raises(Conflict):
        reading.submit(case, version=7, actor=reader, now=NOW)


def test_a_submitted_case_takes_no_draft(case, reader):
    read_case(case, actor=reader)
    with pytest.raises(Locked) as refusal:
        save(case, reader, base=1)
    assert refusal.value.extra == {"state": "submitted"}


def test_a_case_that_cannot_be_judged_is_counted_not_dropped(case, reader):
    said = {"cannot_judge": "yes", "cannot_judge_reason": "CT missing"}
    read = read_case(case, said=said, actor=reader)
    assert read.cannot_judge
    assert (read.call, read.score) == ("", None)


def test_a_reader_may_reopen_an_own_read_with_a_reason(case, reader):
    first = read_case(case, actor=reader)
    new = reading.reopen(
        case, reason_code="slip", reason="pressed the wrong key", actor=reader, now=NOW
    )
    assert (new.revision, new.version) == (2, first.version + 1)
    assert new.document == first.document
    old = Read.objects.get(pk=first.pk)
    assert (old.is_current, old.state) == (False, "submitted")
    assert Assignment.objects.get(pk=case.pk).state == "draft"
    saved = save(case, reader, draft(answers("metastasis", 5)), base=new.version)
    assert reading.submit(case, version=saved.version, actor=reader, now=NOW).score == 10


@pytest.mark.parametrize(("code", "reason"), [("slip", "short"), ("mood", "a long enough reason")])
def test_reopening_needs_a_known_code_and_ten_characters(case, reader, code, reason):
    read_case(case, actor=reader)
    with pytest.raises(Invalid):
        reading.reopen(case, reason_code=code, reason=reason, actor=reader, now=NOW)


def test_closing_locks_every_read_and_signs_each(session, reader):
    read_session(session, actor=reader)
    reading.close_session(session, method="password", actor=reader, now=NOW)
    reads = Read.objects.locked().of_study(session.study)
    assert reads.count() == 3
    assert {r.locked_at for r in reads} == {NOW}
    signed = Signature.objects.values_list("record_digest", flat=True)
    assert sorted(signed) == sorted(r.digest for r in reads)
    assert ReadingSession.objects.get(pk=session.pk).state == "closed"
    assert not Assignment.objects.of_study(session.study).main().unsettled().exists()


def test_an_unfinished_session_cannot_be_closed(session, case, reader):
    read_case(case, actor=reader)
    with pytest.raises(Invalid, match="2 cases"):
        reading.close_session(session, actor=reader, now=NOW)


def test_nobody_closes_the_session_of_another(session, reader):
    read_session(session, actor=reader)
    with pytest.raises(NotFound):
        reading.close_session(session, actor=make_user("expert2"), now=NOW)


def test_after_the_signature_only_a_coordinator_reopens_and_the_signature_is_void(session, reader):
    read_session(session, actor=reader)
    reading.close_session(session, actor=reader, now=NOW)
    case = session.assignments.first()
    why = {"reason_code": "technical", "reason": "the images were exchanged"}
    with pytest.raises(Locked):
        reading.reopen(case, **why, actor=reader, now=NOW)
    boss = make_user("coordinator")
    new = reading.reopen(case, **why, actor=boss, now=NOW)
    assert new.revision == 2
    voided = Signature.objects.get(kind="voided")
    assert voided.obj == f"read:{case.code}:1"
    saved = save(case, reader, base=new.version)
    reading.submit(case, version=saved.version, actor=reader, now=NOW)
    reading.close_session(session, actor=reader, now=NOW)
    assert Signature.objects.filter(kind="signed").count() == 4
    assert Read.objects.locked().get(assignment=case).revision == 2


def test_a_monitor_can_neither_reopen_nor_declare_missing(session, case, reader):
    read_case(case, actor=reader)
    monitor = make_user("monitor")
    with pytest.raises(NotFound):
        reading.reopen(case, reason_code="slip", reason="because I want it", actor=monitor, now=NOW)
    with pytest.raises(NotFound):
        reading.declare_missing(case, "the reader left us", actor=monitor, now=NOW)


def test_a_missing_case_is_settled_with_its_reason(session, case, reader):
    boss = make_user("coordinator")
    reading.declare_missing(case, "the images are damaged", actor=boss, now=NOW)
    for other in session.assignments.filter(position__gt=1):
        read_case(other, actor=reader)
    reading.close_session(session, actor=reader, now=NOW)
    assert Assignment.objects.get(pk=case.pk).missing_reason == "the images are damaged"
    with pytest.raises(Locked):
        reading.declare_missing(
            session.assignments.get(position=2), "one more reason", actor=boss, now=NOW
        )


def test_one_session_is_open_at_a_time(study, reader, session):
    (second,) = plan(study, "expert1", kind="training")
    with pytest.raises(Conflict, match="Close your open session"):
        reading.open_session(second, actor=reader, now=NOW)


def test_a_session_waits_for_its_day(study, reader):
    (session,) = plan(study, "expert1", not_before=NOW + timedelta(days=2))
    with pytest.raises(Conflict, match="07 January 2026"):
        reading.open_session(session, actor=reader, now=NOW)
    reading.open_session(session, actor=reader, now=NOW + timedelta(days=2))


def test_a_second_reading_waits_for_the_washout(study, reader, session):
    read_session(session, actor=reader)
    reading.close_session(session, actor=reader, now=NOW)
    (again,) = plan(study, "expert1", kind="repeat", occasion=2)
    with pytest.raises(Conflict, match="washout"):
        reading.open_session(again, actor=reader, now=NOW + timedelta(days=27, hours=23))
    reading.open_session(again, actor=reader, now=NOW + timedelta(days=28))


def test_no_session_opens_unless_the_study_is_being_read(study, reader):
    (session,) = plan(study, "expert1")
    Study.objects.filter(pk=study.pk).update(state="READS_LOCKED")
    with pytest.raises(Conflict):
        reading.open_session(session, actor=reader, now=NOW)


def test_simulated_acts_are_marked_in_the_trail(study, reader):
    (session,) = plan(study, "expert1")
    reading.open_session(session, actor=reader, now=NOW, simulated=True)
    case = session.assignments.first()
    reading.open_case(case, actor=reader, now=NOW, simulated=True)
    assert Read.objects.get(assignment=case).is_simulated
    clocks = AuditEvent.objects.filter(verb__in=["session.open", "case.open"])
    assert {e.clock for e in clocks} == {"simulated"}


def test_the_probability_scale_is_the_score(django_user_model):
    study = make_reading_study("odds", scale="probability")
    session = start(study)
    read = read_case(
        session.assignments.first(),
        said={"call": "benign", "probability": 12},
        actor=make_user("expert1"),
    )
    assert (read.score, read.confidence) == (12, None)


def test_an_edit_after_the_first_reading_keeps_order_and_told(session):
    assert "metastasis or a benign lesion" in session.told
    assert len(session.order_digest) == 64
