"""The rules of the fence by themselves: what each action on each table is answered, on both databases alike."""

import sqlite3

import pytest
from django.db import connection

from portal.fence import postgres, triggers
from portal.fence.blind import allows, authorize
from portal.fence.tables import DELETABLE, INSERT_ONLY, PAYLOADS, WRITABLE
from portal.fence.triggers import Trigger, postgres_statements, sqlite_statements

pytestmark = pytest.mark.promise("B9")
TRUTH = (
    "truth_reference_standard",
    "TRUTH_SPLIT_PART",
    "truth_look",
    "sqlite_sequence",
    "sqlite_stat1",
    "sqlite_master",
)
DENIED = ("ATTACH", "DETACH", "PRAGMA", "ALTER_TABLE", "CREATE_TABLE", "CREATE_TEMP_TABLE", "CREATE_VIEW",
          "CREATE_TEMP_VIEW", "CREATE_TRIGGER", "CREATE_TEMP_TRIGGER", "CREATE_INDEX", "DROP_TABLE", "DROP_TRIGGER",
          "DROP_VIEW", "REINDEX", "ANALYZE", "CREATE_VTABLE", "DROP_VTABLE")  # fmt: skip


@pytest.mark.parametrize("name", DENIED)
def test_everything_that_is_not_listed_is_denied(name):
    action = getattr(sqlite3, f"SQLITE_{name}")
    assert authorize(action, "study_lesion", None, "main", None) == sqlite3.SQLITE_DENY


@pytest.mark.parametrize("table", TRUTH)
def test_truth_and_the_databases_own_tables_are_not_read_in_any_spelling(table):
    assert not allows(sqlite3.SQLITE_READ, table, "id")
    assert not allows(sqlite3.SQLITE_READ, table.upper(), "")
    for action in (sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE):
        assert not allows(action, table, None)


@pytest.mark.parametrize("name", ["SELECT", "RECURSIVE", "TRANSACTION", "SAVEPOINT"])
def test_reading_and_transactions_are_allowed(name):
    assert (
        authorize(getattr(sqlite3, f"SQLITE_{name}"), None, None, None, None) == sqlite3.SQLITE_OK
    )


def test_functions_are_allowed_but_for_the_one_that_loads_code():
    assert allows(sqlite3.SQLITE_FUNCTION, None, "count")
    assert not allows(sqlite3.SQLITE_FUNCTION, None, "Load_Extension")


def test_of_a_payload_only_its_key_is_seen():
    assert allows(sqlite3.SQLITE_READ, PAYLOADS, "event_id")
    assert allows(sqlite3.SQLITE_READ, PAYLOADS, "")
    for column in ("body", "salt"):
        assert not allows(sqlite3.SQLITE_READ, PAYLOADS, column)


@pytest.mark.django_db
def test_both_databases_answer_alike_for_every_table_there_is():
    actions = {
        "INSERT": sqlite3.SQLITE_INSERT,
        "UPDATE": sqlite3.SQLITE_UPDATE,
        "DELETE": sqlite3.SQLITE_DELETE,
    }
    for table in connection.introspection.table_names():
        rights = postgres.rights_on(table)
        assert ("SELECT" in rights) == (
            allows(sqlite3.SQLITE_READ, table, "id") and table != PAYLOADS
        ), table
        for word, action in actions.items():
            assert (word in rights) == allows(action, table, None), (table, word)


@pytest.mark.django_db
def test_the_lists_name_tables_that_exist_and_none_of_truth():
    named = WRITABLE | INSERT_ONLY | DELETABLE | {PAYLOADS}
    assert named <= set(connection.introspection.table_names())
    assert not [t for t in named if t.startswith("truth_")]
    assert not WRITABLE & INSERT_ONLY


def test_no_readers_write_depends_on_a_truth_table():
    """A trigger that reads truth would be refused inside a blinded request (trap 6)."""
    asking = [
        t.name for t in triggers.registry.values()
        if t.table in WRITABLE | INSERT_ONLY and "truth_" in t.condition.lower()
    ]  # fmt: skip
    assert asking == []


@pytest.mark.parametrize(
    ("table", "rights"),
    [
        ("audit_auditevent", ("SELECT", "INSERT")), ("audit_signature", ("SELECT", "INSERT")), ("truth_look", ("SELECT", "INSERT")),
        (PAYLOADS, ("SELECT", "INSERT", "UPDATE (body, salt)")), ("jobs_job", ("SELECT", "INSERT", "UPDATE", "DELETE")),
    ],
)  # fmt: skip
def test_the_application_role_may_do_what_triggers_would_let_pass(table, rights):
    never = (triggers.always_refused("UPDATE"), triggers.always_refused("DELETE"))
    assert postgres.rights_of_application(table, *never) == rights


ONE = Trigger("t_no", "t", "DELETE", "TRUE", "It's never deleted.")
TWO = Trigger("t_old", "t", "UPDATE", "NEW.a IS DISTINCT FROM OLD.a", "No.")


def test_a_trigger_is_written_for_sqlite():
    drop, create = sqlite_statements(TWO)
    assert drop == 'DROP TRIGGER IF EXISTS "t_old"'
    assert "BEFORE UPDATE" in create
    assert "WHEN NEW.a IS NOT OLD.a BEGIN SELECT RAISE(ABORT, 'No.')" in create


@pytest.mark.trap("D4")
def test_a_trigger_is_written_for_postgres_and_refuses_truncate_where_nothing_is_deleted():
    statements = postgres_statements(ONE)
    assert "ERRCODE = '23514', MESSAGE = 'It''s never deleted.'" in statements[0]
    assert any("BEFORE TRUNCATE" in s and "FOR EACH STATEMENT" in s for s in statements)
    assert not any("TRUNCATE" in s for s in postgres_statements(TWO))


@pytest.mark.promise("R13")
@pytest.mark.django_db
def test_installing_twice_is_installing_once():
    before = triggers.install(connection)
    assert triggers.install(connection) == before == len(triggers.registry)
    assert triggers.missing(connection) == []
