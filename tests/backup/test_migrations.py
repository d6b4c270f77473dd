"""A filled database of the schema before moves forward with its rows, and every trigger stands afterwards."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECK = """
import json
from django.db import connection
from portal.archive.models import ImportFile
from portal.fence import triggers
from portal.jobs.health import self_check
rows = list(ImportFile.objects.order_by("pk").values_list("row", "batch", "position", "name"))
print(json.dumps({"rows": rows, "missing": triggers.missing(connection), "problems": self_check()}))
"""


def manage(folder: Path, *words: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OSTEON_", "DJANGO_"))}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", *words], cwd=ROOT, check=False,
        env={**environment, "OSTEON_DATA_DIR": str(folder)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def fill(path: Path) -> None:
    """An import with three outcomes, as the first schema kept them."""
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO archive_import (code, door, study_key, warning, started_at)"
            " VALUES ('abc', 'command', 'bone', '', '2026-01-01 00:00:00')"
        )
        connection.executemany(
            "INSERT INTO archive_importfile (source_id, row, name, size, outcome, reason_code, sentence)"
            " VALUES (1, ?, ?, 10, 'ready', '', '')",
            [(1, "a"), (2, "b"), (3, "c")],
        )


@pytest.mark.trap("D1")
@pytest.mark.promise("R13")
def test_reports_of_the_first_schema_keep_their_rows_and_gain_their_places(tmp_path):
    manage(tmp_path, "migrate", "--skip-checks", "--verbosity", "0")
    manage(tmp_path, "migrate", "--skip-checks", "archive", "0001", "--verbosity", "0")
    fill(tmp_path / "osteon.sqlite3")
    manage(tmp_path, "migrate", "--skip-checks", "--verbosity", "0")
    found = json.loads(manage(tmp_path, "shell", "-v", "0", "-c", CHECK).strip().splitlines()[-1])
    assert found == {
        "rows": [[1, 0, 1, "a"], [2, 0, 2, "b"], [3, 0, 3, "c"]], "missing": [], "problems": [],
    }  # fmt: skip


@pytest.mark.promise("R13")
def test_the_models_have_no_change_without_a_migration(tmp_path):
    assert "No changes detected" in manage(
        tmp_path, "makemigrations", "--skip-checks", "--check", "--dry-run"
    )
