"""Entering reference standards: a change is a new revision with a reason, nothing is overwritten."""

from dataclasses import asdict, dataclass
from datetime import date, datetime

from django.db import transaction

from portal.accounts.models import User
from portal.errors import Invalid
from portal.study.acts import note_act
from portal.study.models import Lesion, State
from portal.study.patients import require_state
from portal.truth.models import ReferenceStandard

ENTERING: tuple[str, ...] = (State.DRAFT, State.SCREENING, State.READING)


@dataclass(frozen=True)
class Answer:
    """What a reference standard says, without who and when."""

    diagnosis: str
    subtype: str
    method: str
    determined_on: date | None
    note: str = ""


def answer_of(row: ReferenceStandard) -> Answer:
    return Answer(row.diagnosis, row.subtype, row.method, row.determined_on, row.note)


def refuse_answer(answer: Answer, today: date) -> None:
    if answer.diagnosis not in ReferenceStandard.Diagnosis.values:
        raise Invalid("A diagnosis is metastasis, benign or inconclusive.", field="diagnosis")
    if answer.method not in ReferenceStandard.Method.values:
        methods = ", ".join(ReferenceStandard.Method.values)
        raise Invalid(f"A method is one of {methods}.", field="method")
    if len(answer.subtype) > 60:
        raise Invalid("A subtype has at most 60 characters.", field="subtype")
    if answer.determined_on is not None and answer.determined_on > today:
        raise Invalid("The standard cannot be dated in the future.", field="determined_on")


def current_of(lesion: Lesion) -> ReferenceStandard | None:
    return ReferenceStandard.objects.current().filter(lesion=lesion).first()


def revise(
    lesion: Lesion, answer: Answer, *, actor: User, now: datetime, reason: str
) -> ReferenceStandard:
    """Store the next revision, without an act of its own; called inside a verb's transaction."""
    before = current_of(lesion)
    if before is not None:
        if not reason.strip():
            raise Invalid(
                "This lesion has a reference standard; say why it changes.", field="reason"
            )
        ReferenceStandard.objects.filter(pk=before.pk).update(is_current=False)
    return ReferenceStandard.objects.create(
        lesion=lesion,
        revision=before.revision + 1 if before else 1,
        reason=reason.strip() if before else "",
        entered_by=actor,
        entered_at=now,
        **asdict(answer),
    )


def enter(
    lesion: Lesion,
    *,
    diagnosis: str,
    subtype: str,
    method: str,
    determined_on: date | None,
    actor: User,
    now: datetime,
    note: str = "",
    reason: str = "",
) -> ReferenceStandard:
    """Enter or revise the reference standard of a lesion; the same answer again changes nothing."""
    study = lesion.patient.study
    require_state(study, ENTERING, "Reference standards are entered")
    answer = Answer(diagnosis, subtype.strip(), method, determined_on, note.strip())
    refuse_answer(answer, now.date())
    with transaction.atomic():
        before = current_of(lesion)
        if before is not None and answer_of(before) == answer:
            return before
        row = revise(lesion, answer, actor=actor, now=now, reason=reason)
        old = asdict(answer_of(before)) if before else None
        obj = f"lesion:{lesion.code}"
        note_act(study, actor, "truth.enter", obj, new=asdict(answer), old=old, reason=reason)
    return row
