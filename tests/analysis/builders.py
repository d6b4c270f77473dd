"""A study whose lesions have texture: outlined, read, with truth and a locked split."""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from portal.accounts.models import User
from portal.analysis import extraction, feature_sets, training
from portal.analysis.models import FeatureSet, FeatureVector, ModelRun
from portal.archive import packs
from portal.archive.models import Series
from portal.jobs import work
from portal.jobs.models import Job
from portal.study.models import Lesion, Split, State, Study
from portal.truth.models import ReferenceStandard
from portal.truth.strata import patient_strata
from readers import reading
from readers.design import create_design, create_questionnaire, lock_design
from readers.models import Assignment, ReadingSession
from tests.cohort import NOW, make_study, make_user
from tests.readers.builders import answers, circle, draft, make_read_lesion, plan
from tests.study.builders import carry_to, make_locked_split
from tests.truth.builders import give_standards

Said = Callable[[Assignment, dict[str, Any]], dict[str, Any]]
FAST = {"n_folds": 5, "n_boot": 0, "n_outer": 3}


def paint(series: Series, rng: np.random.Generator, *, spread: float) -> None:
    """Noise about a level in every frame of a series: texture that follows `spread`."""
    rows, columns = series.pixel["rows"], series.pixel["columns"]
    head, tail = packs.head(series.transfer_syntax_uid), packs.tail()
    content = b""
    for _ in range(series.n_frames):
        noise = rng.normal(1400.0, 60.0 + spread, (rows, columns))
        content += head + noise.clip(0, 4000).astype("<u2").tobytes() + tail
    folder = packs.folder_of(series.folder)
    for name in (packs.NATIVE, packs.STORED):
        (folder / name).write_bytes(content)


def make_outlined_study(
    n_lesions: int, *, seed: int = 3, code: str = "bone", parameters: dict[str, Any] | None = None
) -> Study:
    """Included, textured lesions of one patient each; truth, locked split and design; in READING."""
    study = make_study(code)
    boss = make_user("coordinator")
    rng = np.random.default_rng(seed)
    for i in range(n_lesions):
        lesion = make_read_lesion(study)
        for series in (lesion.ct_series, lesion.spect_series):
            paint(series, rng, spread=160.0 if i % 5 < 3 else 0.0)
            series.values = {"maximum": 4000.0, "minimum": 0.0, "p999_positive": 3000.0}
            series.save()
    design = create_design(
        study, seed=7, patient_gap=1, n_repeats=0, parameters=parameters, actor=boss, now=NOW
    )
    lock_design(design, actor=boss, now=NOW)
    for task in ("read", "outline"):
        create_questionnaire(study, task, actor=boss, now=NOW)
    carry_to(study, State.SCREENING)
    give_standards(study)
    make_locked_split(study, patient_strata(study))
    return carry_to(study, State.READING)


def do_all(
    study: Study,
    name: str,
    task: str,
    said: Said,
    *,
    close: bool = True,
    kind: str = "main",
) -> list[ReadingSession]:
    """A reader's sessions (main ones unless told) from the first case to the signature."""
    who, sessions = make_user(name), plan(study, name, task=task, kind=kind)
    now = NOW
    for session in sessions:
        now += timedelta(days=1)
        reading.open_session(session, actor=who, now=now)
        for case in session.assignments.order_by("position"):
            do_case(case, said, actor=who, now=now)
        if close:
            reading.close_session(session, actor=who, now=now + timedelta(hours=1))
    return sessions


def do_case(case: Assignment, said: Said, *, actor: User, now: datetime) -> None:
    case = reading.fresh(case)
    opened = reading.open_case(case, actor=actor, now=now)
    document = said(case, opened.to_json(csrf_token=""))
    end = now + timedelta(seconds=40)
    saved = reading.save_draft(
        case, document, base_version=opened.draft_version, key=uuid.uuid4().hex, actor=actor, now=end
    )  # fmt: skip
    reading.submit(case, version=saved.version, actor=actor, now=end)


def outlined(radius_mm: float = 10.0) -> Said:
    def document(_case: Assignment, shown: dict[str, Any]) -> dict[str, Any]:
        return draft({}, CT=circle(shown, "CT", radius_mm=radius_mm), SPECT=circle(shown, "SPECT", radius_mm=14.0))  # fmt: skip

    return document


def right_but_for(every: int) -> Said:
    """Calls by the truth, every n-th one wrong."""

    def document(case: Assignment, _shown: dict[str, Any]) -> dict[str, Any]:
        truth = ReferenceStandard.objects.get(lesion=case.lesion, is_current=True).diagnosis
        is_wrong = case.lesion_id % every == 0
        call = truth if not is_wrong else {"metastasis": "benign", "benign": "metastasis"}[truth]
        return draft(answers(call, confidence=2 if is_wrong else 4))

    return document


def extracted(study: Study, **parameters: object) -> FeatureSet:
    """All pending ROIs extracted by the jobs' own verb."""
    chosen = feature_sets.use(study, parameters, actor=make_user("analyst"), now=NOW)
    do_jobs(extraction.start(chosen, user=None, shards=1))
    return chosen


def do_jobs(jobs: list[Job]) -> None:
    for job in jobs:
        work.run(job.pk)


def trained(
    study: Study, kind: str = "ct", *, seed: int = 5, name: str = "", **parameters: object
) -> ModelRun:
    chosen = feature_sets.current(study) or extracted(study)
    split = Split.objects.get(study=study, locked_at__isnull=False)
    run = training.create_run(
        study, kind, split=split, feature_set=chosen, seed=seed, actor=make_user("analyst"), now=NOW,
        parameters={**FAST, **parameters}, name=name,
    )  # fmt: skip
    do_jobs(list(Job.objects.filter(kind=training.KIND, state=Job.State.QUEUED)))
    run.refresh_from_db()
    return run


def changed_set(
    study: Study, change: Callable[[FeatureVector, int], None], *, name: str = "changed"
) -> FeatureSet:
    """A copy of the current set in which `change` has had each vector, with its lesion, in hand."""
    old = FeatureSet.objects.get(study=study, is_current=True)
    FeatureSet.objects.filter(pk=old.pk).update(is_current=False)
    new = FeatureSet.objects.create(
        study=study,
        parameters=old.parameters,
        extractor_version="test",
        digest=name,
        created_at=NOW,
    )
    rows = list(old.vectors.select_related("roi__read__assignment").order_by("pk"))
    for row in rows:
        change(row, row.roi.read.assignment.lesion_id)
        row.pk, row.feature_set = None, new
    FeatureVector.objects.bulk_create(rows)
    return new


def vectors(chosen: FeatureSet) -> dict[int, str]:
    return dict(FeatureVector.objects.filter(feature_set=chosen).values_list("roi_id", "digest"))


def lesions(study: Study) -> list[Lesion]:
    return list(Lesion.objects.of_study(study).order_by("pk"))
