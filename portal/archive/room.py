"""Where the parts of a body lie until they are packed: files of a folder, or a nameless one that is written over again.

A new file costs the kernel more than the bytes that go into it. A nameless file has its pages already; nobody can open it
but this process and the children that were started with it, and it goes with the process.
"""

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


@dataclass(frozen=True)
class Place:
    """Where a part begins: in a file, or in a nameless one under a number that the children know as well."""

    path: Path
    offset: int = 0
    handle: int = -1


class Room(Protocol):
    """Takes one part after the other."""

    def opened(self, number: int) -> AbstractContextManager[tuple[int, Place]]:
        """A file to write the part to, and where it begins."""


@dataclass(frozen=True)
class Folder:
    """A file for each part, under a number of ours."""

    path: Path

    @contextmanager
    def opened(self, number: int) -> Iterator[tuple[int, Place]]:
        place = Place(self.path / str(number))
        out = os.open(place.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            yield out, place
        finally:
            os.close(out)


class Nameless:
    """One file for all parts of a body; the next body is written over it."""

    def __init__(self, folder: Path) -> None:
        self.out, name = tempfile.mkstemp(dir=folder, prefix="nameless-")
        try:
            self.handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        finally:
            Path(name).unlink()
        weakref.finalize(self, closed, self.out, self.handle)

    def begin(self) -> None:
        os.lseek(self.out, 0, os.SEEK_SET)

    @contextmanager
    def opened(self, number: int) -> Iterator[tuple[int, Place]]:
        offset = os.lseek(self.out, 0, os.SEEK_CUR)
        yield self.out, Place(OWN / str(self.handle), offset, self.handle)


def closed(*handles: int) -> None:
    for handle in handles:
        os.close(handle)
