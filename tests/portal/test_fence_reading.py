"""The two reading connections: fenced for good or not at all, never writing, of one thread and one process."""

import os
import sqlite3
import threading
from types import SimpleNamespace

import pytest
from django.db import connection, transaction

from portal.fence import reading
from portal.fence.blind import blinded, lifted
from portal.fence.reading import Connections, marked, mine, opened, rows_of

SECRET, PLAIN = "SELECT label FROM truth_label WHERE id = ?", "SELECT name FROM study WHERE id = ?"


@pytest.fixture
def database(tmp_path):
    """A file with a table behind the fence, and a connection that writes to it."""
    path = tmp_path / "some study?.sqlite3"
    writer = sqlite3.connect(path, isolation_level=None)
    writer.executescript(
        "PRAGMA journal_mode=WAL; CREATE TABLE truth_label (id INTEGER, label TEXT); CREATE TABLE study (id INTEGER, name TEXT);"
        "INSERT INTO truth_label VALUES (1, 'metastasis'); INSERT INTO study VALUES (1, 'bone')"
    )
    yield SimpleNamespace(path=str(path), writer=writer)
    writer.close()


@pytest.fixture
def served(database, monkeypatch):
    """As if Django's database were this file, outside a transaction."""
    monkeypatch.setattr(reading, "connections", Connections())
    stand_in = SimpleNamespace(
        vendor="sqlite", in_atomic_block=False, is_in_memory_db=lambda: False, settings_dict={"NAME": database.path},
        get_connection_params=connection.get_connection_params, get_new_connection=connection.get_new_connection,
    )  # fmt: skip
    monkeypatch.setattr(reading, "connection", stand_in)
    monkeypatch.setattr(reading, "django_connections", {"default": stand_in})
    return stand_in


@pytest.mark.promise("B1")
def test_behind_the_fence_the_truth_is_refused_however_often_it_is_asked_for(database):
    with opened(database.path, fenced=False) as one:
        assert one.execute(SECRET, [1]).fetchall() == [("metastasis",)]
    fenced = opened(database.path, fenced=True)
    for _ in range(3):
        assert fenced.execute(PLAIN, [1]).fetchall() == [("bone",)]
        with pytest.raises(sqlite3.DatabaseError, match=r"prohibited|not authorized"):
            fenced.execute(SECRET, [1])
    for sql in ("SELECT * FROM sqlite_master", "ATTACH 'x' AS y", "PRAGMA table_info(truth_label)"):
        with pytest.raises(sqlite3.DatabaseError):
            fenced.execute(sql)


@pytest.mark.parametrize("fenced", [True, False])
@pytest.mark.parametrize(
    "sql", ["INSERT INTO study VALUES (2, 'x')", "UPDATE study SET name = 'x'", "DELETE FROM study", "DROP TABLE study"]
)  # fmt: skip
def test_nothing_is_written(database, fenced, sql):
    with pytest.raises(sqlite3.DatabaseError):
        opened(database.path, fenced=fenced).execute(sql)
    assert database.writer.execute("SELECT * FROM study").fetchall() == [(1, "bone")]


def test_what_others_have_committed_is_seen_at_once(database):
    one = opened(database.path, fenced=True)
    for k in range(3):
        database.writer.execute("UPDATE study SET name = ?", [f"n{k}"])
        assert one.execute(PLAIN, [1]).fetchall() == [(f"n{k}",)]


@pytest.mark.promise("B1")
@pytest.mark.django_db
def test_the_connection_is_that_of_the_requests_fence(served, database):
    secret = SECRET.replace("?", "%s")
    with blinded():
        with pytest.raises(sqlite3.DatabaseError, match=r"prohibited|not authorized"):
            rows_of(secret, [1])
        with lifted():
            assert rows_of(secret, [1]) == [("metastasis",)]
        with pytest.raises(sqlite3.DatabaseError, match=r"prohibited|not authorized"):
            rows_of(secret, [1])
    assert rows_of(secret, [1]) == [("metastasis",)]


@pytest.mark.parametrize(
    "change",
    [{"vendor": "postgresql"}, {"in_atomic_block": True}, {"is_in_memory_db": lambda: True}],
)
def test_else_djangos_own_connection_is_asked(served, change):
    assert mine() is not None
    vars(served).update(change)
    assert mine() is None


@pytest.mark.django_db
def test_rows_of_an_unfinished_transaction_are_seen_by_it():
    with transaction.atomic():
        assert rows_of("SELECT %s || '%%'", ["50"]) == [("50%",)]


def test_each_thread_and_each_process_has_its_own(database, monkeypatch):
    kept, found = Connections(), []
    mine = kept.of(database.path, fenced=True)
    assert kept.of(database.path, fenced=True) is mine
    assert kept.of(database.path, fenced=False) is not mine
    thread = threading.Thread(target=lambda: found.append(kept.of(database.path, fenced=True)))
    thread.start()
    thread.join()
    assert found[0] is not mine
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert kept.of(database.path, fenced=True) is not mine


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("SELECT 1", "SELECT 1"),
        ("a = %s AND b = %s", "a = ? AND b = ?"),
        ("LIKE '%%' || %s", "LIKE '%' || ?"),
    ],
)
def test_places_are_written_as_sqlite_has_them(sql, wanted):
    assert marked(sql) == wanted
