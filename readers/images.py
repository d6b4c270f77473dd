"""Pixels of the case on this desk: DICOMweb over the images of this case alone, under its own UIDs."""

from typing import cast

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from portal.accounts.models import User
from portal.archive.dicomweb.routes import Base, answer
from portal.archive.frames import NO_SUCH_IMAGE
from portal.errors import NotFound
from readers.doors import program_view
from readers.grants import grants


@csrf_exempt  # nothing is written here: other methods are refused as such
@program_view("GET", "HEAD")
def dicomweb(request: HttpRequest, reader: User, code: str, rest: str) -> HttpResponse:
    """QIDO-RS and WADO-RS at the reader's base; what is not of this case is the same 404."""
    try:
        grant = grants.of(request, reader, code)
    except NotFound:
        raise NotFound(NO_SUCH_IMAGE) from None
    root = request.build_absolute_uri(f"/reading/cases/{code}/dicomweb")
    base = Base(
        code, grant.series, grant.names, root, json_cache="private, no-cache", view=grant.view,
        until=grant.until,
    )  # fmt: skip
    return cast(HttpResponse, answer(request, base, rest))
