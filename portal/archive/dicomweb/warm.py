"""A caller who was let in a moment ago: frames without session, database or view, and documents without sign-in.

The slow way decides everything: a view that has checked a caller hands the right on, and only what this right
names is answered here, with the same bytes. Whatever is asked in another way takes the slow way again.
"""

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from portal.archive.frames import Location, Sent, View, sent, serve
from portal.errors import StudyError

SECONDS = 10.0
KEPT = 256
FRAME = re.compile(
    r"(.*/dicomweb)/studies/([0-9.]+)/series/([0-9.]+)/instances/([0-9.]+)/frames/([0-9,]+)"
)
# searches and metadata; whole images are not among them, as each retrieval is a row of the trail
DOCUMENT = re.compile(r"(.*/dicomweb)/((?:[a-z]+/[0-9.]+/)*(?:studies|series|instances|metadata))")
# all of a request that sign-in, host check and the move to https look at
WHO = (
    "HTTP_HOST",
    "HTTP_COOKIE",
    "HTTP_AUTHORIZATION",
    "HTTP_X_FORWARDED_PROTO",
    "wsgi.url_scheme",
)
OWN = frozenset({"Content-Type", "Content-Length", "Content-Encoding", "ETag", "Warning"})
Key = tuple[str, str, str]
Reply = Callable[[HttpRequest, str], HttpResponseBase]
# of what lies below the base, and the environment: the answer where it takes no more than a reading connection
AtOnce = Callable[[str, Mapping[str, Any]], Sent | None]
Next = Callable[[HttpRequest], HttpResponseBase]
Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True)
class Right:
    """What a checked caller may see below a base, until when, and the headers of each answer."""

    name: str
    places: dict[Key, Location]
    until: float
    headers: tuple[tuple[str, str], ...] = ()
    reply: Reply | None = None
    at_once: AtOnce | None = None

    @property
    def view(self) -> View:
        return View(self.name, self.places)


@dataclass
class Rights:
    """The newest rights by caller and base; none is older than ten seconds."""

    clock: Callable[[], float] = time.monotonic
    kept: OrderedDict[bytes, Right] = field(default_factory=OrderedDict)

    def of(self, key: bytes) -> Right | None:
        found = self.kept.get(key)
        return found if found is not None and self.clock() < found.until else None

    def keep(self, key: bytes, right: Right) -> None:
        """A newer right takes the older one's place; an old one of the same base only gains places."""
        known = self.of(key)
        if known is not None and known.name == right.name:
            known.places.update(right.places)
            return
        self.kept[key] = right
        while len(self.kept) > KEPT:
            self.kept.popitem(last=False)


rights = Rights()


def key_of(environ: Mapping[str, Any], base: str) -> bytes:
    """Who asks, and below which address; kept as a digest, so that no credential lies in memory."""
    said = "\n".join([base, *(str(environ.get(name, "")) for name in WHO)])
    return hashlib.blake2b(said.encode("utf-8", "surrogateescape"), digest_size=16).digest()


def hand_on(request: HttpRequest, view: View, until: float | None = None) -> None:
    """Called by a view that has checked the caller: more frames of this view need no further check."""
    limit = rights.clock() + SECONDS
    request.right = Right(  # type: ignore[attr-defined]
        view.name, dict(view.places), min(limit, until) if until is not None else limit
    )


def hand_on_documents(
    request: HttpRequest, name: str, reply: Reply, at_once: AtOnce | None = None
) -> None:
    """Called by a view that has checked the caller: `reply` answers more searches without a further check.

    So does `at_once`, before Django, where it can; in the same words.
    """
    until = rights.clock() + SECONDS
    request.documents = Right(name, {}, until, (), reply, at_once)  # type: ignore[attr-defined]


class WarmDoor:
    """Before Django: a warm frame or search needs no request object, no signal and no middleware."""

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        is_get = environ["REQUEST_METHOD"] == "GET"
        found = warm(environ, environ.get("PATH_INFO", "")) if is_get else None
        if found is None:
            return self.application(environ, start_response)
        start_response("200 OK", list(found.headers.items()))
        return [found.body]

    @staticmethod
    def on_the_wire(environ: Mapping[str, Any], path: str) -> tuple[bytes, bytes] | None:
        """The answer at a path as header lines with the empty line, and body; None where nothing is warm."""
        found = warm(environ, path)
        if found is None:
            return None
        lines = "".join([f"{name}: {value}\r\n" for name, value in found.headers.items()])
        return f"{lines}\r\n".encode("latin-1"), found.body


def warm(environ: Mapping[str, Any], path: str) -> Sent | None:
    """What is asked for, whole, None where anything else than it is to be answered."""
    asked = FRAME.fullmatch(path)
    if asked is not None:
        return warm_frame(environ, *asked.groups())
    asked = DOCUMENT.fullmatch(path)
    return warm_document(environ, *asked.groups()) if asked is not None else None


def warm_document(environ: Mapping[str, Any], base: str, rest: str) -> Sent | None:
    right = rights.of(key_of(environ, f"documents of {base}"))
    if right is None or right.at_once is None:
        return None
    try:
        found = right.at_once(rest, environ)
    except StudyError:
        return None
    if found is None or found.headers["ETag"] == environ.get("HTTP_IF_NONE_MATCH", ""):
        return None
    length = str(len(found.body))
    return Sent(200, {**found.headers, **dict(right.headers), "Content-Length": length}, found.body)


def warm_frame(
    environ: Mapping[str, Any], base: str, study: str, series: str, instance: str, frames: str
) -> Sent | None:
    """The whole frame, None where anything else than it is to be answered."""
    right = rights.of(key_of(environ, base))
    if right is None or (study, series, instance) not in right.places:
        return None
    said = environ.get("HTTP_ACCEPT", ""), environ.get("HTTP_IF_NONE_MATCH", "")
    try:
        found = sent(right.view, (study, series, instance), frames, accept=said[0], known=said[1])
    except StudyError:
        return None
    if found.status != 200:
        return None
    length = str(len(found.body))
    return Sent(200, {**found.headers, **dict(right.headers), "Content-Length": length}, found.body)


class WarmFrameMiddleware:
    """Outermost: learns who may see which frames, and answers a warm one that Django was asked for."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        found = FRAME.fullmatch(request.path_info) if request.method == "GET" else None
        if found is None:
            return self.get_response(request)
        base, *rest = found.groups()
        key = key_of(request.META, base)
        return answered(request, key, *rest) or learnt(
            key, request, self.get_response(request), "right"
        )


class WarmDocumentMiddleware:
    """Directly behind the fence: the documents of a caller whose sign-in was looked at a moment ago."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        found = DOCUMENT.fullmatch(request.path_info) if request.method == "GET" else None
        if found is None:
            return self.get_response(request)
        base, rest = found.groups()
        key = key_of(request.META, f"documents of {base}")
        return replied(request, key, rest) or learnt(
            key, request, self.get_response(request), "documents"
        )


def replied(request: HttpRequest, key: bytes, rest: str) -> HttpResponseBase | None:
    """The document, or None where nobody was let in or it is refused."""
    right = rights.of(key)
    if right is None or right.reply is None:
        return None
    try:
        return dressed(right.reply(request, rest), right)
    except StudyError:
        return None


def answered(
    request: HttpRequest, key: bytes, study: str, series: str, instance: str, frames: str
) -> HttpResponse | None:
    """The frame, or None where this right does not name it or it would be refused."""
    right = rights.of(key)
    if right is None or (study, series, instance) not in right.places:
        return None
    try:
        response = serve(
            request, right.view, study=study, series=series, instance=instance, frames=frames
        )
    except StudyError:
        return None
    dressed(response, right)
    return response


def dressed(response: HttpResponseBase, right: Right) -> HttpResponseBase:
    """With the headers that the slow way gave."""
    for name, value in right.headers:
        response.headers[name] = value
    if isinstance(response, HttpResponse) and response.status_code != 204:
        response.headers.setdefault("Content-Length", str(len(response.content)))
    return response


def learnt(
    key: bytes, request: HttpRequest, response: HttpResponseBase, kind: str
) -> HttpResponseBase:
    """Keep the right that the view handed on, with the headers that the slow way gave its answer."""
    right: Right | None = getattr(request, kind, None)
    if right is not None and response.status_code == 200 and not response.cookies:
        rights.keep(key, replace(right, headers=headers_of(response.headers)))
    return response


def headers_of(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in headers.items() if name not in OWN)
