"""Forms of the study pages: they parse, the verbs decide."""

import json
from typing import Any, ClassVar

from django import forms
from django.core.files.uploadedfile import UploadedFile

from portal.archive.models import Series
from portal.errors import StudyError
from portal.roles import ROLE_NAMES
from portal.study.models import LEVELS, Criterion, Patient, Study

MAX_CSV_BYTES = 6 * 2**20


def blame(form: forms.Form, error: StudyError) -> None:
    """Show a verb's refusal at the field it names, else above the form."""
    form.add_error(error.field if error.field in form.fields else None, error.sentence)


class NewStudyForm(forms.Form):
    code = forms.SlugField(
        max_length=40,
        help_text="Letters, digits and hyphens; part of every address, never changes.",
    )
    name = forms.CharField(max_length=200)


class ProtocolForm(forms.Form):
    protocol = forms.CharField(widget=forms.Textarea, required=False)
    analysis_plan = forms.CharField(
        widget=forms.Textarea,
        required=False,
        help_text="Plain text, or one JSON object with named parameters.",
    )

    def clean_analysis_plan(self) -> dict[str, Any]:
        text = self.cleaned_data["analysis_plan"].strip()
        if not text.startswith("{"):
            return {"text": text} if text else {}
        try:
            plan: dict[str, Any] = json.loads(text)
        except json.JSONDecodeError as error:
            raise forms.ValidationError(f"This is not readable JSON: {error.msg}.") from error
        except RecursionError as error:
            raise forms.ValidationError(
                "The plan is nested too deeply; make it flatter."
            ) from error
        return plan

    @staticmethod
    def as_text(plan: dict[str, Any]) -> str:
        return (
            str(plan["text"])
            if set(plan) == {"text"}
            else json.dumps(plan, indent=2)
            if plan
            else ""
        )


class SettingsForm(forms.Form):
    name = forms.CharField(max_length=200)
    lesion_cap = forms.IntegerField(
        min_value=1,
        max_value=24,
        label="Lesions per patient",
        help_text="At most this many are included.",
    )
    needs_second_confirmation = forms.BooleanField(
        required=False, label="A second member confirms the unblinding"
    )


class StepForm(forms.Form):
    to = forms.CharField(widget=forms.HiddenInput)
    reason = forms.CharField(max_length=500, help_text="Kept in the audit trail.")
    password = forms.CharField(
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text="Your password signs this step.",
    )


class MemberForm(forms.Form):
    username = forms.CharField(max_length=150, label="User name of the account")
    role = forms.ChoiceField(choices=[(r, r) for r in ROLE_NAMES])


class AccountForm(forms.Form):
    username = forms.CharField(max_length=150, label="User name")
    first_name = forms.CharField(max_length=150, required=False)
    last_name = forms.CharField(max_length=150, required=False)
    email = forms.EmailField(required=False)
    password = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 12 characters; the person changes it after the first sign-in.",
    )


class ConnectionForm(forms.Form):
    name = forms.SlugField(max_length=40, help_text="What coordinators see, such as main-pacs.")
    url = forms.CharField(
        max_length=300,
        label="Address",
        help_text="https://…, the base of its DICOMweb service; http only to this machine or a listed host.",
    )
    user = forms.CharField(max_length=100, required=False, label="User name")
    password = forms.CharField(
        required=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )


class CriterionForm(forms.Form):
    code = forms.SlugField(max_length=40)
    text = forms.CharField(max_length=300)
    kind = forms.ChoiceField(choices=Criterion.Kind.choices)
    level = forms.ChoiceField(choices=Criterion.Level.choices)


class PatientForm(forms.Form):
    subject = forms.CharField(max_length=40, help_text="The patient's code in this study, no name.")
    sex = forms.ChoiceField(choices=[("", "not recorded"), *Patient.Sex.choices], required=False)
    age_years = forms.IntegerField(min_value=0, max_value=120, required=False, label="Age in years")
    primary_tumour = forms.CharField(max_length=60, required=False)


class LesionForm(forms.Form):
    number = forms.IntegerField(min_value=1, max_value=1000)
    level = forms.ChoiceField(choices=[(x, x) for x in LEVELS])
    x_mm = forms.FloatField(
        required=False, label="x, mm", help_text="Patient coordinates (DICOM LPS)."
    )
    y_mm = forms.FloatField(required=False, label="y, mm")
    z_mm = forms.FloatField(required=False, label="z, mm")
    longest_diameter_mm = forms.FloatField(required=False, label="Longest diameter, mm")


class AmendPatientForm(PatientForm):
    """The details of a patient without the code, which never changes."""

    subject = None  # type: ignore[assignment]
    reason = forms.CharField(max_length=300, help_text="Kept in the audit trail.")


class AmendLesionForm(LesionForm):
    number = None  # type: ignore[assignment]
    reason = forms.CharField(max_length=300, help_text="Kept in the audit trail.")


class SeriesForm(forms.Form):
    """The ready series of one subject; nothing else can be chosen."""

    ct = forms.ModelChoiceField(Series.objects.none(), required=False, label="CT")
    spect = forms.ModelChoiceField(Series.objects.none(), required=False, label="SPECT")
    whole_body = forms.ModelChoiceField(Series.objects.none(), required=False)
    roles: ClassVar = {"ct": "CT", "spect": "SPECT", "whole_body": "WB"}

    def __init__(self, *args: Any, study: Study, subject: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        ready = Series.objects.ready().of_study(study.code).filter(exam__subject=subject)
        for name, role in self.roles.items():
            field = self.fields[name]
            if isinstance(field, forms.ModelChoiceField):
                field.queryset = ready.filter(role=role).select_related("exam")


class CsvForm(forms.Form):
    """A file to check, or the text that was checked and now is to be written."""

    file = forms.FileField(required=False, label="CSV file")
    text = forms.CharField(required=False, widget=forms.HiddenInput, strip=False)

    def clean_file(self) -> "UploadedFile[bytes] | None":
        upload: UploadedFile[bytes] | None = self.cleaned_data.get("file")
        if upload is not None and (upload.size or 0) > MAX_CSV_BYTES:
            raise forms.ValidationError("The file is larger than 6 MB; split it.")
        return upload

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        upload: UploadedFile[bytes] | None = cleaned.get("file")
        if upload is not None:
            cleaned["text"] = self.decoded(upload.read())
        elif not cleaned.get("text") and not self.errors:
            raise forms.ValidationError("Choose a CSV file.")
        return cleaned

    def decoded(self, content: bytes) -> str:
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise forms.ValidationError(
                "The file is not UTF-8 text; save it as CSV UTF-8."
            ) from error
