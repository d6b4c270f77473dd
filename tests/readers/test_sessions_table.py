"""A sitting: when it opens, when it closes, and the days it is written under."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from portal.audit.models import AuditEvent, Signature
from portal.errors import Conflict, Invalid, Locked, NotFound
from portal.study.models import Study
from readers import reading
from readers.models import Assignment, ReadingSession
from readers.sessions import MEANING, day_of, washout_end
from readers.worklist import due, is_on_desk, next_case, to_continue
from tests.cohort import NOW, make_user
from tests.readers.builders import make_reading_study, plan, read_case, read_session, start

READER = "expert1"
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1970, 1, 1, 23, 59, 59, tzinfo=UTC), 0),
        (datetime(1970, 1, 2, tzinfo=UTC), 1),
        (datetime(2026, 1, 5, 9, tzinfo=UTC), 20458),
        (datetime(2026, 1, 6, 1, tzinfo=timezone(timedelta(hours=2))), 20458),
        (datetime(2026, 1, 5, 23, tzinfo=timezone(timedelta(hours=-2))), 20459),
    ],
)
def test_days_are_counted_in_utc_since_1970(moment, day):
    assert day_of(moment) == day


@pytest.fixture
def study(db):
    return make_reading_study(n_lesions=2)


def opened(session, *, now=NOW, name=READER):
    return reading.open_session(session, actor=make_user(name), now=now)


def closed(session, *, now=NOW):
    read_session(session, actor=make_user(READER), now=now)
    return reading.close_session(session, actor=make_user(READER), now=now)


@pytest.mark.parametrize("name", ["coordinator", "expert2", "monitor", "analyst", "outsider"])
def test_only_its_reader_opens_or_closes_a_session(study, name):
    (session,) = plan(study, READER)
    with pytest.raises(NotFound):
        opened(session, name=name)
    opened(session)
    read_session(session, actor=make_user(READER))
    with pytest.raises(NotFound):
        reading.close_session(session, actor=make_user(name), now=NOW)


def test_opening_twice_is_opening_once(study):
    (session,) = plan(study, READER)
    first = opened(session)
    again = opened(session, now=NOW + DAY)
    assert again.opened_at == first.opened_at == NOW
    assert AuditEvent.objects.filter(verb="session.open").count() == 1


def test_a_closed_session_never_opens_again(study):
    session = closed(start(study))
    with pytest.raises(Locked) as refusal:
        opened(session, now=NOW + 400 * DAY)
    assert refusal.value.sentence == "This session is closed and signed; open the next one."


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["SCREENING", "READS_LOCKED"])
def test_a_session_opens_only_while_the_study_is_read(state):
    early = state == "SCREENING"
    study = make_reading_study(n_lesions=1, state=state if early else "READING")
    (session,) = plan(study, READER)
    if not early:
        Study.objects.filter(pk=study.pk).update(state=state)
    with pytest.raises(Conflict) as refusal:
        opened(session)
    assert refusal.value.sentence == (
        "Reading has not started or is over in this study; ask the coordinator."
    )


@pytest.mark.parametrize(
    ("early", "opens"),
    [(timedelta(0), True), (timedelta(microseconds=1), False), (DAY, False), (-DAY, True)],
)
def test_the_washout_ends_to_the_moment_28_days_after_the_signature(study, early, opens):
    closed(start(study))
    (again,) = plan(study, READER, kind="repeat", occasion=2)
    assert washout_end(again) == NOW + 28 * DAY
    if opens:
        assert opened(again, now=NOW + 28 * DAY - early).state == "open"
        return
    with pytest.raises(Conflict) as refusal:
        opened(again, now=NOW + 28 * DAY - early)
    assert refusal.value.sentence == "This session opens on 02 February 2026, after the washout."


def test_a_session_without_a_common_lesion_needs_no_washout(study):
    lesions = [case.lesion for case in closed(start(study)).assignments.select_related("lesion")]
    (other,) = plan(study, "expert2", lesions=lesions)
    assert washout_end(other) is None


def test_closing_signs_every_read_with_its_meaning_and_method(study):
    session = start(study)
    read_session(session, actor=make_user(READER))
    reading.close_session(session, actor=make_user(READER), now=NOW, method="totp")
    rows = Signature.objects.filter(kind="signed")
    assert rows.count() == 2
    assert {(row.meaning, row.method, row.at) for row in rows} == {(MEANING, "totp", NOW)}
    assert AuditEvent.objects.filter(verb="session.close").count() == 1


@pytest.mark.parametrize(("n_read", "left"), [(0, 2), (1, 1)])
def test_a_session_with_cases_left_says_how_many(study, n_read, left):
    session = start(study)
    for case in list(session.assignments.order_by("position"))[:n_read]:
        read_case(case, actor=make_user(READER))
    with pytest.raises(Invalid) as refusal:
        reading.close_session(session, actor=make_user(READER), now=NOW)
    assert refusal.value.sentence == (
        f"{left} cases of this session are not submitted yet; finish them first."
    )
    assert not Signature.objects.exists()


@pytest.mark.parametrize("state", ["planned", "closed"])
def test_only_an_open_session_is_closed(study, state):
    session = closed(start(study)) if state == "closed" else plan(study, READER)[0]
    with pytest.raises(Locked) as refusal:
        reading.close_session(session, actor=make_user(READER), now=NOW)
    assert refusal.value.sentence == "This session is not open, so it cannot be closed."


def test_the_desk_holds_the_first_unread_case_and_moves_on_with_each_read(study):
    session = start(study)
    cases = list(session.assignments.order_by("position"))
    seen = []
    for case in cases:
        seen.append([is_on_desk(Assignment.objects.get(pk=c.pk)) for c in cases])
        read_case(case, actor=make_user(READER))
    assert seen == [[True, False], [False, True]]
    assert next_case(session) is None


def test_a_missing_case_is_passed_over(study):
    session = start(study)
    first, second = session.assignments.order_by("position")
    boss = make_user("coordinator")
    reading.declare_missing(first, "the images are damaged", actor=boss, now=NOW)
    assert next_case(session) == second


def test_the_home_counts_what_is_done_and_continues_the_open_session(study):
    session = start(study)
    read_case(session.assignments.get(position=1), actor=make_user(READER))
    plan(study, READER, kind="training")
    rows = due(make_user(READER), now=NOW)
    assert [(row.done, row.count, row.is_open) for row in rows] == [(1, 2, True), (0, 2, False)]
    assert to_continue(rows).session == session


def test_a_session_that_waits_for_its_day_is_not_what_the_button_continues(study):
    plan(study, READER, not_before=NOW + DAY)
    rows = due(make_user(READER), now=NOW)
    assert [row.is_waiting for row in rows] == [True]
    assert to_continue(rows) is None
    assert to_continue(due(make_user(READER), now=NOW + DAY)) is not None


def test_a_reader_who_lost_the_right_has_no_session(study):
    plan(study, READER)
    study.memberships.filter(user=make_user(READER)).update(can_read=False)
    assert due(make_user(READER), now=NOW) == []


def test_a_closed_session_is_no_longer_due(study):
    session = closed(start(study))
    assert due(make_user(READER), now=NOW) == []
    assert ReadingSession.objects.get(pk=session.pk).closed_day == day_of(NOW)
