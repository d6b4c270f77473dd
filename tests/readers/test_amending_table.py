"""Who may reopen a read or declare a case missing, in which state, and with which reason."""

import pytest

from portal.audit.models import AuditEvent, Signature
from portal.errors import Invalid, Locked, NotFound
from portal.study.models import Study
from readers import reading
from readers.amending import REASON_CODES, require_reason
from readers.models import Assignment, Read, ReadingSession
from tests.cohort import NOW, make_user
from tests.readers.builders import make_reading_study, read_case, start

WHY = {"reason_code": "technical", "reason": "the images were exchanged"}
PEOPLE = ("expert1", "coordinator", "expert2", "delineator1", "monitor", "analyst", "outsider")
YES, NOT_FOUND, LOCKED = "yes", NotFound, Locked


@pytest.fixture
def session(db):
    return start(make_reading_study(n_lesions=1))


def case_in(session, state):
    """The session's one case, brought to a state by its reader."""
    case, reader = session.assignments.get(), make_user("expert1")
    if state == "draft":
        reading.open_case(case, actor=reader, now=NOW)
        Assignment.objects.filter(pk=case.pk).update(state="draft")
    if state in {"submitted", "locked"}:
        read_case(case, actor=reader)
    if state == "locked":
        reading.close_session(session, actor=reader, now=NOW)
    if state == "missing":
        boss = make_user("coordinator")
        reading.declare_missing(case, "the images are damaged", actor=boss, now=NOW)
    return Assignment.objects.get(pk=case.pk)


def outcome(act):
    try:
        act()
    except (NotFound, Locked) as refusal:
        return type(refusal)
    return YES


REOPENING = [
    ("assigned", "expert1", LOCKED),
    ("draft", "expert1", LOCKED),
    ("submitted", "expert1", YES),
    ("locked", "expert1", LOCKED),
    ("missing", "expert1", LOCKED),
    ("assigned", "coordinator", LOCKED),
    ("draft", "coordinator", LOCKED),
    ("submitted", "coordinator", LOCKED),
    ("locked", "coordinator", YES),
    ("missing", "coordinator", LOCKED),
    *(("submitted", name, NOT_FOUND) for name in PEOPLE[2:]),
    *(("locked", name, NOT_FOUND) for name in PEOPLE[2:]),
]


@pytest.mark.parametrize(("state", "name", "expected"), REOPENING)
def test_who_may_reopen_a_case_in_which_state(session, state, name, expected):
    case, actor = case_in(session, state), make_user(name)
    before = AuditEvent.objects.filter(verb="read.reopen").count()
    found = outcome(lambda: reading.reopen(case, **WHY, actor=actor, now=NOW))
    assert found == expected
    rows = AuditEvent.objects.filter(verb="read.reopen").count() - before
    assert rows == (1 if expected == YES else 0)
    assert Read.objects.filter(assignment=case, revision=2).exists() is (expected == YES)


MISSING = [
    ("assigned", "coordinator", YES),
    ("draft", "coordinator", YES),
    ("submitted", "coordinator", LOCKED),
    ("locked", "coordinator", LOCKED),
    ("missing", "coordinator", LOCKED),
    *(("assigned", name, NOT_FOUND) for name in PEOPLE if name != "coordinator"),
]


@pytest.mark.parametrize(("state", "name", "expected"), MISSING)
def test_who_may_declare_a_case_missing_in_which_state(session, state, name, expected):
    case, actor = case_in(session, state), make_user(name)
    was = case.state
    found = outcome(
        lambda: reading.declare_missing(case, "the reader left us", actor=actor, now=NOW)
    )
    assert found == expected
    assert Assignment.objects.get(pk=case.pk).state == ("missing" if expected == YES else was)


def test_a_coordinator_of_another_study_finds_nothing(session):
    other = make_reading_study("lung", n_lesions=0)
    boss = make_user("stranger")
    other.memberships.filter(user=make_user("coordinator")).update(user=boss)
    case = case_in(session, "locked")
    with pytest.raises(NotFound):
        reading.reopen(case, **WHY, actor=boss, now=NOW)


@pytest.mark.parametrize("name", ["expert1", "coordinator"])
def test_once_the_study_has_locked_its_reads_none_is_reopened(session, name):
    case = case_in(session, "submitted" if name == "expert1" else "locked")
    Study.objects.filter(pk=session.study_id).update(state="READS_LOCKED")
    with pytest.raises(Locked) as refusal:
        reading.reopen(case, **WHY, actor=make_user(name), now=NOW)
    assert refusal.value.sentence == "The reads of this study are locked; none can be reopened."


@pytest.mark.parametrize(
    ("state", "name", "sentence"),
    [
        ("draft", "expert1", "Only a submitted case can be reopened; this one is draft."),
        ("locked", "expert1", "This session is closed; ask the coordinator to reopen the case."),
        ("submitted", "coordinator", "Only a locked case can be reopened; this one is submitted."),
    ],
)
def test_a_refused_reopening_says_in_which_state_the_case_is(session, state, name, sentence):
    case = case_in(session, state)
    with pytest.raises(Locked) as refusal:
        reading.reopen(case, **WHY, actor=make_user(name), now=NOW)
    assert refusal.value.sentence == sentence


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("a" * 10, "a" * 10),
        ("  1234567890\n", "1234567890"),
        ("é" * 2000, "é" * 2000),
        ("x" * 2001, "x" * 2000),
    ],
)
def test_a_reason_is_kept_without_its_edges(reason, kept):
    assert require_reason(reason) == kept


@pytest.mark.parametrize(
    "reason", ["", "a" * 9, "   123456789   ", "\n" * 50, None, 12345678901, []]
)
def test_a_reason_has_at_least_ten_characters(reason):
    with pytest.raises(Invalid) as refusal:
        require_reason(reason)
    assert refusal.value.sentence == "Give the reason in at least 10 characters."


@pytest.mark.parametrize("code", REASON_CODES)
def test_every_reason_code_is_kept_with_the_revision(session, code):
    case = case_in(session, "submitted")
    new = reading.reopen(
        case, reason_code=code, reason="pressed the wrong key", actor=make_user("expert1"), now=NOW
    )
    assert (new.reason_code, new.reason, new.revision) == (code, "pressed the wrong key", 2)


@pytest.mark.parametrize("code", ["", "Slip", "mood", None, ["slip"]])
def test_an_unknown_reason_code_is_refused_and_changes_nothing(session, code):
    case = case_in(session, "submitted")
    with pytest.raises(Invalid) as refusal:
        reading.reopen(
            case, reason_code=code, reason=WHY["reason"], actor=make_user("expert1"), now=NOW
        )
    assert refusal.value.sentence == "Choose slip, technical, protocol or other."
    assert Read.objects.get(assignment=case).state == "submitted"


def test_a_reopened_locked_read_voids_its_signature_and_opens_the_session(session):
    case = case_in(session, "locked")
    locked = Read.objects.current().get(assignment=case)
    reading.reopen(case, **WHY, actor=make_user("coordinator"), now=NOW)
    voided = Signature.objects.get(kind="voided")
    assert (voided.record_digest, voided.reason) == (locked.digest, WHY["reason"])
    resumed = ReadingSession.objects.get(pk=session.pk)
    assert (resumed.state, resumed.closed_at, resumed.closed_day) == ("open", None, None)


def test_the_old_revision_stays_as_it_was_submitted(session):
    case = case_in(session, "submitted")
    old = Read.objects.get(assignment=case)
    reading.reopen(case, **WHY, actor=make_user("expert1"), now=NOW)
    kept = Read.objects.get(pk=old.pk)
    for name in (
        "call",
        "confidence",
        "score",
        "digest",
        "document",
        "submitted_at",
        "wall_seconds",
    ):
        assert getattr(kept, name) == getattr(old, name)
    assert not kept.is_current


def test_a_new_revision_starts_without_verdict_digest_or_times(session):
    case = case_in(session, "submitted")
    new = reading.reopen(case, **WHY, actor=make_user("expert1"), now=NOW)
    assert (new.call, new.score, new.digest, new.submitted_at) == ("", None, "", None)
