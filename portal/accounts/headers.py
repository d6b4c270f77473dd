"""Headers that every answer carries, beside Django's own and the content security policy."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

ALWAYS = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class HeadersMiddleware:
    """What says nothing about caching is not stored: pages and JSON hold patients' data."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in ALWAYS.items():
            response.setdefault(name, value)
        response.setdefault("Cache-Control", "private, no-store")
        return response
