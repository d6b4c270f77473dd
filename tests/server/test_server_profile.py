"""The server profile: the same tests on Postgres, and a real worker behind Redis.

Runs wherever the two servers can be reached; in continuous integration it must run.
"""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
redis = pytest.importorskip("redis")

ROOT = Path(__file__).parents[2]
POSTGRES = os.environ.get("OSTEON_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("OSTEON_TEST_REDIS", "redis://127.0.0.1:6379/9")
IS_REQUIRED = os.environ.get("OSTEON_REQUIRE_SERVER") == "1"
# what the database itself decides; the rest of the suite is the same on both
# what differs between the databases stands in the first; the second runs the same code again, with `make validate`
CORE = (
    *(f"tests/portal/test_{name}.py" for name in ("audit", "fence", "fence_rules", "jobs")),
    "tests/truth/test_entry.py", "tests/study/test_triggers.py", "tests/readers/test_triggers.py",
)  # fmt: skip
REST = (
    *(f"tests/portal/test_{name}.py" for name in ("doors", "heads", "refused", "tokens", "trail_properties", "web")),
    *(f"tests/truth/test_{name}.py" for name in ("pages", "strata", "truth_import")),
)  # fmt: skip

CLINICAL = " or ".join(
    (
        "test_the_form_trains_one", "test_it_stores_the_last_fit", "test_out_of_fold_and_apparent", "test_a_repeat_gives_the_same_bytes",
        "test_locked_it_predicts_validation", "test_the_database_refuses_a_validation_prediction", "test_once_unblinded_it_stands",
    )
)  # fmt: skip

pytestmark = pytest.mark.server


def unreachable(what: str, error: Exception) -> None:
    sentence = f"{what} cannot be reached, the server profile is NOT tested: {type(error).__name__}"
    if IS_REQUIRED:
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture(scope="module")
def postgres() -> str:
    try:
        psycopg.connect(POSTGRES, connect_timeout=3).close()
    except psycopg.OperationalError as error:
        unreachable("Postgres", error)
    return POSTGRES


@pytest.fixture(scope="module")
def broker() -> str:
    try:
        redis.Redis.from_url(REDIS, socket_connect_timeout=3).ping()
    except redis.RedisError as error:
        unreachable("Redis", error)
    return REDIS


@pytest.fixture
def database(postgres) -> Iterator[str]:
    """A database of this test's own."""
    name = f"osteon_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield postgres.rsplit("/", 1)[0] + "/" + name
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def run(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, **variables}, timeout=600,
    )  # fmt: skip


@pytest.mark.parametrize(
    "files", [CORE, pytest.param(REST, marks=pytest.mark.slow)], ids=["core", "rest"]
)
def test_triggers_fence_and_truth_hold_on_postgres(postgres, tmp_path, files):
    done = run(
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", *files],
        OSTEON_DATABASE_URL=postgres, OSTEON_DATA_DIR=str(tmp_path / "data"),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]


def test_a_clinical_run_is_trained_predicts_and_is_fenced_on_postgres(database, tmp_path):
    """From the queued job to its predictions and the comparison; the trigger's refusal among them."""
    done = run(
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/analysis/test_clinical_run.py", "-k", CLINICAL],
        OSTEON_DATABASE_URL=database, OSTEON_DATA_DIR=str(tmp_path / "data"),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    assert f"{len(CLINICAL.split(' or '))} passed" in done.stdout


def test_the_demo_runs_on_postgres_and_redis_with_a_real_worker(database, broker, tmp_path):
    done = run(
        ["-W", "ignore", "manage.py", "demo", "--patients", "8", "--no-serve", "--json"],
        OSTEON_DATABASE_URL=database, OSTEON_BROKER_URL=broker, OSTEON_DATA_DIR=str(tmp_path / "data"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    body = json.loads(done.stdout.strip().splitlines()[-1])
    assert body["patients"] == 8
    assert body["vectors"] == body["rois"] > 0
    assert set(body["validation"]) == {"ct", "spect", "combined", "experts"}


def test_a_backup_of_postgres_is_checked_and_restored(postgres, database, tmp_path):
    old = {"OSTEON_DATABASE_URL": database, "OSTEON_DATA_DIR": str(tmp_path / "old")}
    other = f"osteon_{uuid.uuid4().hex[:12]}"
    new = {
        "OSTEON_DATABASE_URL": f"{database.rsplit('/', 1)[0]}/{other}",
        "OSTEON_DATA_DIR": str(tmp_path / "new"),
    }
    program = "import django; django.setup(); from portal.audit.trail import record; record('test.act', new=1)"
    file = str(tmp_path / "backup.tar")
    manage = ["manage.py"]
    assert run([*manage, "migrate", "--verbosity", "0"], **old).returncode == 0
    noted = run(["-c", program], **old, DJANGO_SETTINGS_MODULE="portal.settings")
    assert noted.returncode == 0, noted.stderr
    written = run([*manage, "backup", file, "--json"], **old)
    assert written.returncode == 0, written.stderr
    assert json.loads(written.stdout)["problems"] == []
    refused = run([*manage, "restore", file], **old)
    assert refused.returncode != 0
    assert "has a database already" in refused.stderr
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {other}")
        try:
            restored = run([*manage, "restore", file], **new)
            assert restored.returncode == 0, restored.stderr
            trail = json.loads(run([*manage, "audit_verify", "--json"], **new).stdout)
            assert trail["intact"]
            assert trail["events"] >= 2
            left = connection.execute(
                "SELECT datname FROM pg_database WHERE datname LIKE 'osteon_check_%'"
            ).fetchall()
            assert left == []
        finally:
            connection.execute(f"DROP DATABASE IF EXISTS {other} WITH (FORCE)")
