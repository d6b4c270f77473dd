"""Second thoughts with a reason: reopening a read, declaring a case missing."""

from datetime import datetime

from django.db import transaction

from portal.accounts.models import User
from portal.audit.models import Signature
from portal.audit.trail import record
from portal.errors import Invalid, Locked, NotFound
from portal.study.models import Membership, State
from readers.design import CLOCK, actor_name
from readers.documents import check_plain
from readers.models import Assignment, Read, ReadingSession
from readers.sessions import NOT_YOURS, fresh

REASON_CODES = ("slip", "technical", "protocol", "other")
SHORTEST_REASON = 10


def require_reason(reason: str) -> str:
    reason = reason.strip() if isinstance(reason, str) else ""
    if len(reason) < SHORTEST_REASON:
        raise Invalid("Give the reason in at least 10 characters.", field="reason")
    check_plain(reason, "reason")
    return reason[:2000]


def may_coordinate(actor: User, session: ReadingSession) -> bool:
    """Someone who coordinates this study and is not the reader of the session."""
    return (
        actor.pk != session.reader_id
        and Membership.objects.filter(
            study=session.study_id, user=actor, can_coordinate=True
        ).exists()
    )


@transaction.atomic
def reopen(
    assignment: Assignment,
    *,
    reason_code: str,
    reason: str,
    actor: User,
    now: datetime,
    simulated: bool = False,
) -> Read:
    """A new revision of a submitted read (its reader) or of a locked one (a coordinator)."""
    session = fresh(ReadingSession(pk=assignment.session_id))
    case = Assignment.objects.select_for_update(of=("self",)).get(pk=assignment.pk)
    is_own = session.reader_id == actor.pk
    if not is_own and not may_coordinate(actor, session):
        raise NotFound(NOT_YOURS)
    if reason_code not in REASON_CODES:
        raise Invalid("Choose slip, technical, protocol or other.", field="reason_code")
    reason = require_reason(reason)
    check_may_reopen(session, case, is_own=is_own)
    old = Read.objects.current().get(assignment=case)
    if old.state == Read.State.LOCKED:
        void_signature(old, case, session, actor=actor, reason=reason, now=now)
        resume(session)
    new = next_revision(old, reason_code=reason_code, reason=reason, now=now)
    Assignment.objects.filter(pk=case.pk).update(state=Assignment.State.DRAFT)
    record(
        "read.reopen",
        obj=f"case:{case.code}",
        study=session.study.code,
        role="reader" if is_own else "coordinator",
        scope="own" if is_own else "study",
        actor=actor_name(actor),
        clock=CLOCK[simulated],
        reason=reason,
        reason_code=reason_code,
        new={"revision": new.revision},
    )
    return new


def check_may_reopen(session: ReadingSession, case: Assignment, *, is_own: bool) -> None:
    if session.study.state != State.READING:
        raise Locked("The reads of this study are locked; none can be reopened.")
    if is_own and session.state != ReadingSession.State.OPEN:
        raise Locked("This session is closed; ask the coordinator to reopen the case.")
    wanted = Assignment.State.SUBMITTED if is_own else Assignment.State.LOCKED
    if case.state != wanted:
        raise Locked(
            f"Only a {wanted} case can be reopened; this one is {case.state}.",
            extra={"state": case.state},
        )


def void_signature(
    read: Read,
    case: Assignment,
    session: ReadingSession,
    *,
    actor: User,
    reason: str,
    now: datetime,
) -> None:
    Signature.objects.create(
        kind=Signature.Kind.VOIDED,
        user=actor,
        printed_name=actor.printed_name,
        study=session.study.code,
        obj=f"read:{case.code}:{read.revision}",
        meaning="The read was reopened, so its signature no longer stands.",
        record_digest=read.digest,
        method="reopening",
        reason=reason,
        at=now,
    )


def resume(session: ReadingSession) -> None:
    """The closed session is open again until its reader signs the new revision."""
    session.state, session.closed_at, session.closed_day = ReadingSession.State.OPEN, None, None
    session.save(update_fields=["state", "closed_at", "closed_day"])


def next_revision(old: Read, *, reason_code: str, reason: str, now: datetime) -> Read:
    Read.objects.filter(pk=old.pk).update(is_current=False)
    return Read.objects.create(
        assignment_id=old.assignment_id,
        revision=old.revision + 1,
        version=old.version + 1,
        document=old.document,
        reason_code=reason_code,
        reason=reason,
        started_at=now,
        saved_at=now,
        is_fallback_view=old.is_fallback_view,
        is_simulated=old.is_simulated,
    )


@transaction.atomic
def declare_missing(
    assignment: Assignment,
    reason: str,
    *,
    actor: User,
    now: datetime,
    simulated: bool = False,
) -> Assignment:
    """A coordinator settles a case that its reader will not read."""
    session = fresh(ReadingSession(pk=assignment.session_id))
    case = Assignment.objects.select_for_update(of=("self",)).get(pk=assignment.pk)
    if not may_coordinate(actor, session):
        raise NotFound(NOT_YOURS)
    reason = require_reason(reason)
    if session.study.has_reached(State.READS_LOCKED):
        raise Locked("The reads of this study are locked; no case changes any more.")
    if case.state not in {Assignment.State.ASSIGNED, Assignment.State.DRAFT}:
        raise Locked(f"This case is {case.state}; only an unread case can be missing.")
    case.state, case.missing_reason = Assignment.State.MISSING, reason
    case.save(update_fields=["state", "missing_reason"])
    record(
        "case.missing",
        obj=f"case:{case.code}",
        study=session.study.code,
        role="coordinator",
        actor=actor_name(actor),
        clock=CLOCK[simulated],
        reason=reason,
    )
    return case
