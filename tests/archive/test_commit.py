"""A batch is written while its last files are read, or as one where that cannot be, and the outcome is the same."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction

from portal.archive import ahead, commit, identities, packs
from portal.archive.ahead import Read
from portal.archive.commit import LEFT, Arriving, InTheWay
from portal.archive.ingest import import_paths
from portal.archive.models import Exam, Import, Instance, Series, SourceSeries
from portal.archive.unpack import Entry
from portal.archive.verify import damaged
from portal.audit.models import AuditEvent
from tests.archive.builders import change, fingerprint, is_writer_free, report, slices, take
from tests.cohort import make_study, make_user


def a_read(number: int) -> Read:
    return Read(Entry(Path(str(number)), str(number), 1), {"ok": True})


def done(number: int) -> Future[Read]:
    job: Future[Read] = Future()
    job.set_result(a_read(number))
    return job


def numbers(portions: list[list[Read]]) -> list[list[str]]:
    return [[one.entry.name for one in some] for some in portions]


def test_what_is_there_comes_in_one_portion_and_in_order():
    portions = list(Arriving([done(k) for k in range(20)]).some())
    assert numbers(portions) == [[str(k) for k in range(20)]]
    assert list(Arriving([], is_complete=True).some()) == []


def test_a_portion_ends_where_a_file_is_still_being_read():
    jobs = [done(k) for k in range(4)]
    late: Future[Read] = Future()
    arriving = Arriving([*jobs, late, done(5)]).some()
    assert [one.entry.name for one in next(arriving)] == ["0", "1", "2", "3"]
    late.set_result(a_read(4))
    assert [one.entry.name for one in next(arriving)] == ["4", "5"]


def test_a_late_file_is_in_the_way_and_is_waited_for_where_all_must_be_there(monkeypatch):
    monkeypatch.setattr(commit, "PATIENCE", 0.01)
    late: Future[Read] = Future()
    with pytest.raises(InTheWay):
        list(Arriving([done(0), late]).some())
    threading.Timer(0.05, lambda: late.set_result(a_read(1))).start()
    assert numbers(list(Arriving([done(0), late], is_complete=True).some())) == [["0", "1"]]


@pytest.mark.parametrize("error", [TimeoutError("its own"), OSError(5, "input/output")])
def test_what_went_wrong_in_reading_is_no_lateness(error):
    failed: Future[Read] = Future()
    failed.set_exception(error)
    with pytest.raises(type(error)):
        list(Arriving([failed]).some())


def test_the_writer_is_not_asked_for_while_more_than_the_last_files_are_unread():
    jobs: list[Future[Read]] = [Future() for _ in range(LEFT + 3)]
    with ThreadPoolExecutor(1) as thread:
        made = thread.submit(Arriving, jobs)
        for job in jobs[:2]:
            job.set_result(a_read(0))
        time.sleep(0.05)
        assert not made.done()
        jobs[2].set_result(a_read(2))
        made.result(timeout=60)
        for job in jobs[3:]:
            job.set_result(a_read(3))


@pytest.fixture
def counted(monkeypatch) -> list[bool]:
    """Each try to write a batch: whether all of it had been read."""
    tries, whole = [], commit.write_in_one

    def noted(run: Any, arriving: Arriving) -> None:
        tries.append(arriving.is_complete)
        whole(run, arriving)

    monkeypatch.setattr(commit, "write_in_one", noted)
    return tries


def slow_from(monkeypatch: pytest.MonkeyPatch, name: str, seconds: float) -> None:
    whole: Callable[..., Read] = ahead.read_one

    def read_one(children: Any, entry: Entry, *rest: Any) -> Read:
        if entry.name == name:
            time.sleep(seconds)
        return whole(children, entry, *rest)

    monkeypatch.setattr(ahead, "read_one", read_one)


@pytest.mark.django_db
def test_a_batch_is_written_while_it_is_read(tmp_path, monkeypatch, counted):
    monkeypatch.setattr(commit, "PATIENCE", 60)
    monkeypatch.setattr(commit, "AT_ONCE", 1)
    slow_from(monkeypatch, "ct-0004.dcm", 0.3)
    row = take(*slices(tmp_path, n=6))
    assert report(row) == ["ready"] * 6
    assert counted == [False]
    assert damaged().uids == ()
    assert [i.rank for i in Instance.objects.order_by("pk")] == [1, 2, 3, 4, 5, 6]


@pytest.mark.django_db
def test_a_late_file_costs_a_second_try_and_nothing_else(tmp_path, monkeypatch, counted):
    at_once = fingerprint_of(slices(tmp_path / "a", n=4))
    monkeypatch.setattr(commit, "PATIENCE", 0.05)
    monkeypatch.setattr(commit, "AT_ONCE", 1)
    slow_from(monkeypatch, "ct-0003.dcm", 1.0)
    counted.clear()
    assert fingerprint_of(slices(tmp_path / "a", n=4)) == at_once
    assert counted == [False, True]


def fingerprint_of(files: list[Path]) -> tuple[object, ...]:
    """Of the one series that is stored, which is taken back again; no folder of it or of a try is left."""
    before = folders()
    saved = transaction.savepoint()
    row = take(*files)
    assert report(row) == ["ready"] * 4
    (series,) = Series.objects.all()
    found = fingerprint(series)
    assert damaged().uids == ()
    assert folders() - before == {series.folder}
    transaction.savepoint_rollback(saved)
    packs.drop(series.folder)
    assert not Exam.objects.exists()
    return found


def folders() -> set[str]:
    return {p.name for p in settings.ARCHIVE_DIR.glob("??/*")}


@pytest.mark.django_db
def test_a_file_that_comes_twice_is_one_image_in_whatever_portions(tmp_path, monkeypatch, counted):
    monkeypatch.setattr(commit, "PATIENCE", 60)
    monkeypatch.setattr(commit, "AT_ONCE", 1)
    files = slices(tmp_path, n=3)
    again = tmp_path / "again.dcm"
    again.write_bytes(files[0].read_bytes())
    assert report(take(*files, again)) == ["ready"] * 3 + ["already here"]
    assert Instance.objects.count() == 3
    assert damaged().uids == ()


@pytest.mark.django_db
def test_one_file_of_another_kind_costs_itself_only(tmp_path, monkeypatch, counted):
    make_study(is_synthetic=True)
    monkeypatch.setattr(commit, "PATIENCE", 60)
    monkeypatch.setattr(commit, "AT_ONCE", 1)
    files = slices(tmp_path, n=4)
    change(files[2], lambda ds: setattr(ds, "SyntheticData", "NO"))
    row = take(*files, study_key="bone", expects_synthetic=True)
    assert report(row) == ["ready", "ready", "synthetic", "ready"]
    assert counted == [False, True]
    assert damaged().uids == ()


@pytest.mark.django_db
def test_a_disk_that_fails_in_a_portion_leaves_no_folder(tmp_path, monkeypatch):
    before = folders()
    monkeypatch.setattr(commit, "AT_ONCE", 1)
    monkeypatch.setattr(commit, "PATIENCE", 60)
    whole, begun = ahead.read_one, []

    def fails(*args: Any) -> Read:
        begun.append(args)
        if len(begun) == 3:
            raise OSError(5, "input/output error")
        return whole(*args)

    monkeypatch.setattr(ahead, "read_one", fails)
    with pytest.raises(OSError, match="input/output"):
        take(*slices(tmp_path, n=4))
    assert not Series.objects.exists()
    assert folders() == before


@pytest.mark.django_db
def test_headers_that_were_not_written_are_cut_off_before_the_next_writer_comes(
    tmp_path, monkeypatch
):
    """Its own would lie where the cut is made, and be lost after they were acknowledged."""
    take(*slices(tmp_path / "a", n=2))
    pack = identities.path_of(SourceSeries.objects.get().folder)
    before, whole, may_write = pack.read_bytes(), identities.Sealing.cut, []

    def cut(sealing: identities.Sealing) -> None:
        assert len(pack.read_bytes()) > len(before)
        may_write.append(is_writer_free())
        whole(sealing)

    def fails(*args: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(identities.Sealing, "cut", cut)
    monkeypatch.setattr(commit, "report", fails)
    with pytest.raises(ZeroDivisionError):
        take(*slices(tmp_path / "b", n=2, first=2))
    assert may_write == [False]
    assert pack.read_bytes() == before
    assert is_writer_free()


@pytest.mark.django_db
@pytest.mark.parametrize("has_actor", [False, True])
def test_the_trail_names_whose_import_ended(tmp_path, has_actor):
    """A command and a pull run outside of any request: the row of the import says who wanted it."""
    someone = make_user("coordinator") if has_actor else None
    import_paths(slices(tmp_path, n=1), door=Import.Door.COMMAND, actor=someone)
    event = AuditEvent.objects.get(verb="import.end")
    assert event.actor == (f"u:{someone.pk}" if someone else "system")
