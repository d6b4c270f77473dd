"""What a reader has to do: sessions due, the next case, the case on the desk."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from portal.accounts.models import User
from portal.errors import NotFound
from portal.study.models import State
from readers.models import Assignment, ReadingSession, ReadingSessionQuerySet
from readers.sessions import NOT_YOURS

TASK_RIGHTS = {"read": "can_read", "outline": "can_draw"}
DONE = (Assignment.State.SUBMITTED, Assignment.State.LOCKED, Assignment.State.MISSING)


def still_may(user: User) -> Q:
    """Sessions whose reader is still a member with the right that the task needs."""
    allowed = Q()
    for task, right in TASK_RIGHTS.items():
        allowed |= Q(
            task=task, study__memberships__user=user, **{f"study__memberships__{right}": True}
        )
    return allowed


def sessions_of(user: User) -> ReadingSessionQuerySet:
    """The reader's own sessions of studies that are being read."""
    return (
        ReadingSession.objects.of_reader(user)
        .filter(still_may(user), study__state=State.READING)
        .select_related("study", "design", "questionnaire", "reader")
    )


def session_of(user: User, code: str) -> ReadingSession:
    session = sessions_of(user).filter(code=code).first()
    if session is None:
        raise NotFound(NOT_YOURS)
    return session


def case_of(user: User, code: str) -> Assignment:
    """The reader's own case, whatever its state; unknown and foreign codes look alike."""
    case = (
        Assignment.objects.filter(code=code, session__in=sessions_of(user).values("pk"))
        .select_related("session")
        .first()
    )
    if case is None:
        raise NotFound(NOT_YOURS)
    return case


def is_on_desk(case: Assignment) -> bool:
    """Of an open session, the first case that is not submitted yet."""
    return case.session.state == ReadingSession.State.OPEN and next_case(case.session) == case


def desk_case(user: User, code: str) -> Assignment:
    case = case_of(user, code)
    if not is_on_desk(case):
        raise NotFound(NOT_YOURS)
    return case


def next_case(session: ReadingSession) -> Assignment | None:
    return Assignment.objects.filter(session=session).pending().order_by("position").first()


def address_of(case: Assignment | None) -> str | None:
    return None if case is None else f"/reading/cases/{case.code}/"


@dataclass(frozen=True)
class Due:
    """One row of the reader's home: a session with its progress and what can be done with it."""

    session: ReadingSession
    done: int
    count: int
    is_waiting: bool

    @property
    def is_open(self) -> bool:
        return self.session.state == ReadingSession.State.OPEN

    @property
    def is_complete(self) -> bool:
        return self.done == self.count


def due(user: User, *, now: datetime) -> list[Due]:
    """Unfinished sessions, open ones first; two queries whatever their number."""
    sessions = list(sessions_of(user).unfinished().order_by("study__code", "number"))
    counts = progress(sessions)
    rows = [
        Due(s, *counts.get(s.pk, (0, 0)), s.not_before is not None and now < s.not_before)
        for s in sessions
    ]
    return sorted(rows, key=lambda row: not row.is_open)


def progress(sessions: Sequence[ReadingSession]) -> dict[int, tuple[int, int]]:
    """Session id -> how many of its cases are done, and how many there are."""
    rows = Assignment.objects.filter(session__in=sessions).order_by().values_list("session_id")
    counted = rows.annotate(done=Count("pk", filter=Q(state__in=DONE)), count=Count("pk"))
    return {session: (done, count) for session, done, count in counted}


def to_continue(rows: Sequence[Due]) -> Due | None:
    """The session behind the one button: the open one, else the first that may be started."""
    return next((row for row in rows if row.is_open or not row.is_waiting), None)


def submitted_cases(session: ReadingSession) -> list[Assignment]:
    """What the reader may still reopen before the session is closed."""
    rows = Assignment.objects.filter(session=session, state=Assignment.State.SUBMITTED)
    return list(rows.order_by("position"))
