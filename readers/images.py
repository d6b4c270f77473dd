"""Pixels of the case on this desk: the archive's frames under the UIDs of this case alone."""

from django.http import HttpRequest, HttpResponse

from portal.accounts.models import User
from portal.archive.frames import NO_SUCH_IMAGE, serve
from portal.errors import NotFound
from readers.doors import program_view
from readers.grants import grants

FRAMES = ("studies", "series", "instances", "frames")


@program_view("GET", "HEAD")
def dicomweb(request: HttpRequest, reader: User, code: str, rest: str) -> HttpResponse:
    """WADO-RS frames at the reader's base; every other address is the same 404."""
    try:
        view = grants.of(request, reader, code).view
    except NotFound:
        raise NotFound(NO_SUCH_IMAGE) from None
    parts = rest.strip("/").split("/")
    if len(parts) != 8 or tuple(parts[::2]) != FRAMES:
        raise NotFound(NO_SUCH_IMAGE)
    study, series, instance, frames = parts[1::2]
    return serve(request, view, study=study, series=series, instance=instance, frames=frames)
