"""Pages of the reference standards and of the split, for members who see truth."""

from typing import Any

from django.contrib import messages
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.errors import Invalid, NotFound, StudyError
from portal.study import splitting
from portal.study.access import NO_SUCH_PAGE, member_view
from portal.study.cohort_pages import csv_answer, lesion_in
from portal.study.forms import CsvForm, blame
from portal.study.listing import Columns, Filter, listing
from portal.study.models import Lesion, Membership, Split, State, Study
from portal.study.pages import GET_POST, actor_of, page, posted
from portal.truth import entry, truth_import
from portal.truth.forms import SplitForm, StandardForm
from portal.truth.models import ReferenceStandard
from portal.truth.part_table import part_table
from portal.truth.strata import inconclusive, patient_strata, truth_digest

LESIONS = Columns(
    headings={
        "Lesion": ("patient__subject", "number"),
        "Level": ("level", "patient__subject"),
        "Reference standard": ("diagnosis", "patient__subject"),
        "Subtype": ("subtype", "patient__subject"),
        "Method": ("method", "patient__subject"),
        "Determined on": ("determined_on", "patient__subject"),
    },
    search=("patient__subject", "subtype"),
    filters={
        "state": Filter(
            "Reference standard",
            {
                "missing": Q(diagnosis__isnull=True),
                **{d: Q(diagnosis=d) for d in ReferenceStandard.Diagnosis.values},
            },
        ),
        "lesions": Filter("Lesions", {"included": Q(is_included=True)}),
    },
)


def lesions_with_standard(study: Study) -> QuerySet[Any, Any]:
    """Lesions with the words of their current standard beside them."""
    current = ReferenceStandard.objects.current().filter(lesion=OuterRef("pk"))
    names = ("diagnosis", "subtype", "method", "determined_on")
    words = {name: Subquery(current.values(name)[:1]) for name in names}
    return Lesion.objects.of_study(study).select_related("patient").annotate(**words)


@member_view("see_truth")
@require_safe
def truth_list(request: HttpRequest, member: Membership) -> HttpResponse:
    rows = lesions_with_standard(member.study)
    is_open = member.study.state in entry.ENTERING
    context = {
        "listing": listing(request, rows, LESIONS),
        "n_missing": rows.filter(is_included=True, diagnosis__isnull=True).count(),
        "inconclusive": inconclusive(member.study),
        "is_open": is_open,
        "digest": truth_digest(member.study),
    }
    return page(request, member, "truth/standards.html", context)


@member_view("see_truth")
@require_http_methods(GET_POST)
def truth_of_lesion(request: HttpRequest, member: Membership, lesion: str) -> HttpResponse:
    row = lesion_in(member.study, lesion)
    current = entry.current_of(row)
    names = ("diagnosis", "subtype", "method", "determined_on", "note")
    initial = {name: getattr(current, name) for name in names} if current else {}
    form = StandardForm(posted(request), initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            entry.enter(row, **form.cleaned_data, actor=actor_of(request), now=timezone.now())
            messages.success(request, f"The reference standard of {row} is entered.")
            return redirect("truth:standards", study=member.study.code)
        except StudyError as error:
            blame(form, error)
    history = ReferenceStandard.objects.filter(lesion=row).select_related("entered_by")
    context = {
        "lesion": row,
        "form": form,
        "history": history.order_by("-revision"),
        "is_open": member.study.state in entry.ENTERING,
    }
    return page(request, member, "truth/standard.html", context, status=422 if form.errors else 200)


@member_view("see_truth")
@require_safe
def truth_template(request: HttpRequest, member: Membership) -> HttpResponse:
    return csv_answer(truth_import.template_csv(), "reference-standards-template.csv")


@member_view("see_truth")
@require_http_methods(GET_POST)
def truth_csv(request: HttpRequest, member: Membership) -> HttpResponse:
    """Check a file, then write what was checked."""
    form, plan, now = CsvForm(posted(request), request.FILES or None), None, timezone.now()
    if request.method == "POST" and form.is_valid():
        try:
            plan = truth_import.read_truth_csv(form.cleaned_data["text"], member.study, now=now)
            if "write" in request.POST and not plan.problems:
                truth_import.write(plan, actor=actor_of(request), now=now)
                messages.success(request, f"{len(plan.rows)} reference standards are entered.")
                return redirect("truth:standards", study=member.study.code)
        except StudyError as error:
            blame(form, error)
    context = {"form": form, "plan": plan, "columns": truth_import.COLUMNS,
               "title": "Import reference standards",
               "text": form.cleaned_data.get("text", "") if plan else ""}  # fmt: skip
    return page(
        request, member, "truth/csv_import.html", context, status=422 if form.errors else 200
    )


def proposal_of(study: Study, form: SplitForm) -> splitting.SplitProposal:
    return splitting.propose(study, strata=patient_strata(study), **form.parameters())


def preview(study: Study, data: Any) -> dict[str, Any]:
    """The form and, when it is filled in, what the split would look like."""
    form = SplitForm(data if "ratio" in data else None)
    if not form.is_bound or not form.is_valid():
        return {"form": form, "proposal": None}
    try:
        proposal = proposal_of(study, form)
    except StudyError as error:
        blame(form, error)
        return {"form": form, "proposal": None}
    return {"form": form, "proposal": proposal, "table": part_table(proposal)}


@member_view("coordinate")
@require_safe
def split_page(request: HttpRequest, member: Membership) -> HttpResponse:
    """Preview by address (nothing is written), then save, then lock."""
    study = member.study
    without = Lesion.objects.of_study(study).included().filter(
        ~Exists(ReferenceStandard.objects.current().filter(lesion=OuterRef("pk")))
    )  # fmt: skip
    context = {
        **preview(study, request.GET),
        "splits": Split.objects.filter(study=study).order_by("-version"),
        "n_missing": without.count(),
        "n_lesions": Lesion.objects.of_study(study).included().count(),
        "is_open": study.state == State.SCREENING,
    }
    return page(request, member, "truth/split.html", context)


@member_view("coordinate")
@require_POST
def save_split(request: HttpRequest, member: Membership) -> HttpResponse:
    form = SplitForm(request.POST)
    if not form.is_valid():
        raise Invalid("Give a ratio between 0 and 1 and a whole number as seed.", field="ratio")
    proposal = proposal_of(member.study, form)
    split = splitting.save(proposal, actor=actor_of(request), now=timezone.now())
    messages.success(request, f"Split {split.version} is saved; lock it when you are sure.")
    return redirect("truth:split", study=member.study.code)


@member_view("coordinate")
@require_POST
def lock_split(request: HttpRequest, member: Membership, version: int) -> HttpResponse:
    row = Split.objects.select_related("study").filter(study=member.study, version=version).first()
    if row is None:
        raise NotFound(NO_SUCH_PAGE)
    splitting.lock(row, actor=actor_of(request), now=timezone.now())
    messages.success(request, f"Split {version} is locked; it never changes from here on.")
    return redirect("truth:split", study=member.study.code)
