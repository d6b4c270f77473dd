"""What a zip holds, unpacked in the ingest child into a folder of the spool; names are shown, never used as paths."""

import json
import lzma
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from portal.archive import limits
from portal.archive.refusals import Refusal

CHUNK = 2**20
# in the folder, beside the entries under their numbers: a line for each, so that no answer grows with their number
LISTING = "listing"
# of a name; the report keeps no more
SHOWN = 300
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
class Unpacked:
    """An entry under its number in the folder, or the code of why it was left out."""

    number: int
    name: str
    size: int
    problem: str = ""


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


def check(infos: list[zipfile.ZipInfo], size: int, folder: Path) -> None:
    """Raises Refusal for an archive of which nothing is unpacked."""
    packed = sum(i.compress_size for i in infos)
    announced = sum(i.file_size for i in infos)
    if any(i.flag_bits & 1 for i in infos):
        raise Refusal("locked_zip")
    too_many = len(infos) >= limits.ZIP_ENTRIES or announced > limits.ZIP_TOTAL or packed > size
    if too_many or announced > limits.ZIP_RATIO * max(packed, 1):
        raise Refusal("inflated", limit=limits.in_words(limits.ZIP_TOTAL))
    disk = os.statvfs(folder)
    if disk.f_bavail * disk.f_frsize < announced + limits.FREE_BYTES:
        raise Refusal("disk")


def unpack(path: Path, folder: Path) -> None:
    """Write the entries of a zip into an empty folder, and what became of each into the listing."""
    try:
        with zipfile.ZipFile(path) as archive, (folder / LISTING).open("w") as listing:
            check(archive.infolist(), path.stat().st_size, folder)
            for one in unpacked(archive, folder):
                listing.write(json.dumps([one.number, one.name[:SHOWN], one.size, one.problem]))
                listing.write("\n")
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise Refusal("damaged_zip") from error


def listed(folder: Path) -> Iterator[Unpacked]:
    with (folder / LISTING).open() as listing:
        for line in listing:
            yield Unpacked(*json.loads(line))


def unpacked(archive: zipfile.ZipFile, folder: Path) -> Iterator[Unpacked]:
    """What became of each entry; a damaged one is left out and the rest goes on."""
    for number, info in enumerate(archive.infolist()):
        if not info.is_dir():
            yield entry(archive, info, number, folder)


def entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, number: int, folder: Path) -> Unpacked:
    """Unpack one entry, unless it is unsafe or larger than a file may be."""
    if is_unsafe(info):
        return Unpacked(number, info.filename, info.file_size, "unsafe_name")
    if info.file_size > limits.FILE_BYTES:
        return Unpacked(number, info.filename, info.file_size, "too_large")
    target = folder / str(number)
    try:
        written = extract(archive, info, target)
    except DAMAGED:
        target.unlink(missing_ok=True)
        return Unpacked(number, info.filename, info.file_size, "damaged_entry")
    problem = "locked_zip" if is_zip(target) else ""
    return Unpacked(number, info.filename, written, problem)


def extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> int:
    """The bytes written: zipfile gives none beyond what an entry announces, the sum of which was checked."""
    written = 0
    with archive.open(info) as source, target.open("wb") as out:
        while chunk := source.read(CHUNK):
            written += out.write(chunk)
    return written
