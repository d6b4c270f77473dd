"""Where the parts of a body lie until they are packed: files of a folder, or a nameless one that is written over again.

A new file costs the kernel more than the bytes that go into it. A nameless file has its pages already, and a body is
received straight into them; nobody can open it but this process and the children that were started with it, and it goes
with the process.
"""

import mmap
import os
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

# bodies up to this size lie in a nameless file
MOST = 16 * 2**20
OWN = Path("/proc/self/fd")
# at most so much is received at once; the head of a part must fit into a window beside it
CHUNK, HEAD_BYTES = 2**18, 16 * 2**10


@dataclass(frozen=True)
class Place:
    """Where a part begins: in a file, or in a nameless one under a number that the children know as well."""

    path: Path
    offset: int = 0
    handle: int = -1


@dataclass(frozen=True)
class Window:
    """Bytes of a body while it comes. One that `is_whole` has room for all of them, and they stay where they are."""

    bytes: bytearray | mmap.mmap
    is_whole: bool = False

    def moved_on(self, at: int, end: int) -> int:
        """Make room for a chunk behind `end`, what lies before `at` being done with; by how much all has moved."""
        if self.is_whole or end + CHUNK <= len(self.bytes):
            return 0
        self.bytes[: end - at] = self.bytes[at:end]
        return at


class Room(Protocol):
    """Takes one part after the other."""

    def window(self) -> Window:
        """Where a body comes in."""

    def opened(self, number: int, at: int) -> AbstractContextManager[tuple[int | None, Place]]:
        """A file to write the part to, which begins `at` in the window; None where it stays in that."""


@dataclass(frozen=True)
class Folder:
    """A file for each part, under a number of ours."""

    path: Path

    def window(self) -> Window:
        return Window(bytearray(2 * (CHUNK + HEAD_BYTES)))

    @contextmanager
    def opened(self, number: int, at: int) -> Iterator[tuple[int, Place]]:
        place = Place(self.path / str(number))
        out = os.open(place.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            yield out, place
        finally:
            os.close(out)


class Nameless:
    """One file for all parts of a body, as it came; the next body is written over it."""

    def __init__(self, folder: Path) -> None:
        self.out, name = tempfile.mkstemp(dir=folder, prefix="nameless-")
        try:
            self.handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        finally:
            Path(name).unlink()
        self.seen: Window | None = None
        self.path = OWN / str(self.handle)
        weakref.finalize(self, closed, self.out, self.handle)

    def begin(self) -> None:
        """Take its room on the disk when it is first used: what is written to memory cannot meet a full one.

        Raises OSError where there is no room for it.
        """
        if self.seen is None:
            size = MOST + CHUNK  # a line's end stands before the body
            os.posix_fallocate(self.out, 0, size)
            self.seen = Window(mmap.mmap(self.out, size), is_whole=True)

    def window(self) -> Window:
        self.begin()
        assert self.seen is not None
        return self.seen

    @contextmanager
    def opened(self, number: int, at: int) -> Iterator[tuple[None, Place]]:
        yield None, Place(self.path, at, self.handle)


def closed(*handles: int) -> None:
    for handle in handles:
        os.close(handle)
