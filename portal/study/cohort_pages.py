"""Pages of patients and lesions, and the import of a cohort file."""

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.archive.models import Exam, Series
from portal.errors import NotFound, StudyError
from portal.study import acquisition, cohort_import, forms, patients
from portal.study.access import NO_SUCH_PAGE, member_view
from portal.study.listing import Columns, Filter, listing
from portal.study.models import Lesion, Membership, Patient, Study
from portal.study.pages import GET_POST, actor_of, page, posted
from portal.study.screening import decisions_of

PATIENTS = Columns(
    headings={
        "Subject": ("subject",),
        "Sex": ("sex", "subject"),
        "Age": ("age_years", "subject"),
        "Primary tumour": ("primary_tumour", "subject"),
        "Lesions": ("n_lesions", "subject"),
        "Included": ("n_included", "subject"),
        "Screening": (),
    },
    numbers=("Age", "Lesions", "Included"),
    search=("subject", "primary_tumour"),
    filters={
        "sex": Filter("Sex", {"F": Q(sex="F"), "M": Q(sex="M"), "O": Q(sex="O")}),
        "screening": Filter(
            "Screening",
            {
                "included": Q(screenings__is_current=True, screenings__lesion=None, screenings__decision="included"),
                "excluded": Q(screenings__is_current=True, screenings__lesion=None, screenings__decision="excluded"),
                "undecided": ~Q(screenings__is_current=True, screenings__lesion=None),
            },
        ),
    },
)  # fmt: skip
LESIONS = Columns(
    headings={
        "Lesion": ("patient__subject", "number"),
        "Level": ("level", "patient__subject", "number"),
        "Diameter": ("longest_diameter_mm", "patient__subject"),
        "Slot": ("slot", "patient__subject"),
        "Images": (),
        "State": ("is_included", "patient__subject"),
    },
    numbers=("Diameter", "Slot"),
    search=("patient__subject", "level"),
    filters={
        "state": Filter(
            "State", {"included": Q(is_included=True), "not_included": Q(is_included=False)}
        ),
        "images": Filter(
            "Images",
            {
                "complete": Q(ct_series__isnull=False, spect_series__isnull=False),
                "missing": Q(ct_series__isnull=True) | Q(spect_series__isnull=True),
            },
        ),
    },
)


def patients_of(study: Study) -> QuerySet[Patient]:
    counts = {
        "n_lesions": Count("lesions", distinct=True),
        "n_included": Count("lesions", filter=Q(lesions__is_included=True), distinct=True),
    }
    return Patient.objects.filter(study=study).annotate(**counts)


def patient_in(study: Study, code: str) -> Patient:
    row = Patient.objects.select_related("study", "site").filter(study=study, code=code).first()
    if row is None:
        raise NotFound(NO_SUCH_PAGE)
    return row


def lesion_in(study: Study, code: str) -> Lesion:
    series = ("ct_series__exam", "spect_series__exam", "whole_body_series__exam")
    rows = Lesion.objects.of_study(study).select_related("patient__study", *series)
    row = rows.filter(code=code).first()
    if row is None:
        raise NotFound(NO_SUCH_PAGE)
    return row


@member_view("coordinate", "analyse")
@require_safe
def patient_list(request: HttpRequest, member: Membership) -> HttpResponse:
    rows = listing(request, patients_of(member.study), PATIENTS)
    decided = decisions_of(member.study, [p.pk for p in rows.page])
    context = {
        "listing": rows,
        "rows": [(p, decided.get(p.pk)) for p in rows.page],
        "is_open": member.study.state in patients.REGISTERING,
    }
    return page(request, member, "study/patients.html", context)


@member_view("coordinate", "analyse")
@require_safe
def lesion_list(request: HttpRequest, member: Membership) -> HttpResponse:
    lesions = Lesion.objects.of_study(member.study).select_related("patient", "ct_series", "spect_series")  # fmt: skip
    return page(
        request, member, "study/lesions.html", {"listing": listing(request, lesions, LESIONS)}
    )


@member_view("coordinate")
@require_http_methods(GET_POST)
def new_patient(request: HttpRequest, member: Membership) -> HttpResponse:
    form = forms.PatientForm(posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            patient = patients.register_patient(
                member.study, **form.cleaned_data, actor=actor_of(request), now=timezone.now()
            )
            return redirect("study:patient", study=member.study.code, patient=patient.code)
        except StudyError as error:
            forms.blame(form, error)
    context = {"form": form, "title": "Register a patient", "button": "Register"}
    return page(request, member, "study/form.html", context, status=422 if form.errors else 200)


@member_view("coordinate", "analyse")
@require_safe
def patient_page(request: HttpRequest, member: Membership, patient: str) -> HttpResponse:
    row = patient_in(member.study, patient)
    exams = Exam.objects.filter(study_key=member.study.code, subject=row.subject)
    series = (
        Series.objects.filter(exam__in=exams).select_related("exam").order_by("exam_id", "role")
    )
    factors = acquisition.suv_of(series)
    context = {
        "patient": row,
        "lesions": row.lesions.select_related("ct_series", "spect_series", "whole_body_series"),
        "exams": exams,
        "series": [(one, acquisition.labelled(one, factors.get(one.pk))) for one in series],
        "log": row.screenings.select_related("criterion", "decided_by", "lesion").order_by("-id"),
        "is_open": member.study.state in patients.REGISTERING,
        "form": forms.LesionForm(initial={"number": row.lesions.count() + 1}),
    }
    return page(request, member, "study/patient.html", context)


@member_view("coordinate")
@require_http_methods(GET_POST)
def new_lesion(request: HttpRequest, member: Membership, patient: str) -> HttpResponse:
    row = patient_in(member.study, patient)
    form = forms.LesionForm(posted(request), initial={"number": row.lesions.count() + 1})
    if request.method == "POST" and form.is_valid():
        try:
            lesion = patients.register_lesion(
                row, **form.cleaned_data, actor=actor_of(request), now=timezone.now()
            )
            return redirect("study:lesion", study=member.study.code, lesion=lesion.code)
        except StudyError as error:
            forms.blame(form, error)
    context = {"form": form, "title": f"Register a lesion of {row.subject}", "button": "Register"}
    return page(request, member, "study/form.html", context, status=422 if form.errors else 200)


def series_form(lesion: Lesion, study: Study, data: object = None) -> forms.SeriesForm:
    initial = {
        "ct": lesion.ct_series_id,
        "spect": lesion.spect_series_id,
        "whole_body": lesion.whole_body_series_id,
    }
    return forms.SeriesForm(data, study=study, subject=lesion.patient.subject, initial=initial)


@member_view("coordinate", "analyse")
@require_safe
def lesion_page(request: HttpRequest, member: Membership, lesion: str) -> HttpResponse:
    row = lesion_in(member.study, lesion)
    context = {
        "lesion": row,
        "problem": "" if row.is_included else patients.inclusion_problem(row),
        "frame_problem": patients.frame_problem(row),
        "form": series_form(row, member.study),
        "is_open": member.study.state in patients.REGISTERING,
        "log": row.screenings.select_related("criterion", "decided_by").order_by("-id"),
    }
    return page(request, member, "study/lesion.html", context)


@member_view("coordinate")
@require_POST
def choose_series(request: HttpRequest, member: Membership, lesion: str) -> HttpResponse:
    row = lesion_in(member.study, lesion)
    form = series_form(row, member.study, request.POST)
    if not form.is_valid():
        raise NotFound(NO_SUCH_PAGE)
    chosen = form.cleaned_data
    patients.assign_series(
        row, chosen["ct"], chosen["spect"], chosen["whole_body"],
        actor=actor_of(request), now=timezone.now(),
    )  # fmt: skip
    messages.success(request, "The series of this lesion are chosen.")
    return redirect("study:lesion", study=member.study.code, lesion=row.code)


@member_view("coordinate")
@require_POST
def confirm_registration(request: HttpRequest, member: Membership, lesion: str) -> HttpResponse:
    row = lesion_in(member.study, lesion)
    patients.confirm_registration(row, actor=actor_of(request), now=timezone.now())
    messages.success(request, "The registration is confirmed in your name.")
    return redirect("study:lesion", study=member.study.code, lesion=row.code)


@member_view("coordinate")
@require_POST
def include(request: HttpRequest, member: Membership, lesion: str) -> HttpResponse:
    row = lesion_in(member.study, lesion)
    patients.include_lesion(row, actor=actor_of(request), now=timezone.now())
    messages.success(request, f"The lesion is included in slot {row.slot}.")
    return redirect("study:lesion", study=member.study.code, lesion=row.code)


@member_view("coordinate", "analyse")
@require_safe
def acquisition_page(request: HttpRequest, member: Membership) -> HttpResponse:
    context = {"kinds": acquisition.summary(member.study), "enough": acquisition.ENOUGH}
    return page(request, member, "study/acquisition.html", context)


@member_view("coordinate", "analyse")
@require_safe
def acquisition_file(request: HttpRequest, member: Membership) -> HttpResponse:
    return csv_answer(acquisition.acquisition_csv(member.study), "acquisition.csv")


def csv_answer(text: str, name: str) -> HttpResponse:
    response = HttpResponse(text, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@member_view("coordinate")
@require_safe
def cohort_template(request: HttpRequest, member: Membership) -> HttpResponse:
    return csv_answer(cohort_import.template_csv(), "cohort-template.csv")


@member_view("coordinate")
@require_http_methods(GET_POST)
def cohort_csv(request: HttpRequest, member: Membership) -> HttpResponse:
    """Check a file, then write what was checked: two steps, the second only without problems."""
    form, plan = forms.CsvForm(posted(request), request.FILES or None), None
    if request.method == "POST" and form.is_valid():
        try:
            plan = cohort_import.read_cohort_csv(form.cleaned_data["text"], member.study)
            if "write" in request.POST and not plan.problems:
                cohort_import.write(plan, actor=actor_of(request), now=timezone.now())
                messages.success(request, f"{len(plan.new_patients)} patients and {len(plan.new_lesions)} lesions are registered.")  # fmt: skip
                return redirect("study:patients", study=member.study.code)
        except StudyError as error:
            forms.blame(form, error)
    context = {"form": form, "plan": plan, "columns": cohort_import.COLUMNS, "title": "Import a cohort",
               "text": form.cleaned_data.get("text", "") if plan else ""}  # fmt: skip
    return page(
        request, member, "study/csv_import.html", context, status=422 if form.errors else 200
    )
