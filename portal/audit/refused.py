"""A refused write leaves one row per person and minute: who tried, where, and nothing of what was sent."""

import logging

from django.core.cache import cache
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse

from portal.audit.context import current
from portal.audit.models import AuditEvent
from portal.audit.trail import record

log = logging.getLogger(__name__)
SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}
REFUSALS = {403, 404}
SECONDS = 60
NEWEST = 50


def note_refusal(request: HttpRequest, response: HttpResponse) -> None:
    """Record a signed-in person's refused write, at most once a minute; the answer never depends on it."""
    actor = current.get().actor
    if getattr(response, "is_fence_refusal", False):
        return  # the alarm is its row
    if request.method in SAFE or response.status_code not in REFUSALS or actor == "anonymous":
        return
    try:
        if not has_left_a_row() and cache.add(f"refused:{actor}", True, SECONDS):
            write(request)
    except OperationalError:
        log.warning("a refused write could not be recorded: the database is busy")


def has_left_a_row() -> bool:
    """A failed signature, for one, records itself."""
    newest = AuditEvent.objects.order_by("-seq").values_list("request", flat=True)[:NEWEST]
    return current.get().request in newest


def write(request: HttpRequest) -> AuditEvent:
    match = request.resolver_match
    study = str(match.kwargs.get("study", "")) if match else ""
    return record(
        "refused", obj=f"route:{match.view_name}" if match else "route:", study=study[:40],
        role="signed_in", scope="study" if study else "system",
    )  # fmt: skip
