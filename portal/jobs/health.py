"""Is everything up: web, worker and reaper, and are the fences in place."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection

from portal.fence import triggers
from portal.jobs.models import Heartbeat

FRESH = timedelta(seconds=30)
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs"}
PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "2",
    "recursive_triggers": "1",
    "foreign_keys": "1",
}


@dataclass(frozen=True)
class Health:
    is_ok: bool
    missing: tuple[str, ...]


def state(now: datetime) -> Health:
    fresh = set(Heartbeat.objects.filter(seen_at__gt=now - FRESH).values_list("name", flat=True))
    missing = tuple(sorted({"worker", "reaper"} - fresh))
    return Health(not missing, missing)


def self_check() -> list[str]:
    """Sentences that say why the portal must not start; empty when all is in place."""
    problems = [
        f"The database trigger {name} is missing; run migrate."
        for name in triggers.missing(connection)
    ]
    if connection.vendor == "sqlite":
        problems += wrong_pragmas() + network_folder(settings.DATA_DIR)
    return problems


def wrong_pragmas() -> list[str]:
    problems = []
    with connection.cursor() as cursor:
        for name, wanted in PRAGMAS.items():
            cursor.execute(f"PRAGMA {name}")
            found = str(cursor.fetchone()[0]).lower()
            if found != wanted:
                problems.append(f"SQLite's {name} is {found}, not {wanted}; check the settings.")
    return problems


def network_folder(folder: Path) -> list[str]:
    """SQLite's write-ahead log does not work on a network file system."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return []
    rows = [line.split() for line in mounts.read_text().splitlines()]
    holding = [(r[1], r[2]) for r in rows if len(r) > 2 and folder.is_relative_to(r[1])]
    kind = max(holding, key=lambda row: len(row[0]), default=("/", ""))[1]
    if kind in NETWORK_FILE_SYSTEMS:
        return [f"The data folder lies on a network file system ({kind}); move it to a local disk."]
    return []
