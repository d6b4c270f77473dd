"""Signing out, help, browsers' complaints and health: the pages that belong to no study."""

import json
import logging
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from portal.roles import rule

log = logging.getLogger("portal.csp")
REPORT_BYTES = 16 * 1024
REPORTS_A_MINUTE = 30


@rule("signed_in")
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session and empty the shared browser's cache and storage."""
    logout(request)
    return signed_out()


def signed_out() -> HttpResponse:
    response = redirect(settings.LOGIN_URL)
    response["Clear-Site-Data"] = '"cache", "storage"'
    return response


@rule("public")
@csrf_exempt
@require_POST
def csp_report(request: HttpRequest) -> HttpResponse:
    """A browser tells what the content security policy stopped; one line of the log, never an address with its query."""
    if int(request.headers.get("Content-Length") or 0) <= REPORT_BYTES and is_within_limit():
        log.warning("content security policy: %s stopped %s", *stopped(request.body))
    return HttpResponse(status=204)


def is_within_limit() -> bool:
    cache.add("csp-reports", 0, 60)
    return bool(cache.incr("csp-reports") <= REPORTS_A_MINUTE)


def stopped(body: bytes) -> tuple[str, str]:
    """The directive and the address without its query; `?` for what is no report."""
    try:
        report: Any = json.loads(body)["csp-report"]
        what = str(report.get("effective-directive") or report["violated-directive"])
        where = str(report.get("blocked-uri", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "?", "?"
    return what.split(" ")[0][:40], where.split("?")[0][:200]


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
