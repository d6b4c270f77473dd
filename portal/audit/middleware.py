"""Gives each request an id and tells the trail who acts in it."""

import hashlib
import secrets
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from portal.audit.context import Context, current
from portal.audit.refused import note_refusal


class RequestContextMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        context = context_of(request)
        request.audit_context = context  # type: ignore[attr-defined]
        token = current.set(context)
        try:
            response = self.get_response(request)
            note_refusal(request, response)
        finally:
            current.reset(token)
        return response


def context_of(request: HttpRequest) -> Context:
    user = getattr(request, "user", None)
    signed_in = user is not None and user.is_authenticated
    session_key = getattr(request.session, "session_key", None) or ""
    return Context(
        actor=f"u:{user.pk}" if signed_in and user is not None else "anonymous",
        request=secrets.token_hex(8),
        session=hashlib.sha256(session_key.encode()).hexdigest()[:16] if session_key else "",
        ip=request.META.get("REMOTE_ADDR", ""),
    )
