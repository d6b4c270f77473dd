"""Reading a multipart/related body as a stream: each part to a file of its own, nothing whole in memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from portal.archive import packs
from portal.archive.accept import split_outside_quotes
from portal.archive.frames import BadRequest, TooMuch
from portal.archive.room import Place, Room

# gunicorn copies the rest of what it has received at each read: of 64 KiB it copies a body several times over
CHUNK, HEAD_BYTES = 2**18, 16 * 2**10
MOST_BYTES, MOST_PARTS = 4 * 2**30, 5_000
START, END = 4, b"\r\n\r\n"
BROKEN = "The multipart body is broken; send it again."


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


class Body:
    """The bytes of a request, looked at through a small window."""

    def __init__(self, read: Callable[[int], bytes], boundary: str, most_bytes: int) -> None:
        self.read, self.most_bytes = read, most_bytes
        self.mark = b"\r\n--" + boundary.encode("ascii", "replace")
        self.window = b"\r\n"
        self.total = 0
        # of the part that was moved last
        self.written, self.start = 0, b""

    def fill(self) -> None:
        chunk = self.read(CHUNK)
        if not chunk:
            raise BadRequest(BROKEN)
        self.total += len(chunk)
        if self.total > self.most_bytes:
            most = self.most_bytes // 2**30
            raise TooMuch(f"The request is larger than {most} GiB; send fewer images at once.")
        self.window += chunk

    def delimiter(self) -> int:
        """Where a whole delimiter begins in the window, -1 for none; the same letters within data are data."""
        # of a short mark most windows have none, and Python looks for it twice as fast from behind
        at = self.window.find(self.mark) if self.window.rfind(self.mark) >= 0 else -1
        while at >= 0:
            while len(self.window) < at + len(self.mark) + 2:
                self.fill()
            after = self.window[at + len(self.mark) :][:2]
            if after == b"--" or after[:1] in (b"\r", b" ", b"\t"):
                return at
            at = self.window.find(self.mark, at + 1)
        return -1

    def to_delimiter(self, out: int | None) -> bool:
        """Move what lies before the next delimiter to `out`; True if it is the closing one."""
        self.written, self.start = 0, b""
        keep = len(self.mark) + 1
        while (at := self.delimiter()) < 0:
            if len(self.window) > keep:
                self.put(out, len(self.window) - keep)
                self.window = self.window[-keep:]
            self.fill()
        self.put(out, at)
        self.window = self.window[at + len(self.mark) :]
        return self.window[:2] == b"--"

    def put(self, out: int | None, size: int) -> None:
        """Write the first so many bytes of the window."""
        if out is None:
            return
        if len(self.start) < START:
            self.start += self.window[: min(size, START - len(self.start))]
        self.written += packs.write(out, memoryview(self.window)[:size])

    def head(self) -> str:
        """The headers of a part: its Content-Type."""
        while (at := self.window.find(END)) < 0 and len(self.window) <= HEAD_BYTES:
            self.fill()
        if not 0 <= at <= HEAD_BYTES:
            raise BadRequest("The head of a part is too long.")
        lines = self.window[:at].decode("latin-1").split("\r\n")[1:]
        self.window = self.window[at + len(END) :]
        pairs = [line.partition(":") for line in lines]
        found = [v.strip() for k, _, v in pairs if k.strip().lower() == "content-type"]
        return parameters(found[0])[0] if found else ""


def parts(
    read: Callable[[int], bytes], boundary: str, room: Room, *, most_bytes: int = MOST_BYTES
) -> Iterator[Part]:
    """Each part in its place in the `room`; what stands before and after the parts is left out."""
    if not boundary or len(boundary) > 70:
        raise BadRequest("The request names no boundary of its parts.")
    body = Body(read, boundary, most_bytes)
    is_last = body.to_delimiter(None)
    number = 0
    while not is_last:
        number += 1
        if number > MOST_PARTS:
            raise TooMuch(f"A request holds at most {MOST_PARTS} images.")
        media = body.head()
        with room.opened(number) as (out, place):
            is_last = body.to_delimiter(out)
        yield Part(media, place, body.written, body.start)
    while read(CHUNK):  # the epilogue, so that the connection can be used again
        pass
