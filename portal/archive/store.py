"""Where the images lie: one Protocol, kept by the local folder here and by any DICOMweb server in `remote`."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from django.conf import settings

from portal.archive import packs
from portal.archive.decode import LITTLE_ENDIAN
from portal.archive.dicomweb import wado
from portal.archive.dicomweb.header import Elements, Image, archive_names, images
from portal.archive.frames import NO_SUCH_IMAGE
from portal.archive.models import Instance, Series
from portal.archive.packs import Damaged, Extent, Spooled
from portal.archive.refusals import Refusal
from portal.errors import Conflict, NotFound, Unavailable
from portal.jobs.queue import enqueue

PUSH = "archive.push"
Form = Literal["native", "stored"]
PACK_OF: dict[Form, str] = {"native": packs.NATIVE, "stored": packs.STORED}
OTHER_IMAGE = "Another image with this UID is already stored; the stored one was kept."


class Missing(NotFound):
    """The store does not hold this image."""

    def __init__(self) -> None:
        super().__init__(NO_SUCH_IMAGE)


class Down(Unavailable):
    """The store does not answer now."""

    code = "archive_down"
    retry_after = 60

    def __init__(self) -> None:
        super().__init__(DOES_NOT_ANSWER)


DOES_NOT_ANSWER = Refusal("archive_down").sentence


@dataclass(frozen=True)
class Holding:
    """One image in the archive view: its header, where its frames lie, and the SHA-256 of each.

    `address` is its path at a remote that gave it other UIDs, '' where it kept ours.
    """

    image: Image
    native_digests: tuple[str, ...]
    stored_digests: tuple[str, ...]
    address: str = ""

    @property
    def uid(self) -> str:
        return self.image.key[2]

    @property
    def folder(self) -> str:
        return self.image.place.folder

    def extents(self, form: Form) -> tuple[Extent, ...]:
        return self.image.place.native if form == "native" else self.image.place.stored

    def digests(self, form: Form) -> tuple[str, ...]:
        return self.native_digests if form == "native" else self.stored_digests

    @property
    def file_syntax(self) -> str:
        """Of the image as a whole: as it is stored."""
        return self.image.place.syntax if self.stored_digests else LITTLE_ENDIAN

    def syntax(self, form: Form) -> str:
        return LITTLE_ENDIAN if form == "native" else self.image.place.syntax


@dataclass(frozen=True)
class Incoming:
    """A holding to be put, and files that have its frames, in canonical order."""

    holding: Holding
    native: tuple[Spooled, ...]
    stored: tuple[Spooled, ...]

    def frames(self, form: Form) -> tuple[Spooled, ...]:
        return self.native if form == "native" else self.stored


class Store(Protocol):
    """What the archive asks of a place that keeps images.

    Errors are the same from all: Missing, Damaged, Down, DiskFull, and Conflict for another image of one UID.
    """

    def put(self, batch: Iterable[Incoming]) -> dict[str, str]:
        """Keep these images, once however often they are put; UID -> address where it is not ours."""

    def frames(
        self, series: Sequence[Holding], one: Holding, numbers: Sequence[int], form: Form
    ) -> list[bytes]:
        """Frames of one image of a whole series by their numbers from 1, in the order asked."""

    def metadata(self, series: Sequence[Holding]) -> list[Elements]:
        """The header of each image, in the order given, without pixels."""

    def whole(self, series: Sequence[Holding], one: Holding) -> Iterator[bytes]:
        """An image of a whole series as a Part 10 file of the archive view, in its stored syntax."""

    def present(self, series: Sequence[Holding]) -> set[str]:
        """Which images of a series are there, by UID."""

    def remove(self, series: Sequence[Holding]) -> None:
        """Give up a series; what is not there is no error."""

    def verify(self, series: Sequence[Holding]) -> tuple[str, ...]:
        """UIDs of the images of a series that are missing or whose frames do not have their digests."""

    def free_bytes(self) -> int:
        """Room left where new images are written first."""


def holdings(series: Series, addresses: dict[str, str] | None = None) -> list[Holding]:
    """Every image of a series as a store knows it, in canonical order."""
    known = addresses or {}
    rows = Instance.objects.filter(series=series).order_by("rank")
    digests = {i.uid: (tuple(i.frame_digests), tuple(i.stored_digests)) for i in rows}
    return [
        Holding(image, *digests[image.key[2]], address=known.get(image.key[2], ""))
        for image in images([series], archive_names)
    ]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def from_pack(one: Holding) -> Incoming:
    """A holding with its own local pack as the source of its frames."""
    folder = packs.folder_of(one.folder)
    native, stored = (
        tuple(Spooled(folder / PACK_OF[form], e.offset, e.length) for e in one.extents(form))
        for form in PACK_OF
    )
    return Incoming(one, native, stored)


class LocalFolder:
    """Packs below a folder, one per series; the index in the database says where each frame lies."""

    def put(self, batch: Iterable[Incoming]) -> dict[str, str]:
        for one in batch:
            packs.check_free_space()
            for form in PACK_OF:
                self.put_frames(one, form)
        return {}

    def put_frames(self, one: Incoming, form: Form) -> None:
        """Write the frames to their places; a frame that lies there whole must be the same."""
        pairs = zip(one.holding.extents(form), one.holding.digests(form), strict=True)
        todo = []
        for (extent, wanted), frame in zip(pairs, one.frames(form), strict=True):
            found = self.lying(one.holding, form, extent)
            if found is not None and sha256(found) != wanted:
                raise Conflict(OTHER_IMAGE)
            if found is None:
                todo.append((extent, frame))
        if todo:
            path = packs.made_folder(one.holding.folder) / PACK_OF[form]
            write_at(path, todo, one.holding.syntax(form))

    def lying(self, one: Holding, form: Form, extent: Extent) -> bytes | None:
        """The bytes at a place, None where the pack ends before the frame's tail does."""
        path = packs.folder_of(one.folder) / PACK_OF[form]
        if not path.exists() or path.stat().st_size < packs.end_of(extent):
            return None
        with path.open("rb") as pack:
            pack.seek(extent.offset)
            return pack.read(extent.length)

    def frames(
        self, series: Sequence[Holding], one: Holding, numbers: Sequence[int], form: Form
    ) -> list[bytes]:
        extents = one.extents(form)
        if not all(1 <= n <= len(extents) for n in numbers):
            raise Missing
        found = [self.lying(one, form, extents[n - 1]) for n in numbers]
        wanted = [one.digests(form)[n - 1] for n in numbers]
        for data, digest in zip(found, wanted, strict=True):
            if data is None:
                raise Missing
            if sha256(data) != digest:
                raise Damaged
        return [data for data in found if data is not None]

    def metadata(self, series: Sequence[Holding]) -> list[Elements]:
        return [one.image.elements for one in series]

    def whole(self, series: Sequence[Holding], one: Holding) -> Iterator[bytes]:
        if self.present([one]) != {one.uid}:
            raise Missing
        return wado.pieces_of(one.image, one.file_syntax)

    def present(self, series: Sequence[Holding]) -> set[str]:
        return {
            one.uid
            for one in series
            if all(ends_inside(one, form) for form in PACK_OF if one.extents(form))
        }

    def remove(self, series: Sequence[Holding]) -> None:
        for folder in {one.folder for one in series}:
            packs.drop(folder)

    def verify(self, series: Sequence[Holding]) -> tuple[str, ...]:
        return tuple(one.uid for one in series if not self.is_sound(one))

    def is_sound(self, one: Holding) -> bool:
        for form in PACK_OF:
            for extent, wanted in zip(one.extents(form), one.digests(form), strict=True):
                data = self.lying(one, form, extent)
                if data is None or sha256(data) != wanted:
                    return False
        return True

    def free_bytes(self) -> int:
        return packs.free_bytes()


def ends_inside(one: Holding, form: Form) -> bool:
    path = packs.folder_of(one.folder) / PACK_OF[form]
    return path.exists() and path.stat().st_size >= packs.end_of(one.extents(form)[-1])


def write_at(path: Path, todo: Sequence[tuple[Extent, Spooled]], syntax: str) -> None:
    """Frames with their heads and tails at given places of a pack, on the disk when this returns."""
    head = packs.head(syntax)
    out = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for extent, frame in todo:
            os.lseek(out, extent.offset - len(head), os.SEEK_SET)
            packs.write(out, head)
            packs.copy(frame, out)
            packs.write(out, packs.tail())
        os.fsync(out)
    finally:
        os.close(out)


def is_remote() -> bool:
    return str(settings.ARCHIVE) != "local"


def push_later() -> None:
    """Queue the push after an import; what is lost on the way is found by the next one's query."""
    if is_remote():
        enqueue(PUSH, {})
