"""Files to be read: a sorted walk over files, folders and zips; nothing outside is followed."""

import lzma
import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from portal.archive import limits

CHUNK = 2**20
# names that some systems open as a device, whatever follows the point
DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
DAMAGED = (
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True)
class Entry:
    """A file with the name to show, or the code of why an archive's entry was left out.

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


def entries(
    paths: Iterable[Path | Entry], names: Mapping[Path, str], spool: Callable[[], Path]
) -> Iterator[Entry]:
    """The files meant by these paths, and those that are known as files; `spool` makes the folder into which zips are unpacked."""
    for path in paths:
        if isinstance(path, Entry):
            yield path
        elif path.is_dir():
            yield from walk(path)
        elif is_zip(path):
            yield from unzip(path, names.get(path, path.name), spool())
        else:
            yield Entry(path, names.get(path, path.name), path.stat().st_size)


def walk(folder: Path) -> Iterator[Entry]:
    """Sorted files of a folder; links out of it are not followed."""
    root = folder.resolve()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.resolve().is_relative_to(root):
            name = str(path.relative_to(folder))
            yield Entry(path, name, path.stat().st_size, is_among_others=True)


def is_zip(path: Path) -> bool:
    with path.open("rb") as start:
        return begins_zip(start.read(4))


def begins_zip(start: bytes) -> bool:
    return start[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def is_unsafe(info: zipfile.ZipInfo) -> bool:
    name = info.orig_filename.replace("\\", "/")  # as it stands in the archive, beyond a NUL too
    parts = PurePosixPath(name).parts
    is_link = stat.S_ISLNK(info.external_attr >> 16)
    return (
        is_link
        or name.startswith("/")
        or ".." in parts
        or "\0" in name
        or (len(name) > 1 and name[1] == ":")
        or any(DEVICE.fullmatch(part) for part in parts)
    )


def archive_problem(archive: zipfile.ZipFile, size: int) -> str:
    """A code for an archive that is not opened at all."""
    infos = archive.infolist()
    packed = sum(i.compress_size for i in infos)
    unpacked = sum(i.file_size for i in infos)
    if any(i.flag_bits & 1 for i in infos):
        return "locked_zip"
    too_many = len(infos) >= limits.ZIP_ENTRIES or unpacked > limits.ZIP_TOTAL or packed > size
    return "inflated" if too_many or unpacked > limits.ZIP_RATIO * max(packed, 1) else ""


def unzip(path: Path, name: str, spool: Path) -> Iterator[Entry]:
    """Unpack a zip into the spool under numbers; names are shown, never used as paths."""
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            problem = archive_problem(archive, size)
            if problem:
                yield Entry(path, name, size, problem)
                return
            yield from unpacked(archive, name, Path(tempfile.mkdtemp(dir=spool)))
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        yield Entry(path, name, size, "damaged_zip")


def unpacked(archive: zipfile.ZipFile, name: str, spool: Path) -> Iterator[Entry]:
    """One row per entry; a damaged one is left out and the rest goes on."""
    total = 0
    for number, info in enumerate(archive.infolist()):
        if info.is_dir():
            continue
        shown = f"{name}/{info.filename}"
        if is_unsafe(info):
            yield Entry(spool, shown, info.file_size, "unsafe_name")
            continue
        target = spool / str(number)
        try:
            written = extract(archive, info, target, limits.ZIP_TOTAL - total)
        except DAMAGED:
            yield Entry(spool, shown, info.file_size, "damaged_entry")
            continue
        total += written
        if written > info.file_size or total > limits.ZIP_TOTAL:
            yield Entry(spool, shown, written, "inflated")
            return
        problem = "locked_zip" if is_zip_or_empty(target) else ""
        yield Entry(target, shown, written, problem, is_among_others=True)


def is_zip_or_empty(path: Path) -> bool:
    return path.stat().st_size >= 4 and is_zip(path)


def extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, room: int) -> int:
    """Copy one entry, stopping beyond its announced size or the room left; returns the bytes written."""
    written, limit = 0, min(info.file_size + 1, room + 1)
    with archive.open(info) as source, target.open("wb") as out:
        while chunk := source.read(CHUNK):
            written += len(chunk)
            if written > limit:
                break
            out.write(chunk)
    return written
