"""Is everything up: web, worker and reaper, and are the fences in place."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection

from portal.audit.verify import head_holds
from portal.fence import triggers
from portal.jobs import trouble
from portal.jobs.models import Heartbeat

MOUNTS = Path("/proc/mounts")
FRESH = timedelta(seconds=30)
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs"}
OTHER_HEAD = (
    "The audit trail's head is not the one written beside the database: rows were lost or changed. Restore a backup, "
    "or accept it with manage.py audit_verify --acknowledge REASON."
)
OWNER = (
    "The portal's database role owns its tables and could switch their triggers off; run it as the application role "
    "and give the owner in OSTEON_OWNER_URL."
)
SHORTEST_KEY = 50
PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "2",
    "recursive_triggers": "1",
    "foreign_keys": "1",
}


@dataclass(frozen=True)
class Health:
    """`missing` processes and `troubles` are for administrators; everybody else learns `is_ok`."""

    missing: tuple[str, ...]
    troubles: tuple[str, ...] = ()

    @property
    def is_ok(self) -> bool:
        return not self.missing and not self.troubles

    @property
    def sentences(self) -> tuple[str, ...]:
        unseen = (f"The {name} has not been seen for 30 s." for name in self.missing)
        return (*unseen, *self.troubles)


def state(now: datetime) -> Health:
    fresh = set(Heartbeat.objects.filter(seen_at__gt=now - FRESH).values_list("name", flat=True))
    return Health(tuple(sorted({"worker", "reaper"} - fresh)), trouble.sentences())


def self_check() -> list[str]:
    """Sentences that say why the portal must not start; empty when all is in place."""
    problems = [
        f"The database trigger {name} is missing; run migrate."
        for name in triggers.missing(connection)
    ]
    if not head_holds():
        problems.append(OTHER_HEAD)
    if connection.vendor == "sqlite":
        problems += wrong_pragmas() + network_folder(settings.DATA_DIR)
    else:
        problems += owned_tables()
    return problems + (open_doors(settings.DATA_DIR) if settings.PUBLIC else [])


def owned_tables() -> list[str]:
    """Who owns a table can switch its triggers off; the run-time role must not."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = 'public' AND c.relkind = 'r' AND pg_has_role(current_user, c.relowner, 'USAGE')"
        )
        count = int(cursor.fetchone()[0])
    is_meant = settings.PUBLIC or settings.OWNER_URL  # else a developer's own database
    return [OWNER] if count and is_meant else []


def open_doors(folder: Path) -> list[str]:
    """What must not be so where others can reach the portal."""
    origins = settings.CSRF_TRUSTED_ORIGINS
    is_weak = len(settings.SECRET_KEY) < SHORTEST_KEY or "insecure" in settings.SECRET_KEY
    doors = (
        (settings.DEBUG, "OSTEON_DEBUG is on; a public portal starts without it."),
        (is_weak, "The secret key is too short or a default; give OSTEON_SECRET_KEY 50 random characters."),
        (not any(o.startswith("https://") for o in origins),
         "No TLS proxy is declared; name its address in OSTEON_ORIGINS, beginning with https://."),
        ((folder / "demo-accounts.json").exists(),
         "The demo's accounts are in this data folder; use another one for a public portal."),
    )  # fmt: skip
    return [sentence for is_open, sentence in doors if is_open]


def wrong_pragmas() -> list[str]:
    problems = []
    with connection.cursor() as cursor:
        for name, wanted in PRAGMAS.items():
            cursor.execute(f"PRAGMA {name}")
            found = str(cursor.fetchone()[0]).lower()
            if found != wanted:
                problems.append(f"SQLite's {name} is {found}, not {wanted}; check the settings.")
    return problems


def network_folder(folder: Path, mounts: Path = MOUNTS) -> list[str]:
    """SQLite's write-ahead log does not work on a network file system."""
    if not mounts.exists():
        return []
    rows = [line.split() for line in mounts.read_text().splitlines()]
    holding = [(r[1], r[2]) for r in rows if len(r) > 2 and folder.is_relative_to(r[1])]
    kind = max(holding, key=lambda row: len(row[0]), default=("/", ""))[1]
    if kind in NETWORK_FILE_SYSTEMS:
        return [f"The data folder lies on a network file system ({kind}); move it to a local disk."]
    return []
