"""Migrate, check, and run web, worker and reaper until ended."""

import threading
import time
import urllib.error
import urllib.request
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from portal.errors import StudyError
from portal.jobs import launch
from portal.jobs.health import self_check
from portal.jobs.supervisor import FolderLock, Supervisor


class Command(BaseCommand):
    help = "Runs the portal: migrates, then serves web, worker and reaper on 127.0.0.1 until ended."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--host", default="127.0.0.1")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            lock = FolderLock(settings.DATA_DIR / "up.lock")
        except StudyError as error:
            raise CommandError(error.sentence) from error
        prepare()
        address = f"http://{options['host']}:{options['port']}/"
        variables = launch.environment()
        children = [
            launch.web(options["port"], variables, host=options["host"]),
            launch.worker(variables, processes=settings.WORKERS),
            launch.reaper(variables),
        ]
        supervisor = Supervisor(children, launch.log_folder())
        supervisor.start()
        threading.Thread(target=self.announce, args=(address,), daemon=True).start()
        supervisor.run()
        lock.handle.close()

    def announce(self, address: str) -> None:
        while not is_healthy(address):
            time.sleep(0.3)
        self.stdout.write(f"Osteon is ready at {address} (end it with Ctrl-C)")
        self.stdout.flush()


def prepare() -> None:
    """Migrate, make the cache table, empty the broker; refuse to start on any broken fence."""
    call_command("migrate", verbosity=0, interactive=False)
    call_command("createcachetable", verbosity=0)
    problems = self_check()
    if problems:
        raise CommandError(" ".join(problems))
    launch.empty_broker(settings.BROKER_FOLDER)
    connections.close_all()


def is_healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}healthz", timeout=2) as answer:  # noqa: S310  http only
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
