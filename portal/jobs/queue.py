"""Queueing: work is a row first, then a wake-up; a lost wake-up costs only time."""

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from kombu.exceptions import KombuError

from portal import __version__
from portal.accounts.models import User
from portal.audit.chain import digest
from portal.celery import app
from portal.jobs.models import WAKE_UP_REPEAT_SECONDS, Job

log = logging.getLogger(__name__)
Work = Callable[["Job"], None]
KINDS: dict[str, Work] = {}


def register_kind(kind: str, work: Work) -> None:
    """Tell the queue which verb does the jobs of a kind (called by an app when it is ready)."""
    KINDS[kind] = work


def enqueue(
    kind: str,
    arguments: Mapping[str, Any],
    *,
    study: str = "",
    user: User | None = None,
    total: int = 0,
) -> Job:
    """Queue a job once: the same kind and arguments while active give the same row."""
    now = timezone.now()
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
    transaction.on_commit(lambda: wake_up(job.pk))
    return job


def wake_up(job_id: int) -> None:
    """Publish one wake-up, best effort: the reaper publishes again what got lost."""
    try:
        app.send_task("portal.jobs.run", args=[job_id], retry=False)
    except (OSError, KombuError) as error:
        log.warning("wake-up of job %s not sent: %s", job_id, type(error).__name__)
