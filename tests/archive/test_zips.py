"""Zips are opened by the ingest children alone, under their limits; each entry has its outcome (3.1 to 3.3)."""

import io
import json
import struct
import time
import zipfile
from pathlib import Path

import pytest

from portal.archive import child, limits, packs, unpack, zips
from portal.archive.batches import context_of
from portal.archive.commit import Work
from portal.archive.ingest import add, begun
from portal.archive.models import Import, Instance
from portal.archive.pool import Child, Pool
from portal.archive.refusals import Refusal
from portal.archive.rehearsal import rehearse
from portal.archive.unpack import Entry
from tests.archive.builders import report, slices, take
from tests.archive.test_faults import stand_in
from tests.archive.test_import import outcomes

pytestmark = pytest.mark.django_db
WRITE = """import sys, json, pathlib
asked = json.loads(sys.stdin.readline())
(pathlib.Path(asked["folder"]) / "0").write_bytes(bytes(9))
"""


def zipped(path: Path, files: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def images(folder: Path, n: int = 2) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in slices(folder, n=n)}


def changed(path: Path, at: int, content: bytes) -> Path:
    data = bytearray(path.read_bytes())
    data[at : at + len(content)] = content
    path.write_bytes(bytes(data))
    return path


@pytest.fixture
def single(monkeypatch):
    """One child for the zips of an import, none before it is asked for."""
    one = Pool(1)
    monkeypatch.setattr(unpack, "pool", lambda size: one)
    yield one
    one.close()


@pytest.mark.promise("H1")
def test_no_process_of_the_portal_but_its_children_opens_a_zip(tmp_path, monkeypatch):
    path = zipped(tmp_path / "all.zip", images(tmp_path / "in"))

    def opened(*_, **__):
        raise AssertionError("a zip was opened beside the children")

    monkeypatch.setattr(zipfile, "ZipFile", opened)
    assert report(take(path)) == ["ready", "ready"]
    dry = rehearse([path], context_of("", None, None))
    assert [(t.name, t.outcome.outcome) for t in dry] == [
        ("all.zip/ct-0001.dcm", "already here"), ("all.zip/ct-0002.dcm", "already here"),
    ]  # fmt: skip


def leftovers(*prefixes: str) -> list[str]:
    spool = packs.settings.DATA_DIR / "spool"
    return [p.name for p in spool.iterdir() if p.name.startswith(prefixes)]


def test_a_zip_that_kills_its_children_is_one_refusal_and_the_next_is_read(tmp_path, monkeypatch, single):  # fmt: skip
    good = zipped(tmp_path / "good.zip", images(tmp_path / "in"))
    (bad := tmp_path / "bad.zip").write_bytes(good.read_bytes())
    with monkeypatch.context() as patch:
        stand_in(patch, f"exec({WRITE!r}); import os; os.abort()")
        row = take(bad)
    assert outcomes(row) == {"bad.zip": "stopped"}
    assert row.files.get().sentence == (
        "Reading this file took too long or too much memory, so it was stopped."
    )
    assert leftovers("unpack-") == []
    assert outcomes(take(good)) == {
        "good.zip/ct-0001.dcm": "ready",
        "good.zip/ct-0002.dcm": "ready",
    }


def test_a_zip_is_given_its_time_and_no_more(tmp_path, monkeypatch, single):
    path = zipped(tmp_path / "all.zip", {"a": b"1"})
    monkeypatch.setattr(limits, "zip_seconds", lambda size: 0.5)
    stand_in(monkeypatch, "import sys, time; sys.stdin.readline(); time.sleep(60)")
    started = time.monotonic()
    assert outcomes(take(path)) == {"all.zip": "stopped"}
    assert time.monotonic() - started < 40


def test_nothing_of_the_first_try_is_left_for_the_second(tmp_path, monkeypatch):
    small, path = Pool(1), zipped(tmp_path / "all.zip", {"a": b"1"})
    (folder := tmp_path / "out").mkdir()
    with monkeypatch.context() as patch:
        stand_in(patch, f"exec({WRITE!r})")
        assert small.unpacked(path, folder)["code"] == "stopped"
    (folder / "7").write_bytes(b"of a child that was killed")
    assert small.unpacked(path, folder) == {"ok": True}
    assert sorted(p.name for p in folder.iterdir()) == ["0", zips.LISTING]
    small.close()


@pytest.mark.parametrize(
    ("size", "seconds"),
    [(0, 5.0), (2**20, 30.0), (20 * 2**20, 505.0), (21 * 2**20, 517.0), (2**40, 517.0)],
)
def test_the_wall_of_a_zip_grows_with_what_it_may_hold(size, seconds):
    assert limits.zip_seconds(size) == seconds


@pytest.mark.promise("H1")
def test_a_zip_that_wants_more_memory_than_a_child_has_is_stopped(tmp_path, single):
    """An LZMA dictionary of 4 GiB; the child lives on and says so itself."""
    path = zipped(tmp_path / "all.zip", {"a": b"1" * 99}, zipfile.ZIP_LZMA)
    start = 30 + 1  # head and name; then version, length of the properties, their first byte
    changed(path, start + 5, struct.pack("<I", 0xFFFFFFFF))
    assert outcomes(take(path)) == {"all.zip": "stopped"}
    assert single.free.queue[0] is not None


def test_a_zip_in_a_folder_is_a_zip(tmp_path):
    """As in the browser, which sends the files of a folder one by one; zips in it are not opened."""
    inner = zipped(tmp_path / "inner.zip", {"a": b"1"}).read_bytes()
    (folder := tmp_path / "in").mkdir()
    (folder / "sub").mkdir()
    zipped(folder / "sub" / "all.zip", {**images(tmp_path / "one"), "x.zip": inner, "y.txt": b"y"})
    (folder / "letter.txt").write_bytes(b"z")
    expected = {
        "letter.txt": "not_dicom", "sub/all.zip/ct-0001.dcm": "ready", "sub/all.zip/ct-0002.dcm": "ready",
        "sub/all.zip/x.zip": "locked_zip", "sub/all.zip/y.txt": "not_dicom",
    }  # fmt: skip
    row = take(folder)
    assert outcomes(row) == expected
    assert row.files.filter(reason_code="not_dicom", outcome="skipped").count() == 2


def test_a_file_that_cannot_be_read_is_one_refusal(tmp_path):
    """Reading the memory of a process from its beginning is an error of the disk."""
    good = slices(tmp_path, n=1)[0]
    assert outcomes(take(Path("/proc/self/mem"), good)) == {"mem": "header", good.name: "ready"}


def test_an_entry_gives_no_byte_beyond_what_it_announces(tmp_path):
    path = zipped(tmp_path / "all.zip", {"a": bytes(range(200)) * 9, "b": b"2"})
    at = path.read_bytes().index(b"PK\x01\x02") + 24
    changed(path, at, struct.pack("<I", 10))
    (folder := tmp_path / "out").mkdir()
    zips.unpack(path, folder)
    found = [(one.name, one.size, one.problem) for one in zips.listed(folder)]
    assert found == [("a", 10, "damaged_entry"), ("b", 1, "")]
    assert sorted(p.name for p in folder.iterdir()) == ["1", zips.LISTING]


def test_an_entry_larger_than_a_file_may_be_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "FILE_BYTES", 100)
    path = zipped(tmp_path / "all.zip", {"a": bytes(100), "b": bytes(101)})
    (folder := tmp_path / "out").mkdir()
    zips.unpack(path, folder)
    assert [(one.name, one.problem) for one in zips.listed(folder)] == [
        ("a", ""),
        ("b", "too_large"),
    ]
    assert not (folder / "1").exists()


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [("too_large", "The file is larger than 512 MiB."),
     ("inflated", "Unpacked, this is larger than allowed (4 GiB); it was not unpacked further.")],
)  # fmt: skip
def test_what_was_not_unpacked_is_refused_with_its_limit(tmp_path, problem, sentence):
    row = take(Entry(tmp_path, "all.zip/a", 9, problem))
    assert [(f.outcome, f.sentence) for f in row.files.all()] == [("refused", sentence)]


def many(path: Path, n: int) -> Path:
    return zipped(path, {f"{k:04}{'ü' * 400}": b"1" for k in range(n)}, zipfile.ZIP_STORED)


@pytest.mark.promise("H1")
def test_a_zip_of_the_most_entries_is_listed_beside_the_answer(tmp_path):
    """The answer itself stays a line of a few letters, and names are as long as the report shows them."""
    small, path = Pool(1), many(tmp_path / "all.zip", 9_999)
    (folder := tmp_path / "out").mkdir()
    assert small.unpacked(path, folder) == {"ok": True}
    found = list(zips.listed(folder))
    assert [int(one.name[:4]) for one in found] == list(range(9_999))
    assert {len(one.name) for one in found} == {300}
    small.close()


@pytest.mark.promise("H1")
def test_a_zip_of_more_entries_is_not_unpacked(tmp_path, single):
    assert outcomes(take(many(tmp_path / "all.zip", 10_000))) == {"all.zip": "inflated"}


def asked(path: Path, folder: Path) -> dict[str, object]:
    folder.mkdir(exist_ok=True)
    return child.answer({"path": str(path), "folder": str(folder), "seconds": 5})


def test_a_disk_that_fills_up_while_a_zip_is_unpacked_is_said(tmp_path):
    path = zipped(tmp_path / "all.zip", {"a": b"1"})
    (folder := tmp_path / "out").mkdir()
    (folder / zips.LISTING).symlink_to("/dev/full")
    assert asked(path, folder)["code"] == "disk"


def test_a_zip_that_would_leave_too_little_of_the_disk_is_not_unpacked(tmp_path, monkeypatch):
    path = zipped(tmp_path / "all.zip", {"a": b"1"})
    monkeypatch.setattr(limits, "FREE_BYTES", 2**62)
    assert asked(path, tmp_path / "out")["code"] == "disk"
    assert not (tmp_path / "out" / "0").exists()


FULL = f"print({json.dumps({'ok': False, 'code': 'disk', 'sentence': Refusal('disk').sentence})!r})"


def test_a_zip_for_which_the_disk_has_no_room_is_refused_with_its_sentence(tmp_path, monkeypatch, single):  # fmt: skip
    path = zipped(tmp_path / "all.zip", images(tmp_path / "in"))
    good = slices(tmp_path / "good", n=1, first=5)[0]
    with (
        monkeypatch.context() as patch
    ):  # for the zip alone: what reads the image may have to be started first
        stand_in(patch, f"import sys; sys.stdin.readline(); {FULL}")
        single.free.get()
        single.free.put(Child(single.handles))
    row = take(path, good)
    assert outcomes(row) == {"all.zip": "disk", good.name: "ready"}
    assert row.files.get(name="all.zip").sentence == Refusal("disk").sentence


def test_a_numbered_batch_with_such_a_zip_stays_unanswered_and_comes_again(tmp_path, monkeypatch, single):  # fmt: skip
    path, context = zipped(tmp_path / "all.zip", images(tmp_path / "in")), context_of("", None, None)  # fmt: skip
    row, work = begun(context, door=Import.Door.BROWSER, warning=""), Work([path], {}, 2, None, batch=1)  # fmt: skip
    with monkeypatch.context() as patch:
        stand_in(patch, f"import sys; sys.stdin.readline(); {FULL}")
        with pytest.raises(packs.DiskFull):
            add(row, context, work)
    assert not row.files.exists()
    single.close()
    add(row, context, work)
    assert report(row) == ["ready", "ready"]
    assert Instance.objects.count() == 2


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04", b"PK\x03\x04" + bytes(90), b"PK\x05\x06" + b"\xff" * 18]
)
def test_what_only_begins_like_a_zip_is_a_damaged_one(tmp_path, content):
    (path := tmp_path / "all.zip").write_bytes(content)
    assert outcomes(take(path)) == {"all.zip": "damaged_zip"}


def test_an_empty_zip_holds_nothing(tmp_path):
    out = io.BytesIO()
    zipfile.ZipFile(out, "w").close()
    (path := tmp_path / "all.zip").write_bytes(out.getvalue())
    assert report(take(path)) == []
