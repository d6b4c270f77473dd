"""Frames of a view: which image an address means, and its bytes in the form that is accepted."""

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.http import HttpRequest, HttpResponse

from portal.archive import packs
from portal.archive.accept import Wanted, wanted_frames
from portal.archive.decode import LITTLE_ENDIAN
from portal.archive.models import Instance, Series
from portal.archive.uids import archive_key
from portal.errors import NotFound, StudyError

MAX_DIGITS = 7
MAX_BYTES = 256 * 2**20
NO_SUCH_IMAGE = "There is no such image here."
FOR_GOOD, ASK_AGAIN = "private, max-age=31536000, immutable", "private, no-cache"


class NotAcceptable(StudyError):
    status = 406
    code = "not_acceptable"


class TooMuch(StudyError):
    status = 413
    code = "too_much"


class BadRequest(StudyError):
    status = 400
    code = "bad_request"


@dataclass(frozen=True)
class Location:
    """Where the frames of one instance lie; all that a frame request needs, without the database."""

    folder: str
    syntax: str
    native: tuple[packs.Extent, ...]
    stored: tuple[packs.Extent, ...]
    # a coordinator may still decide in which order the frames of a held volume lie
    is_settled: bool = True


@dataclass(frozen=True)
class View:
    """What one caller may see: (study, series, instance) UIDs of the view -> location; `name` keys its ETags."""

    name: str
    places: Mapping[tuple[str, str, str], Location]


def location(instance: Instance, series: Series) -> Location:
    return Location(
        series.folder,
        instance.stored_syntax_uid or series.transfer_syntax_uid,
        tuple(packs.Extent(*e) for e in instance.native_frames),
        tuple(packs.Extent(*e) for e in instance.stored_frames),
        series.state != Series.State.HELD,
    )


def keeping(places: Iterable[Location]) -> str:
    """How long a caller may keep pixels: for good, but of a volume whose order a coordinator may still decide."""
    return FOR_GOOD if all(one.is_settled for one in places) else ASK_AGAIN


@lru_cache(maxsize=1024)
def frame_numbers(text: str) -> tuple[int, ...]:
    """Numbers from 1 of a frame list; anything else is a bad request."""
    parts = text.split(",")
    if not all(p.isascii() and p.isdigit() and len(p) <= MAX_DIGITS and int(p) > 0 for p in parts):
        raise BadRequest("A frame list holds whole numbers from 1, separated by commas.")
    return tuple(int(p) for p in parts)


@dataclass(frozen=True, slots=True)
class Sent:
    """An answer with frames: status, headers, body."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


def serve(
    request: HttpRequest, view: View, *, study: str, series: str, instance: str, frames: str
) -> HttpResponse:
    """WADO-RS frames of one instance of the view; what the view does not hold is the same 404."""
    found = sent(
        view, (study, series, instance), frames, accept=request.headers.get("Accept", ""),
        known=request.headers.get("If-None-Match", ""),
    )  # fmt: skip
    return HttpResponse(found.body, status=found.status, headers=found.headers)


def sent(view: View, uids: tuple[str, str, str], frames: str, *, accept: str, known: str) -> Sent:
    """The same without a request: the accepted forms, and the ETag that the caller holds."""
    numbers = frame_numbers(frames)
    place = view.places.get(uids)
    if place is None or max(numbers) > len(place.native):
        raise NotFound(NO_SUCH_IMAGE)
    wanted = wanted_frames(accept, place.syntax, bool(place.stored), is_one=len(numbers) == 1)
    if wanted is None:
        raise NotAcceptable("None of the accepted forms is offered for frames.")
    headers = {
        "ETag": etag_of(view.name, place, uids[2], frames, wanted),
        "Cache-Control": keeping([place]),
        "Vary": "Accept, Accept-Encoding, Authorization, Cookie",
        "X-Content-Type-Options": "nosniff",
    }
    if known == headers["ETag"]:
        return Sent(304, headers)
    content_type, body = body_of(place, numbers, wanted)
    return Sent(200, {"Content-Type": content_type, **headers}, body)


def etag_of(name: str, place: Location, instance: str, frames: str, wanted: Wanted) -> str:
    """Keyed by view, so that nothing of the source shows in it; another image of the same UID lies in another folder."""
    held = "" if place.is_settled else "|held"
    said = (name, place.folder, instance, frames, wanted.syntax, f"{wanted.is_single}{held}")
    text = "|".join(said).encode()
    return f'"{hmac.digest(archive_key(), text, "sha256").hex()[:32]}"'


def body_of(place: Location, numbers: Sequence[int], wanted: Wanted) -> tuple[str, bytes]:
    """Content type and bytes; one frame as it lies, with its multipart head and tail."""
    is_native = wanted.syntax == LITTLE_ENDIAN
    pack, extents = (packs.NATIVE, place.native) if is_native else (packs.STORED, place.stored)
    chosen = [extents[n - 1] for n in numbers]
    if sum(e.length for e in chosen) > MAX_BYTES:
        raise TooMuch("These frames are too many for one answer; ask for fewer.")
    syntax = LITTLE_ENDIAN if is_native else place.syntax
    if wanted.is_single:
        content = f"application/octet-stream; transfer-syntax={syntax}"
        return content, packs.read(place.folder, pack, chosen[0])
    parts = [packs.read_part(place.folder, pack, e, syntax) for e in chosen]
    content = f'multipart/related; type="application/octet-stream"; boundary={packs.boundary()}'
    return content, parts[0] if len(parts) == 1 else joined(parts)


def joined(parts: Sequence[bytes]) -> bytes:
    """Several parts under one closing boundary."""
    closing = f"--{packs.boundary()}--\r\n".encode()
    return b"".join([*(part[: -len(closing)] for part in parts[:-1]), parts[-1]])
