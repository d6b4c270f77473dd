"""How we refuse: one sentence for the user, one place that turns it into HTTP."""

import logging
import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import DatabaseError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.shortcuts import render
from django.template.loader import render_to_string
from rest_framework.response import Response
from rest_framework.views import exception_handler

log = logging.getLogger(__name__)
BUSY_CODES = {5, 6, 13}
NO_SUCH = "There is no such page, or it is not yours to see."
Marked = TypeVar("Marked", bound=HttpResponse)


class StudyError(Exception):
    """An expected refusal; its text is one sentence that says what to do."""

    status = 400
    code = "refused"

    def __init__(
        self, sentence: str, *, field: str = "", extra: dict[str, Any] | None = None
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.field = field
        self.extra = extra or {}


class NotFound(StudyError):
    """The object does not exist, or not for this person: the two look alike."""

    status = 404
    code = "not_found"


class Forbidden(StudyError):
    status = 403
    code = "forbidden"


class Conflict(StudyError):
    status = 409
    code = "conflict"


class Invalid(StudyError):
    status = 422
    code = "invalid"


class Locked(StudyError):
    status = 423
    code = "locked"


class Unavailable(StudyError):
    status = 503
    code = "unavailable"
    retry_after = 2


class Stalled(StudyError):
    """The body of a request stopped coming."""

    status = 408
    code = "stalled"


def stalled() -> Stalled:
    return Stalled("The request did not come in time; send it again.")


def as_json(error: StudyError) -> dict[str, Any]:
    body: dict[str, Any] = {"detail": error.sentence, **error.extra}
    return {**body, "field": error.field} if error.field else body


def refusal(error: StudyError) -> JsonResponse:
    """As JSON, with when to ask again where that may help."""
    return JsonResponse(as_json(error), status=error.status, headers=waiting(error))


def not_allowed(*methods: str) -> JsonResponse:
    """405 with the methods that an address takes."""
    said = f"This address takes {' and '.join(methods)} only."
    return JsonResponse({"detail": said}, status=405, headers={"Allow": ", ".join(methods)})


def wants_json(request: HttpRequest) -> bool:
    accept = request.headers.get("Accept", "")
    return (
        request.path.startswith(("/api/", "/dicomweb/"))
        or "/dicomweb/" in request.path
        or "application/json" in accept
        or request.content_type == "application/json"
    )


def answer(request: HttpRequest, error: StudyError) -> HttpResponse:
    if wants_json(request):
        return JsonResponse(as_json(error), status=error.status)
    return render(request, "error.html", {"error": error}, status=error.status)


def is_busy(error: DatabaseError) -> bool:
    """True for a locked or full database, which a later try may find free."""
    cause = error.__cause__
    code = getattr(cause, "sqlite_errorcode", None)
    if isinstance(cause, sqlite3.Error) and code is not None:
        return (code & 0xFF) in BUSY_CODES
    return getattr(cause, "sqlstate", "") in {"55P03", "40001", "40P01", "53100"}


def is_fence(error: Exception) -> bool:
    """True for what the database refused to a blinded request."""
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_AUTH
    return getattr(cause, "sqlstate", "") == "42501"


def refused_by_fence(request: HttpRequest) -> HttpResponse:
    """The page of what does not exist, made without the database; the alarm follows outside the fence."""
    if wants_json(request):
        response: HttpResponse = JsonResponse({"detail": NO_SUCH}, status=404)
    else:
        response = HttpResponse(render_to_string("404.html"), status=404)
    return mark_fence(response)


def mark_fence(response: Marked) -> Marked:
    response.is_fence_refusal = True  # type: ignore[attr-defined]
    return response


def busy() -> StudyError:
    return Unavailable("The database is busy; nothing was lost, please try again in a moment.")


class StudyErrorMiddleware:
    """Turns a StudyError of any view into its answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, StudyError):
            response = answer(request, exception)
        elif isinstance(exception, UnreadablePostError):
            response = answer(request, stalled())
        elif isinstance(exception, OperationalError) and is_busy(exception):
            response = answer(request, busy())
        elif isinstance(exception, DatabaseError) and is_fence(exception):
            return refused_by_fence(request)
        else:
            return None
        for name, value in waiting(exception).items():
            response[name] = value
        return response


def waiting(error: Exception) -> dict[str, str]:
    """For what may soon be possible: when to ask again."""
    is_busy_now = isinstance(error, Unavailable | OperationalError)
    return {"Retry-After": str(getattr(error, "retry_after", 2))} if is_busy_now else {}


def api_exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(error, OperationalError) and is_busy(error):
        error = busy()
    if isinstance(error, DatabaseError) and is_fence(error):
        return mark_fence(Response({"detail": NO_SUCH}, status=404))
    if isinstance(error, StudyError):
        return Response(as_json(error), status=error.status, headers=waiting(error))
    return exception_handler(error, context)
