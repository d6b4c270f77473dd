"""What the database itself refuses: rows of trigger definitions, written for SQLite and Postgres.

Each app registers its own; they are (re)installed after every migrate, because SQLite drops the
triggers of a table that a migration rebuilds.
"""

from dataclasses import dataclass
from typing import Any

from django.core.management import call_command
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from portal.fence import postgres


@dataclass(frozen=True)
class Trigger:
    """Refuse `event` on `table` when `condition` (SQL over NEW and OLD) holds, with `sentence`.

    Booleans are written TRUE and FALSE, null-safe difference `IS DISTINCT FROM`; the condition
    may hold sub-queries, but none over a `truth_` table where a blinded request writes.
    """

    name: str
    table: str
    event: str
    condition: str
    sentence: str


registry: dict[str, Trigger] = {}


def register(*triggers: Trigger) -> None:
    for trigger in triggers:
        registry[trigger.name] = trigger


def append_only(table: str, noun: str, *, name: str | None = None) -> tuple[Trigger, ...]:
    """Two triggers that refuse any update or delete of a table."""
    stem = name or table
    return (
        Trigger(f"{stem}_no_update", table, "UPDATE", "TRUE", f"{noun} never changes."),
        no_delete(table, noun, name=stem),
    )


def no_delete(table: str, noun: str, *, name: str | None = None) -> Trigger:
    return Trigger(
        f"{name or table}_no_delete", table, "DELETE", "TRUE", f"{noun} is never deleted."
    )


def quoted(sentence: str) -> str:
    return "'" + sentence.replace("'", "''") + "'"


def sqlite_statements(trigger: Trigger) -> list[str]:
    condition = trigger.condition.replace("IS DISTINCT FROM", "IS NOT")
    return [
        f'DROP TRIGGER IF EXISTS "{trigger.name}"',
        f'CREATE TRIGGER "{trigger.name}" BEFORE {trigger.event} ON "{trigger.table}" FOR EACH ROW '
        f"WHEN {condition} BEGIN SELECT RAISE(ABORT, {quoted(trigger.sentence)}); END",
    ]


def postgres_statements(trigger: Trigger) -> list[str]:
    row = "OLD" if trigger.event == "DELETE" else "NEW"
    statements = [
        f'CREATE OR REPLACE FUNCTION "{trigger.name}"() RETURNS trigger LANGUAGE plpgsql AS $body$ '
        f"BEGIN IF {trigger.condition} THEN RAISE EXCEPTION USING ERRCODE = '23514', "
        f"MESSAGE = {quoted(trigger.sentence)}; END IF; RETURN {row}; END $body$",
        f'DROP TRIGGER IF EXISTS "{trigger.name}" ON "{trigger.table}"',
        f'CREATE TRIGGER "{trigger.name}" BEFORE {trigger.event} ON "{trigger.table}" '
        f'FOR EACH ROW EXECUTE FUNCTION "{trigger.name}"()',
    ]
    if trigger.event == "DELETE" and trigger.condition == "TRUE":
        name = f"{trigger.name}_truncate"
        statements += [
            f'DROP TRIGGER IF EXISTS "{name}" ON "{trigger.table}"',
            f'CREATE TRIGGER "{name}" BEFORE TRUNCATE ON "{trigger.table}" '
            f'FOR EACH STATEMENT EXECUTE FUNCTION "{trigger.name}"()',
        ]
    return statements


def install(connection: BaseDatabaseWrapper) -> int:
    """Create every registered trigger whose table exists, all or none; returns how many."""
    tables = set(connection.introspection.table_names())
    wanted = [t for t in registry.values() if t.table in tables]
    make = sqlite_statements if connection.vendor == "sqlite" else postgres_statements
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        for trigger in wanted:
            for statement in make(trigger):
                cursor.execute(statement)
    return len(wanted)


def drop(connection: BaseDatabaseWrapper) -> None:
    """Remove the triggers, for test harnesses that flush tables."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        for trigger in registry.values():
            on = f' ON "{trigger.table}"' if connection.vendor == "postgresql" else ""
            cursor.execute(f'DROP TRIGGER IF EXISTS "{trigger.name}"{on}')
            if connection.vendor == "postgresql" and trigger.event == "DELETE":
                cursor.execute(f'DROP TRIGGER IF EXISTS "{trigger.name}_truncate"{on}')


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """Names of registered triggers that the database does not have, or has switched off."""
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if connection.vendor == "sqlite"
        else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        present = {row[0] for row in cursor.fetchall()}
    return sorted(set(registry) - present)


def install_after_migrate(using: str = "default", **_: Any) -> None:
    """After a migration: the cache's table, every trigger, and what the blinded role may do with all tables."""
    connection = connections[using]
    call_command("createcachetable", database=using, verbosity=0)
    install(connection)
    if connection.vendor == "postgresql":
        postgres.install(
            connection, append_only=always_refused("UPDATE"), undeletable=always_refused("DELETE")
        )


def always_refused(event: str) -> set[str]:
    """The tables whose rows no trigger ever lets be updated, or deleted."""
    return {t.table for t in registry.values() if (t.event, t.condition) == (event, "TRUE")}
