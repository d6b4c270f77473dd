"""The one Celery task, a wake-up for one job, and what a worker does when it starts."""

from celery import shared_task
from celery.signals import worker_process_init, worker_ready

from portal.jobs import presence, work


@shared_task(name="portal.jobs.run")  # type: ignore[untyped-decorator]
def run(job_id: int) -> None:
    work.run(job_id)


worker_ready.connect(presence.announce)
worker_process_init.connect(presence.calm_down)
