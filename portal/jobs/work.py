"""Doing a job: claim it, beat while it runs, commit under its token, or fail with a reason."""

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import DatabaseError, OperationalError, connections, transaction
from django.db.models import F, Q

from portal.errors import StudyError, Unavailable
from portal.jobs import clock
from portal.jobs.models import BEAT_SECONDS, LEASE_SECONDS, MAX_ATTEMPTS, Job
from portal.jobs.queue import KINDS

log = logging.getLogger(__name__)
CLAIM_TRIES = 3
INPUT_ERRORS = (ValueError, StudyError)


class LeaseLostError(Exception):
    """The lease went to another worker; what was not committed is left to it."""


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def claim(job_id: int) -> Job | None:
    """Take a queued job, or a running one whose lease ran out; None if somebody else has it."""
    now = clock.now()
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


def patiently_claimed(job_id: int) -> Job | None:
    """A wake-up that met a busy database would be lost for a minute: ask again, each time as long as the timeout."""
    for _ in range(CLAIM_TRIES - 1):
        try:
            return claim(job_id)
        except OperationalError:
            log.warning("job %s could not be claimed yet: the database is busy", job_id)
    return claim(job_id)


def still_mine(job: Job) -> bool:
    """Renew the lease; False when another worker holds the job now."""
    lease = clock.now() + timedelta(seconds=LEASE_SECONDS)
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
    if mine.update(state=Job.State.DONE, ended_at=clock.now(), done=F("total")) != 1:
        raise LeaseLostError(job.pk)


def fail(job: Job, error: BaseException) -> None:
    Job.objects.filter(pk=job.pk, token=job.token, state=Job.State.RUNNING).update(
        state=Job.State.FAILED,
        error_class=type(error).__name__,
        error_text=str(error)[:2000],
        ended_at=clock.now(),
    )


def retry_later(job: Job, error: BaseException) -> None:
    """Back to the queue after 2^attempt seconds, or failed once the attempts are used up."""
    if job.attempts >= MAX_ATTEMPTS:
        fail(job, error)
        return
    later = clock.now() + timedelta(seconds=2**job.attempts)
    Job.objects.filter(pk=job.pk, token=job.token, state=Job.State.RUNNING).update(
        state=Job.State.QUEUED,
        error_class=type(error).__name__,
        error_text=str(error)[:2000],
        not_before=later,
        wake_at=later,
        lease_until=None,
    )


def run(job_id: int) -> None:
    """Claim and do one job; the only place that catches everything, records it and re-raises."""
    job = patiently_claimed(job_id)
    if job is None:
        return
    with beating(job):
        try:
            KINDS[job.kind](job)
            finish(job)
        except LeaseLostError:
            return
        except Unavailable as error:
            retry_later(job, error)
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
