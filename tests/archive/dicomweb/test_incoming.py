"""A body is received straight into its place: every byte of it, none of the next request, and faults are said."""

import socket
import struct

import pytest
from django.test import RequestFactory
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.unreader import IterUnreader, SocketUnreader
from hypothesis import given
from hypothesis import strategies as st

from portal.archive.dicomweb.incoming import is_straight, reader, straight
from portal.errors import Stalled


def coming(sent: bytes, length: int, held: int) -> tuple[Body, socket.socket, socket.socket]:
    """A body of which gunicorn holds so many bytes already, both ends of its connection."""
    ours, theirs = socket.socketpair()
    theirs.sendall(sent[held:])
    unreader = SocketUnreader(ours)
    unreader.unread(sent[:held])
    return Body(LengthReader(unreader, length)), ours, theirs


def received(body: Body, size: int) -> bytes:
    found, place = b"", bytearray(size)
    while n := straight(body, memoryview(place)):
        found += place[:n]
    return found


@given(st.binary(max_size=400), st.binary(max_size=60), st.integers(0, 460), st.integers(1, 200))
def test_all_of_a_body_and_nothing_of_the_next_request(content, behind, held, size):
    sent = content + behind
    body, ours, theirs = coming(sent, len(content), min(held, len(sent)))
    with ours, theirs:
        theirs.shutdown(socket.SHUT_WR)
        assert received(body, size) == content
        assert (body.reader.length, body.failed, body.read()) == (0, False, b"")
        left = body.reader.unreader.take_buffered()
        while more := ours.recv(100):
            left += more
        assert left == behind


@given(st.binary(min_size=1, max_size=400), st.integers(0, 400), st.integers(1, 200))
def test_what_gunicorn_reads_afterwards_is_the_rest(content, held, size):
    """Its own way to let go of a body that nobody wanted."""
    body, ours, theirs = coming(content, len(content), min(held, len(content)))
    with ours, theirs:
        place = bytearray(size)
        n = straight(body, memoryview(place))
        assert bytes(place[:n]) + body.read() == content


def test_a_body_that_ends_too_soon_ends_the_connection():
    body, ours, theirs = coming(b"abc", 9, 1)
    with ours, theirs:
        theirs.close()
        assert received(body, 100) == b"abc"
        assert (body.failed, body.reader.length) == (True, 6)


def test_a_sender_that_stops_is_told_so_and_its_connection_is_not_used_again():
    body, ours, theirs = coming(b"abc", 9, 0)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 20_000))
    request = RequestFactory().post("/dicomweb/studies", content_type="multipart/related")
    request.environ["wsgi.input"] = body
    into, place = reader(request), bytearray(10)
    with ours, theirs:
        assert into(memoryview(place)) == 3
        with pytest.raises(Stalled):
            into(memoryview(place))
    assert body.failed


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (Body(LengthReader(SocketUnreader(socket.socket()), 3)), True),
        (Body(LengthReader(IterUnreader([b"abc"]), 3)), False),
        (Body(ChunkedReader(None, SocketUnreader(socket.socket()))), False),
        (object(), False),
    ],
)
def test_only_a_body_of_known_length_from_a_socket_is_received_straight(body, expected):
    assert is_straight(body) is expected


def test_a_body_of_which_something_was_read_is_read_on_by_gunicorn():
    body, ours, theirs = coming(b"ab\ncdef", 7, 0)
    with ours, theirs:
        assert body.readline() == b"ab\n"
        assert not is_straight(body)
        assert body.read() == b"cdef"
