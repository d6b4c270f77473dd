"""The dashboard and its figures; nothing here exists before the study is unblinded."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.analysis.comparison import latest, n_looks
from portal.analysis.models import Evaluation, ModelRun
from portal.dashboard import content, formats
from portal.dashboard.plots import PART_FIGURES, RUN_FIGURES, Plot
from portal.dashboard.published import (
    NOTES_ON_METHOD,
    PUBLISHED_BRIER,
    PUBLISHED_KAPPA,
    is_published_study,
)
from portal.errors import NotFound
from portal.study.access import NO_SUCH_PAGE, member_view
from portal.study.models import Membership, State, Study

TYPES = {"csv": "text/csv; charset=utf-8", "svg": "image/svg+xml", "png": "image/png"}


def evaluation_of(member: Membership, part: str) -> Evaluation:
    if not member.study.has_reached(State.UNBLINDED):
        raise NotFound(NO_SUCH_PAGE)
    found = latest(member.study).get(part)
    if found is None:
        raise NotFound("Nothing has been evaluated yet; open the dashboard and press Evaluate.")
    return found


@member_view("analyse", "coordinate", "see_truth")
@require_safe
def dashboard(request: HttpRequest, member: Membership) -> HttpResponse:
    study = member.study
    if not study.has_reached(State.UNBLINDED):
        return render(request, "dashboard/closed.html", {"member": member, "study": study})
    parts = [part_context(row) for row in reversed(latest(study).values())]
    context = {
        "member": member,
        "study": study,
        "parts": sorted(parts, key=lambda p: p["evaluation"].part != "validation"),
        "looks": n_looks(study),
        "is_published": is_published_study(study),
        "published_brier": PUBLISHED_BRIER,
        "published_kappa": PUBLISHED_KAPPA,
        "notes": NOTES_ON_METHOD if is_published_study(study) else (),
    }
    return render(request, "dashboard/dashboard.html", context)


def part_context(evaluation: Evaluation) -> dict[str, Any]:
    found = evaluation.figures
    if "reason" in found:
        return {"evaluation": evaluation, "reason": found["reason"]}
    return {
        "evaluation": evaluation,
        "figures_json": found,
        "auc_rows": content.auc_rows(evaluation),
        "figures": content.figures(evaluation),
        "rates": content.rates(evaluation),
        "calibration": content.calibration_rows(evaluation),
        "pairs": found["comparisons"]["pairs"],
        "family": found["comparisons"]["family"],
        "agreement": found["agreement"],
        "failures": found["failures"],
        "dropped": found["dropped"],
    }


def as_file(
    request: HttpRequest, plot: Plot, form: str, *, name: str, comments: list[str]
) -> HttpResponse:
    """One figure as JSON for the page, or as a CSV, SVG or PNG file."""
    if form == "json":
        return JsonResponse(plot.as_json())
    if form not in TYPES:
        raise NotFound(NO_SUCH_PAGE)
    body = formats.plot_file(plot, form, comments=comments)
    response = HttpResponse(body, content_type=TYPES[form])
    disposition = "attachment" if "download" in request.GET else "inline"
    response["Content-Disposition"] = f'{disposition}; filename="{name}.{form}"'
    return response


def footer_of(study: Study, digest: str) -> list[str]:
    lines = [f"Study {study.code}, inputs {digest[:16]}, research use only"]
    return [formats.SYNTHETIC, *lines] if study.is_synthetic else lines


@member_view("analyse", "coordinate", "see_truth")
@require_safe
def part_figure(
    request: HttpRequest, member: Membership, part: str, key: str, form: str
) -> HttpResponse:
    evaluation = evaluation_of(member, part)
    if key not in PART_FIGURES or "reason" in evaluation.figures:
        raise NotFound(NO_SUCH_PAGE)
    plot = PART_FIGURES[key](evaluation.figures, part)
    comments = footer_of(member.study, evaluation.inputs_digest)
    return as_file(request, plot, form, name=f"{member.study.code}-{part}-{key}", comments=comments)


@member_view("analyse", "coordinate")
@require_safe
def run_figure(
    request: HttpRequest, member: Membership, code: str, key: str, form: str
) -> HttpResponse:
    """Path and CV curve of a run: training figures, open from READING on."""
    run = ModelRun.objects.filter(study=member.study, code=code).first()
    if run is None or key not in RUN_FIGURES or not run.model:
        raise NotFound(NO_SUCH_PAGE)
    plot = RUN_FIGURES[key](run.model, run.kind)
    comments = footer_of(member.study, run.digest)
    return as_file(
        request, plot, form, name=f"{member.study.code}-{run.kind}-{key}", comments=comments
    )
