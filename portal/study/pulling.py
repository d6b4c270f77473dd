"""Pages of the PACS bridge: search, choose exams or series, follow what is on its way; connections for administrators."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.archive import pacs
from portal.archive.models import Connection, Pull
from portal.archive.pacs import FoundSeries, Target, Wish
from portal.errors import Invalid, NotFound, StudyError
from portal.fence.blind import lifted
from portal.jobs.models import Job
from portal.roles import rule
from portal.study import forms
from portal.study.access import NO_SUCH_PAGE, member_view
from portal.study.images import PAGE_ROWS, context_of, person
from portal.study.late import door_of
from portal.study.models import Membership, Study
from portal.study.pages import actor_of, posted

KIND = pacs.KIND
FIELDS = ("patient", "first_day", "last_day", "modality")
UNDER_WAY = (Pull.State.WAITING, Pull.State.PULLING)


def work(job: Job) -> None:
    """The job of one series: into the study, or to the shelf if its cohort was locked meanwhile."""
    row = Pull.objects.select_related("source", "actor").get(pk=job.arguments["pull"])
    study = Study.objects.get(code=row.study_key)
    key, warning = door_of(study)
    pacs.pull(job, row, Target(key, study.is_synthetic, warning))


def page_of(
    request: HttpRequest, member: Membership, status: int = 200, **more: object
) -> HttpResponse:
    rows = Pull.objects.filter(study_key=member.study.code).select_related("source")
    page = Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page"))
    context = context_of(
        member, names=pacs.names(), page=page, warning=door_of(member.study)[1],
        n_under_way=rows.filter(state__in=UNDER_WAY).count(), **more,
    )  # fmt: skip
    return render(request, "study/pacs.html", context, status=status)


@member_view("coordinate")
@require_safe
def pacs_page(request: HttpRequest, member: Membership) -> HttpResponse:
    return page_of(request, member, wish={}, chosen_name="")


@member_view("coordinate")
@require_POST
def search(request: HttpRequest, member: Membership) -> HttpResponse:
    """Posted, so that no person's name stands in an address or a log."""
    name = request.POST.get("connection", "")
    wish = {field: request.POST.get(field, "")[:100] for field in FIELDS}
    try:
        exams = pacs.search(name, Wish(**wish), actor=person(member), study=member.study.code)
    except StudyError as error:
        trouble = error.sentence
        return page_of(request, member, error.status, wish=wish, chosen_name=name, trouble=trouble)
    full = len(exams) == pacs.MOST_ROWS
    return page_of(
        request, member, wish=wish, chosen_name=name, exams=exams, searched=True, full=full
    )


@member_view("coordinate")
@require_POST
def series(request: HttpRequest, member: Membership) -> HttpResponse:
    """The series of one found exam, to choose among them; a part of the page, trouble included."""
    found, trouble, status = [], "", 200
    try:
        name, exam = request.POST.get("connection", ""), request.POST.get("exam", "")
        found = pacs.listed(name, exam, actor=person(member), study=member.study.code)
    except StudyError as error:
        trouble, status = error.sentence, error.status
    context = {"series": found, "trouble": trouble}
    return render(request, "study/pacs_series.html", context, status=status)


def chosen_of(post: QueryDict) -> list[FoundSeries]:
    """The chosen series, and those of the chosen exams that are of the wanted modalities."""
    name, exams = post.get("connection", ""), post.getlist("exam")
    keys = set(post.getlist("series")[: pacs.MOST_SERIES])
    asked = list(dict.fromkeys([*exams, *(key.partition("|")[0] for key in sorted(keys))]))
    if not asked:
        raise Invalid("Choose at least one exam or series.", field="exam")
    found = [one for uid in asked[: pacs.MOST_ROWS] for one in pacs.series_at(name, uid)]
    if keys - {one.key for one in found}:
        raise Invalid("The PACS does not have this series any more; search again.", field="series")
    wanted = {m.strip().upper() for m in post.get("only", "").split(",") if m.strip()}
    whole = [s for s in found if s.exam_uid in exams and (not wanted or s.modality in wanted)]
    return list(dict.fromkeys([*whole, *(s for s in found if s.key in keys)]))


@member_view("coordinate")
@require_POST
def pull(request: HttpRequest, member: Membership) -> HttpResponse:
    """Queue the chosen series, or all series of the chosen exams."""
    name, chosen = request.POST.get("connection", ""), chosen_of(request.POST)
    rows = pacs.choose(
        name, chosen, study=member.study.code, actor=person(member), now=timezone.now()
    )
    words = "1 series is on its way." if len(rows) == 1 else f"{len(rows)} series are on their way."
    messages.success(request, words)
    return redirect("study:pacs", study=member.study.code)


@member_view("coordinate")
@require_POST
def again(request: HttpRequest, member: Membership, pull: int) -> HttpResponse:
    row = Pull.objects.filter(pk=pull, study_key=member.study.code).first()
    if row is None:
        raise NotFound(NO_SUCH_PAGE)
    pacs.again(row, actor=person(member))
    messages.success(request, "The series is on its way again.")
    return redirect("study:pacs", study=member.study.code)


@rule("administrator")
@login_required
@require_http_methods(("GET", "HEAD", "POST"))
def connections(request: HttpRequest) -> HttpResponse:
    """Administrators enter the PACS that coordinators may search."""
    user = actor_of(request)
    if not user.is_staff:
        raise NotFound(NO_SUCH_PAGE)
    form = forms.ConnectionForm(posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            with lifted():
                pacs.connect(**form.cleaned_data, actor=user, now=timezone.now())
            return redirect("study:connections")
        except StudyError as error:
            forms.blame(form, error)
    context = {"form": form, "rows": Connection.objects.all(), "fixed": pacs.from_settings()}
    return render(request, "study/connections.html", context, status=422 if form.errors else 200)


@rule("administrator")
@login_required
@require_POST
def disconnect(request: HttpRequest, name: str) -> HttpResponse:
    user = actor_of(request)
    row = Connection.objects.filter(name=name).first()
    if not user.is_staff or row is None:
        raise NotFound(NO_SUCH_PAGE)
    with lifted():
        pacs.disconnect(row, actor=user)
    return redirect("study:connections")
