"""Bad input: a table of what each becomes, damaged copies by the hundred, and a kill in mid-import."""

import json
import os
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings

from portal.archive.commit import counts
from portal.archive.models import ImportFile, Instance
from portal.archive.reading import read
from portal.archive.refusals import Refusal
from portal.archive.verify import damaged
from tests.archive.builders import change, slices, take
from tests.archive.test_import import ct, spect

ROOT = Path(__file__).parents[2]
Spoil = Callable[[Path], None]


def bytes_(edit: Callable[[bytes], bytes]) -> Spoil:
    return lambda path: path.write_bytes(edit(path.read_bytes())) and None


def set_(**values) -> Spoil:
    return lambda path: change(path, lambda ds: [setattr(ds, k, v) for k, v in values.items()])


def without(keyword: str) -> Spoil:
    return lambda path: change(path, lambda ds: delattr(ds, keyword))


def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def nested(depth: int) -> bytes:
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    return (struct.pack("<HH2sHI", 0x0008, 0x1115, b"SQ", 0, 0xFFFFFFFF) + item) * depth


def before_patient(block: bytes) -> Spoil:
    mark = struct.pack("<HH2s", 0x0010, 0x0010, b"PN")
    return bytes_(lambda data: data.replace(mark, block + mark, 1))


def other_syntax(uid: bytes) -> Spoil:
    old = element(2, 0x10, b"UI", b"1.2.840.10008.1.2.1\0")
    return bytes_(lambda data: data.replace(old, element(2, 0x10, b"UI", uid), 1))


HEADER = "The DICOM header is damaged; copy the file again from the scanner or PACS."
NESTED = "The header is nested or long beyond any real image; it was not read."
ALLOWED = "allowed are 4096 x 4096 x 4096 and 2 GiB."
BAD_UID = "is missing or not a valid UID; export the image again."
DECODED = "cannot be decoded here; send it uncompressed or as JPEG 2000."
CUT = "The file ends too early: (7FE0,0010) announces 60 bytes, 50 are there; copy it again."
TABLE: dict[str, tuple[Spoil, int, str]] = {
    "empty": (bytes_(lambda _: b""), 0xC000, "This file is empty."),
    "another type": (bytes_(lambda _: b"\x89PNG" + bytes(300)), 0xC000, "This is not a DICOM file."),
    "no magic": (bytes_(lambda d: d[:128] + b"XXXX" + d[132:]), 0xC000, "This is not a DICOM file."),
    "noise": (bytes_(lambda d: d[:132] + b"\xa7\x5b" * 400), 0xC000, HEADER),
    "header cut": (bytes_(lambda d: d[:150]), 0xC000, HEADER),
    "no syntax": (bytes_(lambda d: d[:132] + d[132 + 400 :]), 0xC000, HEADER),
    "file cut": (bytes_(lambda d: d[:-10]), 0xC000, CUT),
    "short pixels": (
        set_(Columns=50), 0xA900, "The image is incomplete: 60 of 600 bytes; copy it again.",
    ),
    "nested": (before_patient(nested(17)), 0xC000, NESTED),
    "nested deeply": (before_patient(nested(5000)), 0xC000, NESTED),
    "many elements": (before_patient(element(8, 0x1080, b"LO", b"") * 50_001), 0xC000, NESTED),
    "too many rows": (set_(Rows=4097), 0xA900, f"The image claims 4097 x 5 x 1; {ALLOWED}"),
    "no rows": (set_(Rows=0), 0xA900, f"The image claims 0 x 5 x 1; {ALLOWED}"),
    "no frame": (set_(NumberOfFrames=0), 0xA900, f"The image claims 6 x 5 x 0; {ALLOWED}"),
    "frames": (
        set_(NumberOfFrames=2_000_000_000), 0xA900, f"The image claims 6 x 5 x 2000000000; {ALLOWED}",
    ),
    "over 2 GiB": (
        set_(Rows=4096, Columns=4096, NumberOfFrames=65), 0xA900,
        f"The image claims 4096 x 4096 x 65; {ALLOWED}",
    ),
    "no sample": (
        set_(SamplesPerPixel=0), 0xA900, f"The image claims 6 x 5 x 1 with 0 samples a pixel; {ALLOWED}",
    ),
    "two samples": (
        set_(SamplesPerPixel=2, Columns=2), 0xA900,
        f"The image claims 6 x 2 x 1 with 2 samples a pixel; {ALLOWED}",
    ),
    "twelve bits": (
        set_(BitsAllocated=12, BitsStored=12, HighBit=11), 0xA900,
        f"The image claims 6 x 5 x 1 of 12 bits; {ALLOWED}",
    ),
    "no pixels": (
        without("PixelData"), 0xA900, "There is no image in this file (PixelData is missing).",
    ),
    "rows missing": (without("Rows"), 0xA900, "There is no image in this file (Rows is missing)."),
    "exam missing": (without("StudyInstanceUID"), 0xC000, f"StudyInstanceUID {BAD_UID}"),
    "series empty": (set_(SeriesInstanceUID=""), 0xC000, f"SeriesInstanceUID {BAD_UID}"),
    "unknown syntax": (
        other_syntax(b"1.2.3.4\0"), 0xC122, f"Transfer syntax 1.2.3.4 {DECODED}",
    ),
    "private class": (
        set_(SOPClassUID="1.2.3.4"), 0x0122, "1.2.3.4 is not an image class this portal knows.",
    ),
}  # fmt: skip


@pytest.mark.promise("H2")
@pytest.mark.promise("H4")
@pytest.mark.promise("H5")
@pytest.mark.parametrize("name", TABLE)
def test_bad_input_is_refused_with_its_sentence_and_code(tmp_path, name):
    spoil, reason, sentence = TABLE[name]
    path = slices(tmp_path, n=1)[0]
    spoil(path)
    with pytest.raises(Refusal) as refusal:
        read(path, tmp_path)
    assert (refusal.value.sentence, hex(refusal.value.reason)) == (sentence, hex(reason))


@pytest.mark.parametrize(("depth", "is_read"), [(16, True), (17, False)])
def test_sequences_may_be_sixteen_deep(tmp_path, depth, is_read):
    path = slices(tmp_path, n=1)[0]
    closing = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    before_patient(nested(depth) + closing * depth)(path)
    if is_read:
        assert len(read(path, tmp_path)["frames"]) == 1
    else:
        with pytest.raises(Refusal, match="nested"):
            read(path, tmp_path)


@pytest.mark.parametrize("preamble", [b"MZ" + bytes(126), b"\x7fELF" + bytes(124)])
@pytest.mark.promise("H6")
def test_a_program_in_the_preamble_changes_nothing(tmp_path, preamble):
    path = slices(tmp_path, n=1)[0]
    path.write_bytes(preamble + path.read_bytes()[128:])
    assert len(read(path, tmp_path)["frames"]) == 1


def mutants(folder: Path, originals: list[Path], n: int) -> None:
    """Copies with one to four changed bytes; every second has them in the later half, beyond the header."""
    rng = np.random.default_rng(20_240_101)
    folder.mkdir()
    for k in range(n):
        data = bytearray(originals[k % len(originals)].read_bytes())
        low = len(data) // 2 if k % 2 else 132
        for place in rng.integers(low, len(data), rng.integers(1, 5)):
            data[place] ^= int(rng.integers(1, 256))
        (folder / f"{k:03}.dcm").write_bytes(bytes(data))


@pytest.mark.django_db
@pytest.mark.promise("H7")
def test_three_hundred_damaged_copies_each_have_one_outcome_and_break_nothing(tmp_path):
    originals = []
    for name, write in {"ct": ct, "raw": slices, "nm": spect}.items():
        (tmp_path / name).mkdir()
        write(tmp_path / name)
        originals += sorted((tmp_path / name).glob("*.dcm"))
    mutants(tmp_path / "mutants", originals, 300)
    row = take(tmp_path / "mutants")
    assert sum(counts(row).values()) == 300
    assert not row.files.filter(reason_code="stopped").exists()
    assert all(f.sentence for f in row.files.filter(outcome=ImportFile.Outcome.REFUSED))
    assert Instance.objects.count() == counts(row)["ready"] + counts(row).get("held", 0)
    assert damaged().uids == ()


COORDINATOR = "from tests.cohort import make_study; make_study()"


def committed(database: Path) -> int:
    with sqlite3.connect(database) as connection:
        return int(connection.execute("SELECT count(*) FROM archive_instance").fetchone()[0])


def manage(place: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *command], cwd=ROOT, env={**os.environ, **place},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.promise("R1")
def test_an_import_killed_three_times_ends_with_every_image_once(tmp_path):
    place = {"OSTEON_DATA_DIR": str(tmp_path / "data")}
    slices(tmp_path / "in", n=400)
    assert manage(place, "migrate", "--skip-checks", "--verbosity", "0").returncode == 0
    assert manage(place, "shell", "-c", COORDINATOR).returncode == 0
    call = ("import_dicom", str(tmp_path / "in"), "--user", "coordinator")
    database = next((tmp_path / "data").glob("*.sqlite3"))
    for wanted in (1, 120, 250):
        one = subprocess.Popen(
            [sys.executable, "manage.py", *call], cwd=ROOT,
            env={**os.environ, **place}, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        until = time.monotonic() + 60
        while committed(database) < wanted and time.monotonic() < until and one.poll() is None:
            time.sleep(0.01)
        before = committed(database)
        os.kill(one.pid, signal.SIGKILL)
        one.wait()
        assert before >= wanted
    assert manage(place, *call).returncode == 0
    assert committed(database) == 400
    assert json.loads(manage(place, "archive_verify", "--json").stdout) == {
        "checked": 400,
        "damaged": [],
        "headers": [],
    }


@pytest.mark.django_db
@pytest.mark.promise("S7")
@pytest.mark.promise("X5")
@pytest.mark.parametrize(
    "content",
    [b"<html><script>alert(1)</script></html>", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
     b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>"],
    ids=["html", "svg", "xml"],
)  # fmt: skip
def test_an_uploaded_page_is_refused_and_kept_nowhere(tmp_path, content):
    path = tmp_path / "page.dcm"
    path.write_bytes(content)
    row = take(path)
    assert [f.outcome for f in row.files.all()] == ["refused"]
    stored = [p for p in settings.ARCHIVE_DIR.rglob("*") if p.is_file()]
    assert not any(content in p.read_bytes() for p in stored)


@pytest.mark.django_db
@pytest.mark.promise("H8")
def test_a_directory_index_opens_nothing_that_it_names(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("metastasis")
    path = slices(tmp_path / "a", n=1)[0]

    def into_index(ds):
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = "1.2.840.10008.1.3.10"
        ds.add_new(0x00041500, "LO", "../secret.txt")

    change(path, into_index)
    row = take(path)
    file = row.files.get()
    assert (file.outcome, file.sentence) == (
        "skipped", "DICOMDIR is only an index; the images are imported from their own files.",
    )  # fmt: skip
    assert "metastasis" not in str(list(row.files.values()))
