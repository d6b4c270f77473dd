"""The body of a request, received where it is to lie: no copy of it is made on the way."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.errors import ParseException
from gunicorn.http.unreader import SocketUnreader

from portal.archive.frames import BadRequest
from portal.errors import stalled

BROKEN = "The multipart body is broken; send it again."
# puts what has come into the first bytes of a place, and says how many they are: 0 at the end
Into = Callable[[memoryview], int]


def reader(request: HttpRequest) -> Into:
    """Reads the body as it comes, also without a length where the server ends it itself.

    Raises Stalled (408) where the sender stops sending.
    """
    body = request.environ["wsgi.input"]  # type: ignore[attr-defined]
    is_chunked = request.headers.get("Transfer-Encoding", "").lower() == "chunked"
    if is_straight(body):
        return answered(lambda place: straight(body, place))
    return answered(by_reading((body if is_chunked else request).read))


def answered(into: Into) -> Into:
    """What goes wrong with a connection is one sentence for its sender."""

    def received(place: memoryview) -> int:
        try:
            return into(place)
        except ParseException as error:  # chunks that are none
            raise BadRequest(BROKEN) from error
        except OSError as error:
            raise stalled() from error

    return received


def by_reading(read: Callable[[int], Any]) -> Into:
    """Of a source that makes bytes of its own."""

    def into(place: memoryview) -> int:
        found = bytes(read(len(place)))
        place[: len(found)] = found
        return len(found)

    return into


def is_straight(body: Any) -> bool:
    """gunicorn's, of a known length, from a socket, and nobody has read of it yet."""
    return (
        isinstance(body, Body)
        and type(body.reader) is LengthReader
        and isinstance(body.reader.unreader, SocketUnreader)
        and not body.buf.tell()
    )


def straight(body: Body, place: memoryview) -> int:
    """What gunicorn has received behind the head, then what the socket has; its reader is told how much is left.

    gunicorn's own way makes four copies of each byte.
    """
    source, unreader = body.reader, body.reader.unreader
    most = min(len(place), source.length)
    if not most:
        return 0
    held = unreader.take_buffered()
    n = min(len(held), most)
    if held:
        place[:n] = held[:n]
        unreader.unread(held[n:])
    else:
        n = received(body, place[:most])
    source.length -= n
    return int(n)


def received(body: Body, place: memoryview) -> int:
    """From the socket; where it fails or ends too soon, nobody knows where a next request would begin."""
    body.failed = True
    n = body.reader.unreader.sock.recv_into(place)
    body.failed = not n
    return int(n)
