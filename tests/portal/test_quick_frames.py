"""Frames asked for one after the other on a connection: read once, answered as if each had been read anew."""

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from portal.serving import KNOWN
from tests.browser.portal_server import ROOT, free_port
from tests.portal.wire_app import LARGE

PATH = "/x/dicomweb/studies/1/series/2/instances/3/frames/"


class Wire:
    """One raw connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.socket.sendall(piece)
            time.sleep(0.05 if len(pieces) > 1 else 0)

    def answer(self, method: str = "GET") -> http.client.HTTPResponse:
        found = http.client.HTTPResponse(self.socket, method=method)
        found.begin()
        return found

    def ask(
        self, path: str = f"{PATH}1", *headers: str, line: str = "GET {} HTTP/1.1"
    ) -> tuple[str, str, dict]:
        """Which way it went, the path and the headers that the application was told."""
        self.send("\r\n".join([line.format(path), "Host: a.example", *headers, "", ""]).encode())
        found = self.answer()
        assert found.status == 200
        return tuple(json.loads(found.read()))

    def known(self, *headers: str) -> "Wire":
        """After two requests the third is quick."""
        assert [self.ask(f"{PATH}1", *headers)[0] for _ in range(3)] == ["slow", "slow", "quick"]
        return self


@pytest.fixture(scope="module")
def port(tmp_path_factory) -> Iterator[int]:
    found = free_port()
    command = [
        sys.executable, "-m", "gunicorn", "tests.portal.wire_app:application", "--bind", f"127.0.0.1:{found}",
        "--threads", "2", "--worker-class", "portal.serving.PatientWorker", "--keep-alive", "30",
        "--graceful-timeout", "1", "--no-control-socket",
    ]  # fmt: skip
    log = tmp_path_factory.mktemp("wire") / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out)
    for _ in range(200):
        try:
            Wire(found).socket.close()
            break
        except OSError:
            time.sleep(0.1)
    yield found
    process.terminate()
    process.wait(20)
    assert "Error" not in log.read_text()


@pytest.fixture
def wire(port) -> Iterator[Wire]:
    one = Wire(port)
    yield one
    one.socket.close()


def test_the_third_frame_on_a_connection_is_told_what_the_first_was(wire):
    headers = ["Accept: */*", "Authorization: Token abc", "X-Forwarded-Proto: https"]
    ways = [wire.ask(f"{PATH}{k}", *headers) for k in (1, 2, 3, 1)]
    assert [way for way, _, _ in ways] == ["slow", "slow", "quick", "quick"]
    assert [path for _, path, _ in ways] == [f"{PATH}{k}" for k in (1, 2, 3, 1)]
    assert ways[0][2] == ways[1][2] == ways[2][2] == ways[3][2]
    assert ways[3][2]["HTTP_AUTHORIZATION"] == "Token abc"


def test_whoever_else_asks_on_the_same_connection_is_nobody_else(wire):
    """As a proxy sends the requests of many people."""
    for way in ("slow", "slow", "quick", "quick"):
        for who in ("ann", "bob"):
            found = wire.ask(f"{PATH}1", f"Authorization: Token {who}")
            assert (found[0], found[2]["HTTP_AUTHORIZATION"]) in {
                (way, f"Token {who}"),
                ("quick", f"Token {who}"),
            }
    assert wire.ask(f"{PATH}1", "Authorization: Token bo")[0] == "slow"
    assert wire.ask(f"{PATH}1", "authorization: Token bob")[0] == "slow"


def test_a_browsers_wish_to_stay_changes_nothing(wire):
    wire.known("Connection: keep-alive")


@pytest.mark.parametrize(
    "query", ["", "a=1", "PatientID=A%20B&limit=1", "includefield=00081030%2C00080060", "a=?"]
)
def test_a_query_is_told_as_it_was_written(wire, query):
    path = "/dicomweb/studies"
    ways = [wire.ask(f"{path}?{query}") for _ in range(3)]
    assert {(p, told["QUERY_STRING"]) for _, p, told in ways} == {(path, query)}
    assert ways[2][0] == ("slow" if "?" in query else "quick")
    assert wire.ask(path)[2]["QUERY_STRING"] == ""


def test_nothing_is_known_of_a_new_connection(port, wire):
    wire.known()
    other = Wire(port)
    assert other.ask()[0] == "slow"
    other.socket.close()


def test_only_so_many_sets_of_headers_are_remembered(wire):
    wire.known("X-Who: 0")
    for k in range(1, KNOWN):
        wire.ask(f"{PATH}1", f"X-Who: {k}")
    assert wire.ask(f"{PATH}1", "X-Who: 0")[0] == "quick"
    wire.ask(f"{PATH}1", "X-Who: more")
    assert wire.ask(f"{PATH}1", "X-Who: 0")[0] == "slow"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (f"{PATH}1?a=\"", "GET {} HTTP/1.1"), (f"{PATH}%31", "GET {} HTTP/1.1"), ("/x/frames", "GET {} HTTP/1.1"),
        (f"{PATH}404", "GET {} HTTP/1.1"), (f"{PATH}1", "POST {} HTTP/1.1"),
        (f"{PATH}1", "GET http://a.example{} HTTP/1.1"), ("/accounts/login/", "GET {} HTTP/1.1"),
    ],
)  # fmt: skip
def test_other_paths_and_methods_are_read_by_the_server(wire, path, line):
    wire.known()
    assert {wire.ask(path, line=line)[0] for _ in range(4)} == {"slow"}
    assert wire.ask()[0] == "quick"


@pytest.mark.parametrize(
    "header",
    [
        "Content-Length: 0",
        "Connection: keep-alive, x-y",
        "Expect: 100-continue",
        "TE: trailers",
        "Upgrade: x",
    ],
)
def test_headers_that_change_the_request_are_read_each_time(wire, header):
    wire.send(f"GET {PATH}1 HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n".encode())
    first = wire.answer()
    first.read()
    for _ in range(3):
        wire.send(f"GET {PATH}1 HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n".encode())
        assert json.loads(wire.answer().read())[0] == "slow"


def test_a_repeated_header_is_read_each_time(wire):
    headers = ["Authorization: Token ann", "Authorization: Token bob"]
    found = {wire.ask(f"{PATH}1", *headers)[0] for _ in range(4)}
    assert found == {"slow"}


@pytest.mark.parametrize(
    "rest",
    ["HTTP/1.1\r\nHost: a.example\r\nA b: c\r\n\r\n", "HTTP/9.9\r\nHost: a.example\r\n\r\n",
     "HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n", "HTTP/1.1\nHost: a.example\n\n\r\n\r\n"],
)  # fmt: skip
def test_what_the_server_refuses_it_refuses_on_a_known_connection_too(wire, rest):
    wire.known()
    wire.send(f"GET {PATH}1 {rest}".encode())
    assert wire.answer().status == 400


def test_two_requests_in_one_packet_are_answered_in_turn(wire):
    wire.known()
    one = "GET {} HTTP/1.1\r\nHost: a.example\r\n\r\n"
    wire.send((one.format(f"{PATH}1") + one.format(f"{PATH}2")).encode())
    reader = wire.socket.makefile("rb")
    paths = []
    for _ in range(2):
        length = 0
        while (line := reader.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length"):
                length = int(line.split()[1])
        paths.append(json.loads(reader.read(length))[1])
    assert paths == [f"{PATH}1", f"{PATH}2"]
    assert wire.ask()[0] == "quick"


@pytest.mark.parametrize("cut", [3, 20, -3, -1])
def test_a_head_that_comes_in_pieces_is_put_together(wire, cut):
    wire.known()
    whole = f"GET {PATH}1 HTTP/1.1\r\nHost: a.example\r\n\r\n".encode()
    wire.send(whole[:cut], whole[cut:])
    assert json.loads(wire.answer().read())[1] == f"{PATH}1"
    assert wire.ask()[0] == "quick"


def test_a_large_frame_reaches_a_slow_client_whole(wire):
    wire.known()
    wire.send(f"GET {PATH}7 HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())
    time.sleep(0.5)
    assert wire.answer().read() == LARGE
    assert wire.ask()[0] == "quick"


def test_the_heads_of_both_ways_are_alike(wire):
    def head() -> list[tuple[str, str]]:
        wire.send(f"GET {PATH}1 HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())
        found = wire.answer()
        found.read()
        return [(k, v) for k, v in found.getheaders() if k not in ("Date", "Content-Length")]

    slow, _, quick = head(), head(), head()
    assert slow == quick
    assert ("Connection", "keep-alive") in quick


def test_a_client_that_goes_away_in_mid_answer_harms_nobody(port, wire):
    leaving = Wire(port).known()
    leaving.send(f"GET {PATH}7 HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())
    leaving.socket.close()
    assert wire.ask()[0] == "slow"
