"""Features and model runs: pages of analysts and coordinators."""

import secrets
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from portal.accounts.models import User
from portal.analysis import comparison, extraction, feature_sets, training
from portal.analysis.models import FeatureVector, ModelRun
from portal.errors import Invalid, NotFound
from portal.jobs.models import Job
from portal.study.access import NO_SUCH_PAGE, member_view
from portal.study.models import Membership, Split
from radiomics.stats.flags import FLAGS

PAGE_ROWS = 50
WORKERS = 2


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
        ).order_by("pk")
        only = request.GET.get("only", "")
        if only == "failed":
            rows = rows.exclude(failure="")
        context["only"] = only
        context["page"] = Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page"))
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
    jobs = extraction.start(current, user=person(member), shards=WORKERS)
    sentence = "Extraction is queued." if jobs else "No locked ROI is waiting for features."
    messages.info(request, sentence)
    return redirect("analysis:features", study=member.study.code)


@member_view("analyse", "coordinate")
@require_safe
def runs(request: HttpRequest, member: Membership) -> HttpResponse:
    study = member.study
    context = {
        "runs": ModelRun.objects.filter(study=study).select_related("split", "feature_set"),
        "split": Split.objects.filter(study=study, locked_at__isnull=False)
        .order_by("-version")
        .first(),
        "current": feature_sets.current(study),
        "jobs": active_jobs(member, training.KIND),
    }
    return show(request, member, "analysis/runs.html", context)


@member_view("analyse", "coordinate")
@require_POST
def start_run(request: HttpRequest, member: Membership) -> HttpResponse:
    study = member.study
    split = Split.objects.filter(study=study, locked_at__isnull=False).order_by("-version").first()
    current = feature_sets.current(study)
    if split is None or current is None:
        raise Invalid("Lock a split and extract features before a model is trained.")
    kind = request.POST.get("kind", "")
    if kind not in ModelRun.Kind.values:
        raise Invalid("Choose CT, SPECT or combined.", field="kind")
    seed = request.POST.get("seed", "")
    run = training.create_run(
        study, kind, split=split, feature_set=current, actor=person(member), now=timezone.now(),
        seed=int(seed) if seed.isdigit() else secrets.randbelow(2**31),
    )  # fmt: skip
    messages.info(request, "The run is queued; this page shows it when it is fitted.")
    return redirect("analysis:run", study=study.code, code=run.code)


def run_of(member: Membership, code: str) -> ModelRun:
    run = (
        ModelRun.objects.filter(study=member.study, code=code)
        .select_related("split", "feature_set")
        .first()
    )
    if run is None:
        raise NotFound(NO_SUCH_PAGE)
    return run


@member_view("analyse", "coordinate")
@require_safe
def run(request: HttpRequest, member: Membership, code: str) -> HttpResponse:
    """The model card: formula, performance on train, certificate and warnings."""
    found = run_of(member, code)
    context: dict[str, Any] = {"run": found}
    if found.model:
        flags = {*found.result.get("flags", []), *found.model.get("flags", [])}
        context["flags"] = [FLAGS.get(flag.split(":")[0], flag) for flag in sorted(flags)]
        context["formula"] = formula(found)
        context["kkt"] = max(k for k in found.model["path"]["kkt"] if k is not None)
    return show(request, member, "analysis/run.html", context)


def formula(run: ModelRun) -> list[dict[str, Any]]:
    """Terms of the refit with Wald limits where there are any."""
    refit = run.model.get("refit") or {}
    terms = refit.get("terms") or ["(Intercept)", *run.model["selected"]]
    keys = ("coef", "low", "high", "p_value")
    columns = [refit.get(key) or [None] * len(terms) for key in keys]
    return [
        {"term": term, **dict(zip(keys, values, strict=True))}
        for term, *values in zip(terms, *columns, strict=True)
    ]


@member_view("analyse", "coordinate")
@require_POST
def lock_run(request: HttpRequest, member: Membership, code: str) -> HttpResponse:
    found = training.lock(run_of(member, code), actor=person(member), now=timezone.now())
    messages.success(request, f"The run is locked under {found.digest[:16]}.")
    return redirect("analysis:run", study=member.study.code, code=code)


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
