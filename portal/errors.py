"""How we refuse: one sentence for the user, one place that turns it into HTTP."""

import logging
import sqlite3
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from rest_framework.response import Response
from rest_framework.views import exception_handler

log = logging.getLogger(__name__)
BUSY_CODES = {5, 6, 13}


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


def as_json(error: StudyError) -> dict[str, Any]:
    body: dict[str, Any] = {"detail": error.sentence, **error.extra}
    return {**body, "field": error.field} if error.field else body


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
        elif isinstance(exception, OperationalError) and is_busy(exception):
            response = answer(request, busy())
        else:
            return None
        if response.status_code == Unavailable.status:
            response["Retry-After"] = str(getattr(exception, "retry_after", 2))
        return response


def api_exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(error, OperationalError) and is_busy(error):
        error = busy()
    if isinstance(error, StudyError):
        return Response(as_json(error), status=error.status)
    return exception_handler(error, context)
