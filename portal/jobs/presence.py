"""A worker tells the health page that it is there, steps back behind the web and ends with its launcher."""

import logging
import os
import threading
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, connections

from portal.jobs import clock
from portal.jobs.models import BEAT_SECONDS, REAPER_SECONDS, WAKE_UP_REPEAT_SECONDS, Job
from portal.jobs.reaper import seen
from portal.jobs.supervisor import die_with_parent

log = logging.getLogger(__name__)
stop = threading.Event()
# within this time every waiting job was woken once more, so a worker that heard nothing hears nothing
DEAF_AFTER = timedelta(seconds=WAKE_UP_REPEAT_SECONDS + 2 * REAPER_SECONDS)
DEAF_EXIT = 75


def announce(**_: Any) -> None:
    threading.Thread(target=beat, daemon=True, name="worker-presence").start()


def beat() -> None:
    began = clock.now()
    while not stop.is_set():
        try:
            now = clock.now()
            seen("worker", now)
            if is_deaf(now, began=began):
                log.error(
                    "jobs wait and no wake-up comes; this worker ends, the launcher starts another"
                )
                os._exit(DEAF_EXIT)
        except DatabaseError:
            connections.close_all()
        stop.wait(BEAT_SECONDS)


def is_deaf(now: datetime, *, began: datetime) -> bool:
    """Work waits, nobody does any, and that for longer than a wake-up takes.

    kombu's Redis consumer may lose its connection while all its processes are busy, and never ask for another.
    Nothing runs then, so ending costs nothing.
    """
    since = now - DEAF_AFTER
    if began > since:
        return False
    waiting = Job.objects.filter(state=Job.State.QUEUED, not_before__lte=since)
    at_work = Job.objects.filter(state=Job.State.RUNNING, lease_until__gte=now)
    lately = Job.objects.filter(started_at__gt=since)
    return waiting.exists() and not at_work.exists() and not lately.exists()


def calm_down(**_: Any) -> None:
    """In each child of the pool: the signal at a parent's death is not inherited."""
    os.nice(10)
    die_with_parent()
