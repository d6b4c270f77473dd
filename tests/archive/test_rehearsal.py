"""A dry run tells of every file what an import then does, and leaves nothing behind."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from portal.archive.filing import release
from portal.archive.models import Import, ImportFile, Series
from tests.archive.builders import change, person, slices, take
from tests.cohort import make_study, make_user

pytestmark = pytest.mark.django_db


def run(folder: Path, *options: str) -> tuple[int, list[str]]:
    out = io.StringIO()
    call = ("import_dicom", str(folder), "--study", "bone", "--workers", "1", *options)
    try:
        call_command(*call, stdout=out)
    except SystemExit as ending:
        return int(str(ending.code)), out.getvalue().splitlines()
    return 0, out.getvalue().splitlines()


def everything(tmp_path: Path) -> Path:
    """Images new, known, twice, in conflict, of another patient under the same exam; and what is no image."""
    known = slices(tmp_path / "known", n=2)
    take(*known[:1], study_key="bone", expects_synthetic=True)
    folder = tmp_path / "in"
    found = slices(folder / "a", n=4)
    (folder / "b.dcm").write_bytes(found[3].read_bytes())
    (folder / "c.dcm").write_bytes(found[2].read_bytes())
    change(folder / "c.dcm", lambda ds: setattr(ds, "SliceThickness", 9))
    (folder / "d.dcm").write_bytes(found[0].read_bytes())
    change(folder / "d.dcm", lambda ds: setattr(ds, "SliceThickness", 9))
    slices(folder / "e", n=2, who=person("SYN0002"), series="2.25.73")
    (folder / "f.dcm").write_bytes(found[1].read_bytes()[:-20])
    other = slices(folder / "g", n=2, who=person("SYN0003", "2.25.701"), series="2.25.74")
    change(other[0], lambda ds: delattr(ds, "SyntheticData"))
    (folder / "letter.pdf").write_bytes(b"%PDF")
    (folder / "empty.dcm").touch()
    return folder


def rows() -> dict[str, int]:
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        counted = {}
        for table in tables:
            cursor.execute(f'SELECT count(*) FROM "{table}"')
            counted[table] = cursor.fetchone()[0]
    return counted


def files() -> dict[str, int]:
    """All below the data folder; of the spool, what the children do not end with."""
    found = [p for p in settings.DATA_DIR.rglob("*") if p.is_file()]
    return {str(p): p.stat().st_size for p in found if not p.parent.name.startswith("ingest-")}


def as_told(file: ImportFile) -> str:
    return f"{file.name}: {file.outcome}" + (f" ({file.sentence})" if file.sentence else "")


@pytest.mark.parametrize("at_once", [2, 64])
def test_a_dry_run_says_of_each_file_what_the_import_then_does_and_writes_nothing(
    tmp_path, monkeypatch, at_once
):
    monkeypatch.setattr("portal.archive.rehearsal.BATCH", at_once)
    make_study(is_synthetic=True)
    folder = everything(tmp_path)
    before = rows(), files()
    status, said = run(folder, "--dry-run")
    assert (rows(), files()) == before
    again, summary = run(folder)
    assert status == again == 1
    assert said[-1] == summary[-1]
    assert said[:-1] == [as_told(one) for one in Import.objects.latest("pk").files.order_by("row")]
    told = Import.objects.latest("pk").files.values_list("outcome", flat=True)
    assert set(told) == set(ImportFile.Outcome.values)


def test_a_dry_run_answers_machines_in_json(tmp_path):
    make_study(is_synthetic=True)
    slices(tmp_path, n=2)
    status, said = run(tmp_path, "--dry-run", "--json")
    body: dict[str, Any] = json.loads(said[-1])
    assert (status, body) == (0, {"dry_run": True, "outcomes": {"ready": 2}, "warning": ""})
    assert not Series.objects.exists()


def test_a_dry_run_looks_into_a_zip(tmp_path):
    make_study(is_synthetic=True)
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(slices(tmp_path / "in", n=1)[0], "one.dcm")
        archive.writestr("letter.pdf", b"%PDF")
    assert run(path, "--dry-run") == (0, [
        "all.zip/one.dcm: ready", "all.zip/letter.pdf: skipped (This is not a DICOM file.)", "1 ready, 1 skipped. ",
    ])  # fmt: skip


@pytest.mark.parametrize("is_released", [False, True])
def test_a_dry_run_knows_what_was_decided_of_a_series(tmp_path, is_released):
    make_study(is_synthetic=True)
    take(*slices(tmp_path / "one", n=2), study_key="bone", expects_synthetic=True)
    both = slices(tmp_path / "two", n=4, who=person("SYN0002"), series="2.25.73")
    take(*both[:3], study_key="bone", expects_synthetic=True)
    if is_released:
        reason = "The sender used one UID for two people."
        held = Series.objects.get(state="held")
        release(held, reason=reason, actor=make_user("coordinator"), study="bone")
    _, said = run(tmp_path / "two", "--dry-run")
    run(tmp_path / "two")
    assert said[:-1] == [as_told(one) for one in Import.objects.latest("pk").files.order_by("row")]
    outcome = "ready" if is_released else "held"
    assert said[-1] == f"3 already here, 1 {outcome}. "
