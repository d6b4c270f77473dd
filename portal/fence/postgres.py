"""The fence on Postgres: a role without rights on truth, taken on for the length of a request."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from portal.fence.tables import DELETABLE, INSERT_ONLY, PAYLOADS, WRITABLE

ROLE = "osteon_blinded"
APPLICATION = "osteon_application"


def install(
    connection: BaseDatabaseWrapper, *, append_only: AbstractSet[str], undeletable: AbstractSet[str]
) -> None:
    """Make the two roles and grant them what they may do; again after every migrate, which brings new tables."""
    tables = connection.introspection.table_names()
    for role in (ROLE, APPLICATION):
        make_role(connection, role)
    rights = {
        t: {ROLE: rights_on(t), APPLICATION: rights_of_application(t, append_only, undeletable)}
        for t in tables
    }
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(f"GRANT {ROLE} TO {APPLICATION}")
        for table, by_role in rights.items():
            for role, granted in by_role.items():
                cursor.execute(f'REVOKE ALL ON "{table}" FROM {role}')
                if granted:
                    cursor.execute(f'GRANT {", ".join(granted)} ON "{table}" TO {role}')
        for view in views(connection):
            cursor.execute(f'GRANT SELECT ON "{view}" TO {APPLICATION}')
        for sequence in sequences(connection, tables):
            cursor.execute(f'GRANT USAGE ON SEQUENCE "{sequence}" TO {ROLE}')
        cursor.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {APPLICATION}")


def make_role(connection: BaseDatabaseWrapper, role: str) -> None:
    """A group role without sign-in; whoever migrates becomes a member, so that one role can do for a developer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        if cursor.fetchone() is None:
            cursor.execute(f"CREATE ROLE {role} NOLOGIN")
        cursor.execute("SELECT pg_has_role(current_user, %s, 'MEMBER')", [role])
        if not cursor.fetchone()[0]:
            cursor.execute(f"GRANT {role} TO CURRENT_USER")
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {role}")


def rights_of_application(
    table: str, append_only: AbstractSet[str], undeletable: AbstractSet[str]
) -> tuple[str, ...]:
    """Everything but what triggers refuse anyway; of a payload only what a redaction empties."""
    if table == PAYLOADS:
        return ("SELECT", "INSERT", "UPDATE (body, salt)")
    if table in append_only:
        return ("SELECT", "INSERT")
    return ("SELECT", "INSERT", "UPDATE", *(() if table in undeletable else ("DELETE",)))


def views(connection: BaseDatabaseWrapper) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT viewname FROM pg_views WHERE schemaname = 'public'")
        return [row[0] for row in cursor.fetchall()]


def rights_on(table: str) -> tuple[str, ...]:
    if table.startswith("truth_"):
        return ()
    if table == PAYLOADS:
        return ("INSERT", "SELECT (event_id)")
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
