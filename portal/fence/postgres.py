"""The fence on Postgres: a role without rights on truth, taken on for the length of a request."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from portal.fence.tables import DELETABLE, INSERT_ONLY, PAYLOADS, WRITABLE

ROLE = "osteon_blinded"


def install(connection: BaseDatabaseWrapper) -> None:
    """Make the blinded role and grant it what a blind request may do; again after every migrate."""
    tables = connection.introspection.table_names()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE])
        if cursor.fetchone() is None:
            cursor.execute(f"CREATE ROLE {ROLE} NOLOGIN")
        cursor.execute(f"GRANT {ROLE} TO CURRENT_USER")
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {ROLE}")
        for table in tables:
            cursor.execute(f'REVOKE ALL ON "{table}" FROM {ROLE}')
            rights = rights_on(table)
            if rights:
                cursor.execute(f'GRANT {", ".join(rights)} ON "{table}" TO {ROLE}')
        for sequence in sequences(connection, tables):
            cursor.execute(f'GRANT USAGE ON SEQUENCE "{sequence}" TO {ROLE}')


def rights_on(table: str) -> tuple[str, ...]:
    if table.startswith("truth_"):
        return ()
    if table == PAYLOADS:
        return ("INSERT",)
    rights = ["SELECT"]
    if table in WRITABLE or table in INSERT_ONLY:
        rights.append("INSERT")
    if table in WRITABLE:
        rights.append("UPDATE")
    if table in DELETABLE:
        rights.append("DELETE")
    return tuple(rights)


def sequences(connection: BaseDatabaseWrapper, tables: list[str]) -> list[str]:
    writable = (WRITABLE | INSERT_ONLY) & set(tables)
    with connection.cursor() as cursor:
        cursor.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'")
        names = [row[0] for row in cursor.fetchall()]
    return [name for name in names if any(name == f"{table}_id_seq" for table in writable)]


@contextmanager
def blinded(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """A transaction that runs as the blinded role from its first statement on."""
    with transaction.atomic(using=connection.alias):
        take_role(connection)
        yield
        if not connection.needs_rollback:
            leave_role(connection)  # a transaction around this one would keep the role


def take_role(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {ROLE}")
        cursor.execute("SELECT current_user")
        if cursor.fetchone()[0] != ROLE:
            raise RuntimeError("the request could not take on the blinded role")


def leave_role(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
