"""What a killed process leaves in the spool, images with their names among it, goes; what somebody works on stays."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from portal.archive import spooling
from portal.archive.spooling import PREFIXES, STALE_FILE_S, SpoolFolder, clear_leftovers
from tests.archive.builders import slices, take

OLD = spooling.YOUNG_S + 5


@pytest.fixture
def spool(tmp_path, settings) -> Path:
    settings.DATA_DIR = tmp_path
    place = tmp_path / "spool"
    place.mkdir()
    return place


def aged(path: Path, seconds: float) -> Path:
    then = time.time() - seconds
    os.utime(path, (then, then))
    return path


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_folder_that_nobody_holds_goes_once_it_is_not_young(spool, prefix):
    left = spool / f"{prefix}abc"
    left.mkdir()
    (left / "0").write_bytes(b"as it was sent")
    aged(left, spooling.YOUNG_S - 5)
    assert (clear_leftovers(), left.exists()) == (0, True)
    aged(left, OLD)
    assert (clear_leftovers(), left.exists()) == (1, False)


def test_a_folder_that_is_worked_on_stays_however_old(spool):
    with SpoolFolder("batch-") as name:
        aged(Path(name), 10 * OLD)
        assert (clear_leftovers(), Path(name).exists()) == (0, True)
    assert not Path(name).exists()
    assert list(spool.iterdir()) == []


def test_folders_of_others_stay(spool):
    for name in ("demo-x", "abc", "pymp-1"):
        (spool / name).mkdir()
        aged(spool / name, 10 * OLD)
    assert clear_leftovers() == 0


@pytest.mark.parametrize(
    ("name", "goes"), [("tmp1.upload.dcm", True), ("nameless-x", True), ("note.txt", False)]
)
def test_uploads_of_a_killed_server_go_after_some_hours(spool, name, goes):
    left = spool / name
    left.write_bytes(b"x")
    aged(left, STALE_FILE_S - 60)
    assert clear_leftovers() == 0
    aged(left, STALE_FILE_S + 60)
    assert (clear_leftovers(), left.exists()) == (int(goes), not goes)


def test_the_hold_ends_with_a_process_that_is_killed(spool):
    program = (
        "import django; django.setup()\n"
        "from portal.archive.spooling import SpoolFolder\n"
        "folder = SpoolFolder('upload-')\n"
        "print(folder.name, flush=True)\n"
        "input()\n"
    )
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings", "OSTEON_DATA_DIR": str(spool.parent)}  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-c", program], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        left = Path(holder.stdout.readline().strip())
        assert left.parent == spool
        aged(left, OLD)
        assert (clear_leftovers(), left.exists()) == (0, True)
        holder.kill()
        holder.wait()
    aged(left, OLD)
    assert (clear_leftovers(), left.exists()) == (1, False)


@pytest.mark.django_db
def test_an_import_clears_what_lies_there(tmp_path, settings, monkeypatch):
    monkeypatch.setattr(spooling, "cleared", [])
    left = settings.DATA_DIR / "spool" / "unpack-left"
    left.mkdir()
    aged(left, OLD)
    take(*slices(tmp_path / "a", n=1))
    assert not left.exists()
    left.mkdir()
    aged(left, OLD)
    take(*slices(tmp_path / "b", n=1, first=4))
    assert left.exists()  # looked at a moment ago
    left.rmdir()
