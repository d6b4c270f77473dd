"""Reading a multipart/related body as a stream: each part where its room wants it, nothing whole in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from portal.archive import packs
from portal.archive.accept import split_outside_quotes
from portal.archive.dicomweb.incoming import BROKEN, Into
from portal.archive.frames import BadRequest, TooMuch
from portal.archive.room import CHUNK, HEAD_BYTES, Place, Room, Window

MOST_BYTES, MOST_PARTS = 4 * 2**30, 5_000
START, END = 4, b"\r\n\r\n"
# RFC 2046 allows 70 characters; Orthanc writes 73, two UUIDs
MOST_BOUNDARY = 200


@dataclass(frozen=True)
class Part:
    """A part's own type, and where its body lies: how long it is, and how it begins."""

    media: str
    place: Place
    size: int
    start: bytes

    @property
    def path(self) -> Path:
        """Of a part that has a file of its own."""
        return self.place.path


def parameters(content_type: str) -> tuple[str, dict[str, str]]:
    """Media type and parameters, quotes taken off."""
    media, *rest = (p.strip() for p in split_outside_quotes(content_type, ";"))
    pairs = [p.partition("=") for p in rest]
    return media.lower(), {k.strip().lower(): v.strip().strip('"') for k, _, v in pairs}


def check_size(total: int, most_bytes: int) -> None:
    """Raises TooMuch where more has come than one request may hold."""
    if total > most_bytes:
        most = most_bytes // 2**30
        raise TooMuch(f"The request is larger than {most} GiB; send fewer images at once.")


class Body:
    """The bytes of a request, looked at through a window: a small one that moves on, or as large as all of them."""

    def __init__(self, into: Into, boundary: str, window: Window, most_bytes: int) -> None:
        self.into, self.window, self.most_bytes = into, window, most_bytes
        self.mark = b"\r\n--" + boundary.encode("ascii", "replace")
        # what has come and was not moved lies between; no delimiter begins before `looked`
        self.at, self.looked, self.end = 0, 0, 2
        window.bytes[:2] = b"\r\n"
        self.total = 0
        # of the part that was moved last
        self.written, self.start = 0, b""

    def fill(self) -> None:
        """Receive more; all places in the window change where it moves on."""
        gone = self.window.moved_on(self.at, self.end)
        self.at, self.looked, self.end = self.at - gone, self.looked - gone, self.end - gone
        with memoryview(self.window.bytes) as whole, whole[self.end :][:CHUNK] as place:
            n = self.into(place)
        if not n:
            raise BadRequest(BROKEN)
        self.end, self.total = self.end + n, self.total + n
        check_size(self.total, self.most_bytes)

    def has_delimiter(self) -> bool:
        """Does a whole one stand in the window? It begins at `looked` then; the same letters within data are data."""
        while (found := self.window.bytes.find(self.mark, self.looked, self.end)) >= 0:
            self.looked = found
            while self.end < self.looked + len(self.mark) + 2:
                self.fill()
            behind = self.looked + len(self.mark)
            after = self.window.bytes[behind : behind + 2]
            if after == b"--" or after[:1] in (b"\r", b" ", b"\t"):
                return True
            self.looked += 1
        self.looked = max(self.at, self.end - len(self.mark) + 1)
        return False

    def to_delimiter(self, out: int | None) -> bool:
        """Move what lies before the next delimiter to `out`; True if it is the closing one."""
        self.written, self.start, self.looked = 0, b"", self.at
        while not self.has_delimiter():
            self.put(out, self.looked)
            self.fill()
        self.put(out, self.looked)
        self.at += len(self.mark)
        return self.window.bytes[self.at : self.at + 2] == b"--"

    def put(self, out: int | None, end: int) -> None:
        """Take the window up to here to the part; where it stays in the window, it is there already."""
        if len(self.start) < START:
            self.start += bytes(self.window.bytes[self.at : min(end, self.at + START - len(self.start))])  # fmt: skip
        if out is not None and end > self.at:
            with memoryview(self.window.bytes) as whole, whole[self.at : end] as part:
                packs.write(out, part)
        self.written += end - self.at
        self.at = end

    def head(self) -> str:
        """The headers of a part: its Content-Type."""
        while (found := self.window.bytes.find(END, self.at, self.end)) < 0 and (
            self.end - self.at <= HEAD_BYTES
        ):
            self.fill()
        if not 0 <= found - self.at <= HEAD_BYTES:
            raise BadRequest("The head of a part is too long.")
        lines = bytes(self.window.bytes[self.at : found]).decode("latin-1").split("\r\n")[1:]
        self.at = found + len(END)
        pairs = [line.partition(":") for line in lines]
        named = [v.strip() for k, _, v in pairs if k.strip().lower() == "content-type"]
        return parameters(named[0])[0] if named else ""

    def drain(self) -> None:
        """Read the epilogue, so that the connection can be used again."""
        with memoryview(bytearray(CHUNK)) as place:
            while self.into(place):
                pass


def parts(
    into: Into,
    boundary: str,
    room: Room,
    *,
    most_bytes: int = MOST_BYTES,
    most_parts: int = MOST_PARTS,
) -> Iterator[Part]:
    """Each part in its place in the `room`; what stands before and after the parts is left out."""
    if not boundary or len(boundary) > MOST_BOUNDARY:
        raise BadRequest("The request names no boundary of its parts.")
    body = Body(into, boundary, room.window(), most_bytes)
    is_last = body.to_delimiter(None)
    number = 0
    while not is_last:
        number += 1
        if number > most_parts:
            raise TooMuch(f"A request holds at most {most_parts} images.")
        media = body.head()
        with room.opened(number, body.at) as (out, place):
            is_last = body.to_delimiter(out)
        yield Part(media, place, body.written, body.start)
    body.drain()


def single(into: Into, media: str, room: Room, *, most_bytes: int = MOST_BYTES) -> Iterator[Part]:
    """The one part of a body that is a file; none where it is empty."""
    window = room.window()
    start, size, at = b"", 0, 0
    with room.opened(1, at) as (out, place):
        while True:
            with memoryview(window.bytes) as whole, whole[at:][:CHUNK] as here:
                n = into(here)
                check_size(size + n, most_bytes)
                start += bytes(here[: min(n, START - len(start))])
                if out is not None:
                    packs.write(out, here[:n])
            if not n:
                break
            size, at = size + n, at + (n if out is None else 0)
    if size:
        yield Part(media, place, size, start)
