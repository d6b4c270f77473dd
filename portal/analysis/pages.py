"""Features and model runs: pages of analysts and coordinators."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from portal.accounts.models import User
from portal.analysis import comparison, extraction, feature_sets
from portal.analysis.costs import costs
from portal.analysis.models import FeatureVector
from portal.analysis.reliability import training_lesions
from portal.errors import Invalid
from portal.jobs.models import Job
from portal.study.access import member_view
from portal.study.listing import Columns, Filter, listing
from portal.study.models import Membership

CASE = "roi__read__assignment__lesion__"
VECTORS = Columns(
    headings={
        "Lesion": (f"{CASE}patient__subject", f"{CASE}number", "roi__modality"),
        "Delineator": ("roi__read__assignment__session__reader__username", "pk"),
        "Modality": ("roi__modality", f"{CASE}patient__subject"),
        "Pixels": ("provenance__n_pixels", f"{CASE}patient__subject"),
        "Undefined": (),
        "Remarks": ("failure", f"{CASE}patient__subject"),
        "Digest": (),
    },
    numbers=("Pixels", "Undefined"),
    search=(f"{CASE}patient__subject", "failure"),
    filters={
        "modality": Filter("Modality", {"CT": Q(roi__modality="CT"), "SPECT": Q(roi__modality="SPECT")}),
        "state": Filter("State", {"computed": Q(failure=""), "failed": ~Q(failure="")}),
        "drawing": Filter("Drawing", {
            "first": Q(roi__read__assignment__occasion=1), "repeat": Q(roi__read__assignment__occasion__gt=1),
        }),
    },
)  # fmt: skip


def show(
    request: HttpRequest, member: Membership, template: str, context: dict[str, Any]
) -> HttpResponse:
    return render(request, template, {"member": member, "study": member.study, **context})


def person(member: Membership) -> User:
    user = member.user
    if not isinstance(user, User):
        raise TypeError("a membership belongs to a user")
    return user


@member_view("analyse", "coordinate")
@require_safe
def features(request: HttpRequest, member: Membership) -> HttpResponse:
    """The current feature set, its progress, failures and undefined values."""
    current = feature_sets.current(member.study)
    context: dict[str, Any] = {"current": current, "jobs": active_jobs(member, extraction.KIND)}
    if current is not None:
        vectors = FeatureVector.objects.filter(feature_set=current)
        context |= vectors.aggregate(done=Count("pk"), failed=Count("pk", filter=~Q(failure="")))
        context["pending"] = extraction.pending(current).count()
        rows = vectors.select_related(
            "roi__read__assignment__lesion__patient", "roi__read__assignment__session__reader"
        )
        context["listing"] = listing(request, rows, VECTORS)
        context["costs"] = costs(current, training_lesions(member.study) or None)
    return show(request, member, "analysis/features.html", context)


def active_jobs(member: Membership, kind: str) -> list[Job]:
    return list(Job.objects.of_study(member.study.code).active().filter(kind=kind))


@member_view("analyse", "coordinate")
@require_POST
def start_extraction(request: HttpRequest, member: Membership) -> HttpResponse:
    now = timezone.now()
    current = feature_sets.current(member.study) or feature_sets.use(
        member.study, actor=person(member), now=now
    )
    jobs = extraction.start(current, user=person(member), shards=settings.WORKERS)
    sentence = "Extraction is queued." if jobs else "No locked ROI is waiting for features."
    messages.info(request, sentence)
    return redirect("analysis:features", study=member.study.code)


@member_view("analyse", "coordinate")
@require_POST
def evaluate(request: HttpRequest, member: Membership) -> HttpResponse:
    reason = request.POST.get("reason", "").strip()
    if len(reason) < 10:
        raise Invalid(
            "Say in at least 10 characters why the validation part is looked at.", field="reason"
        )
    comparison.evaluate(member.study, actor=person(member), now=timezone.now(), reason=reason)
    messages.success(request, "Evaluated; the look was counted.")
    return redirect("dashboard:dashboard", study=member.study.code)
