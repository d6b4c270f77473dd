"""The roles of Postgres: the owner migrates, the application owns nothing, and a start that is otherwise is refused."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from tests.server.databases import new_name, psycopg
from tests.server.test_server_profile import postgres, run

pytestmark = pytest.mark.server
__all__ = ["postgres"]
CHECK = (
    "import django, json; django.setup(); from portal.jobs.health import self_check, owned_tables;"
    "from portal.jobs.launch import migrate; migrate(); print(json.dumps([self_check(), owned_tables()]))"
)
DENIED = (
    "UPDATE audit_auditevent SET verb = 'x'", "DELETE FROM audit_auditevent", "TRUNCATE audit_auditevent CASCADE",
    "UPDATE audit_auditpayload SET event_id = 1", "DELETE FROM audit_auditpayload", "UPDATE audit_signature SET reason = ''",
    "UPDATE truth_look SET at = now()", "DELETE FROM truth_look", "TRUNCATE truth_look",
    "ALTER TABLE audit_auditevent DISABLE TRIGGER ALL", "DROP TRIGGER audit_auditevent_no_update ON audit_auditevent",
    "DROP TABLE audit_auditevent", "CREATE TABLE mine (x int)",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A database with an owner and an application role that is a member of the group."""

    owner: str
    application: str


@pytest.fixture(scope="module")
def place(postgres, tmp_path_factory) -> Iterator[Place]:
    name = new_name()
    where = urlsplit(postgres)
    host = f"{where.hostname}:{where.port or 5432}"
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name}_owner LOGIN CREATEROLE")
        admin.execute(f"CREATE ROLE {name}_app LOGIN")
        for group in ("osteon_blinded", "osteon_application"):
            if (
                admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [group]).fetchone()
                is None
            ):
                admin.execute(f"CREATE ROLE {group} NOLOGIN")
            admin.execute(f"GRANT {group} TO {name}_owner WITH ADMIN OPTION")
        admin.execute(f"GRANT osteon_application TO {name}_app")
        admin.execute(f"CREATE DATABASE {name} OWNER {name}_owner")
    with psycopg.connect(f"postgresql://{where.username}@{host}/{name}", autocommit=True) as inside:
        inside.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        inside.execute(f"ALTER SCHEMA public OWNER TO {name}_owner")
    yield Place(
        f"postgresql://{name}_owner@{host}/{name}", f"postgresql://{name}_app@{host}/{name}"
    )
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        admin.execute(f"DROP ROLE {name}_app")
        admin.execute(f"DROP ROLE {name}_owner")


@pytest.fixture(scope="module")
def started(place, tmp_path_factory) -> str:
    """The self-check of a start as the specification wants it: two roles, migrated by the owner."""
    done = run(
        ["-W", "ignore", "-c", CHECK], OSTEON_DATABASE_URL=place.application, OSTEON_OWNER_URL=place.owner,
        OSTEON_DATA_DIR=str(tmp_path_factory.mktemp("roles")), DJANGO_SETTINGS_MODULE="portal.settings",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.promise("R16")
def test_two_roles_start_and_the_application_owns_nothing(started):
    assert started == "[[], []]"


@pytest.mark.trap("D4")
@pytest.mark.trap("D5")
@pytest.mark.promise("A2")
@pytest.mark.parametrize("statement", DENIED)
def test_the_application_cannot_touch_the_trail_the_looks_or_the_triggers(
    started, place, statement
):
    with psycopg.connect(place.application) as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute(statement)
    assert refused.value.sqlstate in {"42501", "23514"}


def test_the_application_may_do_its_work_and_read_labels_through_the_view(started, place):
    with psycopg.connect(place.application) as connection:
        assert connection.execute("SELECT count(*) FROM truth_train_label").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM truth_reference_standard").fetchone() == (
            0,
        )
        connection.execute("INSERT INTO jobs_heartbeat VALUES ('x', now())")
        connection.execute("UPDATE jobs_heartbeat SET seen_at = now()")
        connection.execute("DELETE FROM jobs_heartbeat")


@pytest.mark.promise("B9")
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*) FROM truth_reference_standard", "SELECT * FROM truth_train_label",
        "SELECT last_value FROM truth_reference_standard_id_seq", "SELECT body FROM audit_auditpayload",
        "UPDATE study_study SET state = 'UNBLINDED'", "DELETE FROM readers_read",
    ],
)  # fmt: skip
def test_the_blinded_role_is_refused_the_truth(started, place, statement):
    with psycopg.connect(place.application) as connection:
        connection.execute("SET LOCAL ROLE osteon_blinded")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


@pytest.mark.promise("B9")
def test_no_view_or_function_of_the_owner_opens_the_truth_to_the_blinded(started, place):
    """A view or SECURITY DEFINER function of the owner would walk past the role."""
    with psycopg.connect(place.owner) as connection:
        readable = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace = 'public'::regnamespace"
            " AND has_table_privilege('osteon_blinded', oid, 'SELECT')"
        ).fetchall()
        definers = connection.execute(
            "SELECT proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
            " WHERE n.nspname = 'public' AND p.prosecdef"
        ).fetchall()
    assert (readable, definers) == ([], [])


@pytest.mark.trap("D5")
@pytest.mark.promise("R16")
def test_a_run_time_role_that_owns_the_tables_is_refused(started, place, tmp_path):
    done = run(
        ["-W", "ignore", "-c", CHECK], OSTEON_DATABASE_URL=place.owner, OSTEON_OWNER_URL=place.owner,
        OSTEON_DATA_DIR=str(tmp_path), DJANGO_SETTINGS_MODULE="portal.settings",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "owns its tables" in done.stdout


@pytest.mark.promise("R16")
def test_a_trigger_that_was_switched_off_is_missing(started, place, tmp_path):
    switch = "ALTER TABLE audit_auditevent {} TRIGGER audit_auditevent_no_update"
    look = "import django; django.setup(); from django.db import connection; from portal.fence import triggers; print(triggers.missing(connection))"
    variables = {
        "OSTEON_DATABASE_URL": place.application, "OSTEON_DATA_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }  # fmt: skip
    with psycopg.connect(place.owner, autocommit=True) as owner:
        owner.execute(switch.format("DISABLE"))
        done = run(["-W", "ignore", "-c", look], **variables)
        owner.execute(switch.format("ENABLE"))
    assert done.stdout.strip().endswith("['audit_auditevent_no_update']"), done.stderr[-500:]
    assert os.environ.get("OSTEON_DATABASE_URL", "") != place.owner
