"""The reading room's own door: signed in, own case, or the same 404 for everything else."""

import functools
from collections.abc import Callable
from typing import Any, Concatenate, cast

from django.http import HttpRequest, HttpResponse, JsonResponse

from portal.accounts.models import User
from portal.errors import StudyError, not_allowed, refusal
from portal.roles import rule
from portal.study.access import sign_in_first

Inner = Callable[Concatenate[HttpRequest, User, ...], HttpResponse]
View = Callable[..., HttpResponse]


def reader_view(*methods: str) -> Callable[[Inner], View]:
    """A page of the reading room: the signed-in person in place of the request's user, never cached."""

    def wrap(view: Inner) -> View:
        @rule("reader")
        @functools.wraps(view)
        def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return sign_in_first(request)
            return admitted(view, request, methods, kwargs)

        return guarded

    return wrap


def program_view(*methods: str) -> Callable[[Inner], View]:
    """The same for the desk's script: 401 instead of the sign-in page, refusals as JSON."""

    def wrap(view: Inner) -> View:
        @rule("reader")
        @functools.wraps(view)
        def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                response: HttpResponse = JsonResponse({"detail": "Sign in first."}, status=401)
                response["WWW-Authenticate"] = "Token"
                return response
            try:
                return admitted(view, request, methods, kwargs)
            except StudyError as error:
                return refusal(error)

        return guarded

    return wrap


def admitted(
    view: Inner, request: HttpRequest, methods: tuple[str, ...], kwargs: dict[str, Any]
) -> HttpResponse:
    if request.method not in methods:
        return not_allowed(*methods)
    response = view(request, cast(User, request.user), **kwargs)
    response.setdefault("Cache-Control", "no-store")
    return response
