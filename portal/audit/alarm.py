"""A refusal of the fence: 404 to the person, an alarm on the trail in a transaction of its own."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from portal.audit.context import current
from portal.audit.middleware import context_of
from portal.audit.trail import record


class FenceAlarmMiddleware:
    """Outermost: writes when the fence is down again and the request's transaction is rolled back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if getattr(response, "is_fence_refusal", False):
            sound(request)
        return response


def sound(request: HttpRequest) -> None:
    match = request.resolver_match
    token = current.set(context_of(request))
    try:
        record(
            "fence.refused", obj=f"route:{match.view_name}" if match else "route:",
            role="signed_in", scope="system",
        )  # fmt: skip
    finally:
        current.reset(token)
