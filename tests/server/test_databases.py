"""What a killed run left on the Postgres server goes with the next run, and nothing else does."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.server.databases import (
    LEFT_BEHIND_SECONDS,
    alone,
    drop,
    is_left_behind,
    new_name,
    psycopg,
    sweep,
)
from tests.server.test_server_profile import postgres

__all__ = ["postgres"]
NOW = 2_000_000_000
OLD = f"osteon_test_{NOW - LEFT_BEHIND_SECONDS - 1}_0123abcd"
YOUNG = f"osteon_test_{NOW - LEFT_BEHIND_SECONDS + 1}_0123abcd"


@pytest.mark.parametrize("name", [OLD, f"test_{OLD}", f"{OLD}_owner"])
def test_what_is_older_than_any_run_is_left_behind(name):
    assert is_left_behind(name, NOW)


@pytest.mark.parametrize(
    "name",
    [YOUNG, f"test_{YOUNG}", "postgres", "osteon", "osteon_test_1", f"my_{OLD}", OLD.upper()],
)
def test_no_other_name_is(name):
    assert not is_left_behind(name, NOW)


@pytest.mark.server
def test_they_are_dropped_and_those_of_a_run_that_goes_on_stay(postgres):
    young = new_name()
    old = young.replace(young.split("_")[2], str(int(time.time()) - LEFT_BEHIND_SECONDS - 60))
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {old}_owner")
        admin.execute(f"CREATE DATABASE {old} OWNER {old}_owner")
        admin.execute(f"CREATE DATABASE {young}")
        try:
            sweep(postgres)
            there = admin.execute(
                "SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles"
            ).fetchall()
            assert {old, f"{old}_owner", young} & {name for (name,) in there} == {young}
        finally:
            with alone(admin):
                drop(admin, old, young)
                admin.execute(f"DROP ROLE IF EXISTS {old}_owner")


@pytest.mark.server
def test_sweeps_at_the_same_time_drop_every_role_once_and_fail_at_none(postgres):
    past = str(int(time.time()) - LEFT_BEHIND_SECONDS - 60)
    roles = [
        f"{name.replace(name.split('_')[2], past)}_owner"
        for name in (new_name() for _ in range(60))
    ]
    with psycopg.connect(postgres, autocommit=True) as admin, alone(admin):
        for role in roles:
            admin.execute(f"CREATE ROLE {role}")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(sweep, [postgres] * 4))
    with psycopg.connect(postgres) as admin:
        left = admin.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [roles])
        assert left.fetchall() == []
