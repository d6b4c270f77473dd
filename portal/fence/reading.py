"""SQLite connections for questions that are asked again and again: read-only, one with the fence up, one without.

The fence of a request is put up and taken down on Django's connection, and each time SQLite prepares all statements
anew. These two never change: a statement is prepared once, by the connection that may run it.
"""

import os
import sqlite3
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from django.db import connection

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
    if connection.vendor != "sqlite" or connection.in_atomic_block or in_memory():
        return None
    return connections.of(str(connection.settings_dict["NAME"]), fenced=is_blind.get())


def in_memory() -> bool:
    return bool(connection.is_in_memory_db())  # type: ignore[attr-defined]


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
