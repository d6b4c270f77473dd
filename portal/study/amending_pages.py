"""Pages on which a coordinator corrects a patient or a lesion."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from portal.errors import StudyError
from portal.study import amending, forms
from portal.study.access import member_view
from portal.study.cohort_pages import lesion_in, patient_in
from portal.study.models import Membership
from portal.study.pages import GET_POST, actor_of, page, posted

PERSON = ("sex", "age_years", "primary_tumour")
SITE = ("level", "x_mm", "y_mm", "z_mm", "longest_diameter_mm")


@member_view("coordinate")
@require_http_methods(GET_POST)
def amend_patient(request: HttpRequest, member: Membership, patient: str) -> HttpResponse:
    row = patient_in(member.study, patient)
    form = forms.AmendPatientForm(posted(request), initial={n: getattr(row, n) for n in PERSON})
    if form.is_bound and form.is_valid():
        try:
            person = amending.Person(**{n: form.cleaned_data[n] for n in PERSON})
            reason = form.cleaned_data["reason"]
            amending.amend_patient(
                row, person, reason=reason, actor=actor_of(request), now=timezone.now()
            )
            return redirect("study:patient", study=member.study.code, patient=row.code)
        except StudyError as error:
            forms.blame(form, error)
    context = {"form": form, "title": f"Correct patient {row.subject}", "button": "Correct"}
    return page(request, member, "study/form.html", context, status=422 if form.errors else 200)


@member_view("coordinate")
@require_http_methods(GET_POST)
def amend_lesion(request: HttpRequest, member: Membership, lesion: str) -> HttpResponse:
    row = lesion_in(member.study, lesion)
    form = forms.AmendLesionForm(posted(request), initial={n: getattr(row, n) for n in SITE})
    if form.is_bound and form.is_valid():
        try:
            site = amending.Site(**{n: form.cleaned_data[n] for n in SITE})
            reason = form.cleaned_data["reason"]
            amending.amend_lesion(
                row, site, reason=reason, actor=actor_of(request), now=timezone.now()
            )
            return redirect("study:lesion", study=member.study.code, lesion=row.code)
        except StudyError as error:
            forms.blame(form, error)
    context = {"form": form, "title": f"Correct lesion {row}", "button": "Correct"}
    return page(request, member, "study/form.html", context, status=422 if form.errors else 200)
