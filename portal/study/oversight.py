"""Jobs and the audit trail of a study: what was done, by whom, and what is being done."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from portal.accounts.models import User
from portal.audit.models import AuditEvent, AuditPayload
from portal.audit.payloads import values_of
from portal.audit.trail import record
from portal.errors import Conflict, Invalid, NotFound
from portal.jobs.models import Job
from portal.study.access import NO_SUCH_PAGE, member_view
from portal.study.models import Membership, State, Study

PAGE_ROWS = 50


@member_view("coordinate", "analyse", "monitor")
@require_safe
def jobs(request: HttpRequest, member: Membership) -> HttpResponse:
    rows = Job.objects.of_study(member.study.code)
    state = request.GET.get("state", "")
    if state in Job.State.values:
        rows = rows.filter(state=state)
    context = {
        "member": member,
        "study": member.study,
        "page": Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page")),
        "state": state,
        "states": Job.State.values,
        "is_busy": Job.objects.of_study(member.study.code).active().exists(),
    }
    return render(request, "study/jobs.html", context)


@member_view("coordinate", "analyse")
@require_POST
def requeue(request: HttpRequest, member: Membership, job: int) -> HttpResponse:
    """Put a failed job back; a person's act, with a reason."""
    reason = request.POST.get("reason", "").strip()
    if len(reason) < 10:
        raise Invalid("Say in at least 10 characters why the job is queued again.", field="reason")
    now = timezone.now()
    with transaction.atomic():
        changed = Job.objects.filter(
            pk=job, study=member.study.code, state=Job.State.FAILED
        ).update(state=Job.State.QUEUED, attempts=0, not_before=now, wake_at=now, ended_at=None)
        if not changed:
            raise Conflict("Only a failed job of this study can be queued again.")
        record(
            "job.requeue",
            obj=f"job:{job}",
            study=member.study.code,
            role=member.role,
            reason=reason,
        )
    messages.info(request, "The job is queued again.")
    return redirect("oversight:jobs", study=member.study.code)


def visible_events(study: Study, member: Membership) -> QuerySet[AuditEvent]:
    """Events of the study; a monitor sees no act on truth before the study is unblinded."""
    rows = AuditEvent.objects.filter(study=study.code).order_by("-seq")
    if member.can_coordinate or study.has_reached(State.UNBLINDED):
        return rows
    return rows.exclude(verb__startswith="truth.").exclude(verb__startswith="evaluation.")


@member_view("coordinate", "analyse", "monitor")
@require_safe
def audit(request: HttpRequest, member: Membership) -> HttpResponse:
    rows = visible_events(member.study, member)
    verb = request.GET.get("verb", "").strip()
    if verb:
        rows = rows.filter(verb__startswith=verb)
    page = Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page"))
    people = {f"u:{pk}": name for pk, name in User.objects.values_list("pk", "username")}
    context = {
        "member": member,
        "study": member.study,
        "page": page,
        "rows": [(event, people.get(event.actor, event.actor)) for event in page],
        "verb": verb,
    }
    return render(request, "study/audit.html", context)


@member_view("coordinate")
@require_safe
def audit_event(request: HttpRequest, member: Membership, seq: int) -> HttpResponse:
    """One act with its values, for coordinators only."""
    event = AuditEvent.objects.filter(study=member.study.code, seq=seq).first()
    if event is None:
        raise NotFound(NO_SUCH_PAGE)
    payload = AuditPayload.objects.filter(event=event).first()
    values: dict[str, Any] = values_of(payload) if payload else {}
    context = {"member": member, "study": member.study, "event": event, "values": values}
    return render(request, "study/audit_event.html", context)
