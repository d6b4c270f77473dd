"""The server profile: the same tests on Postgres, and a real worker behind Redis.

Runs wherever the two servers can be reached; in continuous integration it must run.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.portal.launched import until
from tests.server.databases import new_database, psycopg, sweep

redis = pytest.importorskip("redis")

ROOT = Path(__file__).parents[2]
POSTGRES = os.environ.get("OSTEON_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("OSTEON_TEST_REDIS", "redis://127.0.0.1:6379/9")
IS_REQUIRED = os.environ.get("OSTEON_REQUIRE_SERVER") == "1"
# what the database itself decides; the rest of the suite is the same on both
# what differs between the databases stands in the first; the second runs the same code again, with `make validate`
CORE = (
    *(f"tests/portal/test_{name}.py" for name in ("audit", "fence", "fence_rules", "jobs", "tokens")),
    "tests/truth/test_entry.py", "tests/study/test_triggers.py", "tests/readers/test_triggers.py",
)  # fmt: skip
REST = (
    *(f"tests/portal/test_{name}.py" for name in ("doors", "heads", "refused", "trail_properties", "web")),
    *(f"tests/truth/test_{name}.py" for name in ("pages", "strata", "truth_import")),
)  # fmt: skip

CLINICAL = tuple(
    f"tests/analysis/test_clinical_run.py::test_{name}" for name in (
        "the_form_trains_one_as_a_job_with_its_clinical_part_stored",
        "it_stores_the_last_fit_beside_the_radiomics_part",
        "out_of_fold_and_apparent_predictions_are_stored_per_training_lesion",
        "a_repeat_gives_the_same_bytes",
        "locked_it_predicts_validation_and_says_why_where_it_cannot",
        "the_database_refuses_a_validation_prediction_for_a_patient_of_the_fit",
        "once_unblinded_it_stands_in_the_comparison_and_the_exports",
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
        sweep(POSTGRES)
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
    with new_database(postgres) as address:
        yield address


def run(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, **variables}, timeout=600,
    )  # fmt: skip


@pytest.mark.parametrize(
    "files", [CORE + CLINICAL, pytest.param(REST, marks=pytest.mark.slow)], ids=["core", "rest"]
)
def test_triggers_fence_truth_and_a_clinical_run_hold_on_postgres(database, tmp_path, files):
    """Of the clinical model: from the queued job to its predictions and the comparison, and the trigger's refusal."""
    done = run(
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", *files],
        OSTEON_DATABASE_URL=database, OSTEON_DATA_DIR=str(tmp_path / "data"),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]


def scratch() -> set[str]:
    """The databases in which a backup is looked through, of this run and any other."""
    with psycopg.connect(POSTGRES) as admin:
        found = admin.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'osteon_check_%'"
        ).fetchall()
    return {name for (name,) in found}


def test_a_backup_of_postgres_is_checked_and_restored(postgres, database, tmp_path):
    old = {"OSTEON_DATABASE_URL": database, "OSTEON_DATA_DIR": str(tmp_path / "old")}
    program = "import django; django.setup(); from portal.audit.trail import record; record('test.act', new=1)"
    file = str(tmp_path / "backup.tar")
    manage = ["manage.py"]
    assert run([*manage, "migrate", "--skip-checks", "--verbosity", "0"], **old).returncode == 0
    noted = run(["-c", program], **old, DJANGO_SETTINGS_MODULE="portal.settings")
    assert noted.returncode == 0, noted.stderr
    written = run([*manage, "backup", file, "--json"], **old)
    assert written.returncode == 0, written.stderr
    assert json.loads(written.stdout)["problems"] == []
    refused = run([*manage, "restore", file], **old)
    assert refused.returncode != 0
    assert "has a database already" in refused.stderr
    with new_database(postgres) as other:
        new = {"OSTEON_DATABASE_URL": other, "OSTEON_DATA_DIR": str(tmp_path / "new")}
        restored = run([*manage, "restore", file], **new)
        assert restored.returncode == 0, restored.stderr
        trail = json.loads(run([*manage, "audit_verify", "--json"], **new).stdout)
        assert trail["intact"]
        assert trail["events"] >= 2
    left = scratch()
    until(lambda: not left & scratch(), 60)  # what goes away was another run's
