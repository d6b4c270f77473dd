"""A series that is brought back is filled where it will lie, and is no series until it is whole."""

import errno
import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.archive import packs, remote
from portal.archive.peer import Server
from portal.archive.remote import DicomwebServer, Pulled
from portal.archive.store import Damaged, Incoming, LocalFolder
from portal.backup.writing import files_of_installation
from tests.archive.holdings import incoming

pytestmark = pytest.mark.django_db
SERVER = Server("http://127.0.0.1:9/dicomweb")


@pytest.fixture
def batch(tmp_path, settings, monkeypatch) -> list[Incoming]:
    """A series at a remote that answers."""
    settings.ARCHIVE_DIR = tmp_path / "archive"
    found = incoming(tmp_path / "in", is_compressed=True)

    def matches(store, peer, series, spool):
        for one in found:
            holding = one.holding
            digests = holding.native_digests, holding.stored_digests
            yield holding, Pulled(holding.uid, one.native, one.stored, *digests)

    monkeypatch.setattr(DicomwebServer, "matches", matches)
    return found


def fetch(batch: list[Incoming]) -> None:
    DicomwebServer(SERVER).fetch([one.holding for one in batch])


def filling(settings) -> list[Path]:
    """What is half filled just now."""
    return [p for p in (settings.ARCHIVE_DIR / "fetching").iterdir() if p.is_dir()]


@pytest.fixture
def two_disks(settings, monkeypatch) -> None:
    """The archive lies on another file system than the data folder: nothing is renamed across."""
    whole = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if path.is_relative_to(settings.DATA_DIR) != target.is_relative_to(settings.DATA_DIR):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return whole(path, target)

    monkeypatch.setattr(Path, "rename", rename)


def test_a_series_comes_back_to_an_archive_on_another_disk(batch, settings, two_disks):
    fetch(batch)
    assert LocalFolder().verify([one.holding for one in batch]) == ()
    assert filling(settings) == []


def test_what_is_being_filled_is_no_series_and_in_no_backup(batch, settings, monkeypatch):
    seen, whole = [], remote.lay_out

    def lay_out(folder: Path, *rest) -> None:
        whole(folder, *rest)
        seen.extend(filling(settings))
        assert folder in seen
        assert not list(settings.ARCHIVE_DIR.glob("??/*"))
        assert not any(name.startswith("archive/") for _, name in files_of_installation())

    monkeypatch.setattr(remote, "lay_out", lay_out)
    fetch(batch)
    assert len(set(seen)) == 1
    kept = [path.name for path, name in files_of_installation() if name.startswith("archive/")]
    assert sorted(kept) == [packs.NATIVE, packs.STORED]


def test_what_came_damaged_leaves_nothing(batch, settings, monkeypatch):
    monkeypatch.setattr(remote, "is_in_syntax", lambda one, pulled: False)
    with pytest.raises(Damaged):
        fetch(batch)
    assert filling(settings) == []
    assert not packs.folder_of(batch[0].holding.folder).exists()


@pytest.fixture
def leftovers(batch, settings) -> Iterator[tuple[Path, Path]]:
    """Of a crash, and of a process that still fills and so has the lock."""
    place = settings.ARCHIVE_DIR / "fetching"
    dead, alive = place / "zx-dead", place / "zy-alive"
    for folder in (dead, alive):
        folder.mkdir(parents=True)
        (folder / packs.NATIVE).write_bytes(b"half")
    with (place / "zy").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield dead, alive


def test_what_a_crash_left_half_filled_goes_with_the_next_fetch(batch, leftovers):
    dead, alive = leftovers
    fetch(batch)
    assert not dead.exists()
    assert (alive / packs.NATIVE).read_bytes() == b"half"
