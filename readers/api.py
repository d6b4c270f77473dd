"""The desk's JSON: parse, call one verb, answer."""

import re
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.middleware.csrf import get_token
from django.utils import timezone

from portal.accounts.models import User
from portal.errors import Invalid
from radiomics.volume_region import SHARE
from readers import history, reading
from readers.documents import parse
from readers.doors import program_view
from readers.preferences import preferences as settings_of
from readers.preferences import save_preferences
from readers.regions import propose
from readers.worklist import address_of, case_of, desk_case, next_case

VERSION = re.compile(r'"(\d{1,9})"|(\d{1,9})')


@program_view("GET", "HEAD")
def document(request: HttpRequest, reader: User, code: str) -> HttpResponse:
    case = reading.open_case(desk_case(reader, code), actor=reader, now=timezone.now())
    return JsonResponse(case.to_json(csrf_token=get_token(request)))


def body_of(request: HttpRequest, *names: str) -> dict[str, Any]:
    body = parse(request.body)
    if not isinstance(body, dict) or not set(names) <= set(body):
        raise Invalid(f"The request needs {' and '.join(names)}.", field=names[0])
    return body


def base_version(request: HttpRequest) -> int:
    match = VERSION.fullmatch(request.headers.get("If-Match", ""))
    if match is None:
        raise Invalid('Say which version the draft is based on: If-Match: "3".', field="If-Match")
    return int(match[1] or match[2])


@program_view("GET", "HEAD", "PUT")
def draft(request: HttpRequest, reader: User, code: str) -> HttpResponse:
    """The saved draft with the outlines that led to it, or the next version of it."""
    if request.method != "PUT":
        return JsonResponse(history.saved_draft(desk_case(reader, code)).to_json())
    saved = reading.save_draft(
        case_of(reader, code),
        parse(request.body),
        base_version=base_version(request),
        key=request.headers.get("Idempotency-Key", ""),
        actor=reader,
        now=timezone.now(),
    )
    return JsonResponse(
        {
            "version": saved.version,
            "saved_at": saved.saved_at.isoformat(),
            "problems": saved.problems.to_json(),
        }
    )


@program_view("GET", "HEAD", "PUT")
def preferences(request: HttpRequest, reader: User) -> HttpResponse:
    """The reader's own settings of the desk."""
    if request.method == "PUT":
        return JsonResponse(save_preferences(reader, parse(request.body)))
    return JsonResponse(settings_of(reader.preferences))


@program_view("POST")
def events(request: HttpRequest, reader: User, code: str) -> HttpResponse:
    body = body_of(request, "page_load", "events")
    reading.record_events(
        case_of(reader, code),
        body["page_load"],
        body["events"],
        actor=reader,
        now=timezone.now(),
    )
    return HttpResponse(status=204)


@program_view("POST")
def submit(request: HttpRequest, reader: User, code: str) -> HttpResponse:
    version = body_of(request, "version")["version"]
    if type(version) is not int:
        raise Invalid("The version is a whole number.", field="version")
    case = case_of(reader, code)
    reading.submit(case, version=version, actor=reader, now=timezone.now())
    following = address_of(next_case(case.session))
    return JsonResponse({"state": "submitted", "next": following, "home": "/reading/"})


@program_view("GET", "HEAD")
def threshold(request: HttpRequest, reader: User, code: str) -> HttpResponse:
    """The outlines of a share of the maximum in a sphere, to be looked at; nothing is stored."""
    case = reading.with_everything().get(pk=desk_case(reader, code).pk)
    return JsonResponse({"outlines": propose(case, asked_sphere(request.GET))})


def asked_sphere(query: QueryDict) -> dict[str, Any]:
    """Centre, radius and fraction of an address, as in ?centre_mm=1.5,2,3&radius_mm=20&fraction=0.42."""
    return {
        "centre_mm": [number(part) for part in query.get("centre_mm", "").split(",")],
        "radius_mm": number(query.get("radius_mm", "")),
        "fraction": number(query.get("fraction", str(SHARE))),
    }


def number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


@program_view("POST")
def reopen(request: HttpRequest, reader: User, code: str) -> HttpResponse:
    body = body_of(request, "reason_code", "reason")
    read = reading.reopen(
        case_of(reader, code),
        reason_code=body["reason_code"],
        reason=body["reason"],
        actor=reader,
        now=timezone.now(),
    )
    return JsonResponse({"version": read.version})
