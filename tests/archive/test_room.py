"""Parts lie in a nameless file or each in its own, and what is stored is the same."""

import errno
import io
import os
from contextlib import AbstractContextManager
from itertools import pairwise

import pytest
from django.conf import settings
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from portal.archive import limits, room
from portal.archive.dicomweb.incoming import by_reading
from portal.archive.dicomweb.multipart import parts, single
from portal.archive.models import Instance, Series
from portal.archive.pool import ROOMS, Pool
from portal.archive.reading import read
from portal.archive.refusals import Refusal
from portal.archive.room import MOST, OWN, Folder, Nameless
from portal.archive.verify import damaged
from tests.archive.builders import fingerprint, slices
from tests.archive.dicomweb.test_stow import body, send
from tests.cohort import make_study

SPOOL = settings.DATA_DIR / "spool"
needs_own = pytest.mark.skipif(not OWN.is_dir(), reason="no nameless files on this system")


def content(place: room.Place, size: int) -> bytes:
    with place.path.open("rb") as source:
        return os.pread(source.fileno(), size, place.offset)


@pytest.fixture(scope="module")
def nameless():
    return Nameless(SPOOL)


@needs_own
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=6), st.integers(1, 64))
def test_parts_of_a_nameless_file_are_what_came_and_the_next_body_is_written_over_them(
    nameless, bodies, size
):
    found = nameless
    for some in (bodies, bodies[:1]):
        found.begin()
        stream = io.BytesIO(b"".join(b"--b\r\n\r\n" + one + b"\r\n" for one in some) + b"--b--")
        into = by_reading(lambda n, stream=stream: stream.read(min(n, size)))
        came = list(parts(into, "b", found))
        wanted = [one for one in some if b"\r\n--b" not in one]
        if len(wanted) == len(some):
            assert [content(p.place, p.size) for p in came] == some
            assert [p.start for p in came] == [one[:4] for one in some]
            assert all(a.place.offset + a.size < b.place.offset for a, b in pairwise(came))


@needs_own
def test_a_nameless_file_is_open_for_reading_alone_where_the_children_have_it():
    found = Nameless(SPOOL)
    found.window().bytes[5:8] = b"abc"
    with found.opened(1, 5) as (out, place):
        assert out is None
    assert content(place, 3) == os.pread(place.handle, 3, 5) == b"abc"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(place.handle, b"x")
    assert not list(SPOOL.glob("nameless-*"))


@needs_own
def test_a_child_reads_a_piece_as_the_file_that_it_was(tmp_path):
    small, files = Pool(1), [p.read_bytes() for p in slices(tmp_path, n=2)]
    with small.room(sum(map(len, files))) as found:
        assert found is not None
        places, at = [], 7
        for data in files:
            with found.opened(1, at) as (_, place):
                found.window().bytes[at : at + len(data)] = data
            places.append(place)
            at += len(data)
        for k, (place, data) in enumerate(zip(places, files, strict=True), start=1):
            piece = (place.handle, place.offset, len(data))
            with small.reading(place.path, piece=piece, is_ours=True) as (answer, _):
                alone = read(tmp_path / f"ct-{k:04d}.dcm", tmp_path, is_ours=True)
                assert answer == {"ok": True, **alone}
    small.close()


@needs_own
def test_a_piece_that_is_not_there_is_one_refusal(tmp_path):
    small = Pool(1)
    with small.room(9) as found:
        assert found is not None
        piece = (found.handle, 2**30, 9)
        with small.reading(tmp_path, piece=piece) as (answer, _):
            assert (answer["ok"], answer["code"]) == (False, "header")
    small.close()


@needs_own
@pytest.mark.parametrize(
    ("size", "is_lent"), [(0, False), (1, True), (MOST, True), (MOST + 1, False)]
)
def test_a_nameless_file_is_for_bodies_of_a_known_and_moderate_length(size, is_lent):
    with Pool(1).room(size) as found:
        assert (found is not None) == is_lent


@needs_own
def test_where_the_disk_has_no_room_for_a_nameless_file_there_is_none_for_now(monkeypatch):
    small, whole = Pool(1), os.posix_fallocate

    def is_full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(room.os, "posix_fallocate", is_full)
    for _ in range(ROOMS + 1):
        with small.room(9) as found:
            assert found is None
    monkeypatch.setattr(room.os, "posix_fallocate", whole)
    with small.room(9) as found:
        assert found is not None


@needs_own
def test_the_longest_body_fits(nameless):
    """Its last part ends where the body does."""
    frame = (b"--b\r\n\r\n", b"\r\n--b--")
    long = bytes(MOST - sum(map(len, frame)))
    stream = io.BytesIO(long.join(frame))
    (part,) = parts(by_reading(stream.read), "b", nameless)
    assert (part.size, content(part.place, part.size)) == (len(long), long)


@needs_own
@pytest.mark.parametrize("size", [1, 7, 2**16])
def test_a_body_that_is_one_file_lies_in_either_room(nameless, tmp_path, size):
    data = os.urandom(2**17 + 5)
    for one in (nameless, Folder(tmp_path)):
        stream = io.BytesIO(data)
        into = by_reading(lambda n, stream=stream: stream.read(min(n, size)))
        (part,) = single(into, "application/dicom", one)
        assert (part.size, part.start) == (len(data), data[:4])
        assert content(part.place, part.size) == data
        assert not list(single(by_reading(io.BytesIO().read), "application/dicom", one))


@needs_own
def test_each_body_has_a_room_of_its_own_and_when_all_are_lent_there_is_none():
    small = Pool(1)
    lent = [small.room(9) for _ in range(ROOMS)]
    found = [one.__enter__() for one in lent]
    assert len({one.handle for one in found if one is not None}) == ROOMS
    with small.room(9) as more:
        assert more is None
    lent[2].__exit__(None, None, None)
    with small.room(9) as more:
        assert more is found[2]
    for one in (lent[0], lent[1], lent[3]):
        one.__exit__(None, None, None)


def stored_by_a_request(files: list[bytes]) -> list[tuple[object, ...]]:
    assert send(body(*files)).status_code == 200
    found = [fingerprint(one) for one in Series.objects.order_by("pk")]
    assert damaged().uids == ()
    return found


@pytest.mark.django_db
def test_what_is_stored_does_not_depend_on_where_it_was_spooled(tmp_path, monkeypatch):
    make_study(is_synthetic=True)
    files = [p.read_bytes() for p in slices(tmp_path, n=4)]
    before = transaction.savepoint()
    stored = stored_by_a_request(files)
    transaction.savepoint_rollback(before)
    assert not Instance.objects.exists()
    monkeypatch.setattr("portal.archive.pool.MOST", 0)
    opened, whole = [], Folder.opened

    def noted(self: Folder, number: int, at: int) -> AbstractContextManager[tuple[int, room.Place]]:
        opened.append(self.path)
        return whole(self, number, at)

    monkeypatch.setattr(Folder, "opened", noted)
    assert stored_by_a_request(files) == stored
    assert len(opened) == 4
    assert opened[0].name.startswith("upload-")
    assert not opened[0].exists()


def test_a_piece_beyond_the_limit_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "FILE_BYTES", 10)
    with pytest.raises(Refusal, match="MiB"):
        read(tmp_path, tmp_path, piece=(0, 0, 11))
