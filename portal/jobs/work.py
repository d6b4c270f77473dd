"""Doing a job: claim it, beat while it runs, commit under its token, or fail with a reason."""

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import DatabaseError, OperationalError, connections, transaction
from django.db.models import F, Q
from django.utils import timezone

from portal.errors import StudyError
from portal.jobs.models import BEAT_SECONDS, LEASE_SECONDS, MAX_ATTEMPTS, Job
from portal.jobs.queue import KINDS

INPUT_ERRORS = (ValueError, StudyError)


class LeaseLostError(Exception):
    """The lease went to another worker; what was not committed is left to it."""


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def claim(job_id: int) -> Job | None:
    """Take a queued job, or a running one whose lease ran out; None if somebody else has it."""
    now = timezone.now()
    token = secrets.token_hex(16)
    free = Q(state=Job.State.QUEUED) | Q(state=Job.State.RUNNING, lease_until__lt=now)
    taken = (
        Job.objects.filter(free, pk=job_id, not_before__lte=now, attempts__lt=MAX_ATTEMPTS)
    ).update(
        state=Job.State.RUNNING,
        attempts=F("attempts") + 1,
        token=token,
        lease_until=now + timedelta(seconds=LEASE_SECONDS),
        worker=worker_name(),
        started_at=now,
    )
    return Job.objects.get(pk=job_id) if taken else None


def still_mine(job: Job) -> bool:
    """Renew the lease; False when another worker holds the job now."""
    lease = timezone.now() + timedelta(seconds=LEASE_SECONDS)
    mine = Job.objects.filter(pk=job.pk, token=job.token, state=Job.State.RUNNING)
    return mine.update(lease_until=lease) == 1


@contextmanager
def beating(job: Job) -> Iterator[threading.Event]:
    """Renew the lease from a thread of its own; the yielded event is set once the lease is lost."""
    stop, lost = threading.Event(), threading.Event()

    def beat() -> None:
        try:
            while not stop.wait(BEAT_SECONDS):
                beat_once(job, lost)
        finally:
            connections.close_all()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield lost
    finally:
        stop.set()
        thread.join(timeout=2)


def beat_once(job: Job, lost: threading.Event) -> None:
    try:
        if not still_mine(job):
            lost.set()
    except DatabaseError:
        return  # busy: the next beat tries again, the lease covers three of them


def progress(job: Job, done: int, total: int) -> None:
    """Write progress under the job's token; raises LeaseLostError when the lease is another worker's."""
    mine = Job.objects.filter(pk=job.pk, token=job.token, state=Job.State.RUNNING)
    if mine.update(done=done, total=total) != 1:
        raise LeaseLostError(job.pk)


def finish(job: Job) -> None:
    mine = Job.objects.filter(pk=job.pk, token=job.token, state=Job.State.RUNNING)
    if mine.update(state=Job.State.DONE, ended_at=timezone.now(), done=F("total")) != 1:
        raise LeaseLostError(job.pk)


def fail(job: Job, error: BaseException) -> None:
    Job.objects.filter(pk=job.pk, token=job.token, state=Job.State.RUNNING).update(
        state=Job.State.FAILED,
        error_class=type(error).__name__,
        error_text=str(error)[:2000],
        ended_at=timezone.now(),
    )


def retry_later(job: Job, error: BaseException) -> None:
    """Back to the queue after 2^attempt seconds, or failed once the attempts are used up."""
    if job.attempts >= MAX_ATTEMPTS:
        fail(job, error)
        return
    later = timezone.now() + timedelta(seconds=2**job.attempts)
    Job.objects.filter(pk=job.pk, token=job.token, state=Job.State.RUNNING).update(
        state=Job.State.QUEUED,
        error_class=type(error).__name__,
        error_text=str(error)[:2000],
        not_before=later,
        wake_at=later,
        lease_until=None,
    )


def checkpoint(job: Job, lost: threading.Event | None = None) -> None:
    if lost is not None and lost.is_set():
        raise LeaseLostError(job.pk)


def run(job_id: int) -> None:
    """Claim and do one job; the only place that catches everything, records it and re-raises."""
    job = claim(job_id)
    if job is None:
        return
    with beating(job):
        try:
            KINDS[job.kind](job)
            finish(job)
        except LeaseLostError:
            return
        except INPUT_ERRORS as error:
            fail(job, error)
        except (OperationalError, MemoryError) as error:
            retry_later(job, error)
        except Exception as error:
            fail(job, error)
            raise


def commit_unit(job: Job, write: Callable[[], None], *, done: int, total: int) -> None:
    """Write one unit's rows and the progress in one transaction, or nothing when the lease is lost."""
    with transaction.atomic():
        write()
        progress(job, done, total)
