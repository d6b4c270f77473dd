"""Signing out, help and health: the pages that belong to no study."""

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from portal.roles import rule


@rule("signed_in")
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session and empty the shared browser's cache and storage."""
    logout(request)
    response = redirect(settings.LOGIN_URL)
    response["Clear-Site-Data"] = '"cache", "storage"'
    return response


@rule("public")
@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    return render(request, "help.html")


@rule("public")
@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    return HttpResponse("User-agent: *\nDisallow: /\n", content_type="text/plain")


def as_status(is_ok: bool) -> JsonResponse:
    status = "ok" if is_ok else "degraded"
    return JsonResponse({"status": status}, status=200 if is_ok else 503)
