"""Files to be read: a sorted walk over files, folders and zips, which a child unpacks; nothing outside is followed."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from portal.archive.pool import pool
from portal.archive.zips import is_zip, listed


@dataclass(frozen=True)
class Entry:
    """A file with the name to show, or the code of why an archive or an entry of one was left out.

    With a `handle`, of a nameless file that the children have open, it is so many bytes from `offset` on. One of a
    folder or zip lies among others, which need not be images.
    """

    path: Path
    name: str
    size: int
    problem: str = ""
    offset: int = 0
    handle: int = -1
    is_among_others: bool = False


@dataclass(frozen=True)
class Unpacking:
    """Where zips are unpacked: `spool` makes the folder, so many children are there to do it."""

    spool: Callable[[], Path]
    workers: int


def entries(
    paths: Iterable[Path | Entry], names: Mapping[Path, str], unpacking: Unpacking
) -> Iterator[Entry]:
    """The files meant by these paths, and those that are known as files."""
    for path in paths:
        if isinstance(path, Entry):
            yield path
        elif path.is_dir():
            yield from walk(path, unpacking)
        else:
            yield from opened(
                Entry(path, names.get(path, path.name), path.stat().st_size), unpacking
            )


def walk(folder: Path, unpacking: Unpacking) -> Iterator[Entry]:
    """Sorted files of a folder; links out of it are not followed."""
    root = folder.resolve()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.resolve().is_relative_to(root):
            name = str(path.relative_to(folder))
            one = Entry(path, name, path.stat().st_size, is_among_others=True)
            yield from opened(one, unpacking)


def opened(one: Entry, unpacking: Unpacking) -> Iterator[Entry]:
    """A file, or the entries of a zip."""
    with suppress(OSError):  # of one that nobody may read the child says so
        if is_zip(one.path):
            return unzipped(one, unpacking)
    return iter((one,))


def unzipped(one: Entry, unpacking: Unpacking) -> Iterator[Entry]:
    """The entries of a zip, under numbers of ours; or the zip itself with the code of why it was not unpacked."""
    folder = Path(tempfile.mkdtemp(dir=unpacking.spool()))
    answer = pool(unpacking.workers).unpacked(one.path, folder)
    if not answer["ok"]:
        shutil.rmtree(folder)
        yield replace(one, problem=answer["code"])
        return
    for found in listed(folder):
        yield Entry(
            folder / str(found.number), f"{one.name}/{found.name}", found.size, found.problem,
            is_among_others=True,
        )  # fmt: skip
