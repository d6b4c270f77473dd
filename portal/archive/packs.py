"""Packed frames on disk: one folder per series, frames with their multipart head and tail, append-only."""

import errno
import os
import secrets
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from portal.archive import limits
from portal.archive.refusals import Refusal
from portal.errors import Unavailable
from portal.settings import private_secret

NATIVE, STORED = "native.pack", "stored.pack"
CHUNK = 2**20
NOT_OFFERED = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF})


@dataclass(frozen=True)
class Spooled:
    """A frame in a spool file that an ingest child has written."""

    path: Path
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a frame lies in its pack, and how long it is, head and tail not counted."""

    offset: int
    length: int


@lru_cache(maxsize=1)
def boundary() -> str:
    """One random multipart boundary per installation, so that no two cases can be linked by it."""
    return private_secret("boundary").hex()[:32]


@lru_cache(maxsize=64)
def head(syntax: str) -> bytes:
    content = f"Content-Type: application/octet-stream; transfer-syntax={syntax}"
    return f"--{boundary()}\r\n{content}\r\n\r\n".encode()


@lru_cache(maxsize=1)
def tail() -> bytes:
    return f"\r\n--{boundary()}--\r\n".encode()


def new_folder() -> str:
    """A random name; nothing of the input is ever part of a path."""
    return secrets.token_hex(16)


def folder_of(name: str) -> Path:
    path: Path = settings.ARCHIVE_DIR / name[:2] / name
    return path


class DiskFull(Unavailable):
    """The archive has no room; the sender may come again."""

    code = "disk_full"
    retry_after = 60


class Damaged(Unavailable):
    """What the store holds is not what was put there."""

    code = "damaged"
    retry_after = 600

    def __init__(self) -> None:
        super().__init__("This image is damaged in the archive; tell the coordinator.")


def disk_full() -> DiskFull:
    return DiskFull(Refusal("disk").sentence)


def is_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def refused_when_full() -> Iterator[None]:
    """Raises DiskFull where a write inside the block meets a full disk."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise disk_full() from error


def room() -> int:
    """How many bytes may come before less than the reserve is free in the archive, in the spool or of the identities."""
    found = [free_bytes(), shutil.disk_usage(settings.DATA_DIR).free]
    with suppress(FileNotFoundError):  # of an installation that seals no header yet, or none at all
        found.append(shutil.disk_usage(settings.IDENTITY_DIR).free)
    return min(found) - limits.FREE_BYTES


def has_room(coming: int = 0) -> bool:
    """True where the reserve is still free once so many bytes more have come."""
    return room() >= coming


def free_bytes() -> int:
    try:
        return shutil.disk_usage(settings.ARCHIVE_DIR).free
    except FileNotFoundError:
        settings.ARCHIVE_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    return shutil.disk_usage(settings.ARCHIVE_DIR).free


def check_free_space() -> None:
    if not has_room():
        raise disk_full()


def made_folder(name: str) -> Path:
    folder = folder_of(name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def laid(frames: Sequence[Spooled], syntax: str, *, after: int) -> list[Extent]:
    """Where frames lie once they are appended behind `after`, each with its head and tail."""
    extents, at = [], after
    for frame in frames:
        at += len(head(syntax))
        extents.append(Extent(at, frame.length))
        at += frame.length + len(tail())
    return extents


def append(
    folder: Path,
    pack: str,
    frames: Sequence[Spooled],
    syntax: str,
    *,
    after: int,
    has_time: Callable[[int], bool] = lambda n: False,
) -> list[Extent]:
    """Append frames behind the last committed byte `after`; what lies beyond is a crash's remainder.

    The bytes are on disk only after `sync`, and one frame at most is in memory. Where `has_time`, told how many bytes
    they are, says so, the disk begins with them now.
    """
    out = os.open(folder / pack, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(out, after)
        os.lseek(out, after, os.SEEK_SET)
        for frame in frames:
            write(out, head(syntax))
            copy(frame, out)
            write(out, tail())
        if has_time(os.lseek(out, 0, os.SEEK_CUR) - after):
            os.fdatasync(out)
    finally:
        os.close(out)
    return laid(frames, syntax, after=after)


def made_file(path: Path) -> int:
    """Open a file for writing; it, its folder and that one's are made where they are not there, the owner's alone."""
    how = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, how, 0o600)
    except FileNotFoundError:
        for folder in (path.parent.parent, path.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, how, 0o600)


def write(out: int, data: bytes | memoryview) -> int:
    """All of it; a disk that fills up takes less than it is given before it says so."""
    left = memoryview(data)
    while left:
        left = left[os.write(out, left) :]
    return len(data)


def copy(frame: Spooled, out: int) -> None:
    """Behind what is written; one chunk at most is in memory."""
    source = os.open(frame.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        done = copied_inside(source, out, frame)
        while done < frame.length:
            chunk = os.pread(source, min(CHUNK, frame.length - done), frame.offset + done)
            if not chunk:
                raise OSError(errno.EIO, "the spool file is shorter than its frames")
            done += write(out, chunk)
    finally:
        os.close(source)


def copied_inside(source: int, out: int, frame: Spooled) -> int:
    """How much of a frame the kernel has copied by itself: nothing where the file system does not offer it."""
    done = 0
    try:
        while done < frame.length:
            n = os.copy_file_range(source, out, frame.length - done, frame.offset + done)
            if not n:
                break
            done += n
    except OSError as error:
        if error.errno not in NOT_OFFERED:
            raise
    return done


def sync(folder: str) -> None:
    """Bring a series' packs to the disk, before the rows that point into them are committed."""
    for pack in (NATIVE, STORED):
        path = folder_of(folder) / pack
        if path.exists():
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def end_of(extent: Extent) -> int:
    return extent.offset + extent.length + len(tail())


class OpenPack:
    """An open file for `pread`; packs only grow, so what it has stays good. The last holder's going closes it."""

    def __init__(self, path: Path) -> None:
        self.handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with suppress(OSError):
            os.utime(
                path.parent
            )  # what was not used for longest leaves the cache of a remote first

    def read(self, length: int, offset: int) -> bytes:
        """Through the object, not its number: the caller's reference keeps the file open meanwhile."""
        return os.pread(self.handle, length, offset)

    def __del__(self) -> None:
        if "handle" in vars(self):
            os.close(self.handle)


class OpenPacks:
    """The packs read last, at most `room` of them; a reader keeps its own open while it reads."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.kept: OrderedDict[tuple[str, str], OpenPack] = OrderedDict()
        self.lock = threading.Lock()

    def of(self, folder: str, pack: str) -> OpenPack:
        with self.lock:
            found = self.kept.pop((folder, pack), None) or OpenPack(folder_of(folder) / pack)
            self.kept[folder, pack] = found
            while len(self.kept) > self.room:
                self.kept.popitem(last=False)
            return found

    def close(self, folder: str) -> None:
        """Let go of the packs of a folder that is given up."""
        with self.lock:
            for key in [k for k in self.kept if k[0] == folder]:
                del self.kept[key]

    def forget(self) -> None:
        """Start anew, as a forked process must: the lock may have been held by a thread it does not have."""
        self.kept, self.lock = OrderedDict(), threading.Lock()


open_packs = OpenPacks(256)
os.register_at_fork(after_in_child=open_packs.forget)


# asked for a series' folder that is not here; True when it has come
Fetch = Callable[[str], bool]
fetchers: list[Fetch] = []


def fetch_with(fetch: Fetch) -> None:
    """Tell the packs who brings back a series that lies at a remote store (called when the app is ready)."""
    fetchers[:] = [fetch]


def fetched(folder: str) -> bool:
    """Bring a series back from a remote store; False where none has it."""
    return any(fetch(folder) for fetch in fetchers)


def opened(folder: str, pack: str) -> OpenPack:
    """An open pack, brought back first where only a remote store has it."""
    try:
        return open_packs.of(folder, pack)
    except FileNotFoundError:
        if not fetched(folder):
            raise
    return open_packs.of(folder, pack)


def reaches(folder: str, pack: str, size: int) -> bool:
    """Is a pack here, as far as that? Of the file that lies there now, whatever is open."""
    try:
        return (folder_of(folder) / pack).stat().st_size >= size
    except FileNotFoundError:
        return False


def cut(folder: str, pack: str, size: int) -> None:
    """What lies beyond the last committed byte goes."""
    path = folder_of(folder) / pack
    if path.exists() and path.stat().st_size > size:
        os.truncate(path, size)


def drop(folder: str) -> None:
    """Give up the local packs of a series; who reads them just now reads on."""
    open_packs.close(folder)
    shutil.rmtree(folder_of(folder), ignore_errors=True)


def read_at(folder: str, pack: str, length: int, offset: int) -> bytes:
    """So many bytes of a pack. Raises Damaged where it ends before them."""
    found = opened(folder, pack).read(length, offset)
    return found if len(found) == length else read_anew(folder, pack, length, offset)


def read_anew(folder: str, pack: str, length: int, offset: int) -> bytes:
    """A pack that left and came back while it was open here is another file, and the one that grows."""
    open_packs.close(folder)
    found = opened(folder, pack).read(length, offset)
    if len(found) != length:
        raise Damaged
    return found


def read(folder: str, pack: str, extent: Extent) -> bytes:
    return read_at(folder, pack, extent.length, extent.offset)


def read_part(folder: str, pack: str, extent: Extent, syntax: str) -> bytes:
    """The frame with its multipart head and tail, one contiguous read."""
    before = len(head(syntax))
    whole = before + extent.length + len(tail())
    return read_at(folder, pack, whole, extent.offset - before)
