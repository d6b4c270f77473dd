"""Late images of a series that only a remote has: it is brought back first, and nobody waits for that with the lock in hand."""

import shutil
from pathlib import Path

import pytest
from django.utils import timezone

from portal.archive import commit, packs
from portal.archive.models import Import, Instance, RemoteCopy, Series
from portal.archive.refusals import SENTENCES
from portal.archive.returning import TRIES
from portal.archive.store import Damaged, Down, LocalFolder, Missing, holdings
from tests.archive.builders import is_writer_free, person, report, slices, take

pytestmark = pytest.mark.django_db
DOWN = "The image archive does not answer; try again in a minute."


class Remote:
    """Keeps copies of series that leave here, and brings them back."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.asked: list[str] = []
        self.was_free: list[bool] = []

    def takes(self, series: Series) -> Series:
        """The series is copied and leaves."""
        now = timezone.now()
        RemoteCopy.objects.create(series=series, server="x", digest=series.digest, pushed_at=now)
        shutil.copytree(packs.folder_of(series.folder), self.place / series.folder)
        packs.drop(series.folder)
        return series

    def __call__(self, folder: str) -> bool:
        self.asked.append(folder)
        self.was_free.append(is_writer_free())
        return self.answer(folder)

    def answer(self, folder: str) -> bool:
        shutil.copytree(self.place / folder, packs.folder_of(folder))
        return True


@pytest.fixture
def remote(tmp_path, settings, monkeypatch) -> Remote:
    settings.ARCHIVE_DIR = tmp_path / "archive"
    packs.open_packs.forget()
    found = Remote(tmp_path / "remote")
    monkeypatch.setattr(packs, "fetchers", [found])
    return found


def of(folder: Path, number: int, n: int = 2, first: int = 0) -> list[Path]:
    """Slices of one of several exams."""
    who = person(f"SYN{number}", f"2.25.70{number}")
    return slices(
        folder / f"{number}-{first}", n=n, first=first, who=who, series=f"2.25.71{number}"
    )


def stored(folder: Path, number: int) -> Series:
    take(*of(folder, number))
    return Series.objects.order_by("pk").last()


def whole(*series: Series) -> list[bool]:
    found = [holdings(Series.objects.get(pk=one.pk)) for one in series]
    return [LocalFolder().verify(rows) == () and len(rows) == 3 for rows in found]


def sentences(row: Import) -> set[str]:
    return {one.sentence for one in row.files.all() if one.sentence}


def test_a_series_is_brought_back_while_nobody_waits_for_the_writer(tmp_path, remote):
    series = remote.takes(stored(tmp_path, 1))
    row = take(*of(tmp_path, 2), *of(tmp_path, 1, n=1, first=2))
    assert report(row) == ["ready"] * 3
    assert remote.asked == [series.folder]
    assert remote.was_free == [True]
    assert whole(series) == [True]


def test_a_remote_that_does_not_answer_costs_the_images_of_its_series_only(
    tmp_path, remote, monkeypatch
):
    def answer(folder: str) -> bool:
        raise Down

    away, here = remote.takes(stored(tmp_path, 1)), stored(tmp_path, 3)
    monkeypatch.setattr(remote, "answer", answer)
    row = take(*of(tmp_path, 2), *of(tmp_path, 1, n=2, first=2), *of(tmp_path, 3, n=1, first=2))
    assert report(row) == ["ready"] * 2 + ["archive_down"] * 2 + ["ready"]
    assert sentences(row) == {DOWN}
    assert SENTENCES["archive_down"][0] == 0x0110
    assert len(remote.asked) == 1
    assert away.instances.count() == 2
    assert not packs.folder_of(away.folder).exists()
    assert whole(here) == [True]
    monkeypatch.undo()
    monkeypatch.setattr(packs, "fetchers", [remote])
    assert report(take(*of(tmp_path, 1, n=1, first=2))) == ["ready"], (
        "the same file, a minute later"
    )


@pytest.mark.parametrize("error", [Damaged, Missing, None])
def test_a_series_that_cannot_come_back_is_told_of(tmp_path, remote, monkeypatch, error):
    def answer(folder: str) -> bool:
        if error:
            raise error
        return False

    remote.takes(stored(tmp_path, 1))
    monkeypatch.setattr(remote, "answer", answer)
    row = take(*of(tmp_path, 1, n=1, first=2), *of(tmp_path, 2))
    assert report(row) == ["archive_damaged", "ready", "ready"]
    assert sentences(row) == {
        "The series of this image is damaged in the archive; tell the coordinator."
    }


def test_a_full_disk_is_told_of_as_ever(tmp_path, remote, monkeypatch):
    def answer(folder: str) -> bool:
        raise packs.disk_full()

    remote.takes(stored(tmp_path, 1))
    monkeypatch.setattr(remote, "answer", answer)
    assert report(take(*of(tmp_path, 1, n=1, first=2))) == ["disk"]


@pytest.mark.parametrize(
    ("n_times", "outcome"), [(1, "ready"), (TRIES - 1, "ready"), (10**6, "archive_down")]
)
def test_a_series_that_leaves_again_before_the_writers_turn_is_brought_back_some_times(
    tmp_path, remote, monkeypatch, n_times, outcome
):
    comes = remote.answer

    def answer(folder: str) -> bool:
        return comes(folder) if len(remote.asked) > n_times else True

    series = remote.takes(stored(tmp_path, 1))
    monkeypatch.setattr(remote, "answer", answer)
    row = take(*of(tmp_path, 1, n=1, first=2), *of(tmp_path, 2))
    assert report(row) == [outcome, "ready", "ready"]
    assert remote.asked == [series.folder] * min(n_times + 1, TRIES)
    assert Instance.objects.count() == (5 if outcome == "ready" else 4)


def test_all_series_that_a_batch_concerns_are_brought_back_at_once(tmp_path, remote, monkeypatch):
    tries, writes = [], commit.write_in_one
    monkeypatch.setattr(commit, "write_in_one", lambda *args: tries.append(1) or writes(*args))
    series = [remote.takes(stored(tmp_path, k)) for k in (1, 2, 3)]
    remote.takes(stored(tmp_path, 4))
    tries.clear()
    late = [path for k in (1, 2, 3) for path in of(tmp_path, k, n=1, first=2)]
    assert report(take(*late)) == ["ready"] * 3
    assert sorted(remote.asked) == sorted(one.folder for one in series)
    assert whole(*series) == [True] * 3
    assert len(tries) == 2


def test_an_open_pack_is_not_taken_for_one_that_is_here(tmp_path, remote):
    """Another process made room: to append at the old place would leave a hole where the old frames were."""
    series = stored(tmp_path, 1)
    frame = packs.Extent(*series.instances.first().native_frames[0])
    packs.read(series.folder, packs.NATIVE, frame)
    opened = dict(packs.open_packs.kept)
    remote.takes(series)
    packs.open_packs.kept.update(opened)
    assert report(take(*of(tmp_path, 1, n=1, first=2))) == ["ready"]
    assert remote.asked == [series.folder]
    assert whole(series) == [True]


def test_what_is_here_is_not_asked_for(tmp_path, remote):
    series = stored(tmp_path, 1)
    assert report(take(*of(tmp_path, 1, n=1, first=2))) == ["ready"]
    assert remote.asked == []
    assert whole(series) == [True]
