"""Health for everybody; the list of jobs is mounted per study by the study floor's door."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal.accounts.pages import as_status
from portal.jobs.health import state
from portal.roles import rule


@rule("public")
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    return as_status(state(timezone.now()).is_ok)
