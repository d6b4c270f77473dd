"""Jobs and the audit trail of a study: what was done, by whom, and what is being done."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import Q, QuerySet
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
from portal.study.listing import Columns, Filter, listing
from portal.study.models import Membership, State, Study

JOBS = Columns(
    headings={
        "Job": ("pk",),
        "Work": ("kind", "pk"),
        "State": ("state", "pk"),
        "Progress": (),
        "Attempts": ("attempts", "pk"),
        "Queued": ("created_at",),
        "Ended": ("ended_at",),
        "Remarks": (),
    },
    search=("kind", "error_text"),
    filters={"state": Filter("State", {state: Q(state=state) for state in Job.State.values})},
    numbers=("Job", "Attempts"),
    default="-job",
)
ACTS = Columns(
    headings={
        "No.": ("seq",),
        "When": ("at", "seq"),
        "Who": ("actor", "seq"),
        "Role": ("role", "seq"),
        "Act": ("verb", "seq"),
        "Object": ("obj", "seq"),
        "Clock": ("clock", "seq"),
        "Hash": (),
    },
    search=("verb", "obj", "role"),
    numbers=("No.",),
    default="-no.",
)
ALARMS = (
    "sign_in.failed",
    "sign_in.locked",
)  # acts at the door belong to no study, its coordinator is told


@member_view("coordinate", "analyse", "monitor")
@require_safe
def jobs(request: HttpRequest, member: Membership) -> HttpResponse:
    rows = Job.objects.of_study(member.study.code)
    context = {
        "member": member,
        "study": member.study,
        "listing": listing(request, rows, JOBS),
        "is_busy": rows.active().exists(),
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
    """Events of the study and alarms about its members; a monitor sees no act on truth before the unblinding."""
    people = Membership.objects.filter(study=study).values_list("user__code", flat=True)
    alarms = Q(verb__in=ALARMS, obj__in=[f"user:{code}" for code in people])
    rows = AuditEvent.objects.filter(Q(study=study.code) | alarms)
    if member.can_coordinate or study.has_reached(State.UNBLINDED):
        return rows
    return rows.exclude(verb__startswith="truth.").exclude(verb__startswith="evaluation.")


def names_of(actors: set[str]) -> dict[str, str]:
    """Actor -> user name, for the people among them."""
    keys = [int(actor[2:]) for actor in actors if actor.startswith("u:") and actor[2:].isdigit()]
    people = User.objects.filter(pk__in=keys).values_list("pk", "username")
    return {f"u:{pk}": name for pk, name in people}


@member_view("coordinate", "analyse", "monitor")
@require_safe
def audit(request: HttpRequest, member: Membership) -> HttpResponse:
    rows = visible_events(member.study, member)
    verb = request.GET.get("verb", "").strip()
    if verb:
        rows = rows.filter(verb__startswith=verb)
    shown = listing(request, rows, ACTS)
    people = names_of({event.actor for event in shown.page})
    context = {
        "member": member,
        "study": member.study,
        "listing": shown,
        "rows": [(event, people.get(event.actor, event.actor)) for event in shown.page],
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
