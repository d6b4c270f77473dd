"""Criteria and decisions: each decision is a row of the log, a later one supersedes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Max

from portal.accounts.models import User
from portal.errors import Conflict, Invalid
from portal.study.acts import note_act
from portal.study.flow import FlowNumbers as FlowNumbers
from portal.study.flow import flow as flow
from portal.study.flow import flow_svg as flow_svg
from portal.study.models import Criterion, Lesion, Patient, Screening, State, Study
from portal.study.patients import log_decision, place_in_slot, require_state, take_out

WRITING: tuple[str, ...] = (State.DRAFT, State.SCREENING)
NOTE_LENGTH = 300


@dataclass(frozen=True)
class CriterionText:
    code: str
    text: str
    kind: str
    level: str


def default_criteria() -> tuple[CriterionText, ...]:
    """Inclusion and exclusion of Jin et al. 2022 (section 2.1, Figure 1), plus the cap per patient."""
    return (
        CriterionText("primary-tumour", "A history of a primary tumour", "include", "patient"),
        CriterionText(
            "vertebral-uptake", "SPECT/CT done for abnormal vertebral uptake", "include", "patient"
        ),
        CriterionText("complete-record", "A complete and conclusive record", "include", "patient"),
        CriterionText(
            "spinal-lesion", "At least one spinal lesion longer than 1 cm", "include", "patient"
        ),
        CriterionText(
            "not-delineable", "Irregular lesion that cannot be delineated", "exclude", "patient"
        ),
        CriterionText("no-ct-lesion", "Uptake without a lesion on CT", "exclude", "patient"),
        CriterionText(
            "prior-treatment", "Earlier surgery or treatment of the lesion", "exclude", "patient"
        ),
        CriterionText(
            "lesion-cap", "Beyond the number of lesions per patient", "exclude", "lesion"
        ),
        CriterionText("lesion-inconclusive", "Inconclusive lesion", "exclude", "lesion"),
        CriterionText(
            "lesion-not-delineable", "Lesion that cannot be delineated", "exclude", "lesion"
        ),
    )


def add_criterion(
    study: Study,
    *,
    code: str,
    text: str,
    kind: str,
    level: str,
    order: int | None = None,
    actor: User,
    now: datetime,
) -> Criterion:
    require_state(study, WRITING, "Criteria are written")
    refuse_criterion(code, text, kind, level)
    last = Criterion.objects.filter(study=study).aggregate(last=Max("order"))["last"] or 0
    fields = {"text": text.strip(), "kind": kind, "level": level, "order": order or last + 1}
    try:
        with transaction.atomic():
            criterion = Criterion.objects.create(study=study, code=code, **fields)
            note_act(study, actor, "criterion.add", f"criterion:{code}", new={**fields, "at": now})
    except IntegrityError as error:
        raise Conflict(f"There is a criterion {code} already.", field="code") from error
    return criterion


def refuse_criterion(code: str, text: str, kind: str, level: str) -> None:
    if not code or not code.replace("-", "").replace("_", "").isalnum():
        raise Invalid("A criterion's code has letters, digits and hyphens only.", field="code")
    if not text.strip():
        raise Invalid("Write the criterion as a sentence.", field="text")
    if kind not in Criterion.Kind.values or level not in Criterion.Level.values:
        raise Invalid("A criterion includes or excludes, at the level of patient or lesion.")


def remove_criterion(criterion: Criterion, *, actor: User, now: datetime) -> None:
    """Only a criterion that no decision names can go; the log needs the others."""
    require_state(criterion.study, WRITING, "Criteria are removed")
    if Screening.objects.filter(criterion=criterion).exists():
        raise Conflict(f"Decisions name criterion {criterion.code}, so it stays.")
    with transaction.atomic():
        old = {"text": criterion.text, "kind": criterion.kind, "level": criterion.level, "at": now}
        Criterion.objects.filter(pk=criterion.pk).delete()
        note_act(criterion.study, actor, "criterion.remove", f"criterion:{criterion.code}", old=old)


def add_default_criteria(study: Study, *, actor: User, now: datetime) -> int:
    """The default criteria that the study does not have yet, in one act; returns how many."""
    require_state(study, WRITING, "Criteria are written")
    held = set(Criterion.objects.filter(study=study).values_list("code", flat=True))
    fresh = [c for c in default_criteria() if c.code not in held]
    if not fresh:
        return 0
    with transaction.atomic():
        Criterion.objects.bulk_create(
            Criterion(
                study=study, code=c.code, text=c.text, kind=c.kind, level=c.level, order=order
            )
            for order, c in enumerate(fresh, start=len(held) + 1)
        )
        codes = [c.code for c in fresh]
        note_act(study, actor, "criterion.default", f"study:{study.code}", new={"codes": codes, "at": now})  # fmt: skip
    return len(fresh)


def refuse_decision(
    subject: Patient | Lesion, decision: str, criterion: Criterion | None, note: str
) -> None:
    if decision not in Screening.Decision.values:
        raise Invalid("A decision is included or excluded.", field="decision")
    if len(note.strip()) > NOTE_LENGTH:
        raise Invalid(f"A note has at most {NOTE_LENGTH} characters.", field="note")
    if decision == Screening.Decision.EXCLUDED and criterion is None and not note.strip():
        raise Invalid("An exclusion names its criterion, or says why.", field="criterion")
    patient = subject.patient if isinstance(subject, Lesion) else subject
    if criterion is not None and criterion.study_id != patient.study_id:
        raise Invalid("That criterion belongs to another study.", field="criterion")
    level = Criterion.Level.LESION if isinstance(subject, Lesion) else Criterion.Level.PATIENT
    if criterion is not None and criterion.level != level:
        raise Invalid(f"Criterion {criterion.code} is not one for a {level}.", field="criterion")


def apply_decision(subject: Patient | Lesion, decision: str) -> None:
    """Bring the cohort in line: an excluded patient keeps no included lesion."""
    if isinstance(subject, Lesion):
        if decision == Screening.Decision.INCLUDED:
            place_in_slot(subject, None)
        elif subject.is_included:
            take_out([subject])
    elif decision == Screening.Decision.EXCLUDED:
        take_out(list(Lesion.objects.included().filter(patient=subject)))


def decide(
    patient_or_lesion: Patient | Lesion,
    decision: str,
    criterion: Criterion | None,
    *,
    actor: User,
    now: datetime,
    note: str = "",
) -> Screening:
    """Log a decision and act on it: an included lesion takes its patient's next free slot."""
    subject = patient_or_lesion
    study = subject.patient.study if isinstance(subject, Lesion) else subject.study
    require_state(study, (State.SCREENING,), "Screening decisions are made")
    refuse_decision(subject, decision, criterion, note)
    kind = "lesion" if isinstance(subject, Lesion) else "patient"
    new = {"decision": decision, "criterion": criterion.code if criterion else "", "note": note}
    with transaction.atomic():
        apply_decision(subject, decision)
        row = log_decision(
            subject, decision=decision, criterion=criterion, note=note.strip(), actor=actor, now=now
        )
        note_act(study, actor, f"screening.{kind}", f"{kind}:{subject.code}", new=new)
    return row


def decisions_of(study: Study, patient_ids: Sequence[int]) -> dict[int, str]:
    """The current decision on each of these patients."""
    rows = Screening.objects.filter(
        study=study, patient__in=patient_ids, lesion__isnull=True, is_current=True
    )
    return dict(rows.values_list("patient_id", "decision"))
