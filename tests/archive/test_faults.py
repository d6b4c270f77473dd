"""One bad file, one dead child, one full disk: it costs that much and no more."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pydicom
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from portal.archive import limits, packs
from portal.archive.commit import counts
from portal.archive.frames import location
from portal.archive.models import Instance, Series
from portal.archive.pixels import volume
from portal.archive.pool import Child, Pool
from portal.archive.verify import damaged
from tests.archive.builders import report, slices, take
from tests.archive.test_import import ct
from tests.cohort import make_study, make_user

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]


def recode(path: Path, syntax: str, plugin: str) -> None:
    ds = pydicom.dcmread(path)
    ds.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False)
    ds.save_as(path)


def test_a_series_of_several_syntaxes_serves_each_image_in_its_own(tmp_path):
    paths = slices(tmp_path, n=2)
    recode(paths[0], "1.2.840.10008.1.2.5", "pydicom")
    recode(paths[1], "1.2.840.10008.1.2.4.80", "pyjpegls")
    take(*paths)
    series = Series.objects.get()
    for instance in series.instances.all():
        place = location(instance, series)
        part = packs.read_part(place.folder, packs.STORED, place.stored[0], place.syntax)
        assert part.startswith(packs.head(place.syntax))
        assert part.endswith(packs.tail())
        body = part[len(packs.head(place.syntax)) : -len(packs.tail())]
        assert body == packs.read(place.folder, packs.STORED, place.stored[0])
    assert len({i.stored_syntax_uid for i in series.instances.all()}) == 2


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_packs_read_long_ago_are_closed(tmp_path):
    some = packs.OpenPacks(3)
    for k in range(40):
        (tmp_path / str(k)).write_bytes(b"frame")
    before = open_files()
    for k in range(40):
        assert some.of(str(tmp_path), str(k)).read(5, 0) == b"frame"
        assert open_files() <= before + 3
    some.forget()
    assert open_files() == before


def test_a_pack_is_never_closed_under_its_reader(tmp_path):
    some = packs.OpenPacks(1)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
    mine = some.of(str(tmp_path), "a")
    some.of(str(tmp_path), "b")
    assert mine.read(1, 0) == b"a"


def test_many_threads_read_more_packs_than_are_kept_open(tmp_path):
    some, wrong = packs.OpenPacks(2), []
    for k in range(8):
        (tmp_path / str(k)).write_bytes(bytes([k]) * 10)

    def read(seed: int) -> None:
        for k in range(200):
            which = (seed + 3 * k) % 8
            if some.of(str(tmp_path), str(which)).read(10, 0) != bytes([which]) * 10:
                wrong.append(which)

    threads = [threading.Thread(target=read, args=(k,)) for k in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert wrong == []


def test_a_damaged_compressed_fragment_is_named(tmp_path):
    ct(tmp_path, "jls")
    take(tmp_path)
    instance = Instance.objects.first()
    pack = packs.folder_of(Series.objects.get().folder) / packs.STORED
    data = bytearray(pack.read_bytes())
    data[instance.stored_frames[0][0] + 40] ^= 1
    pack.write_bytes(bytes(data))
    assert damaged().uids == (instance.uid,)


def test_a_file_name_that_is_no_text_is_shown_with_marks(tmp_path):
    paths = slices(tmp_path / "in", n=2)
    paths[0].rename(tmp_path / "in" / os.fsdecode(b"\xff\xfe.dcm"))
    row = take(tmp_path / "in")
    assert counts(row) == {"ready": 2}
    assert any("\ufffd" in f.name for f in row.files.all())


def test_a_nul_in_a_header_is_stored_as_a_mark(tmp_path):
    paths = slices(tmp_path, n=1)
    data = paths[0].read_bytes().replace(b"Synthetic \x08\x00", b"Synt\x00etic \x08\x00", 1)
    paths[0].write_bytes(data.replace(b"SPECT/CT simulator", b"SPECT\x00CT simulator"))
    assert report(take(*paths)) == ["ready"]
    assert "\0" not in str(Series.objects.get().acquisition)


def damaged_zip(folder: Path) -> Path:
    """Three slices, the middle entry's deflated bytes spoiled."""
    out = folder / "some.zip"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in slices(folder / "in", n=3):
            archive.write(path, path.name)
        spoiled = archive.infolist()[1]
    data = bytearray(out.read_bytes())
    start = spoiled.header_offset + 30 + len(spoiled.filename)
    data[start : start + 60] = b"\xff" * 60
    out.write_bytes(bytes(data))
    return out


def test_a_damaged_entry_of_a_zip_costs_that_entry(tmp_path):
    row = take(damaged_zip(tmp_path))
    assert report(row) == ["ready", "damaged_entry", "ready"]


def test_two_zips_of_one_name_lose_nothing(tmp_path):
    zips = []
    for k in range(2):
        folder = tmp_path / str(k)
        zips.append(folder / "case.zip")
        paths = slices(folder, n=1, first=k)
        with zipfile.ZipFile(zips[-1], "w") as archive:
            archive.write(paths[0], "same.dcm")
    assert counts(take(*zips)) == {"ready": 2}
    assert Instance.objects.count() == 2


class NoChild(OSError):
    pass


def test_a_child_that_cannot_start_gives_its_place_back(tmp_path, monkeypatch):
    small = Pool(1)

    def failing(*_, **__):
        raise NoChild(errno.EAGAIN, "no process")

    good = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", failing)
    for _ in range(3):
        with pytest.raises(NoChild), small.reading(tmp_path):
            pass
    monkeypatch.setattr(subprocess, "Popen", good)
    with small.reading(slices(tmp_path, n=1)[0]) as (answer, _):
        assert answer["ok"]
    small.close()


def stand_in(monkeypatch, program: str) -> None:
    """Children that say they are ready, then run another program: the pool must bear with whatever they do."""
    good, program = subprocess.Popen, f"print(flush=True); {program}"
    monkeypatch.setattr(
        subprocess, "Popen", lambda _, **more: good([sys.executable, "-c", program], **more)
    )


def test_half_a_line_is_not_waited_for_beyond_the_wall(tmp_path, monkeypatch):
    stand_in(
        monkeypatch,
        "import sys,time; sys.stdin.readline(); print('{', end='', flush=True); time.sleep(60)",
    )
    monkeypatch.setattr(limits, "wall_seconds", lambda size: 0.5)
    child, started = Child(), time.monotonic()
    assert child.ask(slices(tmp_path, n=1)[0]) is None
    assert time.monotonic() - started < 30
    child.end()


def test_a_killed_child_costs_its_file_only(tmp_path):
    """Killed once, the file is read by a fresh child."""
    small, paths = Pool(1), slices(tmp_path, n=2)
    with small.reading(paths[0]) as (answer, _):
        assert answer["ok"]
    child = small.free.get()
    os.kill(child.process.pid, signal.SIGKILL)
    small.free.put(child)
    with small.reading(paths[1]) as (answer, _):
        assert answer["ok"]
    small.close()


def test_a_file_that_kills_every_child_is_refused_and_the_next_is_read(tmp_path, monkeypatch):
    small, paths = Pool(1), slices(tmp_path, n=1)
    with monkeypatch.context() as patch:
        stand_in(patch, "import os; os.abort()")
        with small.reading(paths[0]) as (answer, _):
            assert (answer["ok"], answer["code"]) == (False, "stopped")
    with small.reading(paths[0]) as (answer, _):
        assert answer["ok"]
    small.close()


def test_a_child_is_replaced_after_its_share_of_files(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "CHILD_FILES", 2)
    small, seen = Pool(1), []
    path = slices(tmp_path, n=1)[0]
    for _ in range(3):
        child = small.free.queue[0]
        seen.append(child.process.pid if child else None)
        with small.reading(path):
            pass
    assert seen[0] is None
    assert seen[1] is not None
    assert seen[2] is None
    small.close()


def test_closing_a_pool_ends_every_child_and_keeps_its_places(tmp_path):
    both, path = Pool(2), slices(tmp_path, n=1)[0]
    with both.reading(path), both.reading(path):
        pass
    processes = [child.process for child in both.free.queue]
    both.close()
    assert [p.returncode is None for p in processes] == [False, False]
    with both.reading(path) as (answer, _):
        assert answer["ok"]
    both.close()


@pytest.mark.parametrize(
    ("size", "seconds"), [(0, 5.0), (8 * 2**20, 6.0), (80 * 2**20, 15.0), (2**40, 90.0)]
)
def test_the_wall_grows_with_the_file(size, seconds):
    assert limits.wall_seconds(size) == seconds


@pytest.fixture
def no_room(monkeypatch):
    monkeypatch.setattr(limits, "FREE_BYTES", 2**62)


def test_a_full_disk_at_the_door_is_one_clean_refusal(tmp_path, no_room):
    with pytest.raises(packs.DiskFull, match="disk is full"):
        take(*slices(tmp_path))
    assert Instance.objects.count() == 0


def test_a_disk_that_fills_up_in_an_import_keeps_what_is_stored(tmp_path, monkeypatch):
    monkeypatch.setattr("portal.archive.ingest.BATCH", 2)
    whole, begun = packs.append, []

    def filling(*args, **more):
        begun.append(args)
        if len(begun) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(*args, **more)

    monkeypatch.setattr(packs, "append", filling)
    row = take(*slices(tmp_path))
    assert report(row) == ["ready", "ready", "disk", "disk"]
    monkeypatch.setattr(packs, "append", whole)
    assert report(take(*slices(tmp_path / "again"))) == ["already here"] * 2 + ["ready"] * 2
    assert (damaged().uids, Series.objects.get().n_frames) == ((), 4)


def test_an_upload_to_a_full_disk_is_answered_503_with_a_time(tmp_path, no_room):
    make_study(is_synthetic=True)
    one = Client()
    one.force_login(make_user("coordinator"))
    file = SimpleUploadedFile("a.dcm", slices(tmp_path, n=1)[0].read_bytes())
    answer = one.post("/studies/bone/import/upload/", {"files": [file]})
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
    assert b"Free space and send it again" in answer.content


def test_what_a_crash_left_behind_the_last_commit_is_cut_off(tmp_path):
    take(*slices(tmp_path / "a"))
    series = Series.objects.get()
    with (packs.folder_of(series.folder) / packs.NATIVE).open("ab") as out:
        out.write(b"remainder of a crash" * 99)
    take(*slices(tmp_path / "b", first=4))
    assert damaged().uids == ()
    assert volume(series).pixels[:, 0, 0].tolist() == [10 * k for k in range(8)]


def test_six_good_files_with_a_hostile_one_in_the_middle_are_six(tmp_path):
    paths = slices(tmp_path, n=6)
    hostile = tmp_path / "ct-0003-hostile.dcm"
    hostile.write_bytes(paths[0].read_bytes()[:700])
    row = take(*paths[:3], hostile, *paths[3:])
    assert report(row) == ["ready"] * 3 + ["cut"] + ["ready"] * 3
    assert Series.objects.get().state == "ready"
