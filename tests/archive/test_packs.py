"""Packed frames: where each lies, what is cut off after a crash, and how long a pack stays open."""

import errno
import os
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.archive import limits, packs
from portal.archive.packs import Extent, OpenPack, OpenPacks, Spooled
from portal.archive.store import Damaged

LE, RLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"
contents = st.lists(st.binary(max_size=60), max_size=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("series")


@pytest.fixture
def archive(tmp_path, settings) -> Path:
    settings.ARCHIVE_DIR = tmp_path / "archive"
    packs.open_packs.forget()
    return settings.ARCHIVE_DIR


def spool(path: Path, frames: list[bytes]) -> list[Spooled]:
    """The frames one after the other in a spool file, behind something that is not theirs."""
    path.write_bytes(b"before" + b"".join(frames))
    found, at = [], len(b"before")
    for frame in frames:
        found.append(Spooled(path, at, len(frame)))
        at += len(frame)
    return found


def written(folder: Path, frames: list[bytes], syntax: str = LE, after: int = 0) -> list[Extent]:
    return packs.append(folder, packs.NATIVE, spool(folder / "spool", frames), syntax, after=after)


def multipart(frames: list[bytes], syntax: str = LE) -> bytes:
    """What a pack holds, put together by the specification's own words (6.1)."""
    b = packs.boundary()
    head = f"--{b}\r\nContent-Type: application/octet-stream; transfer-syntax={syntax}\r\n\r\n"
    return b"".join(head.encode() + f + f"\r\n--{b}--\r\n".encode() for f in frames)


def test_the_boundary_is_one_of_32_hexadecimal_digits_and_stays():
    assert len(packs.boundary()) == 32
    assert set(packs.boundary()) <= set("0123456789abcdef")
    assert packs.boundary() == packs.boundary()


@given(contents, st.sampled_from([LE, RLE]))
def test_a_pack_is_heads_frames_and_tails_and_nothing_else(folder, frames, syntax):
    written(folder, frames, syntax)
    assert (folder / packs.NATIVE).read_bytes() == multipart(frames, syntax)


@given(contents)
def test_each_extent_is_where_its_frame_lies(folder, frames):
    extents = written(folder, frames)
    data = (folder / packs.NATIVE).read_bytes()
    assert [data[e.offset : e.offset + e.length] for e in extents] == frames
    if extents:
        assert packs.end_of(extents[-1]) == len(data)


@given(contents, contents)
def test_two_batches_lie_as_one_would(folder, first, second):
    one = written(folder, first)
    two = written(folder, second, after=packs.end_of(one[-1]) if one else 0)
    assert (folder / packs.NATIVE).read_bytes() == multipart(first + second)
    assert one + two == written(folder, first + second)


@given(contents.filter(bool), st.binary(min_size=1, max_size=90), contents)
def test_what_a_crash_left_behind_the_last_commit_is_cut_off(folder, committed, rest, then):
    end = packs.end_of(written(folder, committed)[-1])
    with (folder / packs.NATIVE).open("ab") as out:
        out.write(rest)
    written(folder, then, after=end)
    assert (folder / packs.NATIVE).read_bytes() == multipart(committed + then)


def test_a_spool_file_that_is_too_short_is_an_error_and_never_a_short_frame(folder):
    path = folder / "short"
    path.write_bytes(b"abc")
    with pytest.raises(OSError, match="shorter than its frames"):
        packs.append(folder, packs.NATIVE, [Spooled(path, 1, 5)], LE, after=0)


def test_a_frame_larger_than_a_block_is_copied_whole(folder):
    frame = os.urandom(packs.CHUNK + 17)
    (extent,) = written(folder, [frame])
    assert extent.length == len(frame)
    assert (folder / packs.NATIVE).read_bytes()[extent.offset :][: extent.length] == frame


def kernel(**behaviour):
    """A file system that copies so many bytes at most, and then says what is wrong."""
    real, left = os.copy_file_range, [behaviour["calls"]]

    def copy(source, out, count, at):
        if not left[0]:
            raise OSError(behaviour["wrong"], "wrong")
        left[0] -= 1
        return real(source, out, min(count, 7), at)

    return copy


@pytest.mark.parametrize("calls", [0, 1, 3])
@pytest.mark.parametrize("wrong", sorted(packs.NOT_OFFERED))
def test_where_the_kernel_copies_nothing_or_only_some_we_copy_the_rest(
    folder, monkeypatch, wrong, calls
):
    frames = [os.urandom(100), b"", os.urandom(5)]
    monkeypatch.setattr(os, "copy_file_range", kernel(calls=calls, wrong=wrong))
    written(folder, frames)
    assert (folder / packs.NATIVE).read_bytes() == multipart(frames)


def test_a_full_disk_is_an_error_of_the_kernels_copy_too(folder, monkeypatch):
    monkeypatch.setattr(os, "copy_file_range", kernel(calls=1, wrong=errno.ENOSPC))
    with pytest.raises(OSError, match="wrong") as error:
        written(folder, [os.urandom(100)])
    assert packs.is_full(error.value)


def test_a_disk_that_takes_less_than_it_is_given_is_given_the_rest(folder, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "copy_file_range", kernel(calls=0, wrong=errno.EXDEV))
    monkeypatch.setattr(os, "write", lambda out, data: real(out, bytes(data[:11])))
    frames = [os.urandom(100)]
    written(folder, frames)
    assert (folder / packs.NATIVE).read_bytes() == multipart(frames)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5))
def test_a_part_is_read_as_it_lies_and_a_frame_without_head_and_tail(frames):
    name = packs.new_folder()
    place = packs.made_folder(name)
    try:
        extents = written(place, frames)
        for frame, extent in zip(frames, extents, strict=True):
            assert packs.read(name, packs.NATIVE, extent) == frame
            assert packs.read_part(name, packs.NATIVE, extent, LE) == multipart([frame])
    finally:
        packs.drop(name)


def test_a_folders_name_is_random_and_its_place_has_no_name_of_the_input(archive):
    names = {packs.new_folder() for _ in range(100)}
    assert len(names) == 100
    assert all(len(n) == 32 and set(n) <= set("0123456789abcdef") for n in names)
    name = names.pop()
    assert packs.folder_of(name) == archive / name[:2] / name


def test_folders_and_packs_are_the_owners_alone(archive):
    place = packs.made_folder(packs.new_folder())
    written(place, [b"x"])
    assert place.stat().st_mode & 0o777 == 0o700
    assert (place / packs.NATIVE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("free", "has_room"), [(limits.FREE_BYTES, True), (limits.FREE_BYTES - 1, False)])  # fmt: skip
def test_a_reserve_of_one_gib_stays_free(archive, monkeypatch, free, has_room):
    assert limits.FREE_BYTES == 2**30
    monkeypatch.setattr(packs.shutil, "disk_usage", lambda _: Usage(free))
    assert packs.has_room() is has_room
    if not has_room:
        with pytest.raises(packs.DiskFull) as refusal:
            packs.check_free_space()
        assert str(refusal.value) == (
            "The archive's disk is full; nothing of this file was stored. Free space and send it again."
        )
        assert (refusal.value.status, refusal.value.retry_after) == (503, 60)


class Usage:
    def __init__(self, free: int) -> None:
        self.free = free


def some_packs(folder: Path, n: int) -> list[Path]:
    paths = [folder / f"pack{k}" for k in range(n)]
    for k, path in enumerate(paths):
        path.write_bytes(b"%d" % k)
    return paths


def place(path: Path) -> tuple[str, str]:
    """A whole path as folder and pack: it stands for itself wherever the archive lies."""
    return str(path.parent), path.name


def test_the_packs_used_last_stay_open(tmp_path):
    a, b, c = some_packs(tmp_path, 3)
    kept = OpenPacks(2)
    kept.of(*place(a))
    kept.of(*place(b))
    kept.of(*place(a))
    kept.of(*place(c))
    assert list(kept.kept) == [place(a), place(c)]
    assert kept.of(*place(b)).read(1, 0) == b"1"


def test_a_pack_that_leaves_the_cache_is_closed_only_when_its_reader_lets_go(tmp_path):
    a, b = some_packs(tmp_path, 2)
    kept = OpenPacks(1)
    reader = kept.of(*place(a))
    kept.of(*place(b))
    a.unlink()
    assert reader.read(1, 0) == b"0"
    handle = reader.handle
    del reader
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handle)


def test_the_packs_of_a_folder_that_is_given_up_are_let_go(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "y").mkdir()
    (a,), (b,) = some_packs(tmp_path / "x", 1), some_packs(tmp_path / "y", 1)
    kept = OpenPacks(5)
    kept.of(*place(a))
    kept.of(*place(b))
    kept.close(str(tmp_path / "x"))
    assert list(kept.kept) == [place(b)]


def test_a_forked_process_starts_with_no_open_pack(tmp_path):
    (a,) = some_packs(tmp_path, 1)
    kept = OpenPacks(5)
    kept.of(*place(a))
    kept.lock.acquire()
    kept.forget()
    assert not kept.kept
    assert (
        kept.of(*place(a)).read(1, 0) == b"0"
    )  # the lock of the parent's thread is not waited for


def test_opening_marks_a_series_as_used(tmp_path):
    (a,) = some_packs(tmp_path, 1)
    os.utime(tmp_path, (1, 1))
    OpenPack(a)
    assert tmp_path.stat().st_mtime > 1


@pytest.mark.parametrize("came", [True, False])
def test_a_series_that_is_not_here_is_asked_for_once(archive, monkeypatch, came):
    name, asked = packs.new_folder(), []

    def fetch(folder: str) -> bool:
        asked.append(folder)
        if came:
            written(packs.made_folder(folder), [b"frame"])
        return came

    monkeypatch.setattr(packs, "fetchers", [fetch])
    extent = Extent(len(packs.head(LE)), 5)
    if came:
        assert packs.read(name, packs.NATIVE, extent) == b"frame"
    else:
        with pytest.raises(FileNotFoundError):
            packs.read(name, packs.NATIVE, extent)
    assert asked == [name]


def test_giving_up_a_folder_twice_is_no_error(archive):
    name = packs.new_folder()
    written(packs.made_folder(name), [b"x"])
    packs.sync(name)
    packs.drop(name)
    packs.drop(name)
    assert not packs.folder_of(name).exists()


def as_another_file(path: Path) -> None:
    """As a pack that another process has let go and brought back: a new file of the same bytes."""
    new = path.with_suffix(".new")
    new.write_bytes(path.read_bytes())
    new.rename(path)


def test_frames_that_came_after_a_pack_had_left_and_returned_are_found(archive):
    """This process has the file open that left."""
    name = packs.new_folder()
    (first,) = written(packs.made_folder(name), [b"first"])
    assert packs.read(name, packs.NATIVE, first) == b"first"
    pack = packs.folder_of(name) / packs.NATIVE
    as_another_file(pack)
    source = spool(archive / "more", [b"second"])
    (second,) = packs.append(pack.parent, packs.NATIVE, source, LE, after=packs.end_of(first))
    assert packs.read(name, packs.NATIVE, second) == b"second"
    assert packs.read_part(name, packs.NATIVE, second, LE) == multipart([b"second"])


def test_a_pack_that_is_too_short_is_damaged_and_no_shorter_answer(archive):
    name = packs.new_folder()
    (extent,) = written(packs.made_folder(name), [b"frame"])
    pack = packs.folder_of(name) / packs.NATIVE
    for size in (extent.offset + 4, extent.offset, 0):
        os.truncate(pack, size)
        for read in (packs.read, partial(packs.read_part, syntax=LE)):
            with pytest.raises(Damaged, match="tell the coordinator"):
                read(name, packs.NATIVE, extent)


def test_a_whole_frame_costs_one_read(archive, monkeypatch):
    name, real, reads = packs.new_folder(), os.pread, []
    (extent,) = written(packs.made_folder(name), [b"frame"])
    packs.read(name, packs.NATIVE, extent)

    def pread(*args: int) -> bytes:
        reads.append(args)
        return real(*args)

    with monkeypatch.context() as patched:
        patched.setattr(os, "pread", pread)
        for asked in ("open", "stat", "fstat"):
            patched.setattr(os, asked, lambda *args, **more: pytest.fail("asks for more"))
        found = packs.read(name, packs.NATIVE, extent)
    assert (found, len(reads)) == (b"frame", 1)
