"""H9: malformed and stalled HTTP against the real server: 4xx, and other clients are served meanwhile."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from portal.serving import SECONDS, limit_waits
from tests.archive.builders import slices
from tests.browser.portal_server import ROOT, free_port, manage, variables

TOKEN = """
import django; django.setup()
from portal.accounts.tokens import issue
from tests.cohort import make_study, make_user
make_study()
print(issue(make_user("coordinator"), label="t", days=1).text)
"""
HEAD = "POST /dicomweb/studies HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Token {token}\r\n"
KIND = 'Content-Type: multipart/related; type="application/dicom"; boundary=b\r\n'


class Server:
    def __init__(self, port: int, token: str) -> None:
        self.port, self.token = port, token

    def send(self, data: bytes, *, patience: float = 30.0) -> bytes:
        """The first line of the answer, b'' where the connection is closed without one."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=patience) as one:
            one.settimeout(patience)
            try:
                one.sendall(data)
                return one.recv(65536).split(b"\r\n")[0]
            except (ConnectionResetError, BrokenPipeError):
                return b""

    def status(self, data: bytes, **more: float) -> int:
        line = self.send(data, **more)
        return int(line.split()[1]) if line else 0

    def get(self, path: str, *headers: str) -> int:
        lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Token {self.token}"]
        return self.status("\r\n".join([*lines, *headers, "Connection: close", "", ""]).encode())

    def post(self, body: bytes, *headers: str) -> bytes:
        return HEAD.format(token=self.token).encode() + "".join(headers).encode() + b"\r\n" + body

    def is_well(self) -> bool:
        return self.get("/dicomweb/studies") in (200, 204)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One process with two threads, so that two stalled clients hold all there is."""
    data = tmp_path_factory.mktemp("http")
    manage(data, "migrate", "--skip-checks", "--verbosity", "0")
    token = subprocess.run(
        [sys.executable, "-c", TOKEN], cwd=ROOT, env=variables(data), capture_output=True, text=True, check=True
    ).stdout.split()[-1]  # fmt: skip
    port = free_port()
    command = [
        sys.executable, "-m", "gunicorn", "portal.wsgi:application", "--bind", f"127.0.0.1:{port}", "--threads", "2",
        "--worker-class", "portal.serving.PatientWorker", "--keep-alive", "75", "--graceful-timeout", "1",
        "--logger-class", "portal.serving.WebLogger",
    ]  # fmt: skip
    with (data / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=variables(data), stdout=log, stderr=log)
    one = Server(port, token)
    until = time.monotonic() + 240
    while time.monotonic() < until:
        try:
            if one.is_well():
                break
        except OSError:
            time.sleep(0.2)
    yield one
    process.terminate()
    process.wait(20)
    said = (data / "log").read_text()
    assert "Internal Server Error" not in said, said[-3000:]


@pytest.mark.promise("H9")
def test_ten_thousand_parts_are_too_many(server):
    part = b"--b\r\nContent-Type: application/dicom\r\n\r\nx\r\n"
    body = part * 10_000 + b"--b--\r\n"
    found = server.status(server.post(body, KIND, f"Content-Length: {len(body)}\r\n"))
    assert found in (413, 0)
    assert server.is_well()


@pytest.mark.promise("H9")
@pytest.mark.parametrize(
    "data",
    [b"GARBAGE\r\n\r\n", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", b"GET  /  HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\r\n\r\n",
     b"GET /dicomweb/studies HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n", b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
     b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
     b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: 1\r\n" % k for k in range(200)) + b"\r\n",
     b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
     b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
     b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"],
    ids=range(13),
)  # fmt: skip
def test_a_broken_head_is_a_client_error(server, data):
    found = server.status(data)
    assert 400 <= found < 500
    assert server.is_well()


@pytest.mark.promise("H9")
@pytest.mark.parametrize(
    "headers",
    [("Range: bytes=0-10",), ("Range: bytes=-1",), ("Range: nonsense",), ("Range: bytes=9999999999999-",),
     ("If-None-Match: *, W/x, \"",), ("Accept-Encoding: gzip;q=x, *;q=-1",)],
)  # fmt: skip
def test_ranges_and_odd_conditions_are_ignored(server, headers):
    assert server.get("/dicomweb/studies", *headers) in (200, 204)


@pytest.mark.promise("H9")
@pytest.mark.parametrize(
    "accept",
    ["", ";;;,,,", "a" * 4000, "text/;q=1", "*/*;q=nan", "*/*;q=inf", "multipart/related; type=", "multipart/related; =;==",
     'multipart/related; type="', "application/dicom+json;q=1e999", "\u00fc/\u00fc", "application/dicom; transfer-syntax=" + "1." * 600],
    ids=range(12),
)  # fmt: skip
def test_no_accept_header_makes_the_server_fail(server, accept):
    for path in (
        "studies",
        "studies/1.2/metadata",
        "studies/1.2/series/1.3/instances/1.4/frames/1",
    ):
        assert server.get(f"/dicomweb/{path}", f"Accept: {accept}") in (200, 204, 400, 404, 406)
    assert server.is_well()


@pytest.mark.promise("H9")
def test_a_body_that_is_longer_or_shorter_than_announced_is_refused(server, tmp_path):
    image = slices(tmp_path, n=1)[0].read_bytes()
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + image + b"\r\n--b--\r\n"
    cut = server.post(body, KIND, f"Content-Length: {len(body) // 2}\r\n", "Connection: close\r\n")
    assert server.status(cut) == 400
    for broken in (b"zz\r\nx\r\n0\r\n\r\n", b"5\r\nab", b"-1\r\n\r\n", b"ffffffffffffffff\r\nx"):
        chunked = server.post(broken, KIND, "Transfer-Encoding: chunked\r\n")
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as one:
            one.sendall(chunked)
            one.shutdown(socket.SHUT_WR)
            line = one.recv(4096).split(b"\r\n")[0]
        assert not line or 400 <= int(line.split()[1]) < 500, line
    assert server.is_well()


@pytest.mark.promise("H9")
def test_stalled_bodies_and_half_heads_do_not_keep_others_from_being_served(server):
    """Two clients hold both threads: they get 408 after 15 s, and a third is served within 20 s."""
    stalled = [
        server.post(b"--b\r\nContent-", KIND, "Content-Length: 5000\r\n"),
        b"GET /dicomweb/studies HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: appli",
    ]
    with ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(server.status, data, patience=40) for data in stalled]
        time.sleep(0.7)
        begun = time.monotonic()
        assert server.is_well()
        assert time.monotonic() - begun < 20
        assert [one.result() for one in waiting] == [408, 408]


def test_a_wait_has_its_limit_in_both_directions():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        limit_waits(ours)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            raw = ours.getsockopt(socket.SOL_SOCKET, option, 16)
            assert int.from_bytes(raw[:8], "little") == SECONDS


def test_a_client_that_comes_in_time_is_not_cut_off(server):
    """A slow but steady sender: a byte each tenth of a second."""
    data = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: {server.token[:4]}\r\nConnection: close\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as one:
        for start in range(0, len(data), 8):
            one.sendall(data[start : start + 8])
            time.sleep(0.05)
        assert one.recv(100).startswith(b"HTTP/1.1 ")
