"""Look for the identifiers of a list in the archive, the data folder and the database."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.archive.scanning import scan, wanted_of
from portal.errors import StudyError


class Command(BaseCommand):
    requires_system_checks = ()
    help = (
        "Searches packs, exports, logs and every text column outside the sealed tables for the names, dates and ids "
        "of LIST, one a line. Names the line and the place, never the identifier. Exit 1 if any is found, 2 wrong call."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("list", type=Path, help="UTF-8 text, one identifier a line")
        parser.add_argument(
            "--also", type=Path, action="append", default=[], help="a further folder"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object as the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            wanted = wanted_of(options["list"].read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError("The list cannot be read as UTF-8 text.", returncode=2) from error
        except StudyError as error:
            raise CommandError(error.sentence, returncode=2) from error
        found = scan(wanted, options["also"])
        if options["json"]:
            rows = [{"line": f.line, "place": f.place} for f in found]
            self.stdout.write(json.dumps({"identifiers": len(wanted), "findings": rows}))
        else:
            for one in found:
                self.stdout.write(f"Line {one.line} of the list stands in {one.place}.")
            self.stdout.write(f"{len(wanted)} identifiers, {len(found)} findings.")
        if found:
            sys.exit(1)
