"""Features and models of the demo, done by a real Celery worker that is started for it when none runs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.conf import settings
from django.db import connections
from django.db.models import Q
from django.utils import timezone

from portal.accounts.models import User
from portal.analysis import extraction, feature_sets, results, training
from portal.analysis.models import FeatureSet, FeatureVector, ModelRun
from portal.analysis.table import MODALITIES
from portal.demo.options import Options
from portal.demo.progress import Bar
from portal.errors import Conflict
from portal.jobs import clock, launch
from portal.jobs.models import Job
from portal.jobs.supervisor import Supervisor
from portal.study.models import Split, Study

POLL_SECONDS = 0.2
# a cohort too small for its figures to mean anything shows that the resampling runs
N_BOOT, FEW_BOOT, SMALL = 50, 10, 40


@contextmanager
def workers() -> Iterator[Supervisor]:
    """A Celery worker and a reaper for the length of the block."""
    variables = launch.environment()
    launch.empty_broker(settings.BROKER_FOLDER)
    connections.close_all()
    supervisor = Supervisor(
        [launch.worker(variables, processes=settings.WORKERS), launch.reaper(variables)],
        launch.log_folder(),
    )
    for child in supervisor.children:
        child.start(supervisor.log_folder)
    try:
        yield supervisor
    finally:
        supervisor.end(patience=5.0)


def wait(
    study: Study, kind: str, bar: Bar, supervisor: Supervisor, *, since: datetime | None = None
) -> None:
    """Follow the jobs of a kind until none is active; one that failed (`since`) stops the demo with its sentence."""
    jobs_of_kind = Job.objects.of_study(study.code).filter(kind=kind).order_by("pk")
    if since is not None:
        jobs_of_kind = jobs_of_kind.filter(Q(ended_at__isnull=True) | Q(ended_at__gte=since))
    while True:
        supervisor.tick(time.monotonic())
        jobs = list(jobs_of_kind.all())
        bar.set(sum(job.done for job in jobs))
        failed = [job for job in jobs if job.state == Job.State.FAILED]
        if failed:
            raise Conflict(f"Job {failed[0].pk} failed: {failed[0].error_text}")
        if not any(job.state in (Job.State.QUEUED, Job.State.RUNNING) for job in jobs):
            return
        time.sleep(POLL_SECONDS)


def extract_all(study: Study, bar: Bar, supervisor: Supervisor, *, actor: User) -> FeatureSet:
    feature_set = feature_sets.use(study, actor=actor, now=timezone.now())
    bar.total = extraction.pending(feature_set).count()
    while extraction.pending(feature_set).exists():
        since = clock.now()  # what failed in an earlier run is done again, and is no reason to stop
        extraction.start(feature_set, user=actor, shards=settings.WORKERS)
        wait(study, extraction.KIND, bar, supervisor, since=since)
    bar.set(bar.total)
    return feature_set


def train_all(
    study: Study,
    feature_set: FeatureSet,
    options: Options,
    bar: Bar,
    supervisor: Supervisor,
    *,
    actor: User,
) -> list[ModelRun]:
    """CT, SPECT and combined runs on `train`, locked; one that cannot be fitted ends with its reason."""
    split = Split.objects.filter(study=study, locked_at__isnull=False).order_by("-version").first()
    if split is None:
        raise Conflict("The demo has no locked split.")
    bar.total = results.STAGES * len(MODALITIES)
    n_boot = FEW_BOOT if options.patients < SMALL else N_BOOT
    for kind in MODALITIES:
        if not ModelRun.objects.filter(study=study, kind=kind).exists():
            training.create_run(
                study, kind, split=split, feature_set=feature_set, seed=options.seed, actor=actor,
                now=timezone.now(), parameters={"n_boot": n_boot},
            )  # fmt: skip
    wait(study, training.KIND, bar, supervisor)
    for run in ModelRun.objects.filter(study=study, state=ModelRun.State.FITTED):
        training.lock(run, actor=actor, now=timezone.now())
    return list(ModelRun.objects.filter(study=study).order_by("pk"))


def n_vectors(study: Study) -> int:
    return FeatureVector.objects.filter(feature_set__study=study).count()
