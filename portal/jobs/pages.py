"""Health for everybody, details and metrics for administrators; a study's jobs are the study floor's."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal.accounts.pages import as_status
from portal.errors import NotFound
from portal.jobs.health import state
from portal.jobs.status import as_metrics, status
from portal.roles import rule

NO_SUCH = "There is no such page, or it is not yours to see."


@rule("public")
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    return as_status(state(timezone.now()).is_ok)


def refuse_others(request: HttpRequest) -> None:
    if not (request.user.is_authenticated and request.user.is_staff):
        raise NotFound(NO_SUCH)


@rule("administrator")
@require_safe
def status_page(request: HttpRequest) -> HttpResponse:
    refuse_others(request)
    return render(request, "status.html", {"found": status(timezone.now())})


@rule("administrator")
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    refuse_others(request)
    return HttpResponse(
        as_metrics(status(timezone.now())), content_type="text/plain; version=0.0.4"
    )
