"""Move the images of a study between the local folder and a DICOMweb server."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from portal.archive.copies import configured, move_home, move_out
from portal.archive.models import Series
from portal.archive.peer import Server, server
from portal.errors import StudyError


class Command(BaseCommand):
    requires_system_checks = ()
    help = (
        "Copies every ready series of a study to the other store, reads it back, and compares each frame with its "
        "digest; run again, it goes on where it ended. Held series stay here. Exit status 1 if any did not move."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--to", required=True, help="local, remote (of OSTEON_ARCHIVE), or a server's address"
        )
        parser.add_argument("--study", default="", help="code of the study; without it, everything")
        parser.add_argument("--json", action="store_true", help="one JSON object as the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        to = self.target(options["to"])
        rows = Series.objects.select_related("exam").order_by("pk")
        if options["study"]:
            rows = rows.of_study(options["study"])
        moved, failed = 0, {}
        for series in rows.ready() if to else rows:
            try:
                moved += move_out(series, to, now=timezone.now()) if to else move_home(series)
            except StudyError as error:
                failed[series.uid] = error.sentence
        self.tell(moved, failed, as_json=options["json"])
        if failed:
            sys.exit(1)

    def target(self, text: str) -> Server | None:
        try:
            if text == "local":
                return None
            return configured() if text == "remote" else server(text)
        except StudyError as error:
            raise CommandError(error.sentence) from error

    def tell(self, moved: int, failed: dict[str, str], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({"moved": moved, "failed": failed}))
            return
        for uid, sentence in failed.items():
            self.stdout.write(f"{uid}: {sentence}")
        self.stdout.write(f"{moved} series moved, {len(failed)} not.")
