"""The frame view without anything around it, to see what sign-in, grants, audit and blinding cost."""

import os

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

django.setup()
settings.MIDDLEWARE = []
settings.ROOT_URLCONF = "bench.side_by_side.bare"

from portal.archive.dicomweb.routes import split
from portal.archive.frames import View, serve
from readers.grants import view_of
from readers.models import Assignment

codes = Assignment.objects.values_list("code", flat=True) if os.environ.get("BENCH_CASES") else []
views: dict[str, View] = {
    case.code: view_of(case)
    for case in Assignment.objects.select_related(
        "session__study", "lesion__ct_series__exam", "lesion__spect_series__exam"
    ).filter(code__in=list(codes))
}


def frame(request: HttpRequest, code: str, rest: str) -> HttpResponse:
    (study, series, instance), tail = split(rest.split("/"))
    return serve(
        request, views[code], study=study, series=series, instance=instance, frames=tail[1]
    )


urlpatterns = [
    path("healthz", lambda request: HttpResponse("ok")),
    path("reading/cases/<str:code>/dicomweb/<path:rest>", frame),
]
application = get_wsgi_application()
