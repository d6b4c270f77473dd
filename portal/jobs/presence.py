"""A worker tells the health page that it is there, and steps back behind the web in priority."""

import os
import threading
from typing import Any

from django.db import DatabaseError, connections
from django.utils import timezone

from portal.jobs.models import BEAT_SECONDS
from portal.jobs.reaper import seen

stop = threading.Event()


def announce(**_: Any) -> None:
    threading.Thread(target=beat, daemon=True, name="worker-presence").start()


def beat() -> None:
    while not stop.is_set():
        try:
            seen("worker", timezone.now())
        except DatabaseError:
            connections.close_all()
        stop.wait(BEAT_SECONDS)


def calm_down(**_: Any) -> None:
    os.nice(10)
