"""`manage.py import_cohort`: the same verb from the command line."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from portal.study.models import Lesion, Patient
from tests.cohort import make_study
from tests.study.builders import cohort_csv, lesion_row

pytestmark = pytest.mark.django_db


def run(path: Path, *options: str) -> str:
    out = io.StringIO()
    call_command("import_cohort", str(path), *options, stdout=out)
    return out.getvalue()


@pytest.fixture
def good(tmp_path: Path) -> Path:
    make_study()
    path = tmp_path / "cohort.csv"
    path.write_text(cohort_csv(lesion_row(), lesion_row("P2")))
    return path


def test_a_file_is_written_and_counted(good: Path) -> None:
    out = run(good, "--study", "bone", "--user", "coordinator")
    assert "2 new patients, 2 new lesions." in out
    assert (Patient.objects.count(), Lesion.objects.count()) == (2, 2)


def test_a_dry_run_writes_nothing(good: Path) -> None:
    run(good, "--study", "bone", "--user", "coordinator", "--dry-run")
    assert not Patient.objects.exists()


def test_machines_read_one_json_object(good: Path) -> None:
    out = run(good, "--study", "bone", "--user", "coordinator", "--json")
    assert json.loads(out.splitlines()[-1]) == {"patients": 2, "lesions": 2, "problems": []}


def test_problems_are_listed_and_the_command_fails(tmp_path: Path) -> None:
    make_study()
    path = tmp_path / "cohort.csv"
    path.write_text(cohort_csv(lesion_row(sex="x")))
    with pytest.raises(CommandError, match="1 problems; nothing was written"):
        run(path, "--study", "bone", "--user", "coordinator")
    assert not Patient.objects.exists()


@pytest.mark.parametrize(
    ("study", "user", "match"),
    [("none", "coordinator", "no study"), ("bone", "expert1", "does not coordinate"),
     ("bone", "ghost", "does not coordinate")],
)  # fmt: skip
def test_a_wrong_study_or_person_is_refused(good: Path, study: str, user: str, match: str) -> None:
    with pytest.raises(CommandError, match=match):
        run(good, "--study", study, "--user", user)
    assert not Patient.objects.exists()


def test_an_unreadable_file_is_refused(good: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        run(tmp_path / "absent.csv", "--study", "bone", "--user", "coordinator")
    good.write_bytes(b"subject\n\xff\xfe\n")
    with pytest.raises(CommandError, match="cannot be read"):
        run(good, "--study", "bone", "--user", "coordinator")
