"""Import DICOM files, folders and zips of the server."""

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q

from portal.accounts.models import User
from portal.archive.batches import context_of
from portal.archive.commit import counts
from portal.archive.ingest import import_paths
from portal.archive.models import Import, ImportFile
from portal.archive.pool import close_all
from portal.archive.rehearsal import rehearse
from portal.errors import StudyError
from portal.study.late import too_late
from portal.study.models import Membership, Study

NO_SHELF = (
    "Without a study the images wait on a coordinator's shelf; name the coordinator with --user."
)
NO_LATE_SHELF = "The cohort of {study} is locked, so the images wait on a coordinator's shelf; name the coordinator with --user."


class Place(TypedDict):
    """Where images go, and who brings them."""

    study_key: str
    actor: User | None
    expects_synthetic: bool | None


class Command(BaseCommand):
    requires_system_checks = ()
    help = (
        "Imports a file, folder or zip; exit 0 nothing refused, 1 something refused, 2 wrong call."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="a DICOM file, folder or zip")
        parser.add_argument(
            "--study", default="", help="code of the study; without it the images wait on a shelf"
        )
        parser.add_argument(
            "--user",
            default="",
            help="name of the coordinator who imports and on whose shelf images wait; needed without an open study",
        )
        parser.add_argument(
            "--workers", type=int, default=None, help="how many processes read files"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="only say what would become of each file"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object as the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["path"].exists():
            raise CommandError(
                f"There is no {options['path'].name}; give a file, folder or zip.", returncode=2
            )
        study = study_of(options["study"])
        is_late = study is not None and bool(too_late(study))
        actor = importer(options["user"], study, is_late=is_late)
        warning = too_late(study) if study else ""
        place: Place = {
            "study_key": study.code if study and not is_late else "",
            "actor": actor,
            "expects_synthetic": study.is_synthetic if study else None,
        }
        try:
            if options["dry_run"]:
                self.rehearse(place, warning, options)
            else:
                self.take(place, warning, options)
        except StudyError as error:
            raise CommandError(error.sentence) from error
        finally:
            close_all()

    def take(self, place: Place, warning: str, options: dict[str, Any]) -> None:
        row = import_paths(
            [options["path"]],
            door=Import.Door.COMMAND,
            workers=options["workers"],
            warning=warning,
            **place,
        )
        self.report(row, as_json=options["json"])

    def rehearse(self, place: Place, warning: str, options: dict[str, Any]) -> None:
        """A line for each file, as nothing keeps a report of it."""
        found: Counter[str] = Counter()
        for told in rehearse([options["path"]], context_of(**place), workers=options["workers"]):
            found[str(told.outcome.outcome)] += 1
            if not options["json"]:
                sentence = f" ({told.outcome.sentence})" if told.outcome.sentence else ""
                self.stdout.write(f"{told.name}: {told.outcome.outcome}{sentence}")
        body = {"dry_run": True, "outcomes": found, "warning": warning}
        self.stdout.write(json.dumps(body) if options["json"] else summary(found, warning))
        if found[ImportFile.Outcome.REFUSED]:
            sys.exit(1)

    def report(self, row: Import, *, as_json: bool) -> None:
        found = counts(row)
        if as_json:
            self.stdout.write(
                json.dumps({"import": row.code, "outcomes": found, "warning": row.warning})
            )
        else:
            for file in row.files.filter(outcome=ImportFile.Outcome.REFUSED):
                self.stdout.write(f"{file.name}: {file.sentence}")
            self.stdout.write(summary(found, row.warning))
        if found.get(ImportFile.Outcome.REFUSED):
            sys.exit(1)


def summary(found: Mapping[str, int], warning: str) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(found.items())) + ". " + warning


def study_of(code: str) -> Study | None:
    if not code:
        return None
    study = Study.objects.filter(code=code).first()
    if study is None:
        raise CommandError(f"There is no study {code}.", returncode=2)
    return study


def importer(name: str, study: Study | None, *, is_late: bool) -> User | None:
    """Who imports: a shelf is one person's, and only who coordinates has images to file."""
    if not name:
        if study is None:
            raise CommandError(NO_SHELF, returncode=2)
        if is_late:
            raise CommandError(NO_LATE_SHELF.format(study=study), returncode=2)
        return None
    mine = Membership.objects.filter(user__username=name, can_coordinate=True)
    row = mine.filter(Q() if study is None else Q(study=study)).select_related("user").first()
    if row is None:
        does = "coordinates no study" if study is None else f"does not coordinate study {study}"
        raise CommandError(f"{name} {does}.", returncode=2)
    return User.objects.get(pk=row.user_id)
