"""How soon a queued job starts (median), and how long 200 jobs of nothing take, with a real worker.

OSTEON_DATA_DIR=D python bench/jobs.py            # the embedded broker
OSTEON_DATA_DIR=D OSTEON_BROKER_URL=redis://127.0.0.1:6379/3 python bench/jobs.py
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.portal.fault_settings"

import django

django.setup()

from django.conf import settings
from django.core.management import call_command

from portal.jobs import launch
from portal.jobs.models import Heartbeat, Job
from portal.jobs.queue import enqueue
from portal.jobs.supervisor import Supervisor

MANY, SINGLE = 200, 20


def wait(is_so, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit(f"not within {seconds} s")
        time.sleep(0.02)


def latency() -> float:
    """Seconds from the row to the start of each of some single jobs; their median."""
    found = []
    for n in range(SINGLE):
        job = enqueue("nothing", {"single": n, "at": str(time.time())}, total=1)
        wait(lambda: Job.objects.filter(pk=job.pk, state="done").exists())  # noqa: B023
        row = Job.objects.get(pk=job.pk)
        found.append((row.started_at - row.created_at).total_seconds())
    return statistics.median(found)


def many() -> float:
    begun, stamp = time.monotonic(), str(time.time())
    for n in range(MANY):
        enqueue("nothing", {"many": n, "at": stamp}, total=1)
    wait(lambda: Job.objects.filter(state__in=["queued", "running"]).count() == 0)
    return time.monotonic() - begun


def main() -> None:
    call_command("migrate", verbosity=0)
    launch.empty_broker(settings.BROKER_FOLDER)
    Heartbeat.objects.all().delete()
    variables = {**launch.environment(), "PYTHONPATH": str(ROOT)}
    children = [launch.worker(variables, processes=settings.WORKERS), launch.reaper(variables)]
    for child in children:
        child.start(launch.log_folder())
    try:
        wait(lambda: Heartbeat.objects.filter(name="worker").exists())
        result = {
            "broker": settings.CELERY_BROKER_URL.split(":")[0], "start_median_s": round(latency(), 4),
            f"{MANY}_jobs_s": round(many(), 2), "cores": os.cpu_count(), "load_average": os.getloadavg(),
        }  # fmt: skip
    finally:
        Supervisor(children, launch.log_folder()).end()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
