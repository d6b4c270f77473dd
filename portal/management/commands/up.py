"""Migrate, check, and run web, worker and reaper until ended."""

import threading
import time
import urllib.error
import urllib.request
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from portal.archive.spooling import YOUNG_S, clear_leftovers
from portal.errors import StudyError
from portal.jobs import launch, trouble
from portal.jobs.health import self_check
from portal.jobs.models import Heartbeat
from portal.jobs.supervisor import FolderLock, Supervisor


class Command(BaseCommand):
    requires_system_checks = ()
    help = "Runs the portal: migrates, then serves web, worker and reaper on 127.0.0.1 until ended."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="where it is served")
        parser.add_argument("--host", default="127.0.0.1", help="address it listens on")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            lock = FolderLock(settings.DATA_DIR / "up.lock")
        except StudyError as error:
            raise CommandError(error.sentence) from error
        prepare()
        address = f"http://{options['host']}:{options['port']}/"
        variables = launch.environment()
        children = [
            launch.web(options["port"], {**variables, **launch.WEB_ONLY}, host=options["host"]),
            launch.worker(variables, processes=settings.WORKERS),
            launch.reaper(variables),
        ]
        supervisor = Supervisor(
            children, launch.log_folder(), trouble_file=trouble.file_of_installation()
        )
        supervisor.start()
        threading.Thread(target=self.announce, args=(address,), daemon=True).start()
        threading.Thread(target=tidy, daemon=True).start()
        supervisor.run()
        lock.handle.close()

    def announce(self, address: str) -> None:
        while not is_healthy(address):
            time.sleep(0.3)
        self.stdout.write(f"Osteon is ready at {address} (end it with Ctrl-C)")
        self.stdout.flush()


def tidy() -> None:
    """What a run that was killed has left of images as they were sent, once nothing of it can be young."""
    clear_leftovers()
    time.sleep(2 * YOUNG_S)
    clear_leftovers()


def prepare() -> None:
    """Migrate, empty the broker; refuse to start on any broken fence."""
    launch.migrate()
    problems = self_check()
    if problems:
        raise CommandError(" ".join(problems))
    launch.empty_broker(settings.BROKER_FOLDER)
    Heartbeat.objects.all().delete()  # who was seen before this start does not count
    trouble.file_of_installation().unlink(missing_ok=True)
    connections.close_all()


def is_healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}healthz", timeout=2) as answer:  # noqa: S310  http only
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
