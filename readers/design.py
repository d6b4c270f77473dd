"""Designs and questionnaires, the planning of sessions, and the coverage matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max

from portal.accounts.models import User
from portal.audit.chain import digest
from portal.audit.trail import record
from portal.errors import Conflict, Invalid
from portal.study.models import Lesion, Membership, State, Study
from readers.crossing import Preview, preview_of, shares
from readers.models import Assignment, Questionnaire, ReadingDesign, ReadingSession
from readers.ordering import shuffle, spaced
from readers.questions import default_questions, outline_questions

CONDITIONS = ("unaided", "aided", "CT", "SPECT", "fused")
CLOCK = {True: "simulated", False: ""}
TOLD = {
    "read": (
        "Each lesion is either a metastasis or a benign lesion. Call it from the images alone; you "
        "get no clinical data. Then say how confident you are in this call, from 1 (guess) to "
        "5 (certain)."
    ),
    "outline": (
        "Outline the lesion where its cross-section is largest, once on SPECT and once on CT. You "
        "may copy the outline from one to the other and shift it slightly where breathing moved "
        "the lesion."
    ),
}


def actor_name(user: User) -> str:
    return f"u:{user.pk}"


def next_version(rows: Any) -> int:
    last: int | None = rows.aggregate(last=Max("version"))["last"]
    return (last or 0) + 1


@transaction.atomic
def create_design(
    study: Study,
    *,
    seed: int,
    actor: User,
    now: datetime,
    scale: str = ReadingDesign.Scale.CONFIDENCE,
    sitting: int = 20,
    washout_days: int = 28,
    patient_gap: int = 3,
    n_repeats: int = 30,
    parameters: Mapping[str, Any] | None = None,
) -> ReadingDesign:
    """A new version of the design; it may still be replaced until it is locked."""
    if scale not in ReadingDesign.Scale.values:
        raise Invalid("Choose the scale confidence or probability.", field="scale")
    if not isinstance((parameters or {}).get("regions_3d", False), bool):
        raise Invalid("Regions in three dimensions are either true or false.", field="regions_3d")
    if sitting < 1 or patient_gap < 1 or washout_days < 0 or n_repeats < 0:
        raise Invalid("Sitting and gap are at least 1, washout and repeats at least 0.")
    require_before(study, State.READS_LOCKED)
    design = ReadingDesign.objects.create(
        study=study,
        version=next_version(ReadingDesign.objects.filter(study=study)),
        scale=scale,
        sitting=sitting,
        washout_days=washout_days,
        patient_gap=patient_gap,
        n_repeats=n_repeats,
        seed=seed,
        parameters=dict(parameters or {}),
    )
    record(
        "design.create",
        obj=f"design:{design.version}",
        study=study.code,
        role="coordinator",
        actor=actor_name(actor),
        new=plain(design),
    )
    return design


def plain(design: ReadingDesign) -> dict[str, Any]:
    """The design as canonical values, for its digest and the trail."""
    names = ("version", "scale", "sitting", "washout_days", "patient_gap", "n_repeats", "seed")
    return {**{n: getattr(design, n) for n in names}, "parameters": design.parameters}


def require_before(study: Study, state: str) -> None:
    if study.has_reached(state):
        raise Conflict(f"The study is {study.state}; its reading can no longer change.")


@transaction.atomic
def lock_design(design: ReadingDesign, *, actor: User, now: datetime) -> ReadingDesign:
    if design.locked_at is not None:
        raise Conflict("This design is locked already; make a new version to change it.")
    design.digest = digest({"study": design.study.code, **plain(design)})
    design.locked_at = now
    design.save(update_fields=["digest", "locked_at"])
    record(
        "design.lock",
        obj=f"design:{design.version}",
        study=design.study.code,
        role="coordinator",
        actor=actor_name(actor),
        new={"digest": design.digest},
    )
    return design


@transaction.atomic
def create_questionnaire(
    study: Study,
    task: str,
    *,
    actor: User,
    now: datetime,
    questions: Sequence[Mapping[str, Any]] | None = None,
    instructions: str = "",
    scale: str = ReadingDesign.Scale.CONFIDENCE,
) -> Questionnaire:
    """A new version of the questions of a task; without `questions` the default ones."""
    if task not in ReadingSession.Task.values:
        raise Invalid("A task is read or outline.", field="task")
    default = default_questions(scale) if task == "read" else outline_questions()
    questionnaire = Questionnaire.objects.create(
        study=study,
        task=task,
        version=next_version(Questionnaire.objects.filter(study=study, task=task)),
        questions=[dict(q) for q in questions] if questions is not None else default,
        instructions=instructions or TOLD[task],
    )
    record(
        "questionnaire.create",
        obj=f"questionnaire:{task}:{questionnaire.version}",
        study=study.code,
        role="coordinator",
        actor=actor_name(actor),
        new={"questions": questionnaire.questions, "instructions": questionnaire.instructions},
    )
    return questionnaire


def newest_questionnaire(study: Study, task: str) -> Questionnaire:
    found = Questionnaire.objects.filter(study=study, task=task).order_by("-version").first()
    if found is None:
        raise Conflict(f"Create the questionnaire of the task {task} before planning sessions.")
    return found


def order_key(
    design: ReadingDesign, reader: User, *, task: str, kind: str, occasion: int, condition: str
) -> str:
    """Each reader, occasion and condition has an order of its own; the plain condition is not named."""
    parts: list[object] = [design.seed, task, kind, occasion, reader.username]
    return "|".join(map(str, parts + [condition] * (condition != "unaided")))


def choose_repeats(design: ReadingDesign, lesions: Sequence[Lesion]) -> list[Lesion]:
    """The lesions that are outlined a second time: `n_repeats` of a keyed shuffle."""
    known = sorted(lesions, key=str)
    return shuffle(known, key=f"{design.seed}|repeats")[: design.n_repeats]


def ordered(
    design: ReadingDesign,
    lesions: Sequence[Lesion],
    reader: User,
    *,
    task: str,
    kind: str,
    occasion: int,
    condition: str = "unaided",
) -> list[Lesion]:
    """One reader's order, the same on every database: shuffled by key, repaired for the gap."""
    key = order_key(design, reader, task=task, kind=kind, occasion=occasion, condition=condition)
    mixed = shuffle(sorted(lesions, key=str), key=key)
    return spaced(mixed, lambda lesion: str(lesion.patient_id), gap=design.patient_gap)


@dataclass(frozen=True)
class Plan:
    """What sessions of one kind and task are planned with."""

    design: ReadingDesign
    questionnaire: Questionnaire
    kind: str
    task: str
    occasion: int
    condition: str
    not_before: datetime | None
    simulated: bool


@transaction.atomic
def plan_sessions(
    design: ReadingDesign,
    *,
    kind: str,
    task: str,
    readers: Sequence[User],
    lesions: Sequence[Lesion],
    actor: User,
    now: datetime,
    occasion: int = 1,
    not_before: datetime | None = None,
    condition: str = "unaided",
    n_blocks: int = 1,
    simulated: bool = False,
) -> list[ReadingSession]:
    """Sittings of `design.sitting` cases for each reader, in the stored order."""
    check_plan(design, kind=kind, task=task, condition=condition, lesions=lesions)
    questionnaire = newest_questionnaire(design.study, task)
    plan = Plan(design, questionnaire, kind, task, occasion, condition, not_before, simulated)
    orders = orders_of(plan, readers, lesions, n_blocks=n_blocks)
    sessions = [s for reader, order in orders for s in store_order(plan, reader, order)]
    if questionnaire.locked_at is None:
        questionnaire.locked_at = now
        questionnaire.save(update_fields=["locked_at"])
    record(
        "sessions.plan",
        obj=f"design:{design.version}",
        study=design.study.code,
        role="coordinator",
        actor=actor_name(actor),
        clock=CLOCK[simulated],
        new={
            "kind": kind,
            "task": task,
            "occasion": occasion,
            "blocks": n_blocks,
            "orders": {s.code: s.order_digest for s in sessions},
        },
    )
    return sessions


def orders_of(
    plan: Plan, readers: Sequence[User], lesions: Sequence[Lesion], *, n_blocks: int
) -> list[tuple[User, list[Lesion]]]:
    """Each reader with the lesions of their block in their own order; nothing is stored."""
    mine = shares(plan.design, lesions, readers, n_blocks=n_blocks)
    for reader in readers:
        check_reader(plan, reader, mine[reader.pk])
    return [
        (
            reader,
            ordered(
                plan.design,
                mine[reader.pk],
                reader,
                task=plan.task,
                kind=plan.kind,
                occasion=plan.occasion,
                condition=plan.condition,
            ),
        )
        for reader in readers
    ]


def preview_sessions(
    design: ReadingDesign,
    *,
    kind: str,
    task: str,
    readers: Sequence[User],
    lesions: Sequence[Lesion],
    occasion: int = 1,
    condition: str = "unaided",
    n_blocks: int = 1,
) -> Preview:
    """The coverage matrix as `plan_sessions` with the same arguments would store it, with its refusals."""
    check_plan(design, kind=kind, task=task, condition=condition, lesions=lesions)
    questionnaire = newest_questionnaire(design.study, task)
    plan = Plan(design, questionnaire, kind, task, occasion, condition, None, simulated=False)
    orders = orders_of(plan, readers, lesions, n_blocks=n_blocks)
    return preview_of(orders, sitting=design.sitting)


def check_plan(
    design: ReadingDesign, *, kind: str, task: str, condition: str, lesions: Sequence[Lesion]
) -> None:
    if design.locked_at is None:
        raise Conflict("Lock the design before sessions are planned.")
    require_before(design.study, State.READS_LOCKED)
    if kind not in ReadingSession.Kind.values or task not in ReadingSession.Task.values:
        raise Invalid("A session has a known kind and the task read or outline.", field="kind")
    if condition not in CONDITIONS:
        raise Invalid(f"A condition is one of {', '.join(CONDITIONS)}.", field="condition")
    if task == ReadingSession.Task.OUTLINE and condition != "unaided":
        raise Invalid("Outlines are drawn on all images, without aid.", field="condition")
    if not lesions:
        raise Invalid("Choose at least one lesion to plan sessions for.", field="lesions")
    for lesion in lesions:
        if not lesion.is_included or lesion.patient.study_id != design.study_id:
            raise Invalid(f"Lesion {lesion} is not included in this study.", field="lesions")


def check_reader(plan: Plan, reader: User, lesions: Sequence[Lesion]) -> None:
    member = Membership.objects.filter(study=plan.design.study, user=reader).first()
    if member is None or not member.may("read" if plan.task == "read" else "draw"):
        raise Invalid(f"{reader} may not {plan.task} in this study.", field="readers")
    taken = Assignment.objects.filter(
        session__reader=reader,
        session__task=plan.task,
        session__kind=plan.kind,
        session__condition=plan.condition,
        occasion=plan.occasion,
        lesion__in=lesions,
    )
    if taken.exists():
        raise Conflict(f"{reader} has some of these lesions on this occasion already.")


def store_order(plan: Plan, reader: User, order: Sequence[Lesion]) -> list[ReadingSession]:
    study, size = plan.design.study, plan.design.sitting
    rows = ReadingSession.objects.filter(study=study, reader=reader)
    first = (rows.aggregate(last=Max("number"))["last"] or 0) + 1
    order_digest = digest([str(lesion) for lesion in order])
    parts = [order[i : i + size] for i in range(0, len(order), size)]
    sessions = ReadingSession.objects.bulk_create(
        ReadingSession(
            study=study,
            design=plan.design,
            questionnaire=plan.questionnaire,
            reader=reader,
            number=first + i,
            task=plan.task,
            kind=plan.kind,
            condition=plan.condition,
            told=plan.questionnaire.instructions,
            order_digest=order_digest,
            not_before=plan.not_before,
            is_simulated=plan.simulated,
        )
        for i in range(len(parts))
    )
    Assignment.objects.bulk_create(
        Assignment(session=session, lesion=lesion, position=place, occasion=plan.occasion)
        for session, part in zip(sessions, parts, strict=True)
        for place, lesion in enumerate(part, start=1)
    )
    return sessions


@dataclass(frozen=True)
class Coverage:
    """How often each reader (row) meets each lesion (column) in the main sessions of a design."""

    readers: tuple[str, ...]
    lesions: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


def coverage(design: ReadingDesign) -> Coverage:
    rows = Assignment.objects.main().filter(session__design=design)
    pairs = list(
        rows.values_list("session__reader__username", "lesion__patient__subject", "lesion__number")
    )
    readers = sorted({name for name, _, _ in pairs})
    lesions = sorted({(subject, number) for _, subject, number in pairs})
    counts = {(r, lesion): 0 for r in readers for lesion in lesions}
    for name, subject, number in pairs:
        counts[name, (subject, number)] += 1
    return Coverage(
        tuple(readers),
        tuple(f"{subject}/{number}" for subject, number in lesions),
        tuple(tuple(counts[r, lesion] for lesion in lesions) for r in readers),
    )
