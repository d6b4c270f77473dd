"""What the study's API says and hears: each field named, nothing by default."""

from typing import Any, ClassVar

from rest_framework import serializers

from portal.roles import ROLE_NAMES
from portal.study.models import LEVELS, Criterion, Lesion, Patient, Screening, Study


class StudyOut(serializers.ModelSerializer[Study]):
    synthetic = serializers.BooleanField(source="is_synthetic")

    class Meta:
        model = Study
        fields: ClassVar = [
            "code", "name", "state", "lesion_cap", "synthetic", "generator", "digests", "created_at",
        ]  # fmt: skip
        read_only_fields: ClassVar = fields


class BlindStudyOut(serializers.ModelSerializer[Study]):
    """What a reader hears of a study: neither the seed of a synthetic cohort nor a digest of its parts."""

    synthetic = serializers.BooleanField(source="is_synthetic")

    class Meta:
        model = Study
        fields: ClassVar = ["code", "name", "state", "synthetic", "created_at"]
        read_only_fields: ClassVar = fields


class StudyIn(serializers.Serializer[Any]):
    code = serializers.SlugField(max_length=40)
    name = serializers.CharField(max_length=200)


class ProtocolIn(serializers.Serializer[Any]):
    protocol = serializers.CharField(allow_blank=True, max_length=100_000)
    analysis_plan = serializers.DictField()


class StepIn(serializers.Serializer[Any]):
    to = serializers.CharField(max_length=20)
    reason = serializers.CharField(max_length=500)


class CheckOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    text = serializers.CharField()
    is_met = serializers.BooleanField()
    hint = serializers.CharField()


class ChecklistOut(serializers.Serializer[Any]):
    to = serializers.CharField(allow_null=True)
    checks = CheckOut(many=True)


class MemberOut(serializers.Serializer[Any]):
    username = serializers.CharField(source="user.username")
    role = serializers.CharField()
    since = serializers.DateTimeField()


class MemberIn(serializers.Serializer[Any]):
    username = serializers.CharField(max_length=150)
    role = serializers.ChoiceField(choices=list(ROLE_NAMES))


class PatientOut(serializers.ModelSerializer[Patient]):
    class Meta:
        model = Patient
        fields: ClassVar = ["code", "subject", "sex", "age_years", "primary_tumour", "created_at"]
        read_only_fields: ClassVar = fields


class PatientIn(serializers.Serializer[Any]):
    subject = serializers.CharField(max_length=40)
    sex = serializers.ChoiceField(choices=["", *Patient.Sex.values], default="")
    age_years = serializers.IntegerField(min_value=0, max_value=120, allow_null=True, default=None)
    primary_tumour = serializers.CharField(max_length=60, allow_blank=True, default="")


class LesionOut(serializers.ModelSerializer[Lesion]):
    patient = serializers.CharField(source="patient.code")
    subject = serializers.CharField(source="patient.subject")
    ct_series_uid = serializers.CharField(source="ct_series.uid", default=None)
    spect_series_uid = serializers.CharField(source="spect_series.uid", default=None)
    wb_series_uid = serializers.CharField(source="whole_body_series.uid", default=None)

    class Meta:
        model = Lesion
        fields: ClassVar = [
            "code", "patient", "subject", "number", "level", "x_mm", "y_mm", "z_mm",
            "longest_diameter_mm", "whole_body_pixels", "ct_series_uid", "spect_series_uid",
            "wb_series_uid", "registration_confirmed_at", "is_included", "slot",
        ]  # fmt: skip
        read_only_fields: ClassVar = fields


class LesionIn(serializers.Serializer[Any]):
    patient = serializers.CharField(max_length=24)
    number = serializers.IntegerField(min_value=1, max_value=1000)
    level = serializers.ChoiceField(choices=list(LEVELS))
    x_mm = serializers.FloatField(allow_null=True, default=None)
    y_mm = serializers.FloatField(allow_null=True, default=None)
    z_mm = serializers.FloatField(allow_null=True, default=None)
    longest_diameter_mm = serializers.FloatField(allow_null=True, default=None)
    whole_body = serializers.DictField(
        child=serializers.ListField(child=serializers.FloatField(), min_length=2, max_length=2),
        default=dict,
    )


class SeriesIn(serializers.Serializer[Any]):
    ct_series_uid = serializers.CharField(max_length=64, allow_blank=True, default="")
    spect_series_uid = serializers.CharField(max_length=64, allow_blank=True, default="")
    wb_series_uid = serializers.CharField(max_length=64, allow_blank=True, default="")


class SlotIn(serializers.Serializer[Any]):
    slot = serializers.IntegerField(min_value=1, allow_null=True, default=None)


class CriterionOut(serializers.ModelSerializer[Criterion]):
    class Meta:
        model = Criterion
        fields: ClassVar = ["code", "text", "kind", "level", "order"]
        read_only_fields: ClassVar = fields


class CriterionIn(serializers.Serializer[Any]):
    code = serializers.SlugField(max_length=40)
    text = serializers.CharField(max_length=300)
    kind = serializers.ChoiceField(choices=Criterion.Kind.values)
    level = serializers.ChoiceField(choices=Criterion.Level.values)


class ScreeningOut(serializers.ModelSerializer[Screening]):
    patient = serializers.CharField(source="patient.code")
    lesion = serializers.CharField(source="lesion.code", default=None)
    criterion = serializers.CharField(source="criterion.code", default=None)
    decided_by = serializers.CharField(source="decided_by.username")

    class Meta:
        model = Screening
        fields: ClassVar = [
            "patient", "lesion", "decision", "criterion", "note", "decided_by", "decided_at",
            "is_current",
        ]  # fmt: skip
        read_only_fields: ClassVar = fields


class DecisionIn(serializers.Serializer[Any]):
    """A decision on a patient, or on a lesion when one is named."""

    patient = serializers.CharField(max_length=24, allow_blank=True, default="")
    lesion = serializers.CharField(max_length=24, allow_blank=True, default="")
    decision = serializers.ChoiceField(choices=Screening.Decision.values)
    criterion = serializers.CharField(max_length=40, allow_blank=True, default="")
    note = serializers.CharField(max_length=300, allow_blank=True, default="")


class ExcludedOut(serializers.Serializer[Any]):
    reason = serializers.CharField()
    count = serializers.IntegerField()


class StageOut(serializers.Serializer[Any]):
    screened = serializers.IntegerField()
    included = serializers.IntegerField()
    excluded = ExcludedOut(many=True)
    difference = serializers.IntegerField()


class FlowOut(serializers.Serializer[Any]):
    patients = StageOut()
    lesions = StageOut()
    adds_up = serializers.BooleanField()
    note = serializers.CharField()


class CsvIn(serializers.Serializer[Any]):
    csv = serializers.CharField(trim_whitespace=False, max_length=6 * 2**20)
    dry_run = serializers.BooleanField(default=True)


class ProblemOut(serializers.Serializer[Any]):
    row = serializers.IntegerField()
    column = serializers.CharField()
    sentence = serializers.CharField()


class PlanOut(serializers.Serializer[Any]):
    is_written = serializers.BooleanField()
    n_rows = serializers.IntegerField()
    problems = ProblemOut(many=True)
