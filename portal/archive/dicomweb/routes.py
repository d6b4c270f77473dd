"""The addresses of DICOMweb below a base: one dispatcher over the images that the caller may see."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from portal.archive.dicomweb import baked, qido, rendered, wado
from portal.archive.dicomweb.header import Image, Key, Names
from portal.archive.dicomweb.warm import hand_on
from portal.archive.frames import (
    FOR_GOOD,
    NO_SUCH_IMAGE,
    BadRequest,
    Location,
    View,
    frame_numbers,
    serve,
)
from portal.archive.models import Exam, Series
from portal.archive.uids import is_valid_uid
from portal.errors import NotFound

LEVELS = ("studies", "series", "instances")
PICTURES = ("rendered", "thumbnail")
VARY = "Accept, Accept-Encoding, Authorization, Cookie"


class Mounted(Protocol):
    """What an address is answered from: the images of one caller in one view, and their frames and documents."""

    @property
    def name(self) -> str: ...

    @property
    def root(self) -> str: ...

    @property
    def json_cache(self) -> str: ...

    @property
    def view(self) -> View | None: ...

    @property
    def until(self) -> float | None: ...

    def images(self, uids: Sequence[str]) -> list[Image]:
        """The caller's images below these UIDs."""

    def places(self, uids: Sequence[str]) -> Mapping[Key, Location]:
        """Where the frames of these images lie."""

    def pictures(self, uids: Sequence[str], *, is_numbered: bool) -> list[Image]:
        """The same with what rendering needs: frames in canonical order, or as the view numbers them."""

    def page(self, query: qido.Query, uids: Sequence[str]) -> qido.Page:
        """A page of a search below these UIDs."""

    def described(self, uids: Sequence[str]) -> baked.Text:
        """The metadata below these UIDs. Raises NotFound where there is nothing."""


@dataclass(frozen=True)
class Base:
    """What is mounted: the caller's series below UIDs of the view, how it calls them, how answers are cached.

    `search` is given where the database can search by the view's own values; else the headers are looked through.
    `state` is given where a word for all that a document is made of costs less than what it is made of.
    """

    name: str
    series: Callable[[Sequence[str]], Sequence[Series]]
    names: Callable[[Exam], Names]
    root: str
    json_cache: str
    view: View | None = None
    until: float | None = None
    search: Callable[[qido.Query, Sequence[str]], qido.Page] | None = None
    state: Callable[[Sequence[str]], str] | None = None

    def images(self, uids: Sequence[str]) -> list[Image]:
        """The caller's images below these UIDs."""
        depth = len(uids)
        found = baked.images_of(self.series(uids[:2]), self.names)
        return [i for i in found if i.key[:depth] == tuple(uids)]

    def places(self, uids: Sequence[str]) -> Mapping[Key, Location]:
        return {i.key: i.place for i in self.images(uids)}

    def pictures(self, uids: Sequence[str], *, is_numbered: bool) -> list[Image]:
        return self.images(uids)

    def page(self, query: qido.Query, uids: Sequence[str]) -> qido.Page:
        if self.search is not None:
            return self.search(query, uids)
        return qido.search(self.images(uids), query, root=self.root)

    def described(self, uids: Sequence[str]) -> baked.Text:
        """The metadata under these UIDs; of whole series as they lie ready."""
        if len(uids) == 3:
            return wado.of_images(chosen(self.images(uids)), self.root)
        state = self.state(uids) if self.state is not None else ""
        if state:
            return baked.known_document(state, self.root, lambda: self.series(uids), self.names)
        found = self.series(uids)
        if not found:
            raise NotFound(NO_SUCH_IMAGE)
        return baked.document(found, self.names, self.root)


def answer(request: HttpRequest, base: Mounted, rest: str) -> HttpResponseBase:
    """The resource at this address; what the base does not hold is the same 404."""
    parts = rest.strip("/").split("/")
    uids, tail = split(parts)
    if not all(is_valid_uid(u) for u in uids):
        raise BadRequest("An address holds valid UIDs.")
    if len(tail) == 1 and tail[0] in LEVELS[len(uids) :]:
        return finished(request, found(request, base, uids, tail[0]), base.json_cache)
    response, cache = retrieved(request, base, uids, tail)
    return finished(request, response, cache)


def split(parts: Sequence[str]) -> tuple[list[str], list[str]]:
    """UIDs of study, series, instance as far as they are given, and what follows."""
    uids: list[str] = []
    rest = list(parts)
    while len(uids) < 3 and len(rest) >= 2 and rest[0] == LEVELS[len(uids)]:
        uids.append(rest[1])
        rest = rest[2:]
    return uids, rest


def chosen(found: list[Image]) -> list[Image]:
    """Images that an address names, at least one."""
    if not found:
        raise NotFound(NO_SUCH_IMAGE)
    return found


def found(request: HttpRequest, base: Mounted, uids: Sequence[str], level: str) -> HttpResponse:
    """A search; without a match 204 and no body."""
    wado.check_json(request)
    query = qido.parse(level, request.GET)
    page = base.page(query, uids)
    if page.rows:
        response = HttpResponse(page.text, content_type=wado.JSON)
    else:
        response = HttpResponse(status=204)
        del response["Content-Type"]
    warning = warning_of(query, page, request.get_host())
    if warning:
        response["Warning"] = warning
    return response


def warning_of(query: qido.Query, page: qido.Page, host: str) -> str:
    """What was not understood, and what is left behind this page, in ASCII; '' where there is nothing to say."""
    said = [f"Parameter {quote(name)} is not supported" for name in query.ignored if name.isalnum()]
    if page.left:
        said.append(f"There are {page.left} additional results that can be requested")
    return ", ".join(f'299 {host} "{sentence}"' for sentence in said)


def retrieved(
    request: HttpRequest, base: Mounted, uids: Sequence[str], tail: Sequence[str]
) -> tuple[HttpResponseBase, str]:
    """A resource of named images, and how it may be cached."""
    if not uids:
        raise NotFound(NO_SUCH_IMAGE)
    if not tail:
        return wado.part10(request, chosen(base.images(uids))), base.json_cache
    if list(tail) == ["metadata"]:
        wado.check_json(request)
        return wado.metadata(request, base.described(uids)), base.json_cache
    if len(tail) == 1 and tail[0] in PICTURES:
        is_small = tail[0] == "thumbnail"
        shown = chosen(base.pictures(uids, is_numbered=False))
        return rendered.render(request, shown, None, is_thumbnail=is_small), FOR_GOOD
    if len(uids) == 3:
        return of_instance(request, base, uids, tail), FOR_GOOD
    raise NotFound(NO_SUCH_IMAGE)


def of_instance(
    request: HttpRequest, base: Mounted, uids: Sequence[str], tail: Sequence[str]
) -> HttpResponseBase:
    if len(tail) > 1 and tail[0] == "bulkdata":
        return wado.bulkdata(request, chosen(base.images(uids))[0], "/".join(tail[1:]))
    if len(tail) == 2 and tail[0] == "frames":
        view = base.view or View(base.name, base.places(uids[:2]))
        hand_on(request, view, base.until)
        study, series, instance = uids
        return serve(request, view, study=study, series=series, instance=instance, frames=tail[1])
    if len(tail) == 3 and tail[0] == "frames" and tail[2] in PICTURES:
        (number, *more) = frame_numbers(tail[1])
        if more:
            raise BadRequest("A picture shows one frame.")
        is_small = tail[2] == "thumbnail"
        shown = chosen(base.pictures(uids, is_numbered=True))
        return rendered.render(request, shown, number, is_thumbnail=is_small)
    raise NotFound(NO_SUCH_IMAGE)


def finished(request: HttpRequest, response: HttpResponseBase, cache: str) -> HttpResponseBase:
    """The headers that every answer has; 304 where the caller holds it already."""
    etag, cache = response.headers.get("ETag") or "", response.get("Cache-Control", cache)
    if not etag and isinstance(response, HttpResponse):
        etag = baked.mark(response.content)
    if response.status_code == 200 and etag:
        if request.META.get("HTTP_IF_NONE_MATCH") == etag:
            response = HttpResponse(status=304)
        response["ETag"] = etag
    if request.method == "HEAD":
        emptied(response)
    response["Cache-Control"] = cache
    response["Vary"] = VARY
    response["X-Content-Type-Options"] = "nosniff"
    return response


def emptied(response: HttpResponseBase) -> None:
    """The headers of a whole answer without its body."""
    if isinstance(response, StreamingHttpResponse):
        response.streaming_content = iter(())
    elif isinstance(response, HttpResponse) and response.content:
        length = len(response.content)
        response.content = b""
        response["Content-Length"] = str(length)
