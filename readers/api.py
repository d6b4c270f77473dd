"""The desk's JSON: parse, call one verb, answer."""

import re
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.utils import timezone

from portal.accounts.models import User
from portal.errors import Invalid
from readers import reading
from readers.documents import parse
from readers.doors import program_view
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


@program_view("PUT")
def draft(request: HttpRequest, reader: User, code: str) -> HttpResponse:
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
