"""The comparison dashboard, its figures and tables; nothing here exists before the study is unblinded."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.analysis.cases import NAMES
from portal.analysis.comparison import latest, n_looks
from portal.analysis.models import Evaluation, ModelRun
from portal.dashboard import formats, layout
from portal.dashboard.formats import footer_of
from portal.dashboard.model_plots import RUN_FIGURES
from portal.dashboard.notes import notes_on_method
from portal.dashboard.plots import Plot
from portal.dashboard.published import is_published_study
from portal.errors import NotFound
from portal.study.access import NO_SUCH_PAGE, member_view
from portal.study.models import Lesion, Membership, State

TYPES = {"csv": "text/csv; charset=utf-8", "svg": "image/svg+xml", "png": "image/png"}


def evaluation_of(member: Membership, part: str) -> Evaluation:
    """The newest figures of a part; raises NotFound before unblinding, or where there are none."""
    if not member.study.has_reached(State.UNBLINDED):
        raise NotFound(NO_SUCH_PAGE)
    found = latest(member.study).get(part)
    if found is None:
        raise NotFound("Nothing has been evaluated yet; open the dashboard and press Evaluate.")
    if "reason" in found.figures:
        raise NotFound(NO_SUCH_PAGE)
    return found


@member_view("analyse", "coordinate", "see_truth")
@require_safe
def dashboard(request: HttpRequest, member: Membership) -> HttpResponse:
    study = member.study
    if not study.has_reached(State.UNBLINDED):
        return render(request, "dashboard/closed.html", {"member": member, "study": study})
    looks, found = n_looks(study), latest(study)
    rows = [found[part] for part in ("validation", "train") if part in found]
    context = {
        "member": member,
        "study": study,
        "parts": [part_context(row, looks) for row in rows],
        "looks": looks,
        "is_published": is_published_study(study),
        "runs": layout.locked_run_names(study)
        if member.can_analyse or member.can_coordinate
        else [],
        "run_figures": layout.RUN_FIGURE_WORDS,
        "names": NAMES,
        "failed": failed_lesions(rows),
        "notes": notes_on_method() if is_published_study(study) else (),
    }
    return render(request, "dashboard/dashboard.html", context)


def part_context(evaluation: Evaluation, looks: int) -> dict[str, Any]:
    found = evaluation.figures
    if "reason" in found:
        return {"evaluation": evaluation, "reason": found["reason"]}
    return {
        "evaluation": evaluation,
        "counts": layout.counts_of(found),
        "sections": layout.sections(evaluation, looks),
    }


def failed_lesions(rows: list[Evaluation]) -> dict[str, str]:
    """Name -> public code of each lesion that all got wrong, for its link."""
    failures = [f for row in rows for f in row.figures.get("failures", ())]
    ids = [f["lesion_id"] for f in failures]
    codes = dict(Lesion.objects.filter(pk__in=ids).values_list("pk", "code")) if ids else {}
    return {f["lesion"]: codes[f["lesion_id"]] for f in failures}


def as_file(
    request: HttpRequest, plot: Plot, form: str, *, name: str, comments: list[str]
) -> HttpResponse:
    """One figure as JSON or table for the page, or as a CSV, SVG or PNG file."""
    if form == "json":
        return JsonResponse(plot.as_json())
    if form == "html":
        rows, columns = formats.plot_rows(plot), formats.columns_of(plot)
        return render(request, "dashboard/points.html", {"title": plot.title, "columns": columns, "rows": rows})  # fmt: skip
    if form not in TYPES:
        raise NotFound(NO_SUCH_PAGE)
    return download(request, formats.plot_file(plot, form, comments=comments), form, name)


def download(request: HttpRequest, body: bytes | str, form: str, name: str) -> HttpResponse:
    response = HttpResponse(body, content_type=TYPES[form])
    disposition = "attachment" if "download" in request.GET else "inline"
    response["Content-Disposition"] = f'{disposition}; filename="{name}.{form}"'
    response["Cache-Control"] = "private, no-store"
    return response


@member_view("analyse", "coordinate", "see_truth")
@require_safe
def part_figure(
    request: HttpRequest, member: Membership, part: str, key: str, form: str
) -> HttpResponse:
    evaluation = evaluation_of(member, part)
    try:
        plot = layout.plot_of(evaluation, n_looks(member.study), key)
    except KeyError as error:
        raise NotFound(NO_SUCH_PAGE) from error
    comments = footer_of(member.study, evaluation.inputs_digest)
    return as_file(request, plot, form, name=f"{member.study.code}-{part}-{key}", comments=comments)


@member_view("analyse", "coordinate", "see_truth")
@require_safe
def part_table(request: HttpRequest, member: Membership, part: str, key: str) -> HttpResponse:
    """One table of the page as CSV, every cell as it was computed."""
    evaluation = evaluation_of(member, part)
    try:
        table = layout.table_of(evaluation, n_looks(member.study), key)
    except KeyError as error:
        raise NotFound(NO_SUCH_PAGE) from error
    comments = footer_of(member.study, evaluation.inputs_digest)
    body = formats.table_csv(table, comments=comments)
    return download(request, body, "csv", f"{member.study.code}-{part}-table-{key}")


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
    name = f"{member.study.code}-{run.kind}-{key}"
    return as_file(request, plot, form, name=name, comments=footer_of(member.study, run.digest))
