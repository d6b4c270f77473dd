"""Import DICOM files, folders and zips of the server."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.archive.commit import counts
from portal.archive.ingest import import_paths
from portal.archive.models import Import, ImportFile
from portal.archive.pool import close_all
from portal.errors import StudyError
from portal.study.models import State, Study


class Command(BaseCommand):
    requires_system_checks = ()
    help = (
        "Imports a file, folder or zip; exit 0 nothing refused, 1 something refused, 2 wrong call."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="a DICOM file, folder or zip")
        parser.add_argument(
            "--study", default="", help="code of the study; without it the images stay unfiled"
        )
        parser.add_argument(
            "--workers", type=int, default=None, help="how many processes read files"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object as the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["path"].exists():
            raise CommandError(
                f"There is no {options['path'].name}; give a file, folder or zip.", returncode=2
            )
        study = study_of(options["study"])
        is_late = study is not None and study.has_reached(State.READING)
        warning = (
            f"The cohort of {study} is locked; the images wait on your shelf." if is_late else ""
        )
        try:
            row = import_paths(
                [options["path"]],
                door=Import.Door.COMMAND,
                actor=None,
                study_key=study.code if study and not is_late else "",
                expects_synthetic=study.is_synthetic if study else None,
                workers=options["workers"],
                warning=warning,
            )
        except StudyError as error:
            raise CommandError(error.sentence) from error
        finally:
            close_all()
        self.report(row, as_json=options["json"])

    def report(self, row: Import, *, as_json: bool) -> None:
        found = counts(row)
        if as_json:
            self.stdout.write(
                json.dumps({"import": row.code, "outcomes": found, "warning": row.warning})
            )
        else:
            for file in row.files.filter(outcome=ImportFile.Outcome.REFUSED):
                self.stdout.write(f"{file.name}: {file.sentence}")
            self.stdout.write(
                ", ".join(f"{n} {name}" for name, n in sorted(found.items())) + ". " + row.warning
            )
        if found.get(ImportFile.Outcome.REFUSED):
            sys.exit(1)


def study_of(code: str) -> Study | None:
    if not code:
        return None
    study = Study.objects.filter(code=code).first()
    if study is None:
        raise CommandError(f"There is no study {code}.", returncode=2)
    return study
