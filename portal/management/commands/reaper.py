"""Run the reaper until ended."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from portal.jobs.reaper import serve


class Command(BaseCommand):
    requires_system_checks = ()
    help = "Gives expired jobs back and repeats lost wake-ups, every few seconds, until ended."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        serve(stop)
