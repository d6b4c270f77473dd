"""Other DICOMweb servers: which addresses are allowed, and a session that goes there and nowhere else."""

import ipaddress
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from dicomweb_client.web import DICOMwebClient
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from portal.archive import limits
from portal.archive.dicomweb.incoming import by_reading
from portal.archive.dicomweb.multipart import Part, parameters, parts
from portal.archive.frames import BadRequest, TooMuch
from portal.archive.packs import DiskFull
from portal.archive.refusals import Refusal
from portal.archive.room import Folder
from portal.errors import Invalid, NotFound, StudyError, Unavailable

CONNECT_SECONDS, READ_SECONDS = 10, 120
TRIES, WAIT_MS = 5, 250
MOST_BYTES = 8 * 2**30
TOO_LARGE = "The series is larger than 8 GiB; it was not pulled."
# of a series, in one answer: each is used before the next comes, so that it is only to end
MOST_IMAGES = 100_000
DEFAULT_PORT = {"http": 80, "https": 443}
UID_OF = {"studies": "0020000D", "series": "0020000E", "instances": "00080018"}
# as a user name: the password is a token of that scheme
SCHEMES = frozenset({"Token", "Bearer"})
# not link-local, yet where clouds hand out credentials
METADATA = frozenset({"fd00:ec2::254", "100.100.100.200", "192.0.0.192"})
AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
AS_NATIVE = 'multipart/related; type="application/dicom"'
PICKY = frozenset({400, 406, 415, 500, 501})
BAD_ADDRESS = (
    "Give an address like https://pacs.example.org/dicom-web, without a query or a fragment."
)
NO_PLAIN = "Unencrypted http is allowed to this machine only, or to hosts listed in OSTEON_PLAIN_HTTP_HOSTS."
NO_HOST = "The host of this address is unknown; check its spelling."
FORBIDDEN_RANGE = "This address lies in a range that the portal never connects to."


class Silent(Unavailable):
    """The server does not answer, or answers nonsense."""

    code = "no_answer"
    retry_after = 60


@dataclass(frozen=True)
class Server:
    """A DICOMweb server: its base address, and the credentials that only it is sent.

    The user names `Token` and `Bearer` send the password as a token of that scheme.
    """

    url: str
    user: str = ""
    password: str = field(default="", repr=False)


def server(text: str, *, user: str = "", password: str = "") -> Server:
    """A server by its address, which may carry `user:password@`; raises Invalid with a sentence."""
    try:
        found = urlsplit(text.strip())
        host, port = found.hostname or "", found.port
    except ValueError as error:
        raise Invalid(BAD_ADDRESS, field="url") from error
    is_odd = found.query or found.fragment or any(ord(c) <= 32 for c in text.strip())
    if found.scheme not in DEFAULT_PORT or not host or is_odd:
        raise Invalid(BAD_ADDRESS, field="url")
    shown = f"[{host}]" if ":" in host else host
    place = shown if port is None else f"{shown}:{port}"
    url = f"{found.scheme}://{place}{found.path.rstrip('/')}"
    return Server(
        url, user or unquote(found.username or ""), password or unquote(found.password or "")
    )


def plain(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address, unwrapped where IPv6 only carries IPv4."""
    found = ipaddress.ip_address(text.split("%")[0])
    carried = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    return carried or found


def is_forbidden(text: str) -> bool:
    """Link-local, metadata, multicast, unspecified and reserved ranges."""
    found = plain(text)
    if found.is_loopback:
        return False
    return (
        found.is_link_local
        or found.is_multicast
        or found.is_unspecified
        or found.is_reserved
        or str(found) in METADATA
    )


def pinned_address(one: Server) -> str:
    """The one address that all connections of a session go to; every answer of the resolver must be allowed."""
    found = urlsplit(one.url)
    host, port = found.hostname or "", found.port or DEFAULT_PORT[found.scheme]
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Invalid(NO_HOST, field="url") from error
    addresses = [str(row[4][0]) for row in rows]
    if not addresses or any(is_forbidden(a) for a in addresses):
        raise Invalid(FORBIDDEN_RANGE, field="url")
    is_near = all(plain(a).is_loopback for a in addresses)
    if found.scheme == "http" and not is_near and host not in settings.PLAIN_HTTP_HOSTS:
        raise Invalid(NO_PLAIN, field="url")
    return addresses[0]


class Pinned(HTTPAdapter):
    """Connects to the address that was looked up once, whatever the name means by then."""

    def __init__(self, host: str, address: str) -> None:
        self.host, self.address = host, address
        super().__init__(pool_maxsize=4)

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        place, options = super().build_connection_pool_key_attributes(request, verify, cert)
        place["host"] = self.address
        if place["scheme"] == "https":
            options["server_hostname"] = options["assert_hostname"] = self.host
        return place, options


class OneWay(requests.Session):
    """A session without redirects, proxies of the environment, cookies, or any other destination."""

    def __init__(self, one: Server) -> None:
        super().__init__()
        found = urlsplit(one.url)
        self.headers["Host"] = found.netloc
        self.trust_env = False
        self.verify = settings.CA_FILE or True
        self.adapters.clear()
        self.mount(
            f"{found.scheme}://{found.netloc}/", Pinned(found.hostname or "", pinned_address(one))
        )
        if one.user in SCHEMES:
            self.headers["Authorization"] = f"{one.user} {one.password}"
        elif one.user:
            self.auth = (one.user, one.password)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        options["allow_redirects"] = False
        response = super().send(request, **options)
        self.cookies.clear()
        if response.is_redirect or response.is_permanent_redirect:
            response.close()
            raise requests.TooManyRedirects("The server redirects, which is not followed.")
        return response


@contextmanager
def answered(sentence: str) -> Iterator[None]:
    """Whatever goes wrong on the way is one sentence; addresses and credentials stay out of it."""
    try:
        yield
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        raise refusal_of(status, sentence) from error
    except (requests.RequestException, HTTPError, OSError, BadRequest) as error:
        raise Silent(sentence) from error


def refusal_of(status: int, sentence: str) -> StudyError:
    if status in (401, 403):
        return Silent("The server refuses these credentials; ask its administrator.")
    if status == 404:
        return NotFound("The server has no such images.")
    return Silent(sentence)


class Peer:
    """A DICOMweb server as we speak to it."""

    def __init__(
        self,
        one: Server,
        *,
        sentence: str = "The server does not answer; try again in a minute.",
        tries: int = TRIES,
    ) -> None:
        self.server, self.sentence = one, sentence
        self.session = OneWay(one)
        self.client = DICOMwebClient(
            one.url, session=self.session, timeout=(CONNECT_SECONDS, READ_SECONDS)
        )
        self.client.set_http_retry_params(tries > 1, tries, WAIT_MS)

    def search(self, level: str, *uids: str, **given: Any) -> list[dict[str, Any]]:
        """QIDO-RS rows of `level` (studies, series, instances) below the given UIDs."""
        kinds: dict[str, Callable[..., list[dict[str, Any]]]] = {
            "studies": self.client.search_for_studies,
            "series": self.client.search_for_series,
            "instances": self.client.search_for_instances,
        }
        with answered(self.sentence):
            return list(kinds[level](*uids, **given))

    def every(self, level: str, *uids: str) -> list[dict[str, Any]]:
        """All rows, page by page; ends with the first page that brings nothing new, as some servers know no pages."""
        found: dict[str, dict[str, Any]] = {}
        while True:
            rows = self.search(level, *uids, offset=len(found) or None)
            fresh = {first(row, UID_OF[level]): row for row in rows}
            if fresh.keys() <= found.keys():
                return list(found.values())
            found.update(fresh)

    def metadata(self, path: str) -> dict[str, dict[str, Any]]:
        """Headers of a series by SOP instance UID, in the DICOM JSON model."""
        _, study, _, series = path.split("/")[:4]
        with answered(self.sentence):
            rows = self.client.retrieve_series_metadata(study, series)
        return {first(row, "00080018"): row for row in rows}

    def delete(self, path: str) -> bool:
        """Ask for the deletion of a series; False where the server offers none."""
        with answered(self.sentence):
            response = self.session.delete(
                f"{self.server.url}/{path}", timeout=(CONNECT_SECONDS, READ_SECONDS)
            )
        return response.status_code in (200, 202, 204)

    def parts(self, path: str, accept: str, folder: Path) -> Iterator[Part]:
        """The Part 10 files at `path` one after the other, each in a file of ours; flat in memory."""
        with (
            answered(self.sentence),
            self.session.get(
                f"{self.server.url}/{path}",
                headers={"Accept": accept},
                stream=True,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
            ) as response,
        ):
            response.raise_for_status()
            if response.status_code == 204:
                return
            media, given = parameters(response.headers.get("Content-Type", ""))
            if media != "multipart/related":
                raise BadRequest("not multipart")
            yield from parts(
                by_reading(capped(response)),
                given.get("boundary", ""),
                Folder(folder),
                most_bytes=MOST_BYTES,
                most_parts=MOST_IMAGES,
            )

    def series(self, path: str, folder: Path) -> Iterator[Part]:
        """A whole series as stored at the server; where it is picky, uncompressed, then one by one."""
        try:
            yield from self.either_way(path, folder)
        except Silent as error:
            if not is_picky(error):
                raise
            yield from self.one_by_one(path, folder)

    def either_way(self, path: str, folder: Path) -> Iterator[Part]:
        """As stored at the server, which then transcodes nothing; where it is picky, uncompressed."""
        try:
            yield from self.parts(path, AS_STORED, folder)
        except Silent as error:
            if not is_picky(error):
                raise
            yield from self.parts(path, AS_NATIVE, folder)

    def one_by_one(self, path: str, folder: Path) -> Iterator[Part]:
        _, study, _, series = path.split("/")[:4]
        rows = self.every("instances", study, series)
        yield from self.images(path, [first(row, "00080018") for row in rows], folder)

    def images(self, path: str, uids: Iterable[str], folder: Path) -> Iterator[Part]:
        """Single images of a series, each in a folder of its own, as every answer numbers its parts from 1."""
        left = MOST_BYTES
        for uid in filter(limits.is_valid_uid, uids):
            own = Path(tempfile.mkdtemp(dir=folder, prefix="image-"))
            for part in self.either_way(f"{path}/instances/{uid}", own):
                left -= part.size
                if left < 0:
                    raise TooMuch(TOO_LARGE)
                yield part

    def post(self, pieces: Iterator[bytes], length: int, boundary: str) -> dict[str, Any]:
        """STOW-RS of an encoded body; the server's response object, whatever its status."""
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        sent = {"Content-Type": kind, "Accept": "application/dicom+json"}
        with answered(self.sentence):
            response = self.session.post(
                f"{self.server.url}/studies",
                data=Sized(pieces, length),
                headers=sent,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
            )
            if response.status_code in (413, 507) or is_disk_full(response):
                raise DiskFull(Refusal("disk").sentence)
            if response.status_code not in (200, 202, 409):
                response.raise_for_status()
                raise requests.HTTPError(response=response)
            found = response.json()
        return found if isinstance(found, dict) else {}


def is_disk_full(response: requests.Response) -> bool:
    """A refusal by lack of room, and not one that a server without rest gives to everybody."""
    said = response.headers.get("Warning", "") + response.text[:1000]
    return response.status_code == 503 and "disk is full" in said


def is_picky(error: Silent) -> bool:
    response = getattr(error.__cause__, "response", None)
    return response is not None and response.status_code in PICKY


def first(row: dict[str, Any], tag: str) -> str:
    """First value of an element of a DICOM JSON row, as text."""
    values = (row.get(tag) or {}).get("Value") or [""]
    value = values[0]
    return str(value.get("Alphabetic", "") if isinstance(value, dict) else value)


def capped(response: requests.Response) -> Callable[[int], bytes]:
    """Reads the body; one that announces more than the cap is not begun."""
    length = response.headers.get("Content-Length", "")
    if length.isascii() and length.isdigit() and int(length) > MOST_BYTES:
        raise TooMuch(TOO_LARGE)
    return lambda size: bytes(response.raw.read(size, decode_content=True) or b"")


class Sized:
    """A body made while it is sent, with its length known beforehand."""

    def __init__(self, pieces: Iterator[bytes], length: int) -> None:
        self.pieces, self.length = pieces, length

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces
