"""Packed frames on disk: one folder per series, frames with their multipart head and tail, append-only."""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from portal.archive import limits
from portal.errors import Unavailable
from portal.settings import private_secret

NATIVE, STORED = "native.pack", "stored.pack"


@dataclass(frozen=True)
class Extent:
    """Where a frame lies in its pack, and how long it is, head and tail not counted."""

    offset: int
    length: int


@lru_cache(maxsize=1)
def boundary() -> str:
    """One random multipart boundary per installation, so that no two cases can be linked by it."""
    return private_secret("boundary").hex()[:32]


def head(syntax: str) -> bytes:
    content = f"Content-Type: application/octet-stream; transfer-syntax={syntax}"
    return f"--{boundary()}\r\n{content}\r\n\r\n".encode()


def tail() -> bytes:
    return f"\r\n--{boundary()}--\r\n".encode()


def new_folder() -> str:
    """A random name; nothing of the input is ever part of a path."""
    return secrets.token_hex(16)


def folder_of(name: str) -> Path:
    path: Path = settings.ARCHIVE_DIR / name[:2] / name
    return path


def check_free_space() -> None:
    settings.ARCHIVE_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    if shutil.disk_usage(settings.ARCHIVE_DIR).free < limits.FREE_BYTES:
        raise Unavailable(
            "The archive's disk is full; nothing of this file was stored. Free space and send it again."
        )


@contextmanager
def writing(name: str) -> Iterator[Path]:
    """The series folder under its writer lock."""
    folder = folder_of(name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def append(
    folder: Path, pack: str, frames: Sequence[bytes], syntax: str, *, after: int
) -> list[Extent]:
    """Append frames behind the last committed byte `after` (what lies beyond is a crash's remainder), fsynced."""
    extents = []
    handle = os.open(folder / pack, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(handle, "r+b") as out:
        out.truncate(after)
        out.seek(after)
        for frame in frames:
            out.write(head(syntax))
            extents.append(Extent(out.tell(), len(frame)))
            out.write(frame)
            out.write(tail())
        out.flush()
        os.fsync(out.fileno())
    return extents


def end_of(extent: Extent) -> int:
    return extent.offset + extent.length + len(tail())


@lru_cache(maxsize=256)
def handle_of(folder: str, pack: str) -> int:
    """An open file for `pread`; packs only grow, so a handle stays good."""
    return os.open(folder_of(folder) / pack, os.O_RDONLY)


def read(folder: str, pack: str, extent: Extent) -> bytes:
    return os.pread(handle_of(folder, pack), extent.length, extent.offset)


def read_part(folder: str, pack: str, extent: Extent, syntax: str) -> bytes:
    """The frame with its multipart head and tail, one contiguous read."""
    before = len(head(syntax))
    return os.pread(
        handle_of(folder, pack), before + extent.length + len(tail()), extent.offset - before
    )
