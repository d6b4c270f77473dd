"""1 GiB of the disk stays free after what is written, not only before it; the disk is asked once a batch (3.3)."""

import errno
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import time
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings

from portal.archive import limits, packs
from portal.archive.appending import writing
from portal.archive.models import Instance, Series
from portal.archive.packs import Spooled
from portal.archive.writer import CtSeries, write_ct
from tests.archive.builders import change, person, report, slices, take

pytestmark = pytest.mark.django_db
LE = "1.2.840.10008.1.2.1"


@dataclass
class Disk:
    """So many bytes are left above the reserve, whoever asks."""

    left: int = 2**40
    asked: int = 0

    def usage(self, _: Path) -> shutil._ntuple_diskusage:
        self.asked += 1
        return shutil._ntuple_diskusage(2**50, 0, limits.FREE_BYTES + self.left)


@pytest.fixture
def disk(monkeypatch) -> Disk:
    one = Disk()
    monkeypatch.setattr(shutil, "disk_usage", one.usage)
    return one


@pytest.fixture
def frame(tmp_path) -> Spooled:
    (path := tmp_path / "spool").write_bytes(bytes(1000))
    return Spooled(path, 0, 1000)


@pytest.fixture
def name() -> Iterator[str]:
    one = packs.new_folder()
    yield one
    packs.drop(one)


WHOLE = 1000 + len(packs.head(LE)) + len(packs.tail())


def test_what_would_leave_less_than_the_reserve_is_not_begun(disk, frame, name):
    disk.left = 2 * WHOLE - 1
    with writing() as found:
        found.begin(name, packs.NATIVE, [frame], LE, after=0)
        with pytest.raises(OSError, match="No space left") as error:
            found.begin(name, packs.NATIVE, [frame], LE, after=WHOLE)
    assert error.value.errno == errno.ENOSPC


def test_what_leaves_the_reserve_is_written_and_the_disk_asked_once(disk, frame, name):
    disk.left = 2 * WHOLE
    with writing() as found:
        asked = disk.asked
        found.begin(name, packs.NATIVE, [frame], LE, after=0)
        once = disk.asked - asked
        found.begin(name, packs.NATIVE, [frame], LE, after=WHOLE)
        assert disk.asked - asked == once <= 3  # archive, spool and identities
        found.wait()
    assert (packs.folder_of(name) / packs.NATIVE).stat().st_size == 2 * WHOLE


def flat(folder: Path, *, series: str = "2.25.71") -> Path:
    """A slice of half a MiB that takes a few hundred bytes as it is sent."""
    folder.mkdir()
    hu = np.full((1, 512, 512), 7, dtype=np.int16)
    one = CtSeries(
        person(), series, (f"{series}.1",), "2.25.9", hu, (0.0, 0.0, 0.0), (0.9, 0.8), 2.5, time(9)
    )
    (path,) = write_ct(folder, one, encoding="jls")
    return path


def folders() -> set[str]:
    return {p.name for p in settings.ARCHIVE_DIR.glob("*/*")}


def test_files_that_unpack_to_more_than_the_disk_has_are_refused_and_nothing_is_left(tmp_path, disk):  # fmt: skip
    path, before = flat(tmp_path / "a"), folders()
    assert path.stat().st_size < 10_000
    disk.left = 400_000
    assert report(take(path)) == ["disk"]
    assert not Instance.objects.exists()
    assert not Series.objects.exists()
    assert folders() == before
    disk.left = 800_000
    assert report(take(path)) == ["ready"]


def test_a_batch_that_is_tried_again_image_by_image_is_counted_once(tmp_path, disk):
    """As it is where one of its images may not enter the study."""
    new, real = flat(tmp_path / "a"), flat(tmp_path / "b", series="2.25.72")
    change(real, lambda ds: delattr(ds, "SyntheticData"))
    disk.left = 800_000
    assert report(take(new, real, study_key="bone", expects_synthetic=True)) == [
        "ready",
        "synthetic",
    ]


def test_a_batch_larger_than_what_is_left_is_not_read_at_all(tmp_path, disk):
    paths = slices(tmp_path, n=3)
    disk.left = sum(path.stat().st_size for path in paths) - 1
    heard: list[dict[str, object]] = []
    assert report(take(*paths, heard=heard)) == ["disk"] * 3
    assert heard == [{}] * 3


def test_the_disk_is_asked_as_often_for_many_images_as_for_few(tmp_path, disk):
    few, many = slices(tmp_path / "a", n=2), slices(tmp_path / "b", n=12, series="2.25.72")
    asked = []
    for paths in (few, many):
        before = disk.asked
        assert set(report(take(*paths))) == {"ready"}
        asked.append(disk.asked - before)
    assert asked[0] == asked[1] <= 9


def test_headers_that_are_sealed_count_as_well(tmp_path, disk, settings):
    """A header of 200 kB beside a frame of 60 bytes: as it is written again with its JSON it takes twice as much."""
    (path,) = slices(tmp_path, n=1)
    private = b"\x09\x00\x10\x00UT\x00\x00" + (200_000).to_bytes(4, "little") + b"x" * 200_000
    data = path.read_bytes()
    at = data.index(b"\x10\x00\x10\x00PN")
    path.write_bytes(data[:at] + private + data[at:])
    disk.left = path.stat().st_size
    assert report(take(path)) == ["disk"]
    settings.IDENTITIES = "none"
    assert report(take(path)) == ["ready"]


def test_a_batch_that_fills_the_disk_image_by_image_leaves_no_folder(tmp_path, disk):
    first, last = flat(tmp_path / "a"), flat(tmp_path / "b", series="2.25.72")
    real, before = flat(tmp_path / "c", series="2.25.73"), folders()
    change(real, lambda ds: delattr(ds, "SyntheticData"))
    disk.left = 800_000
    assert report(take(real, first, last, study_key="bone", expects_synthetic=True)) == ["disk"] * 3
    assert folders() == before
