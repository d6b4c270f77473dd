"""Every request is blind until a truth-seeing view has checked its member."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from portal.fence.blind import blinded


class BlindMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with blinded():
            return self.get_response(request)
