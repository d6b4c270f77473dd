"""Only what a remote holds as it is now leaves this folder, whatever comes to it or is decided in that moment."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import OperationalError
from django.utils import timezone

from portal.archive import copies, packs
from portal.archive.appending import writing
from portal.archive.models import RemoteCopy, Series
from portal.archive.peer import Server
from portal.archive.remote import DicomwebServer
from portal.archive.store import Damaged, Down, LocalFolder, holdings
from tests.archive.builders import is_writer_free, slices, take

pytestmark = pytest.mark.django_db
NOBODY = Server("http://127.0.0.1:9/dicomweb")


@pytest.fixture(autouse=True)
def no_cache(settings, tmp_path) -> None:
    settings.ARCHIVE_DIR, settings.ARCHIVE_CACHE_BYTES = tmp_path / "archive", 0
    packs.open_packs.forget()


def series_with_copy(folder: Path) -> Series:
    take(*slices(folder / "a", n=2))
    series = Series.objects.get()
    now = timezone.now()
    RemoteCopy.objects.create(series=series, server=NOBODY.url, digest=series.digest, pushed_at=now)
    return series


def is_whole(series: Series) -> bool:
    return LocalFolder().verify(holdings(series)) == ()


@pytest.fixture
def kept(monkeypatch, tmp_path):
    """The remote: what `keep` has copied is brought back from there."""
    place, asked = tmp_path / "kept", []

    def keep(series: Series) -> list[str]:
        shutil.copytree(packs.folder_of(series.folder), place)
        return asked

    def fetch(folder: str) -> bool:
        asked.append(folder)
        packs.open_packs.close(folder)
        shutil.copytree(place, packs.folder_of(folder), dirs_exist_ok=True)
        return True

    monkeypatch.setattr(copies, "fetch", fetch)
    return keep


def test_an_image_that_comes_while_room_is_being_made_keeps_its_series_here(tmp_path, monkeypatch):
    series, whole = series_with_copy(tmp_path), copies.size_of

    def size_of(folder: Path) -> int:
        monkeypatch.setattr(copies, "size_of", whole)
        take(*slices(tmp_path / "b", n=1, first=2))
        return whole(folder)

    monkeypatch.setattr(copies, "size_of", size_of)
    assert copies.make_room() == 0
    assert series.instances.count() == 3
    assert is_whole(series)


def test_a_series_leaves_with_the_writers_lock_in_hand(tmp_path, monkeypatch):
    series, whole, was_free = series_with_copy(tmp_path), packs.drop, []

    def drop(folder: str) -> None:
        was_free.append(is_writer_free())
        whole(folder)

    monkeypatch.setattr(packs, "drop", drop)
    assert copies.make_room() == 1
    assert was_free == [False]
    assert is_writer_free()
    assert not packs.folder_of(series.folder).exists()


def test_a_reader_that_makes_room_does_not_wait_for_a_writer(tmp_path):
    """It may be inside a transaction for which that writer waits."""
    series = series_with_copy(tmp_path)
    with writing():
        assert copies.make_room(waits=False) == 0
    assert is_whole(series)
    assert copies.make_room(waits=False) == 1


def test_who_cannot_see_the_last_commit_lets_nothing_leave(tmp_path, monkeypatch):
    """SQLite refuses a transaction to whoever still reads what was there before."""
    series = series_with_copy(tmp_path)

    def atomic() -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(copies, "transaction", SimpleNamespace(atomic=atomic))
    assert copies.make_room() == 0
    assert is_whole(series)


def test_two_that_make_room_at_once_do_not_stumble_over_each_other(tmp_path, monkeypatch):
    series, whole = series_with_copy(tmp_path), copies.evictable

    def evictable() -> list[Path]:
        found = whole()
        packs.drop(series.folder)
        return found

    monkeypatch.setattr(copies, "evictable", evictable)
    assert copies.make_room() == 0
    assert copies.size_of(packs.folder_of(series.folder)) == 0
    assert whole() == []


def test_a_series_that_leaves_while_it_moves_home_is_brought_back_first(
    tmp_path, monkeypatch, kept
):
    series, whole = series_with_copy(tmp_path), LocalFolder.verify
    asked = kept(series)

    def verify(store, rows):
        found = whole(store, rows)
        copies.make_room()
        return found

    monkeypatch.setattr(LocalFolder, "verify", verify)
    assert copies.move_home(series)
    monkeypatch.undo()
    assert asked == [series.folder]
    assert not RemoteCopy.objects.exists()
    assert is_whole(series)


def test_a_series_that_leaves_again_and_again_is_not_moved_home(tmp_path, monkeypatch, kept):
    series = series_with_copy(tmp_path)
    asked, whole = kept(series), copies.is_here
    monkeypatch.setattr(copies, "is_here", lambda one: is_writer_free() and whole(one))
    with pytest.raises(Down):
        copies.move_home(series)
    assert asked == []
    assert RemoteCopy.objects.filter(series=series).exists()


def test_a_damaged_series_with_images_of_which_there_is_no_copy_stays(tmp_path, kept):
    series = series_with_copy(tmp_path)
    asked = kept(series)
    take(*slices(tmp_path / "b", n=1, first=2))
    pack = packs.folder_of(series.folder) / packs.NATIVE
    first = series.instances.first()
    with pack.open("r+b") as out:
        out.seek(first.native_frames[0][0])
        out.write(b"\xff")
    with pytest.raises(Damaged):
        copies.move_home(series)
    assert asked == []
    assert LocalFolder().verify(holdings(series)) == (first.uid,)


def test_a_series_stays_here_until_the_remote_was_read_back(tmp_path, monkeypatch):
    take(*slices(tmp_path / "a", n=2))
    series = Series.objects.get()

    def verify(store, rows):
        assert copies.make_room() == 0
        return (rows[0].uid,)

    monkeypatch.setattr(DicomwebServer, "put", lambda store, batch: {})
    monkeypatch.setattr(DicomwebServer, "verify", verify)
    with pytest.raises(Damaged):
        copies.move_out(series, NOBODY, now=timezone.now())
    assert not RemoteCopy.objects.exists()
    assert is_whole(series)


def test_what_no_commit_followed_goes_from_a_pack_that_leaves(tmp_path):
    """Another process may have it open, and would take it for the image that comes next."""
    series = series_with_copy(tmp_path)
    pack = packs.folder_of(series.folder) / packs.NATIVE
    with pack.open("ab") as out:
        out.write(b"of a batch that was given up")
    with pack.open("rb") as held:
        assert copies.make_room() == 1
        assert len(held.read()) == series.native_size
