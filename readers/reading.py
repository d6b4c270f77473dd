"""A case from opening to submission: open, save, submit, reopen, declare missing, record events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from portal.accounts.models import User
from portal.audit.chain import digest
from portal.audit.trail import record
from portal.errors import Conflict, Invalid, Locked, NotFound
from readers import outlines
from readers.amending import declare_missing, reopen
from readers.case import BlindCase, blind_case
from readers.design import CLOCK, actor_name
from readers.documents import checked, is_text
from readers.models import (
    Assignment,
    AssignmentQuerySet,
    DraftSave,
    Read,
    ReadEvent,
    ReadingSession,
)
from readers.questions import problems as answer_problems
from readers.questions import verdict
from readers.regions import has_regions
from readers.sessions import NOT_YOURS, close_session, open_session
from readers.timing import KINDS, Event, derive

__all__ = [
    "Problems",
    "Saved",
    "close_session",
    "declare_missing",
    "open_case",
    "open_session",
    "record_events",
    "reopen",
    "save_draft",
    "submit",
]
MAX_EVENTS = 500


@dataclass(frozen=True)
class Problems:
    """Problem codes by question and by outline slot; none of them keeps a draft from being stored."""

    answers: dict[str, str]
    outlines: dict[str, list[str]]

    @property
    def any(self) -> bool:
        return bool(self.answers) or any(self.outlines.values())

    def to_json(self) -> dict[str, Any]:
        return {"answers": self.answers, "outlines": self.outlines}


@dataclass(frozen=True)
class Saved:
    version: int
    saved_at: datetime
    problems: Problems


def with_everything() -> AssignmentQuerySet:
    """Cases with all that their verbs and pictures look at, in one query."""
    return Assignment.objects.select_related(
        "session__study",
        "session__design",
        "session__questionnaire",
        "session__reader",
        "lesion__ct_series__exam",
        "lesion__spect_series__exam",
        "lesion__whole_body_series__exam",
    )


def fresh(assignment: Assignment) -> Assignment:
    """The case as it is now, held until the transaction ends."""
    return with_everything().select_for_update(of=("self",)).get(pk=assignment.pk)


def require_on_desk(case: Assignment, actor: User) -> None:
    """Only the reader's own case, of an open session, the first that is not submitted yet."""
    if case.session.reader_id != actor.pk:
        raise NotFound(NOT_YOURS)
    if case.session.state != ReadingSession.State.OPEN:
        raise Locked(
            "This session is not open; nothing of it can be changed.", extra={"state": case.state}
        )
    if case.state not in {Assignment.State.ASSIGNED, Assignment.State.DRAFT}:
        raise Locked(
            "This case is submitted; reopen it with a reason to change it.",
            extra={"state": case.state},
        )
    earlier = Assignment.objects.filter(session=case.session_id, position__lt=case.position)
    if earlier.pending().exists():
        raise NotFound(NOT_YOURS)


def audit(verb: str, case: Assignment, actor: User, *, simulated: bool, new: Any = None) -> None:
    record(
        verb,
        obj=f"case:{case.code}",
        study=case.session.study.code,
        role="reader",
        scope="own",
        actor=actor_name(actor),
        clock=CLOCK[simulated],
        new=new,
    )


def current_read(case: Assignment, *, now: datetime) -> Read:
    """The revision on the desk; the first opening makes revision 1."""
    read = Read.objects.current().filter(assignment=case).first()
    if read is not None:
        return read
    simulated = case.session.is_simulated
    return Read.objects.create(assignment=case, started_at=now, is_simulated=simulated)


@transaction.atomic
def open_case(
    assignment: Assignment, *, actor: User, now: datetime, simulated: bool = False
) -> BlindCase:
    """Put the case on the reader's desk: everything the reader may see of it."""
    case = fresh(assignment)
    require_on_desk(case, actor)
    read = current_read(case, now=now)
    if case.first_opened_at is None:
        case.first_opened_at = now
        case.save(update_fields=["first_opened_at"])
    audit("case.open", case, actor, simulated=simulated)
    return blind_case(case, read)


def problems_of(case: Assignment, document: Mapping[str, Any], *, final: bool) -> Problems:
    questions = case.session.questionnaire.questions
    drawn = outlines.problems(case, document["outlines"])
    is_out = document["answers"].get("cannot_judge") == "yes"
    if final and case.session.task == ReadingSession.Task.OUTLINE and not is_out:
        missing = [slot for slot, outline in document["outlines"].items() if outline is None]
        drawn = {**drawn, **{slot: ["too_few_points"] for slot in missing}}
    return Problems(answer_problems(questions, document["answers"]), drawn)


@transaction.atomic
def save_draft(
    assignment: Assignment,
    document: Any,
    *,
    base_version: int,
    key: str,
    actor: User,
    now: datetime,
    simulated: bool = False,
    fallback_view: bool = False,
) -> Saved:
    """Store the whole draft as the next version; the same key and body again change nothing."""
    case = fresh(assignment)
    if case.session.reader_id != actor.pk:
        raise NotFound(NOT_YOURS)
    session = case.session
    document = checked(
        document,
        questions=session.questionnaire.questions,
        task=session.task,
        regions_3d=has_regions(session.design),
    )
    found = problems_of(case, document, final=False)
    replay = replayed(case, document, key=key)
    if replay is not None:
        return Saved(replay.version, replay.saved_at, found)
    require_on_desk(case, actor)
    read = current_read(case, now=now)
    if read.version != base_version:
        raise Conflict(
            "This case was saved elsewhere in the meantime; compare both versions.",
            extra={"version": read.version, "document": read.document or None},
        )
    read.is_fallback_view = read.is_fallback_view or fallback_view
    store_version(read, document, key=key, now=now)
    if case.state == Assignment.State.ASSIGNED:
        Assignment.objects.filter(pk=case.pk).update(state=Assignment.State.DRAFT)
    audit("read.save", case, actor, simulated=simulated)
    return Saved(read.version, now, found)


def store_version(read: Read, document: dict[str, Any], *, key: str, now: datetime) -> None:
    """The next version of a draft, and the save by which a replay is known."""
    read.version, read.document, read.saved_at = read.version + 1, document, now
    read.save(update_fields=["version", "document", "saved_at", "is_fallback_view"])
    DraftSave.objects.create(
        assignment_id=read.assignment_id,
        key=key,
        version=read.version,
        body_digest=digest(document),
        document=document,
        saved_at=now,
    )


def replayed(case: Assignment, document: Mapping[str, Any], *, key: str) -> DraftSave | None:
    if not key or len(key) > 64:
        raise Invalid("A save needs an idempotency key of at most 64 characters.", field="key")
    earlier = DraftSave.objects.filter(assignment=case, key=key).first()
    if earlier is not None and earlier.body_digest != digest(document):
        raise Invalid("This idempotency key was used for another draft.", field="key")
    return earlier


@transaction.atomic
def submit(
    assignment: Assignment,
    *,
    version: int,
    actor: User,
    now: datetime,
    simulated: bool = False,
) -> Read:
    """Make the saved draft a read that never changes; its outlines become ROIs."""
    case = fresh(assignment)
    read = current_read(case, now=now)
    if is_same_submission(case, read, actor=actor, version=version):
        return read
    require_on_desk(case, actor)
    if read.version != version or not read.document:
        raise Conflict(
            "The draft on the server is another version; save it, then submit.",
            extra={"version": read.version, "document": read.document or None},
        )
    found = problems_of(case, read.document, final=True)
    if found.any:
        raise Invalid(
            "Some answers or outlines are missing or not valid; correct them and submit again.",
            extra={"problems": found.to_json()},
        )
    rois = outlines.store(case, read, now=now)
    settle(case, read, rois=[roi.mask_digest for roi in rois], now=now)
    Assignment.objects.filter(pk=case.pk).update(state=Assignment.State.SUBMITTED)
    audit("read.submit", case, actor, simulated=simulated, new={"record": read.digest})
    return read


def is_same_submission(case: Assignment, read: Read, *, actor: User, version: int) -> bool:
    """A repeated request after a lost answer finds its own work done."""
    return (
        case.session.reader_id == actor.pk
        and case.state == Assignment.State.SUBMITTED
        and read.version == version
    )


def settle(case: Assignment, read: Read, *, rois: Sequence[str], now: datetime) -> None:
    """Write call, score, times and the record's digest, and freeze the row."""
    said = verdict(read.document["answers"])
    rows = ReadEvent.objects.filter(assignment=case, received_at__gte=read.started_at)
    events = [Event(*row) for row in rows.values_list("page_load", "seq", "t_ms", "kind")]
    times = derive(events, opened_at=read.started_at, ended_at=now)
    read.call, read.confidence, read.score = said.call, said.confidence, said.score
    read.cannot_judge = said.cannot_judge
    read.wall_seconds, read.active_seconds = times.wall_seconds, times.active_seconds
    read.has_event_gap = times.has_gap
    read.state, read.submitted_at = Read.State.SUBMITTED, now
    read.digest = digest(
        {
            "case": case.code,
            "revision": read.revision,
            "document": read.document,
            "rois": list(rois),
            "questionnaire": case.session.questionnaire.version,
            "order": case.session.order_digest,
        }
    )
    read.save()


@transaction.atomic
def record_events(
    assignment: Assignment,
    page_load: str,
    events: Any,
    *,
    actor: User,
    now: datetime,
    simulated: bool = False,
) -> int:
    """Append timing events; a replayed batch adds nothing. Returns how many there were."""
    case = Assignment.objects.select_related("session__study").get(pk=assignment.pk)
    if case.session.reader_id != actor.pk:
        raise NotFound(NOT_YOURS)
    if case.session.state != ReadingSession.State.OPEN:
        raise Locked("This session is not open; nothing of it can be changed.")
    rows = [as_event(case, page_load, event, now=now) for event in checked_events(events)]
    if not is_text(page_load, 40) or not page_load:
        raise Invalid("A page load has an id of at most 40 characters.", field="page_load")
    ReadEvent.objects.bulk_create(rows, ignore_conflicts=True)
    audit("case.events", case, actor, simulated=simulated)
    return len(rows)


def checked_events(events: Any) -> list[Mapping[str, Any]]:
    if not isinstance(events, list | tuple) or len(events) > MAX_EVENTS:
        raise Invalid(f"Events are a list of at most {MAX_EVENTS}.", field="events")
    for event in events:
        if not isinstance(event, Mapping) or not is_event(event):
            raise Invalid("An event has a number, a time and a known kind.", field="events")
    return list(events)


def is_event(event: Mapping[str, Any]) -> bool:
    detail = event.get("detail", {})
    return (
        type(event.get("seq")) is int
        and 0 <= event["seq"] < 10**6
        and type(event.get("t_ms")) is int
        and 0 <= event["t_ms"] < 10**10
        and isinstance(event.get("kind"), str)
        and event["kind"] in KINDS
        and isinstance(detail, dict)
        and len(detail) <= 20
        and all(is_text(name, 100) for name in detail)
        and all(is_scalar(value) for value in detail.values())
    )


def is_scalar(value: Any) -> bool:
    return isinstance(value, bool | int) or is_text(value, 100)


def as_event(
    case: Assignment, page_load: str, event: Mapping[str, Any], *, now: datetime
) -> ReadEvent:
    return ReadEvent(
        assignment=case,
        page_load=page_load,
        seq=event["seq"],
        t_ms=event["t_ms"],
        kind=event["kind"],
        detail=event.get("detail", {}),
        received_at=now,
    )
