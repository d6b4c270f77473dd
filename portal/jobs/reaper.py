"""The reaper: gives expired leases back, fails what died three times, repeats lost wake-ups."""

import logging
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError

from portal.audit.verify import anchor
from portal.jobs import clock
from portal.jobs.models import MAX_ATTEMPTS, REAPER_SECONDS, WAKE_UP_REPEAT_SECONDS, Heartbeat, Job
from portal.jobs.queue import wake_up

log = logging.getLogger(__name__)
AT_MOST = 100
ANCHOR_SECONDS = 60


@dataclass(frozen=True)
class Swept:
    requeued: int
    failed: int
    woken: int


def sweep(now: datetime) -> Swept:
    """One pass over the job table; every step is a conditional update, so several reapers do no harm."""
    expired = Job.objects.filter(state=Job.State.RUNNING, lease_until__lt=now)
    failed = expired.filter(attempts__gte=MAX_ATTEMPTS).update(
        state=Job.State.FAILED,
        error_class="WorkerLost",
        error_text=f"The worker was lost {MAX_ATTEMPTS} times; look at the log, then queue it again.",
        ended_at=now,
    )
    requeued = expired.filter(attempts__lt=MAX_ATTEMPTS).update(
        state=Job.State.QUEUED, not_before=now, wake_at=now - timedelta(seconds=1), lease_until=None
    )
    due = Job.objects.filter(state=Job.State.QUEUED, wake_at__lt=now, not_before__lte=now)
    woken = list(due.order_by("id").values_list("pk", "kind")[:AT_MOST])
    for job_id, kind in woken:
        later = now + timedelta(seconds=WAKE_UP_REPEAT_SECONDS)
        Job.objects.filter(pk=job_id, state=Job.State.QUEUED).update(wake_at=later)
        wake_up(job_id, kind)
    return Swept(requeued, failed, len(woken))


def seen(name: str, now: datetime) -> None:
    Heartbeat.objects.update_or_create(name=name, defaults={"seen_at": now})


def serve(stop: threading.Event, *, period: float = REAPER_SECONDS) -> None:
    """Sweep until told to stop, and write the trail's head beside the database each minute.

    A busy database costs one sweep.
    """
    anchored = time.monotonic() - ANCHOR_SECONDS
    while not stop.is_set():
        try:
            now = clock.now()
            seen("reaper", now)
            sweep(now)
            if time.monotonic() - anchored >= ANCHOR_SECONDS:
                anchor()
                anchored = time.monotonic()
        except DatabaseError as error:
            log.warning("sweep skipped: %s", error)
        stop.wait(period)
