"""SQLite connections for questions that are asked again and again: read-only, one with the fence up, one without.

The fence of a request is put up and taken down on Django's connection, and each time SQLite prepares all statements
anew. These two never change: a statement is prepared once, by the connection that may run it.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from django.db import DEFAULT_DB_ALIAS, connection
from django.db import connections as django_connections

from portal.fence.blind import authorize, is_blind

STATEMENTS = 256
Key = tuple[int, str, bool]


class Connections(threading.local):
    """Of this thread, by process, database and whether the fence is up."""

    def __init__(self) -> None:
        self.kept: dict[Key, sqlite3.Connection] = {}

    def of(self, path: str, *, fenced: bool) -> sqlite3.Connection:
        key = (os.getpid(), path, fenced)
        found = self.kept.get(key)
        if found is None:
            found = opened(path, fenced=fenced)
            # a connection must not be used, nor closed, behind a fork: the other process' ones are let be
            self.kept[key] = found
        return found


connections = Connections()


def opened(path: str, *, fenced: bool) -> sqlite3.Connection:
    """The same functions as Django's connection has, and no way to write."""
    asked = {**connection.get_connection_params(), "database": f"file:{quote(path)}?mode=ro"}
    found: sqlite3.Connection = connection.get_new_connection(
        {**asked, "uri": True, "isolation_level": None, "cached_statements": STATEMENTS}
    )
    found.execute("PRAGMA query_only = ON")
    if fenced:
        found.set_authorizer(authorize)
    return found


def mine() -> sqlite3.Connection | None:
    """The connection whose fence stands as the request's does.

    None where another than SQLite's file is asked, or where a transaction has begun, whose own rows only it sees.
    """
    default: Any = django_connections[
        DEFAULT_DB_ALIAS
    ]  # each look through Django's proxy finds it anew
    if default.vendor != "sqlite" or default.in_atomic_block or default.is_in_memory_db():
        return None
    return connections.of(str(default.settings_dict["NAME"]), fenced=is_blind.get())


@contextmanager
def apart(*, is_fenced: bool) -> Iterator[bool]:
    """Read outside of a request: Django's connection is not touched, the fence stands as is said.

    False where there is no reading connection; nothing may be asked then.
    """
    token = is_blind.set(is_fenced)
    try:
        yield mine() is not None
    finally:
        is_blind.reset(token)


def rows_of(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """All rows of a question with Django's places (%s)."""
    found = mine()
    if found is not None:
        return found.execute(marked(sql), values).fetchall()
    with connection.cursor() as cursor:
        cursor.execute(sql, list(values))
        return list(cursor.fetchall())


@lru_cache(maxsize=STATEMENTS)
def marked(sql: str) -> str:
    """SQLite's own places."""
    return sql % (("?",) * sql.count("%s")) if "%" in sql else sql
