"""Read every frame and every sealed header of the archive again and compare it with its digest."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from portal.archive.verify import damaged


class Command(BaseCommand):
    requires_system_checks = ()
    help = "Names each damaged image; exit status 1 if there is any."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object as the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        found = damaged()
        if options["json"]:
            said = {"checked": found.n_frames, "damaged": list(found.uids), "headers": list(found.headers)}  # fmt: skip
            self.stdout.write(json.dumps(said))
        else:
            for uid in found.uids:
                self.stdout.write(f"{uid}: a frame does not match its digest.")
            for uid in found.headers:
                self.stdout.write(f"{uid}: its sealed header does not match its digest.")
            wrong = len({*found.uids, *found.headers})
            self.stdout.write(f"{found.n_frames} frames checked, {wrong} images damaged.")
        if found.uids or found.headers:
            sys.exit(1)
