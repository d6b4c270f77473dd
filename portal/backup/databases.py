"""The two databases under one pair of verbs: a consistent copy out, a copy back in, a copy looked at."""

import secrets
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from django.db import connection, connections

from portal.audit.verify import verify
from portal.errors import Conflict, Unavailable
from portal.fence import triggers

LOOK = "backup"


def member_name() -> str:
    """What the copy of this installation's kind of database is called inside a backup."""
    return "database.sqlite3" if connection.vendor == "sqlite" else "database.pgdump"


def copy_out(to: Path) -> None:
    """Write a consistent copy of the live database while others write to it."""
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        with closing(sqlite3.connect(to)) as copy:
            connection.connection.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        return
    run("pg_dump", connection.settings_dict, "--format=custom", "--no-owner", f"--file={to}")


def copy_in(copy: Path) -> None:
    """Make the copy the installation's database; it must be empty."""
    connections.close_all()
    if connection.vendor == "sqlite":
        target = Path(str(connection.settings_dict["NAME"]))
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(copy, target)
        target.chmod(0o600)
        return
    load(copy, connection.settings_dict)


def load(copy: Path, where: dict[str, Any]) -> None:
    run("pg_restore", where, "--no-owner", "--no-privileges", "--exit-on-error", str(copy))


def is_empty() -> bool:
    """No table yet, or no SQLite file."""
    name = Path(str(connection.settings_dict["NAME"]))
    if connection.vendor == "sqlite" and not name.exists():
        return True
    return not connection.introspection.table_names()


def run(program: str, where: dict[str, Any], *arguments: str) -> None:
    """One of Postgres' own programs; its first complaint becomes the sentence."""
    found = shutil.which(program)
    if found is None:
        raise Unavailable(f"{program} is not on the PATH; install the PostgreSQL client programs.")
    address = [f"--dbname={where['NAME']}", f"--host={where['HOST']}", f"--port={where['PORT']}"]
    chosen = [*address, f"--username={where['USER']}", "--no-password", *arguments]
    done = subprocess.run(  # noqa: S603  the command is our own
        [found, *[a for a in chosen if not a.endswith("=")]],
        env={"PATH": str(Path(found).parent), "PGPASSWORD": where.get("PASSWORD", "")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Conflict(f"{program} failed: {(done.stderr.splitlines() or ['no reason given'])[0]}")


@contextmanager
def opened(copy: Path) -> Iterator[str]:
    """The copy as a second database of this process; yields its alias."""
    live = connection.settings_dict
    scratch = f"osteon_check_{secrets.token_hex(6)}"
    is_file = connection.vendor == "sqlite"
    if not is_file:
        execute(f'CREATE DATABASE "{scratch}"')
    try:
        there = {**live, "NAME": str(copy) if is_file else scratch, "CONN_MAX_AGE": 0}
        if not is_file:
            load(copy, there)
        connections.databases[LOOK] = {**connections.databases["default"], **there}
        yield LOOK
    finally:
        if LOOK in connections.databases:
            connections[LOOK].close()
            del connections[LOOK]
            del connections.databases[LOOK]
        if not is_file:
            execute(f'DROP DATABASE IF EXISTS "{scratch}"')


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def faults(copy: Path, heads: Path) -> list[str]:
    """Sentences that say what is wrong with a copy; empty when it could be put back."""
    with opened(copy) as alias:
        found = broken_rows(alias)
        if found:
            return found
        missing = triggers.missing(connections[alias])
        trail = verify(heads, using=alias)
    found = [f"The database trigger {name} is missing in the copy." for name in missing]
    return found if trail.is_intact else [*found, trail.sentence]


def broken_rows(alias: str) -> list[str]:
    """Damaged pages and dangling keys; Postgres checks both while it loads a dump."""
    if connections[alias].vendor != "sqlite":
        return []
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("PRAGMA integrity_check")
            state = str(cursor.fetchone()[0])
            dangling = cursor.execute("PRAGMA foreign_key_check").fetchall()
    except Exception as error:  # noqa: BLE001  a file that is no database fails in many ways
        return [f"The copy of the database cannot be read: {error}."]
    found = [] if state == "ok" else [f"The copy of the database is damaged: {state}."]
    return found + [f"A row of {row[0]} points nowhere." for row in dangling[:5]]
