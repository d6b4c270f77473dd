"""Kinds of jobs: nothing to do, long, deadly, and one of many units; each notes its start in a file."""

import os
import signal
import time

from django.conf import settings

from portal.jobs.models import Job
from portal.jobs.queue import register_kind
from portal.jobs.work import commit_unit


def note(job: Job) -> None:
    with (settings.DATA_DIR / "starts.txt").open("a") as out:
        out.write(f"{job.pk} {os.getpid()} {time.time()}\n")


def nothing(job: Job) -> None:
    note(job)


def sleep(job: Job) -> None:
    note(job)
    time.sleep(float(job.arguments["seconds"]))


def die(job: Job) -> None:
    note(job)
    os.kill(os.getpid(), signal.SIGKILL)


def units(job: Job) -> None:
    """Ten units of a quarter of a second; what is done is not done again."""
    note(job)
    for n in range(job.done, 10):
        time.sleep(0.25)
        commit_unit(job, lambda: None, done=n + 1, total=10)


for work in (nothing, sleep, die, units):
    register_kind(work.__name__, work)
