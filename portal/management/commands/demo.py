"""Build the synthetic demo study, then serve it."""

import json
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from portal.archive.pool import close_all
from portal.demo.build import Built, build
from portal.demo.cast import accounts_file
from portal.demo.checking import check
from portal.demo.options import DEFAULT_PATIENTS, DEFAULT_SEED, Options
from portal.errors import StudyError
from portal.jobs.supervisor import FolderLock
from portal.management.commands.up import prepare


class Command(BaseCommand):
    requires_system_checks = ()
    help = (
        "Builds the synthetic study through the portal's own doors up to UNBLINDED, then serves it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--patients", type=int, default=DEFAULT_PATIENTS, help="how many")
        parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="of the cohort")
        parser.add_argument("--difficulty", type=float, default=1.0, help="1 as published")
        parser.add_argument("--encoding", default="jls", help="raw, rle or jls")
        parser.add_argument("--null", action="store_true", help="a cohort without signal")
        parser.add_argument("--no-serve", action="store_true", help="end when the study is built")
        parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
        parser.add_argument("--port", type=int, default=8000, help="where it is served")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = Options(
            options["patients"],
            options["seed"],
            options["difficulty"],
            options["null"],
            options["encoding"],
        )
        try:
            check(wanted, settings.DATA_DIR)
            lock = FolderLock(settings.DATA_DIR / "up.lock")
            prepare()
            built = build(wanted)
        except StudyError as error:
            raise CommandError(error.sentence, returncode=2) from error
        finally:
            close_all()
        self.report(built, as_json=options["json"])
        lock.handle.close()
        if not options["no_serve"]:
            connections.close_all()
            call_command("up", port=options["port"])

    def report(self, built: Built, *, as_json: bool) -> None:
        say = self.stderr.write if as_json else self.stdout.write
        if built.new_passwords:
            say(f"Accounts (shown once, kept in {accounts_file()}):")
            for name, password in built.new_passwords.items():
                say(f"  {name:<14} {password}")
        for part in ("train", "validation"):
            values = ", ".join(
                f"{name} {row['auc']:.3f}" if row["auc"] is not None else f"{name}: {row['reason']}"
                for name, row in built.summary[part].items()
            )
            say(f"AUC, {part}: {values}")
        if as_json:
            self.stdout.write(json.dumps(built.summary))
