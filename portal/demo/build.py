"""The demo study from nothing to UNBLINDED, step by step; what is done already is not done again."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from portal.accounts.models import User
from portal.analysis.cases import locked_runs
from portal.analysis.comparison import evaluate, latest
from portal.demo import cast, images, paperwork, sittings, work
from portal.demo.options import Options
from portal.demo.plan_counts import assert_counts
from portal.demo.progress import Bar
from portal.demo.rendering import Rendered
from portal.demo.summary import summary
from portal.study import life, members, protocol, screening
from portal.study.models import Membership, State, Study
from radiomics.phantom.plan import Plan

PROTOCOL = (
    "Telling vertebral bone metastases from benign bone lesions on 99mTc-MDP SPECT/CT, after Jin et al., "
    "Front. Med. 2022;8:792581, on a synthetic cohort."
)
NAMES = {False: "Bone SPECT/CT demo", True: "Practice: read and draw here"}
PLAN = {
    "models": ["ct", "spect", "combined"],
    "filter": "|r| > 0.9, caret exact, per modality",
    "selection": "LASSO, 10 patient-grouped folds, minimum deviance, logistic refit",
    "threshold": "Youden on train",
    "comparisons": "all AUC differences of one part, Holm",
}


@dataclass(frozen=True)
class Built:
    study: Study
    summary: dict[str, Any]
    new_passwords: dict[str, str]


def build(options: Options) -> Built:
    """Carry the demo study to UNBLINDED and say what came out."""
    started = time.monotonic()
    people = cast.assemble()
    coordinator, analyst = people.users["coordinator"], people.users["analyst"]
    study = found(options, coordinator, people)
    if not study.has_reached(State.UNBLINDED):
        carry(study, options, people, coordinator, analyst)
    if not latest(study) and locked_runs(study):
        evaluate(
            study, actor=analyst, now=timezone.now(), reason="planned evaluation of the demo study"
        )
    assert_counts(study, options.plan)
    build_practice(people, seed=options.seed)
    body = summary(study, options, seconds=time.monotonic() - started)
    return Built(study, body, dict(people.new_passwords))


def found(options: Options, coordinator: User, people: cast.Cast) -> Study:
    """The study's row with its members, made at the first run."""
    study = Study.objects.filter(code=options.code).first()
    now = timezone.now()
    if study is None:
        study = life.create_study(
            code=options.code, name=NAMES[options.is_practice], actor=coordinator, now=now, is_synthetic=True,
            generator=options.generator, needs_second_confirmation=False,
        )  # fmt: skip
    known = set(Membership.objects.filter(study=study).values_list("user__username", flat=True))
    for name, role in cast.PEOPLE.items():
        if name not in known:
            members.add_member(study, people.users[name], role, actor=coordinator, now=now)
    return study


def step(study: Study, to: str, actor: User) -> None:
    """Take the study's next step once; later runs find it taken."""
    study.refresh_from_db()
    if not study.has_reached(to):
        life.advance(
            study, to=to, actor=actor, reason="The demo study goes on.", now=timezone.now()
        )


def carry(
    study: Study, options: Options, people: cast.Cast, coordinator: User, analyst: User
) -> None:
    plan = options.plan
    drawn = carry_to_reading(study, plan, options, people, coordinator)
    read_and_draw(study, plan, drawn, people)
    finish(study, options, coordinator, analyst)


def carry_to_reading(
    study: Study, plan: Plan, options: Options, people: cast.Cast, coordinator: User
) -> dict[int, Rendered]:
    """Protocol, images, cohort, truth, split and sessions; what the readers will do comes back."""
    prepare(study, plan, options, coordinator)
    name = "practice images" if options.is_practice else "images"
    bar = Bar(name, len(plan.patients) + sum(p.has_images for p in plan.excluded))
    drawn = images.bring_in(options, plan, study, actor=coordinator, bar=bar)
    bar.end()
    register(study, plan, options, drawn, people, coordinator)
    return drawn


def build_practice(people: cast.Cast, *, seed: int) -> Study:
    """Twelve other patients in a study of their own, in READING, nothing read: the visitor's place to try."""
    options = Options(patients=12, seed=seed, is_practice=True)
    study = found(options, people.users["coordinator"], people)
    if not study.has_reached(State.READING):
        carry_to_reading(study, options.plan, options, people, people.users["coordinator"])
    return study


def prepare(study: Study, plan: Plan, options: Options, coordinator: User) -> None:
    now = timezone.now()
    if study.state == State.DRAFT:
        protocol.write_protocol(
            study, protocol=PROTOCOL, analysis_plan=PLAN, actor=coordinator, now=now
        )
        if not study.criteria.exists():
            screening.add_default_criteria(study, actor=coordinator, now=now)
        sittings.make_design(study, plan, options, actor=coordinator, now=now)
    step(study, State.SCREENING, coordinator)


def register(
    study: Study,
    plan: Plan,
    options: Options,
    drawn: Mapping[int, Rendered],
    people: cast.Cast,
    coordinator: User,
) -> None:
    """Cohort, screening, truth, split, sessions; then the study goes to READING."""
    study.refresh_from_db()
    if study.has_reached(State.READING):
        return
    bar, now = Bar("register and split", 5), timezone.now()
    if not paperwork.is_registered(study):
        truths = {index: one.lesions for index, one in drawn.items()}
        paperwork.register(study, plan, truths, actor=coordinator, now=now)
    bar.step()
    paperwork.screen(study, plan, actor=coordinator, now=now)
    bar.step()
    if not paperwork.has_truth(study):
        paperwork.enter_truth(study, plan, actor=coordinator, now=now)
    bar.step()
    paperwork.split(study, options, actor=coordinator, now=now)
    bar.step()
    design = sittings.make_design(study, plan, options, actor=coordinator, now=now)
    sittings.plan_all(study, plan, design, people.users, actor=coordinator, now=now)
    step(study, State.READING, coordinator)
    bar.step()
    bar.end()


def read_and_draw(
    study: Study, plan: Plan, drawn: Mapping[int, Rendered], people: cast.Cast
) -> None:
    n_lesions = sum(len(p.lesions) for p in plan.patients)
    bar = Bar("reads", 2 * n_lesions)
    sittings.read_all(study, plan, people.users, bar)
    bar.end()
    bar = Bar("outlines", 2 * (n_lesions + len(plan.repeats)))
    sittings.draw_all(study, plan, people.users, drawn, bar)
    bar.end()


def finish(study: Study, options: Options, coordinator: User, analyst: User) -> None:
    """Features and models by the worker, then the last two steps."""
    study.refresh_from_db()
    if not study.has_reached(State.READS_LOCKED):
        with work.workers() as supervisor:
            bar = Bar("features", 0)
            feature_set = work.extract_all(study, bar, supervisor, actor=analyst)
            bar.end()
            bar = Bar("models", 0)
            work.train_all(study, feature_set, options, bar, supervisor, actor=analyst)
            bar.end()
    step(study, State.READS_LOCKED, coordinator)
    step(study, State.UNBLINDED, coordinator)
