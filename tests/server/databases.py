"""Databases of the Postgres tests: each has a name of its own and is dropped at its end.

The name tells when it was made, so that a later run drops what a killed one left behind.
"""

import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
LEFT_BEHIND_SECONDS = 6 * 3600  # no run takes as long
ONE_AT_A_TIME = 0x05_7E_04  # advisory lock: every process of a run sweeps when it begins
# pytest-django puts `test_` before a name, roles have an ending
NAME = re.compile(r"(?:test_)?osteon_test_(\d+)_[0-9a-f]{8}(?:_\w+)?")


def new_name() -> str:
    return f"osteon_test_{int(time.time())}_{uuid.uuid4().hex[:8]}"


def is_left_behind(name: str, now: float) -> bool:
    found = NAME.fullmatch(name)
    return found is not None and now - int(found[1]) > LEFT_BEHIND_SECONDS


def sweep(server: str) -> None:
    """Drop databases and roles of runs that were killed before they could."""
    with psycopg.connect(server, autocommit=True, connect_timeout=3) as admin, alone(admin):
        names = admin.execute("SELECT datname FROM pg_database").fetchall()
        drop(admin, *(name for (name,) in names if is_left_behind(name, time.time())))
        roles = admin.execute("SELECT rolname FROM pg_roles").fetchall()
        for name in (name for (name,) in roles if is_left_behind(name, time.time())):
            admin.execute(f"DROP ROLE IF EXISTS {name}")


@contextmanager
def alone(admin: Any) -> Iterator[None]:
    """Keep other sweeps of this server waiting: two that drop one role meet an error of Postgres."""
    admin.execute("SELECT pg_advisory_lock(%s)", [ONE_AT_A_TIME])
    try:
        yield
    finally:
        admin.execute("SELECT pg_advisory_unlock(%s)", [ONE_AT_A_TIME])


def drop(admin: Any, *names: str) -> None:
    for name in names:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def new_database(server: str, *, template: str = "template1") -> Iterator[str]:
    """The address of a new database, and that of none when the block ends."""
    name = new_name()
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield f"{server.rsplit('/', 1)[0]}/{name}"
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            drop(admin, name, f"test_{name}")  # the second where a pytest of ours was killed in it
