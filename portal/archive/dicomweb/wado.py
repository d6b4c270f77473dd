"""WADO-RS: metadata, whole instances as Part 10, bulk data; streamed from the packs, never decoded."""

import gzip
import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from portal.archive import identities, packs
from portal.archive.accept import IMPLICIT, alternatives
from portal.archive.decode import LITTLE_ENDIAN
from portal.archive.dicomweb.baked import PIXEL_DATA, Text, mark, with_pixels
from portal.archive.dicomweb.encoding import (
    FRAGMENTS_END,
    encoded,
    file_start,
    fragment_start,
    fragments_start,
    native_start,
)
from portal.archive.dicomweb.header import Image, value
from portal.archive.frames import NO_SUCH_IMAGE, Location, NotAcceptable, keeping
from portal.errors import NotFound

BLOCK = 2**20
# a weight that refuses
NOTHING = re.compile(r"q=0(\.0{0,3})?")
JSON = "application/dicom+json"


def check_json(request: HttpRequest) -> None:
    if not takes_json(request.META.get("HTTP_ACCEPT", "")):
        raise NotAcceptable("This resource is answered as application/dicom+json only.")


@lru_cache(maxsize=256)
def takes_json(accept: str) -> bool:
    offered = {"*/*", "application/*", JSON, "application/json"}
    return not accept.strip() or any(a.media in offered for a in alternatives(accept))


@lru_cache(maxsize=256)
def takes_gzip(accept: str) -> bool:
    """Named, and not with a weight of nothing."""
    coded = (one.replace(" ", "").lower().partition(";") for one in accept.split(","))
    return any(name == "gzip" and not NOTHING.fullmatch(weight) for name, _, weight in coded)


def metadata(request: HttpRequest, text: Text) -> HttpResponse:
    """The document as it lies ready, compressed where that is accepted; equal answers are equal bytes."""
    if takes_gzip(request.META.get("HTTP_ACCEPT_ENCODING", "")):
        response = HttpResponse(text.packed, content_type=JSON)
        response["Content-Encoding"], response["ETag"] = "gzip", text.packed_mark
    else:
        response = HttpResponse(text.plain, content_type=JSON)
        response["ETag"] = text.plain_mark
    return response


def of_images(found: Sequence[Image], root: str) -> Text:
    """The metadata of single instances, written for the moment."""
    plain = json.dumps([with_pixels(i, root) for i in found], separators=(",", ":")).encode()
    packed = gzip.compress(plain, compresslevel=6, mtime=0)
    return Text(plain, packed, mark(plain), mark(packed))


def wanted_syntax(media: str, parameters: dict[str, str], image: Image) -> str | None:
    """The transfer syntax of a Part 10 answer for one alternative, None where it does not fit."""
    inner = parameters.get("type", "application/dicom").lower()
    if media not in ("*/*", "multipart/related", "application/dicom") or inner not in (
        "application/dicom",
        "*/*",
    ):
        return None
    asked = parameters.get("transfer-syntax", LITTLE_ENDIAN)
    stored = image.place.syntax if image.place.stored else LITTLE_ENDIAN
    if asked in ("*", stored):
        return stored
    return LITTLE_ENDIAN if asked in (LITTLE_ENDIAN, IMPLICIT) else None


def part10(request: HttpRequest, images: Sequence[Image]) -> HttpResponseBase:
    """Whole instances, one part each, or a single instance alone."""
    header = request.headers.get("Accept", "") or "*/*"
    for alternative in alternatives(header):
        found = [wanted_syntax(alternative.media, alternative.parameters, i) for i in images]
        syntaxes = [s for s in found if s is not None]
        is_single = alternative.media == "application/dicom"
        if len(syntaxes) < len(images) or (is_single and len(images) != 1):
            continue
        bring_here(images)
        if is_single:
            return streamed(pieces_of(images[0], syntaxes[0]), length_of(images[0], syntaxes[0]),
                            f"application/dicom; transfer-syntax={syntaxes[0]}")  # fmt: skip
        return multipart(images, syntaxes)
    raise NotAcceptable(
        "Instances are answered as application/dicom, alone or in multipart/related."
    )


def multipart(images: Sequence[Image], syntaxes: Sequence[str]) -> HttpResponseBase:
    mark = packs.boundary()
    heads = [
        f"--{mark}\r\nContent-Type: application/dicom; transfer-syntax={s}\r\n\r\n".encode()
        for s in syntaxes
    ]
    end = f"--{mark}--\r\n".encode()

    def pieces() -> Iterator[bytes]:
        for image, syntax, head in zip(images, syntaxes, heads, strict=True):
            yield head
            yield from pieces_of(image, syntax)
            yield b"\r\n"
        yield end

    pairs = zip(images, syntaxes, strict=True)
    length = sum(map(len, heads)) + sum(length_of(i, s) + 2 for i, s in pairs) + len(end)
    return streamed(
        pieces(), length, f'multipart/related; type="application/dicom"; boundary={mark}'
    )


def bring_here(chosen: Sequence[Image]) -> None:
    """Before an answer begins: the packs it needs are here, or the refusal is still a whole answer."""
    for folder in {i.place.folder for i in chosen if i.place.native}:
        packs.opened(folder, packs.NATIVE)


def streamed(pieces: Iterator[bytes], length: int, content_type: str) -> HttpResponseBase:
    response = StreamingHttpResponse(pieces, content_type=content_type)
    response["Content-Length"] = str(length)
    return response


def meta(image: Image, syntax: str) -> bytes:
    elements = image.elements
    uid = str(value(elements, "SOPInstanceUID"))  # an address may have asked by another
    return file_start(str(value(elements, "SOPClassUID")), uid, syntax)


def header_of(image: Image) -> bytes:
    """What stands before the pixels: as received, or the elements of the view."""
    record = image.record
    if record is None:
        return encoded(image.elements)
    return identities.read(record.folder, [record.before])[0]


def closing(image: Image) -> bytes:
    """What was received behind the pixels."""
    record = image.record
    return (
        identities.read(record.folder, [record.behind])[0] if record and record.behind[1] else b""
    )


def opening(image: Image, syntax: str) -> bytes:
    """Everything before the bytes of the first frame."""
    elements = image.elements
    start = meta(image, syntax) + header_of(image)
    if not image.place.native:
        return start
    if syntax == LITTLE_ENDIAN:
        total = sum(e.length for e in image.place.native)
        return start + native_start(total, int(value(elements, "BitsAllocated", 16)))
    return start + fragments_start([e.length for e in image.place.stored])


def frame_bytes(folder: str, pack: str, extents: Sequence[packs.Extent]) -> Iterator[bytes]:
    for extent in extents:
        for start in range(0, extent.length, BLOCK):
            part = packs.Extent(extent.offset + start, min(BLOCK, extent.length - start))
            yield packs.read(folder, pack, part)


Read = Callable[[str, str, Sequence[packs.Extent]], Iterator[bytes]]


def pieces_of(image: Image, syntax: str, read: Read = frame_bytes) -> Iterator[bytes]:
    """A whole file, its frames from the packs or from where else `read` finds them."""
    yield opening(image, syntax)
    if image.place.native:
        yield from pixels_of(image.place, syntax, read)
    yield closing(image)


def pixels_of(place: Location, syntax: str, read: Read) -> Iterator[bytes]:
    if syntax == LITTLE_ENDIAN:
        yield from read(place.folder, packs.NATIVE, place.native)
        if sum(e.length for e in place.native) % 2:
            yield b"\0"
        return
    for extent in place.stored:
        yield fragment_start(extent.length)
        yield from read(place.folder, packs.STORED, [extent])
        if extent.length % 2:
            yield b"\0"
    yield FRAGMENTS_END


def length_of(image: Image, syntax: str) -> int:
    place = image.place
    start = len(opening(image, syntax)) + (image.record.behind[1] if image.record else 0)
    if not place.native:
        return start
    if syntax == LITTLE_ENDIAN:
        total = sum(e.length for e in place.native)
        return start + total + total % 2
    return start + sum(8 + e.length + e.length % 2 for e in place.stored) + len(FRAGMENTS_END)


def bulkdata(request: HttpRequest, image: Image, path: str) -> HttpResponseBase:
    """A value that the metadata name by its address: native pixels, of a header as received also other large ones."""
    total, value_of = bulk_value(image, path.upper())
    content = f"application/octet-stream; transfer-syntax={LITTLE_ENDIAN}"
    for alternative in alternatives(request.headers.get("Accept", "") or "*/*"):
        inner = alternative.parameters.get("type", "*/*").lower()
        if alternative.media == "application/octet-stream":
            return marked(streamed(value_of(), total, content), image, path)
        if alternative.media in ("*/*", "multipart/related") and inner in (
            "*/*",
            "application/octet-stream",
        ):
            head = packs.head(LITTLE_ENDIAN)
            pieces = around(head, value_of(), packs.tail())
            kind = (
                f'multipart/related; type="application/octet-stream"; boundary={packs.boundary()}'
            )
            whole = streamed(pieces, len(head) + total + len(packs.tail()), kind)
            return marked(whole, image, path)
    raise NotAcceptable("Bulk data are answered as application/octet-stream.")


def marked(response: HttpResponseBase, image: Image, path: str) -> HttpResponseBase:
    """With an ETag made of the names of this view and of where the bytes lie, which never change there."""
    told = (image.key, path.upper(), response["Content-Type"], image.place, image.record)
    response["ETag"] = mark(repr(told).encode())
    response["Cache-Control"] = keeping([image.place])
    return response


def bulk_value(image: Image, path: str) -> tuple[int, Callable[[], Iterator[bytes]]]:
    """How long a bulk value is, and its bytes; a de-identified view has the pixels only."""
    place, record = image.place, image.record
    if path == PIXEL_DATA and place.native:
        bring_here([image])
        total = sum(e.length for e in place.native)
        return total, lambda: frame_bytes(place.folder, packs.NATIVE, place.native)
    found = record.bulk(path) if record else None
    if record is None or found is None:
        raise NotFound(NO_SUCH_IMAGE)
    return found[1], lambda: iter(identities.read(record.folder, [found]))


def around(head: bytes, pieces: Iterator[bytes], tail: bytes) -> Iterator[bytes]:
    yield head
    yield from pieces
    yield tail
