"""Write a backup of the installation, or check one."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from portal.backup import apart
from portal.backup.restoring import Looked, verify_backup
from portal.backup.writing import write_backup
from portal.errors import StudyError


class Command(BaseCommand):
    requires_system_checks = ()
    help = (
        "Writes the whole installation (database, archive, keys, heads of the audit trail) into one tar file "
        "while the portal works, then reads it again and checks it. With --check, only checks a file. The headers "
        "as received, which name patients, go into a second file beside it (NAME.identities.tar). "
        "The file holds every secret of the installation: keep it as you keep the data folder."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the tar file; with a new name, unless --check")
        parser.add_argument("--check", action="store_true", help="check an existing backup")
        parser.add_argument("--json", action="store_true", help="one JSON object as the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"].resolve()
        try:
            if not options["check"]:
                apart.require_new(path)
                write_backup(path, now=timezone.now())
                apart.write(path, now=timezone.now())
            found = verify_backup(path)
            found = replace(found, problems=(*found.problems, *apart.problems(path)))
        except StudyError as error:
            raise CommandError(error.sentence) from error
        if options["json"]:
            self.stdout.write(json.dumps(as_dict(path, found)))
        if not found.is_sound:
            raise CommandError(" ".join(found.problems))
        if not options["json"]:
            self.stdout.write(
                f"{path}: {found.n_files} files, {found.n_bytes} bytes, all in order."
            )


def as_dict(path: Path, found: Looked) -> dict[str, Any]:
    return {
        "file": str(path),
        "files": found.n_files,
        "bytes": found.n_bytes,
        "made_at": found.made_at,
        "problems": list(found.problems),
    }
