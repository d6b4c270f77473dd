"""scan_identity: whatever stands in a file or a column is found, and nothing is found where nothing stands."""

import json
from io import StringIO
from pathlib import Path

import pydicom
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from portal.archive import scanning
from portal.archive.models import Exam, Identity, Series
from portal.archive.scanning import CHUNK, spellings, wanted_of
from portal.errors import Invalid
from tests.archive.builders import change, slices, take

pytestmark = pytest.mark.django_db
NAME, BORN, ID = "Zzscanname^Erika", "19510203", "ZZSCAN-4711"


@pytest.fixture(autouse=True)
def own_folder(tmp_path, settings) -> Path:
    """Nothing of other tests is searched."""
    settings.DATA_DIR = tmp_path / "data"
    settings.ARCHIVE_DIR = settings.DATA_DIR / "archive"
    (settings.DATA_DIR / "spool").mkdir(parents=True)
    return settings.DATA_DIR


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "list.txt"
    path.write_text(f"{NAME}\n\n{ID}\nÄpfelstraße\n", encoding="utf-8")
    return path


def scanned(path: Path, *more: str) -> tuple[int, list[tuple[int, str]]]:
    out, status = StringIO(), 0
    try:
        call_command("scan_identity", str(path), "--json", *more, stdout=out)
    except SystemExit as ended:
        status = int(ended.code or 0)
    told = json.loads(out.getvalue())
    assert NAME not in out.getvalue()
    return status, [(f["line"], f["place"]) for f in told["findings"]]


def planted(ds: pydicom.Dataset) -> None:
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = NAME, ID, BORN
    ds.InstitutionName = ds.StudyDescription = ds.ImageComments = ds.ProtocolName = NAME
    ds.private_block(0x0009, "ZZ", create=True).add_new(1, "LO", ID)


def test_an_import_of_a_named_person_leaves_nothing_to_find(listed, tmp_path):
    paths = slices(tmp_path / "in", n=2)
    for path in paths:
        change(path, planted)
    take(*paths)
    assert Identity.objects.get().patient_name == NAME, (
        "it stands in the sealed table, which is left out"
    )
    assert scanned(listed) == (0, [])


@pytest.mark.parametrize("text", [NAME, NAME.lower(), NAME.upper()])
def test_a_text_column_is_found_in_any_case(listed, tmp_path, text):
    take(*slices(tmp_path / "in", n=1))
    Exam.objects.update(subject=text)
    assert scanned(listed) == (1, [(1, "archive_exam.subject")])


def test_a_value_deep_in_json_is_found(listed, tmp_path):
    take(*slices(tmp_path / "in", n=1))
    Series.objects.update(acquisition={"a": [{"b": f"x {ID} y"}]})
    assert scanned(listed) == (1, [(3, "archive_series.acquisition")])


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16-le"])
@pytest.mark.parametrize("before", [0, CHUNK - 3, 2 * CHUNK - 1])
def test_bytes_of_a_file_are_found_wherever_the_pieces_are_cut(
    listed, own_folder, encoding, before
):
    path = own_folder / "logs" / "scan-test.log"
    path.parent.mkdir()
    path.write_bytes(b"\xff" * before + "äpfelstraße".encode(encoding) + b"\xff" * 9)
    assert scanned(listed) == (1, [(4, "logs/scan-test.log")])


def test_a_further_folder_and_file_names_are_searched(listed, tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / f"reads-{ID}.csv").write_text("nothing")
    assert scanned(listed, "--also", str(folder)) == (1, [(3, "a file name")])


def test_dates_are_found_with_and_without_dashes():
    assert spellings("19510203") == ("19510203", "1951-02-03")
    assert spellings("1951-02-03") == ("1951-02-03", "19510203")
    assert spellings("Smith") == ("smith",)


def test_lists_that_say_nothing_are_refused(tmp_path):
    with pytest.raises(Invalid, match="fewer than 4"):
        wanted_of("Smith\nLi\n")
    with pytest.raises(Invalid, match="no identifier"):
        wanted_of("\n \n")
    with pytest.raises(CommandError, match="cannot be read") as wrong:
        call_command("scan_identity", str(tmp_path / "missing"))
    assert wrong.value.returncode == 2


def test_sealed_tables_are_the_only_ones_left_out():
    tables = scanning.text_columns()
    assert not any(name.startswith("truth_") for name in tables)
    assert {"archive_importfile", "archive_series", "audit_auditevent", "jobs_job"} <= set(tables)
