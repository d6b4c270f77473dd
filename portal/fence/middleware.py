"""Every request is blind until a truth-seeing view has checked its member."""

from collections.abc import Callable

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse

from portal.fence.blind import blinded


class BlindMiddleware:
    """Outermost: nothing of a request touches the database before the fence is up."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with blinded():
            response = self.get_response(request)
            if has_failed(response) and connection.vendor == "postgresql":
                transaction.set_rollback(True)  # the fence holds the request's transaction there
            return response


def has_failed(response: HttpResponse) -> bool:
    return response.status_code >= 500 or getattr(response, "is_fence_refusal", False)
