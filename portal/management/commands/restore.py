"""Put a backup into an empty installation."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.archive.verify import damaged
from portal.audit.verify import verify
from portal.backup import apart
from portal.backup.restoring import Looked, note_restore, restore
from portal.errors import StudyError
from portal.jobs.health import self_check
from portal.jobs.supervisor import FolderLock


class Command(BaseCommand):
    requires_system_checks = ()
    help = (
        "Puts a backup into this installation, which must be empty and not running: checks the file first, then the "
        "restored triggers, audit trail and every frame. Exit status 0 only if all of them hold. The headers as "
        "received come back from the second file, where it lies beside the first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="a tar file that backup wrote")
        parser.add_argument("--json", action="store_true", help="one JSON object as the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            lock = FolderLock(settings.DATA_DIR / "up.lock")
            path = options["file"].resolve()
            found = restore(path)
            apart.put_back(path)
        except StudyError as error:
            raise CommandError(error.sentence) from error
        problems = checked()
        note_restore(found)
        lock.handle.close()
        if problems:
            raise CommandError(" ".join(problems))
        self.stdout.write(json.dumps(summary(found)) if options["json"] else sentence(found))


def checked() -> list[str]:
    """Bring the schema up to date, then sentences about what does not hold."""
    call_command("migrate", verbosity=0, interactive=False)
    trail, frames = verify(), damaged()
    problems = self_check() + ([] if trail.is_intact else [trail.sentence])
    problems += [f"{uid}: a frame does not match its digest." for uid in frames.uids]
    has_headers = any(path for path, _ in apart.packs())
    return problems + (
        [f"{uid}: its sealed header does not match its digest." for uid in frames.headers]
        if has_headers
        else []
    )


def summary(found: Looked) -> dict[str, Any]:
    return {"files": found.n_files, "bytes": found.n_bytes, "made_at": found.made_at}


def sentence(found: Looked) -> str:
    return f"Restored {found.n_files} files as of {found.made_at}; triggers, trail and frames hold."
