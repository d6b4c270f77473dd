"""What the analysts' API says and hears: each field named, nothing by default."""

from typing import Any, ClassVar

from rest_framework import serializers

from portal.analysis.models import Evaluation, FeatureSet, FeatureVector, Look, ModelRun, Prediction
from portal.analysis.parameters import LARGEST_SEED
from portal.study.models import SplitPart


class FeatureSetOut(serializers.ModelSerializer[FeatureSet]):
    class Meta:
        model = FeatureSet
        fields: ClassVar = ["digest", "parameters", "extractor_version", "is_current", "created_at"]
        read_only_fields: ClassVar = fields


class FeatureSetIn(serializers.Serializer[Any]):
    parameters = serializers.DictField(required=False, default=dict)


class JobOut(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="pk")
    state = serializers.CharField()
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    error = serializers.CharField(source="error_text")


class ExtractionOut(serializers.Serializer[Any]):
    feature_set = serializers.CharField(allow_null=True)
    vectors = serializers.IntegerField()
    failed = serializers.IntegerField()
    pending = serializers.IntegerField()
    jobs = JobOut(many=True)


class VectorOut(serializers.ModelSerializer[FeatureVector]):
    lesion = serializers.CharField(source="roi.read.assignment.lesion.code")
    delineator = serializers.CharField(source="roi.read.assignment.session.reader.username")
    occasion = serializers.IntegerField(source="roi.read.assignment.occasion")
    modality = serializers.CharField(source="roi.modality")
    feature_set = serializers.CharField(source="feature_set.digest")
    values = serializers.ListField(child=serializers.FloatField(allow_null=True))
    reasons = serializers.DictField(child=serializers.CharField())
    warnings = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = FeatureVector
        fields: ClassVar = [
            "lesion", "delineator", "occasion", "modality", "feature_set", "values", "reasons",
            "warnings", "failure", "digest", "created_at",
        ]  # fmt: skip
        read_only_fields: ClassVar = fields


class RunBrief(serializers.ModelSerializer[ModelRun]):
    kind = serializers.CharField()
    state = serializers.CharField()
    split = serializers.CharField(source="split.digest")
    feature_set = serializers.CharField(source="feature_set.digest")

    class Meta:
        model = ModelRun
        fields: ClassVar = [
            "code", "kind", "name", "state", "failure", "split", "feature_set", "roi_rule",
            "parameters", "seed", "digest", "created_at", "fitted_at", "locked_at",
        ]  # fmt: skip
        read_only_fields: ClassVar = fields


class RunOut(RunBrief):
    model = serializers.DictField()
    result = serializers.DictField()
    warnings = serializers.ListField(child=serializers.CharField())
    formula = serializers.CharField()
    nomogram = serializers.DictField(allow_null=True)
    intended_use = serializers.CharField()

    class Meta(RunBrief.Meta):
        fields: ClassVar = [
            *RunBrief.Meta.fields, "truth_digest", "model", "result", "warnings", "formula",
            "nomogram", "intended_use",
        ]  # fmt: skip
        read_only_fields: ClassVar = fields


class RunIn(serializers.Serializer[Any]):
    kind = serializers.CharField(max_length=8)
    seed = serializers.IntegerField(min_value=0, max_value=LARGEST_SEED)
    name = serializers.CharField(max_length=80, required=False, default="")
    parameters = serializers.DictField(required=False, default=dict)


class PredictionOut(serializers.ModelSerializer[Prediction]):
    lesion = serializers.CharField(source="lesion.code")
    kind = serializers.CharField()
    probability = serializers.FloatField(allow_null=True)

    class Meta:
        model = Prediction
        fields: ClassVar = ["lesion", "kind", "probability", "not_scored"]
        read_only_fields: ClassVar = fields


class ScoreIn(serializers.Serializer[Any]):
    lesion = serializers.SlugField(max_length=24)


class ScoredOut(serializers.Serializer[Any]):
    lesion = serializers.CharField(source="lesion.code")
    probability = serializers.FloatField(source="outcome.probability", allow_null=True)
    not_scored = serializers.CharField(source="outcome.not_scored")
    values = serializers.DictField(
        source="outcome.values", child=serializers.FloatField(), allow_null=True
    )
    out_of_range = serializers.ListField(source="outcome.outside", child=serializers.CharField())
    is_apparent = serializers.BooleanField()
    use = serializers.CharField(default="research use only")


class EvaluationOut(serializers.ModelSerializer[Evaluation]):
    part = serializers.ChoiceField(choices=SplitPart.Part.choices)
    look = serializers.IntegerField(source="look.number")
    figures = serializers.DictField()

    class Meta:
        model = Evaluation
        fields: ClassVar = ["part", "look", "inputs_digest", "figures", "digest", "created_at"]
        read_only_fields: ClassVar = fields


class ReasonIn(serializers.Serializer[Any]):
    reason = serializers.CharField(min_length=10, max_length=500)


class LookOut(serializers.ModelSerializer[Look]):
    user = serializers.CharField(source="user.username")

    class Meta:
        model = Look
        fields: ClassVar = ["number", "what", "reason", "user", "at"]
        read_only_fields: ClassVar = fields
