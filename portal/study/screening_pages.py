"""Pages of criteria, the screening log and the flow diagram."""

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.errors import Invalid, NotFound, StudyError
from portal.study import forms, screening
from portal.study.access import NO_SUCH_PAGE, member_view
from portal.study.cohort_pages import lesion_in, patient_in
from portal.study.listing import Columns, Filter, listing
from portal.study.models import Criterion, Lesion, Membership, Patient, Screening, State, Study
from portal.study.pages import GET_POST, actor_of, page

LOG = Columns(
    headings={
        "When": ("decided_at",),
        "Patient": ("patient__subject", "decided_at"),
        "Lesion": ("lesion__number", "patient__subject"),
        "Decision": ("decision", "decided_at"),
        "Criterion": ("criterion__order", "decided_at"),
        "Who": ("decided_by__username", "decided_at"),
    },
    search=("patient__subject", "note"),
    filters={
        "decision": Filter(
            "Decision", {"included": Q(decision="included"), "excluded": Q(decision="excluded")}
        ),
        "level": Filter(
            "Level", {"patient": Q(lesion__isnull=True), "lesion": Q(lesion__isnull=False)}
        ),
        "rows": Filter("Rows", {"current": Q(is_current=True), "superseded": Q(is_current=False)}),
    },
)


@member_view("coordinate", "analyse", "monitor")
@require_safe
def screening_page(request: HttpRequest, member: Membership) -> HttpResponse:
    study = member.study
    log = Screening.objects.filter(study=study).select_related("patient", "lesion", "criterion", "decided_by")  # fmt: skip
    numbers = screening.flow(study)
    context = {
        "listing": listing(request, log, LOG),
        "criteria": Criterion.objects.filter(study=study),
        "numbers": numbers,
        "diagram": SafeString(screening.flow_svg(numbers)),
        "form": forms.CriterionForm(),
        "is_open": member.can_coordinate and study.state in screening.WRITING,
        "is_screening": member.can_coordinate and study.state == State.SCREENING,
    }
    return page(request, member, "study/screening.html", context)


@member_view("coordinate", "analyse", "monitor")
@require_safe
def flow_diagram(request: HttpRequest, member: Membership) -> HttpResponse:
    svg = screening.flow_svg(screening.flow(member.study))
    response = HttpResponse(svg, content_type="image/svg+xml")
    response["Content-Disposition"] = f'attachment; filename="{member.study.code}-flow.svg"'
    return response


@member_view("coordinate")
@require_POST
def add_criterion(request: HttpRequest, member: Membership) -> HttpResponse:
    user, now = actor_of(request), timezone.now()
    if "defaults" in request.POST:
        screening.add_default_criteria(member.study, actor=user, now=now)
    else:
        form = forms.CriterionForm(request.POST)
        if not form.is_valid():
            field, faults = next(iter(form.errors.items()))
            raise Invalid(f"{field.capitalize()}: {faults[0]}", field=field)
        screening.add_criterion(member.study, **form.cleaned_data, actor=user, now=now)
    return redirect("study:screening", study=member.study.code)


@member_view("coordinate")
@require_POST
def remove_criterion(request: HttpRequest, member: Membership, criterion: str) -> HttpResponse:
    row = criterion_in(member.study, criterion)
    screening.remove_criterion(row, actor=actor_of(request), now=timezone.now())
    messages.success(request, f"Criterion {criterion} is removed.")
    return redirect("study:screening", study=member.study.code)


def criterion_in(study: Study, code: str) -> Criterion:
    row = Criterion.objects.select_related("study").filter(study=study, code=code).first()
    if row is None:
        raise NotFound(NO_SUCH_PAGE)
    return row


def decide(
    request: HttpRequest, member: Membership, subject: Patient | Lesion, form_of: str
) -> HttpResponse:
    """The decision form of a patient or lesion, and what it sends."""
    criteria = Criterion.objects.filter(study=member.study, level=form_of)
    error = ""
    if request.method == "POST":
        code = request.POST.get("criterion", "")
        try:
            screening.decide(
                subject,
                request.POST.get("decision", ""),
                criterion_in(member.study, code) if code else None,
                actor=actor_of(request),
                now=timezone.now(),
                note=request.POST.get("note", ""),
            )
            address = {"study": member.study.code, form_of: subject.code}
            return redirect(reverse(f"study:{form_of}", kwargs=address))
        except StudyError as refusal:
            error = refusal.sentence
    context = {"subject": subject, "criteria": criteria, "error": error, "form_of": form_of}
    return page(request, member, "study/decide.html", context, status=422 if error else 200)


@member_view("coordinate")
@require_http_methods(GET_POST)
def decide_patient(request: HttpRequest, member: Membership, patient: str) -> HttpResponse:
    return decide(request, member, patient_in(member.study, patient), "patient")


@member_view("coordinate")
@require_http_methods(GET_POST)
def decide_lesion(request: HttpRequest, member: Membership, lesion: str) -> HttpResponse:
    return decide(request, member, lesion_in(member.study, lesion), "lesion")
