"""Headers and metadata of a series, made once after its last change and kept: in the process, and on disk.

What is kept is named by everything it was made of, so that a changed series is never answered with old bytes.
"""

import gzip
import hashlib
import hmac
import json
import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from portal.archive import packs
from portal.archive.dicomweb.header import Elements, Image, Names, archive_names, images, value
from portal.archive.models import Exam, Series
from portal.archive.uids import archive_key

FORMAT = "4"
PIXEL_DATA = "7FE00010"
# between quotes inside JSON no value of a header can look like this
HERE = b'"BulkDataURI":"@/'
T = TypeVar("T")


@dataclass(frozen=True)
class Text:
    """A JSON document, plain and compressed, with the marks of both."""

    plain: bytes
    packed: bytes
    plain_mark: str
    packed_mark: str


@dataclass
class Kept(Generic[T]):
    """The values used last, at most `room` by their own weight."""

    room: int
    weigh: Callable[[T], int]
    used: int = 0
    values: OrderedDict[str, T] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, key: str, make: Callable[[], T]) -> T:
        with self.lock:
            if key in self.values:
                self.values.move_to_end(key)
                return self.values[key]
        made = make()
        with self.lock:
            if key not in self.values:
                self.values[key] = made
                self.used += self.weigh(made)
            while self.used > self.room and len(self.values) > 1:
                self.used -= self.weigh(self.values.popitem(last=False)[1])
        return made


texts: Kept[Text] = Kept(32 * 2**20, lambda text: len(text.plain) + len(text.packed))
shown: Kept[list[Image]] = Kept(8_000, lambda found: 1 + len(found))


def version(series: Series, names: Names) -> str:
    """Digest of all that the headers of a series depend on, under the names of a view."""
    exam = series.exam
    made_of = (
        FORMAT, series.pk, series.folder, series.digest, series.state, series.n_frames, series.native_size,
        series.stored_size, series.role, series.label, series.unit, series.transfer_syntax_uid,
        series.frame_of_reference_uid, series.geometry, series.pixel, series.values,
        exam.subject, exam.shifted_date, exam.time, exam.sex, exam.age,
        names.uid(exam.uid), names.uid(series.uid), names.patient, names.weeks, names.is_case, names.mark,
    )  # fmt: skip
    return hashlib.blake2b(repr(made_of).encode(), digest_size=16).hexdigest()


def images_of(series: Sequence[Series], names: Callable[[Exam], Names]) -> list[Image]:
    """Every image of these series as the view shows it."""
    found = []
    for one in series:
        called = names(one.exam)
        found += shown.of(version(one, called), lambda s=one: images([s], names))  # type: ignore[misc]
    return found


def known_images(state: str, series: Callable[[], Sequence[Series]]) -> list[Image]:
    """The archive view of the images of series, kept under a word for all that it is made of; these are read where it is not."""
    return shown.of(state, lambda: images(list(series()), archive_names))


def document(series: Sequence[Series], names: Callable[[Exam], Names], root: str) -> Text:
    """The metadata of all instances of these series, addressed below `root`."""
    key = "|".join([root, *(version(one, names(one.exam)) for one in series)])
    return texts.of(key, lambda: joined(series, names, root))


def known_document(
    state: str, root: str, series: Callable[[], Sequence[Series]], names: Callable[[Exam], Names]
) -> Text:
    """The same, kept under a word for all that it is made of; the series are read where it is not kept."""
    return texts.of(f"{root}|{state}", lambda: joined(series(), names, root))


def joined(series: Sequence[Series], names: Callable[[Exam], Names], root: str) -> Text:
    found = [of_series(one, names)[1:-1] for one in series]
    return text_of([f for f in found if f], root)


def text_of(found: Sequence[bytes], root: str) -> Text:
    """The document of JSON objects that are written already, addressed below `root`."""
    plain = b"[" + addressed(b",".join(found), root) + b"]"
    packed = gzip.compress(plain, compresslevel=6, mtime=0)
    return Text(plain, packed, mark(plain), mark(packed))


def addressed(content: bytes, root: str) -> bytes:
    return content.replace(HERE, f'"BulkDataURI":{json.dumps(root)[:-1]}/'.encode())


def mark(content: bytes) -> str:
    """A strong ETag: a keyed digest, so that nothing of the source shows in it."""
    return f'"{hmac.new(archive_key(), content, hashlib.sha256).hexdigest()[:32]}"'


def of_series(series: Series, names: Callable[[Exam], Names]) -> bytes:
    """From the series' folder where it is up to date; only the archive view is written there."""
    called = names(series.exam)
    if called.is_case:
        return written(images_of([series], names))
    wanted = version(series, called).encode() + b"\n"
    path = packs.folder_of(series.folder) / "metadata"
    if path.exists():
        content = path.read_bytes()
        if content.startswith(wanted):
            return content[len(wanted) :]
    text = written(images_of([series], names))
    if path.parent.exists():
        spool = path.with_name(f"metadata.{secrets.token_hex(8)}")
        with spool.open("wb") as out:
            out.write(wanted + text)
            out.flush()
            os.fsync(out.fileno())  # its name never stands for less than all of it
        spool.replace(path)
    return text


def written(found: Sequence[Image]) -> bytes:
    """One object per instance; pixels as an address below `@`."""
    return json.dumps([with_pixels(one) for one in found], separators=(",", ":")).encode()


def with_pixels(image: Image, root: str = "@") -> Elements:
    elements = dict(image.elements)
    if image.place.native:
        study, series, instance = image.key
        place = f"{root}/studies/{study}/series/{series}/instances/{instance}"
        elements[PIXEL_DATA] = {
            "vr": pixel_vr(image),
            "BulkDataURI": f"{place}/bulkdata/{PIXEL_DATA}",
        }
    return elements


def pixel_vr(image: Image) -> str:
    return "OB" if int(value(image.elements, "BitsAllocated", 16)) <= 8 else "OW"
