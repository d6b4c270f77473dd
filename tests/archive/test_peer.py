"""Where the portal may connect to (S1), and what a session does and does not do there."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests

from portal.archive import peer
from portal.archive.frames import TooMuch
from portal.archive.peer import (
    OneWay,
    Peer,
    Pinned,
    Server,
    Silent,
    is_forbidden,
    pinned_address,
    server,
)
from portal.errors import Invalid
from tests.archive.scripted import IN_PARTS

pytestmark = pytest.mark.promise("S1")


@pytest.mark.parametrize(
    "text",
    [
        "", "pacs.example.org", "ftp://pacs.example.org/", "file:///etc/passwd", "gopher://x/", "https://",
        "https://h/p?q=1", "https://h/p#f", "https://h:99999/", "https://h/a b", "https://h/\r\nX: y", "//h/p",
    ],
)  # fmt: skip
def test_what_is_no_plain_web_address_is_refused(text):
    with pytest.raises(Invalid, match="Give an address"):
        server(text)


def test_credentials_leave_the_address_and_are_never_shown():
    found = server("https://me:p%40ss@pacs.example.org:8443/dicom-web/")
    assert (found.url, found.user, found.password) == (
        "https://pacs.example.org:8443/dicom-web",
        "me",
        "p@ss",
    )
    assert "p@ss" not in repr(found)


@pytest.mark.parametrize(
    ("address", "is_refused"),
    [
        ("169.254.169.254", True), ("169.254.0.1", True), ("fe80::1%eth0", True), ("fd00:ec2::254", True),
        ("::ffff:169.254.169.254", True), ("2002:a9fe:a9fe::", True), ("100.100.100.200", True),
        ("192.0.0.192", True), ("0.0.0.0", True), ("::", True), ("224.0.0.1", True), ("240.0.0.1", True),
        ("255.255.255.255", True), ("127.0.0.1", False), ("::1", False), ("10.1.2.3", False),
        ("192.168.7.8", False), ("8.8.8.8", False),
    ],
)  # fmt: skip
def test_link_local_and_metadata_ranges_are_refused(address, is_refused):
    assert is_forbidden(address) is is_refused


def answers(monkeypatch, *addresses):
    rows = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 0)) for a in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: rows)


def test_one_forbidden_answer_of_the_resolver_refuses_the_name(monkeypatch):
    answers(monkeypatch, "10.0.0.5", "169.254.169.254")
    with pytest.raises(Invalid, match="never connects"):
        pinned_address(Server("https://pacs.example.org"))


def test_plain_http_goes_to_this_machine_or_a_listed_host_only(monkeypatch, settings):
    answers(monkeypatch, "10.0.0.5")
    with pytest.raises(Invalid, match="Unencrypted"):
        pinned_address(Server("http://orthanc:8042"))
    settings.PLAIN_HTTP_HOSTS = ["orthanc"]
    assert pinned_address(Server("http://orthanc:8042")) == "10.0.0.5"
    assert pinned_address(Server("https://orthanc:8042")) == "10.0.0.5"
    answers(monkeypatch, "127.0.0.1")
    settings.PLAIN_HTTP_HOSTS = []
    assert pinned_address(Server("http://localhost:8042")) == "127.0.0.1"


def test_an_unknown_host_is_one_sentence():
    with pytest.raises(Invalid, match="host of this address is unknown"):
        pinned_address(Server("https://no-such-host.invalid"))


def test_tls_names_the_host_while_the_connection_goes_to_the_pinned_address():
    adapter = Pinned("pacs.example.org", "10.0.0.5")
    request = requests.Request("GET", "https://pacs.example.org/x").prepare()
    place, options = adapter.build_connection_pool_key_attributes(request, True)
    assert place["host"] == "10.0.0.5"
    assert options["server_hostname"] == options["assert_hostname"] == "pacs.example.org"
    assert options["cert_reqs"] == "CERT_REQUIRED"


class Odd(BaseHTTPRequestHandler):
    """Redirects, sets cookies, and notes what it was sent."""

    heard: list[tuple[str, dict[str, str]]] = []

    def do_GET(self):
        self.heard.append((self.path, dict(self.headers)))
        is_redirect = self.path.startswith("/moved")
        self.send_response(302 if is_redirect else 200)
        if is_redirect:
            self.send_header("Location", "/elsewhere")
        self.send_header("Set-Cookie", "a=b")
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, format, *args):
        pass


@pytest.fixture
def odd():
    Odd.heard.clear()
    running = HTTPServer(("127.0.0.1", 0), Odd)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


def test_a_redirect_is_not_followed(odd):
    one = Peer(Server(f"{odd}/moved"), tries=1)
    with pytest.raises(Silent):
        one.search("studies")
    assert [path.split("?")[0] for path, _ in Odd.heard] == ["/moved/studies"]


def test_no_cookie_and_no_proxy_is_used_and_no_other_host_reached(odd, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    session = OneWay(Server(odd, "me", "secret"))
    for _ in range(2):
        assert session.get(f"{odd}/x").status_code == 200
    assert all("Cookie" not in headers for _, headers in Odd.heard)
    assert all(headers["Authorization"].startswith("Basic ") for _, headers in Odd.heard)
    with pytest.raises(requests.exceptions.InvalidSchema):
        session.get("http://127.0.0.2/")


def test_the_name_is_looked_up_once(odd, monkeypatch):
    session = OneWay(Server(odd.replace("127.0.0.1", "localhost")))
    real = socket.getaddrinfo
    asked = []

    def noting(host, *rest, **more):
        asked.append(host)
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", noting)
    port = odd.rsplit(":", 1)[1]
    assert session.get(f"http://localhost:{port}/x").status_code == 200
    assert "localhost" not in asked
    assert Odd.heard[0][1]["Host"] == f"localhost:{port}"


@pytest.fixture
def stream(remote):
    """A server that answers with so many images in one body."""

    def of(n: int) -> Peer:
        remote.headers = IN_PARTS
        remote.body = b"".join(b"--b\r\n\r\n%d\r\n" % k for k in range(n)) + b"--b--"
        return Peer(Server(remote.url))

    return of


def test_a_series_of_more_images_than_a_request_may_hold_is_pulled(stream, tmp_path):
    found = []
    for part in stream(5_001).series("studies/1/series/2", tmp_path):
        found.append(part.path.read_bytes())
        part.path.unlink()
    assert found == [b"%d" % k for k in range(5_001)]


def test_a_server_that_never_ends_a_series_is_left(stream, tmp_path, monkeypatch):
    assert peer.MOST_IMAGES == 100_000
    monkeypatch.setattr(peer, "MOST_IMAGES", 3)
    assert len(list(stream(3).series("studies/1/series/2", tmp_path))) == 3
    with pytest.raises(TooMuch):
        list(stream(4).series("studies/1/series/2", tmp_path))


def test_a_token_is_sent_as_such_and_timeouts_and_tries_are_set():
    one = Peer(Server("http://127.0.0.1:9/x", "Token", "abc"))
    assert one.session.headers["Authorization"] == "Token abc"
    assert (peer.CONNECT_SECONDS, peer.READ_SECONDS, peer.TRIES, peer.MOST_BYTES) == (
        10,
        120,
        5,
        8 * 2**30,
    )
