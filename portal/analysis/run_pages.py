"""Model runs: the list, the model card, locking, repeating, scoring a lesion."""

import secrets
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.analysis import (
    card,
    clinical_card,
    feature_sets,
    nomogram_drawing,
    predicting,
    training,
)
from portal.analysis.models import ModelRun
from portal.analysis.pages import active_jobs, person, show
from portal.analysis.parameters import BATCHES, FAMILIES
from portal.analysis.table import PREFIX
from portal.errors import Invalid, NotFound, StudyError
from portal.jobs.models import Job
from portal.study.access import NO_SUCH_PAGE, member_view
from portal.study.listing import Columns, Filter, listing
from portal.study.models import Membership, Split, Study

KIND_FILTER = {kind: Q(kind=kind) for kind in ModelRun.Kind.values}
RUNS = Columns(
    headings={
        "Run": ("kind", "created_at"),
        "Name": ("name", "created_at"),
        "State": ("state", "created_at"),
        "Usable of nominal": (),
        "Selected": (),
        "Nested AUC (train)": ("result__nested__auc_mean",),
        "Made": ("created_at",),
        "Digest": (),
    },
    numbers=("Usable of nominal", "Selected", "Nested AUC (train)"),
    default="-made",
    search=("name", "failure", "digest"),
    filters={
        "kind": Filter("Model", KIND_FILTER),
        "state": Filter("State", {state: Q(state=state) for state in ModelRun.State.values}),
    },
)


def locked_split(study: Study) -> Split | None:
    """The newest locked split."""
    return Split.objects.filter(study=study, locked_at__isnull=False).order_by("-version").first()


@member_view("analyse", "coordinate")
@require_safe
def runs(request: HttpRequest, member: Membership) -> HttpResponse:
    study = member.study
    rows = ModelRun.objects.filter(study=study).select_related("split", "feature_set")
    context = {
        "listing": listing(request, rows, RUNS),
        "split": locked_split(study),
        "current": feature_sets.current(study),
        "jobs": active_jobs(member, training.KIND),
        "kinds": ModelRun.Kind.choices,
        "families": FAMILIES,
        "modalities": tuple(PREFIX),
        "batches": BATCHES,
    }
    return show(request, member, "analysis/runs.html", context)


@member_view("analyse", "coordinate")
@require_POST
def start_run(request: HttpRequest, member: Membership) -> HttpResponse:
    study, form = member.study, request.POST
    split, current = locked_split(study), feature_sets.current(study)
    if split is None or current is None:
        raise Invalid("Lock a split and extract features before a model is trained.")
    run = training.create_run(
        study, form.get("kind", ""), split=split, feature_set=current, actor=person(member),
        now=timezone.now(), seed=seed_of(form.get("seed", "")), name=form.get("name", ""),
        parameters=chosen(request),
    )  # fmt: skip
    messages.info(request, "The run is queued; this page shows it when it is fitted.")
    return redirect("analysis:run", study=study.code, code=run.code)


def seed_of(text: str) -> int:
    """The seed as typed, or one drawn now and kept."""
    if not text.strip():
        return secrets.randbelow(2**31)
    if not (text.strip().isascii() and text.strip().isdigit() and len(text.strip()) < 20):
        raise Invalid(
            "The seed is a whole number of at most 19 digits, not negative.", field="seed"
        )
    return int(text)


def chosen(request: HttpRequest) -> dict[str, Any]:
    """The parameters that the form names; what is left empty keeps its default."""
    form = request.POST
    found: dict[str, Any] = {name: form[name] for name in ("rule", "harmonise") if form.get(name)}
    if form.get("icc_threshold"):
        found["icc_threshold"] = number_of(form["icc_threshold"])
    if form.get("kind") == ModelRun.Kind.SUBSET:
        found |= {n: form.getlist(n) for n in ("modalities", "families") if form.getlist(n)}
        names = form.get("features", "").replace(",", " ").split()
        found |= {"features": names} if names else {}
    return found


def number_of(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Invalid(
            "icc_threshold must be empty or a number from 0 to 1.", field="icc_threshold"
        ) from None


def run_in(study: Study, code: str) -> ModelRun:
    run = (
        ModelRun.objects.filter(study=study, code=code)
        .select_related("study", "split", "feature_set", "created_by")
        .first()
    )
    if run is None:
        raise NotFound(NO_SUCH_PAGE)
    return run


@member_view("analyse", "coordinate")
@require_safe
def run(request: HttpRequest, member: Membership, code: str) -> HttpResponse:
    """The model card: formula, performance on train, certificate and warnings."""
    found = run_in(member.study, code)
    context: dict[str, Any] = {"run": found, "job": newest_job(found, training.KIND)}
    if found.model:
        drawn = card.nomogram_of(found)
        context |= {
            "warnings": card.warnings_of(found),
            "terms": card.terms(found),
            "formula": card.line_of(found.model),
            "clinical": clinical_card.clinical_card(found),
            "lambdas": card.lambdas(found),
            "kkt": card.kkt(found),
            "counts": card.counts(found),
            "nomogram": nomogram_drawing.draw(drawn) if drawn else None,
            "intended_use": card.INTENDED_USE,
            "repeat": newest_job(found, training.REPEAT),
            "is_working": found.state == ModelRun.State.QUEUED,
        }
    return show(request, member, "analysis/run.html", context)


def newest_job(run: ModelRun, kind: str) -> Job | None:
    jobs = Job.objects.of_study(run.study.code).filter(kind=kind, arguments__run=run.pk)
    return jobs.order_by("-pk").first()


@member_view("analyse", "coordinate")
@require_POST
def lock_run(request: HttpRequest, member: Membership, code: str) -> HttpResponse:
    found = training.lock(run_in(member.study, code), actor=person(member), now=timezone.now())
    messages.success(request, f"The run is locked under {found.digest[:16]}.")
    return redirect("analysis:run", study=member.study.code, code=code)


@member_view("analyse", "coordinate")
@require_POST
def repeat_run(request: HttpRequest, member: Membership, code: str) -> HttpResponse:
    training.repeat(run_in(member.study, code), actor=person(member))
    messages.info(request, "The repeat is queued; this page says whether it gave the same bytes.")
    return redirect("analysis:run", study=member.study.code, code=code)


@member_view("analyse", "coordinate")
@require_http_methods(["GET", "HEAD", "POST"])
def predict(request: HttpRequest, member: Membership, code: str) -> HttpResponse:
    """Score one lesion; the answer is on the page and in the trail, and nowhere else."""
    found = run_in(member.study, code)
    lesion = request.POST.get("lesion", "").strip()
    context: dict[str, Any] = {"run": found, "lesion": lesion}
    if request.method != "POST":
        return show(request, member, "analysis/predict.html", context)
    try:
        row = predicting.lesion_for(person(member), lesion)
        context["scored"] = predicting.predict(found, row, role=member.role)
    except StudyError as error:
        context["refusal"] = error.sentence
    response = show(request, member, "analysis/predict.html", context)
    response.status_code = 200 if "scored" in context else 422
    return response
