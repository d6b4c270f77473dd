"""The one Celery task, a wake-up for one job, and what a worker does when it starts."""

from typing import Any

from celery import shared_task
from celery.signals import setup_logging, worker_init, worker_process_init, worker_ready

from portal.jobs import presence, queue, work


@shared_task(name="portal.jobs.run")  # type: ignore[untyped-decorator]
def run(job_id: int) -> None:
    work.run(job_id)


def leave_logs(**_: Any) -> None:
    """Somebody listens to this signal, so Celery's own way of logging, errors' texts and all, stays off."""


setup_logging.connect(leave_logs)
worker_init.connect(queue.make_ready)
worker_ready.connect(presence.announce)
worker_process_init.connect(presence.calm_down)
