"""The blind mode of a connection: what a reader's request may do to the database.

SQLite: an authorizer with an allow-list. Postgres: the transaction runs as the blinded role.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from django.db import connection as default_connection
from django.db.backends.base.base import BaseDatabaseWrapper

from portal.fence import postgres
from portal.fence.tables import DELETABLE, INSERT_ONLY, PAYLOADS, WRITABLE

is_blind: ContextVar[bool] = ContextVar("is_blind", default=False)

ALWAYS = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_RECURSIVE,
    sqlite3.SQLITE_TRANSACTION,
    sqlite3.SQLITE_SAVEPOINT,
}


@lru_cache(maxsize=4096)  # SQLite asks again for each column of each statement
def allows(action: int, first: str | None, second: str | None) -> bool:
    table = (first or "").lower()
    if action in ALWAYS:
        return True
    if action == sqlite3.SQLITE_FUNCTION:
        return (second or "").lower() != "load_extension"
    if action == sqlite3.SQLITE_READ:
        return may_read(table, (second or "").lower())
    if action == sqlite3.SQLITE_INSERT:
        return table in WRITABLE or table in INSERT_ONLY
    if action == sqlite3.SQLITE_UPDATE:
        return table in WRITABLE
    return action == sqlite3.SQLITE_DELETE and table in DELETABLE


def may_read(table: str, column: str) -> bool:
    if table.startswith(("truth_", "sqlite_")):
        return False
    return table != PAYLOADS or column in {"event_id", ""}


def authorize(
    action: int, first: str | None, second: str | None, database: str | None, source: str | None
) -> int:
    return sqlite3.SQLITE_OK if allows(action, first, second) else sqlite3.SQLITE_DENY


def arm(connection: BaseDatabaseWrapper) -> None:
    if connection.vendor == "sqlite" and connection.connection is not None:
        connection.connection.set_authorizer(authorize)


def disarm(connection: BaseDatabaseWrapper) -> None:
    if connection.vendor == "sqlite" and connection.connection is not None:
        connection.connection.set_authorizer(None)


def arm_new_connection(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if is_blind.get():
        arm(connection)


@contextmanager
def blinded() -> Iterator[None]:
    """Run a block with the fence up on the default connection."""
    token = is_blind.set(True)
    try:
        if default_connection.vendor == "postgresql":
            with postgres.blinded(default_connection):
                yield
        else:
            arm(default_connection)
            yield
    finally:
        is_blind.reset(token)
        if not is_blind.get():
            disarm(default_connection)


@contextmanager
def lifted() -> Iterator[None]:
    """Let the fence down for a view that was declared truth-seeing and whose member was checked."""
    was_blind = is_blind.get()
    token = is_blind.set(False)
    let_down(default_connection, was_blind)
    try:
        yield
    finally:
        is_blind.reset(token)
        if was_blind:
            put_up(default_connection)


def let_down(connection: BaseDatabaseWrapper, was_blind: bool) -> None:
    if connection.vendor == "postgresql" and was_blind:
        postgres.leave_role(connection)
    disarm(connection)


def put_up(connection: BaseDatabaseWrapper) -> None:
    """Blind again; a Postgres transaction that has failed cannot run anything and needs no role."""
    if connection.vendor == "postgresql" and not connection.needs_rollback:
        postgres.take_role(connection)
    arm(connection)
