"""The readers' months of the demo: design, sessions, reads and outlines, all through the reading room's verbs."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from portal.accounts.models import User
from portal.demo.clock import START, Clock
from portal.demo.options import Options
from portal.demo.progress import Bar
from portal.demo.rendering import Rendered
from portal.demo.simulated_reading import ExpertAnswer, OutlineAnswer, do_session
from portal.study.models import Lesion, Study
from radiomics.phantom import people
from radiomics.phantom.plan import Plan
from readers import amending, sessions
from readers.design import create_design, create_questionnaire, lock_design, plan_sessions
from readers.models import Assignment, ReadingDesign, ReadingSession

EXPERTS = ("expert1", "expert2")
DELINEATORS = ("delineator1", "delineator2")
TOLD = (
    "Each lesion is either a metastasis or a benign lesion. You get no clinical data. "
    "Say which it is and how sure you are."
)
DRAW = "Outline the lesion where its cross-section is largest, on SPECT and on CT."
SMALL = 40
REASONS = (
    "I pressed the wrong key for this case.",
    "The window was set wrongly at first.",
    "I looked at the wrong level.",
)


def place_of(lesion: Lesion, plan: Plan) -> tuple[int, int]:
    """Patient index and slot of a lesion of the demo."""
    subjects = {p.subject: p.index for p in plan.patients}
    return subjects[lesion.patient.subject], lesion.number


def make_design(
    study: Study, plan: Plan, options: Options, *, actor: User, now: datetime
) -> ReadingDesign:
    found = ReadingDesign.objects.filter(study=study).first()
    if found is not None:
        return found
    gap = 3 if options.patients >= SMALL else 1
    design = create_design(
        study, seed=options.seed, patient_gap=gap, n_repeats=len(plan.repeats), actor=actor, now=now,
        parameters={"practice": options.is_practice},
    )  # fmt: skip
    create_questionnaire(study, "read", instructions=TOLD, actor=actor, now=now)
    create_questionnaire(study, "outline", instructions=DRAW, actor=actor, now=now)
    return design


def plan_all(
    study: Study,
    plan: Plan,
    design: ReadingDesign,
    users: Mapping[str, User],
    *,
    actor: User,
    now: datetime,
) -> None:
    """Lock the design and plan reads, first outlines and, four weeks on, the repeats."""
    if ReadingSession.objects.filter(study=study).exists():
        return
    if design.locked_at is None:
        design = lock_design(design, actor=actor, now=now)
    lesions = list(Lesion.objects.of_study(study).included().select_related("patient"))
    again = set(plan.repeats)
    repeated = [x for x in lesions if place_of(x, plan) in again]
    experts, delineators = [users[n] for n in EXPERTS], [users[n] for n in DELINEATORS]
    plan_one = partial(
        plan_sessions,
        design,
        actor=actor,
        now=now,
        simulated=not design.parameters.get("practice", False),
    )
    plan_one(kind="main", task="read", readers=experts, lesions=lesions)
    plan_one(kind="main", task="outline", readers=delineators, lesions=lesions)
    begin = now if design.parameters.get("practice") else START
    first_day = begin + timedelta(days=design.washout_days + 60)
    plan_one(
        kind="repeat", task="outline", readers=delineators, lesions=repeated, occasion=2,
        not_before=first_day,
    )  # fmt: skip


def read_all(study: Study, plan: Plan, users: Mapping[str, User], bar: Bar) -> None:
    """Both experts work through their sessions, a sitting a day; each reopens three reads."""
    for number, name in enumerate(EXPERTS):
        answers = people.expert_answers(plan, number)
        clock = Clock()
        for session in of_reader(study, users[name], kind="main"):
            clock.next_morning()

            def answer(case: Assignment) -> ExpertAnswer:
                said = answers[place_of(case.lesion, plan)]  # noqa: B023  used before the loop goes on
                return second_thought(said) if is_reopened(case) else first_thought(said)

            if session.state != ReadingSession.State.CLOSED:
                do_session(session, answer, clock=clock, step=bar.step)
                reopen_some(session, plan, answers, clock)
                close(session, clock)
            else:
                bar.step(session.assignments.count())


def first_thought(said: people.ExpertAnswer) -> ExpertAnswer:
    return ExpertAnswer(said.call, said.confidence, said.seconds, said.blur_seconds)


def second_thought(said: people.ExpertAnswer) -> ExpertAnswer:
    return ExpertAnswer(said.changed_call or said.call, said.confidence, 15.0, 0.0)


def is_reopened(case: Assignment) -> bool:
    return case.reads.count() > 1


def reopen_some(
    session: ReadingSession,
    plan: Plan,
    answers: Mapping[tuple[int, int], people.ExpertAnswer],
    clock: Clock,
) -> None:
    """Reads that the reader takes up again before signing, one of them with another call."""
    for case in session.assignments.select_related("lesion__patient").order_by("position"):
        said = answers[place_of(case.lesion, plan)]
        if not said.reopen or is_reopened(case):
            continue
        amending.reopen(
            case, reason_code="slip", reason=REASONS[case.position % 3], actor=session.reader,
            now=clock.advance(20), simulated=True,
        )  # fmt: skip
        final = second_thought(said)
        do_session(session, lambda _case, final=final: final, clock=clock, step=lambda: None)  # type: ignore[misc]


def close(session: ReadingSession, clock: Clock) -> None:
    sessions.close_session(session, actor=session.reader, now=clock.advance(30), simulated=True)


def of_reader(study: Study, reader: User, *, kind: str) -> list[ReadingSession]:
    rows = ReadingSession.objects.filter(study=study, reader=reader, kind=kind)
    return list(rows.select_related("reader", "study").order_by("number"))


def draw_all(
    study: Study, plan: Plan, users: Mapping[str, User], drawn: Mapping[int, Rendered], bar: Bar
) -> None:
    """Both delineators draw everything once, and the repeats after the washout."""
    for number, name in enumerate(DELINEATORS):
        clock = Clock()
        for kind, occasion in (("main", 1), ("repeat", 2)):
            for session in of_reader(study, users[name], kind=kind):
                clock.next_morning()
                if session.not_before and clock.now < session.not_before:
                    clock.now = session.not_before + timedelta(hours=1)

                def answer(case: Assignment) -> OutlineAnswer:
                    patient, slot = place_of(case.lesion, plan)
                    one = drawn[patient].drawings[number, occasion][slot]  # noqa: B023  used at once
                    return OutlineAnswer(
                        {"CT": one.ct_mm.tolist(), "SPECT": one.spect_mm.tolist()}, one.seconds
                    )

                if session.state != ReadingSession.State.CLOSED:
                    do_session(session, answer, clock=clock, step=bar.step)
                    close(session, clock)
                else:
                    bar.step(session.assignments.count())
