"""A sitting: opened by its reader, closed by the reader's signature, which locks reads and ROIs."""

from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import F

from portal.accounts.models import User
from portal.audit.models import Signature
from portal.audit.trail import record
from portal.errors import Conflict, Invalid, Locked, NotFound
from portal.study.models import State
from readers.design import CLOCK, actor_name
from readers.models import Assignment, Read, ReadingSession

MEANING = (
    "I have read these cases myself, from the images alone; the answers and outlines of this "
    "session are mine and complete."
)
NOT_YOURS = "There is no such page, or it is not yours to see."


def day_of(moment: datetime) -> int:
    """Whole days since 1970-01-01 UTC."""
    return (moment.astimezone(UTC).date() - datetime(1970, 1, 1, tzinfo=UTC).date()).days


def fresh(session: ReadingSession) -> ReadingSession:
    """The row as it is now, held until the end of the transaction."""
    rows = ReadingSession.objects.select_for_update(of=("self",))
    return rows.select_related("study", "design", "reader").get(pk=session.pk)


@transaction.atomic
def open_session(
    session: ReadingSession, *, actor: User, now: datetime, simulated: bool = False
) -> ReadingSession:
    """Start a sitting; from here its cases and their order never change."""
    session = fresh(session)
    if session.reader_id != actor.pk:
        raise NotFound(NOT_YOURS)
    if session.state == ReadingSession.State.OPEN:
        return session
    check_may_open(session, now=now)
    session.state = ReadingSession.State.OPEN
    session.opened_at, session.opened_day = now, day_of(now)
    session.is_simulated = simulated
    session.save(update_fields=["state", "opened_at", "opened_day", "is_simulated"])
    record(
        "session.open",
        obj=f"session:{session.code}",
        study=session.study.code,
        role="reader",
        scope="own",
        actor=actor_name(actor),
        clock=CLOCK[simulated],
    )
    return session


def check_may_open(session: ReadingSession, *, now: datetime) -> None:
    if session.state == ReadingSession.State.CLOSED:
        raise Locked("This session is closed and signed; open the next one.")
    if session.study.state != State.READING:
        raise Conflict("Reading has not started or is over in this study; ask the coordinator.")
    if session.not_before is not None and now < session.not_before:
        raise Conflict(f"This session opens on {session.not_before:%d %B %Y}.")
    others = ReadingSession.objects.of_reader(session.reader).of_study(session.study)
    if others.open().exists():
        raise Conflict("Close your open session first; then this one can be opened.")
    due = washout_end(session)
    if due is not None and now < due:
        raise Conflict(f"This session opens on {due:%d %B %Y}, after the washout.")


def washout_end(session: ReadingSession) -> datetime | None:
    """When the washout ends after the last closed session that shares a lesion with this one."""
    lesions = Assignment.objects.filter(session=session).values("lesion")
    last = (
        Assignment.objects.filter(
            session__reader=session.reader_id,
            session__closed_at__isnull=False,
            lesion__in=lesions,
        )
        .exclude(session=session.pk)
        .order_by(F("session__closed_at").desc())
        .values_list("session__closed_at", flat=True)
        .first()
    )
    return None if last is None else last + timedelta(days=session.design.washout_days)


@transaction.atomic
def close_session(
    session: ReadingSession,
    *,
    actor: User,
    now: datetime,
    method: str = "password",
    meaning: str = MEANING,
    simulated: bool = False,
) -> ReadingSession:
    """Lock every submitted read of the session, with one signature row for each."""
    session = fresh(session)
    check_may_close(session, actor=actor)
    reads = list(
        Read.objects.current()
        .filter(assignment__session=session, state=Read.State.SUBMITTED)
        .select_related("assignment")
    )
    sign(session, reads, actor=actor, now=now, method=method, meaning=meaning)
    ids = [read.pk for read in reads]
    Read.objects.filter(pk__in=ids).update(state=Read.State.LOCKED, locked_at=now)
    Assignment.objects.filter(session=session, state=Assignment.State.SUBMITTED).update(
        state=Assignment.State.LOCKED
    )
    session.state = ReadingSession.State.CLOSED
    session.closed_at, session.closed_day = now, day_of(now)
    session.save(update_fields=["state", "closed_at", "closed_day"])
    record(
        "session.close",
        obj=f"session:{session.code}",
        study=session.study.code,
        role="reader",
        scope="own",
        actor=actor_name(actor),
        clock=CLOCK[simulated],
        new={"records": [read.digest for read in reads], "method": method},
    )
    return session


def check_may_close(session: ReadingSession, *, actor: User) -> None:
    if session.reader_id != actor.pk:
        raise NotFound(NOT_YOURS)
    if session.state != ReadingSession.State.OPEN:
        raise Locked("This session is not open, so it cannot be closed.")
    left = Assignment.objects.filter(session=session).pending().count()
    if left:
        raise Invalid(f"{left} cases of this session are not submitted yet; finish them first.")


def sign(
    session: ReadingSession,
    reads: list[Read],
    *,
    actor: User,
    now: datetime,
    method: str,
    meaning: str,
) -> None:
    """One row per read: who, when, what it means, and the digest of the record."""
    Signature.objects.bulk_create(
        Signature(
            user=actor,
            printed_name=actor.printed_name,
            study=session.study.code,
            obj=f"read:{read.assignment.code}:{read.revision}",
            meaning=meaning,
            record_digest=read.digest,
            method=method,
            at=now,
        )
        for read in reads
    )
