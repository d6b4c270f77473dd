"""Queueing: work is a row first, then a wake-up; a lost wake-up costs only time."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.db import IntegrityError, transaction
from kombu.exceptions import KombuError

from portal import __version__
from portal.accounts.models import User
from portal.audit.chain import digest
from portal.celery import app
from portal.jobs import clock
from portal.jobs.later import Later
from portal.jobs.models import WAKE_UP_REPEAT_SECONDS, Job
from portal.starting import imports_kept

log = logging.getLogger(__name__)
Work = Callable[["Job"], None]
KINDS: dict[str, Work] = {}
LIMITS: dict[str, int] = {}
LIMIT_SECONDS = 6 * 3600
LOST_WAKE_UPS = "lost-wake-ups"
AWAY_SECONDS = 5.0


@dataclass
class Broker:
    """Redis' client tries for two seconds; whoever queues meanwhile does not wait for it again."""

    away_until: float = 0.0

    def is_away(self) -> bool:
        return time.monotonic() < self.away_until


broker = Broker()


def register_kind(kind: str, work: Work, *, limit_seconds: int = LIMIT_SECONDS) -> None:
    """Tell the queue which verb does the jobs of a kind, and after how long one is stuck and killed."""
    KINDS[kind] = work
    LIMITS[kind] = limit_seconds


def make_ready(**_: Any) -> None:
    """In a worker, before its pool forks: import what the jobs need once, for all processes of the pool."""
    with imports_kept():
        for work in KINDS.values():
            if isinstance(work, Later):
                work.ready()


def enqueue(
    kind: str,
    arguments: Mapping[str, Any],
    *,
    study: str = "",
    user: User | None = None,
    total: int = 0,
) -> Job:
    """Queue a job once: the same kind and arguments while active give the same row."""
    now = clock.now()
    key = digest({"kind": kind, "arguments": dict(arguments)})
    try:
        with transaction.atomic():
            job = Job.objects.create(
                kind=kind,
                key=key,
                study=study,
                arguments=dict(arguments),
                code_version=__version__,
                not_before=now,
                wake_at=now + timedelta(seconds=WAKE_UP_REPEAT_SECONDS),
                total=total,
                created_by=user,
                created_at=now,
            )
    except IntegrityError:
        return Job.objects.active().get(kind=kind, key=key)
    transaction.on_commit(lambda: wake_up(job.pk, kind))
    return job


def wake_up(job_id: int, kind: str) -> None:
    """Publish one wake-up, best effort: a lost one is counted, and the reaper publishes again."""
    if not broker.is_away() and published(job_id, LIMITS.get(kind, LIMIT_SECONDS)):
        return
    cache.add(LOST_WAKE_UPS, 0, None)
    cache.incr(LOST_WAKE_UPS)


def published(job_id: int, limit: int) -> bool:
    try:
        app.send_task("portal.jobs.run", args=[job_id], retry=False, time_limit=limit)
    except (OSError, KombuError) as error:
        log.warning("wake-up of job %s not sent: %s", job_id, type(error).__name__)
        broker.away_until = time.monotonic() + AWAY_SECONDS
        return False
    return True
