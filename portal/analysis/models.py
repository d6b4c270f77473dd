"""Feature sets and vectors, model runs, predictions, evaluations and looks."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from portal.accounts.models import random_code
from portal.study.models import Lesion, Split, Study
from readers.models import Roi


class FeatureSet(models.Model):
    """Profile and preparation of a feature extraction; vectors of one digest are comparable."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="+")
    parameters = models.JSONField()
    extractor_version = models.CharField(max_length=20)
    digest = models.CharField(max_length=64)
    is_current = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["study", "digest"], name="one_feature_set_per_digest"),
            models.UniqueConstraint(
                fields=["study"],
                condition=Q(is_current=True),
                name="one_current_feature_set_per_study",
            ),
        ]

    def __str__(self) -> str:
        return self.digest[:12]


class FeatureVector(models.Model):
    """The 279 values of one ROI under one feature set, or the reason why there are none."""

    feature_set = models.ForeignKey(FeatureSet, on_delete=models.PROTECT, related_name="vectors")
    roi = models.ForeignKey(Roi, on_delete=models.PROTECT, related_name="+")
    values = models.JSONField(default=list)
    reasons = models.JSONField(default=dict)
    provenance = models.JSONField(default=dict)
    warnings = models.JSONField(default=list)
    failure = models.TextField(blank=True)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["feature_set", "roi"], name="one_vector_per_roi_and_feature_set"
            )
        ]

    def __str__(self) -> str:
        return f"vector of ROI {self.roi_id}"


class Perturbation(models.Model):
    """What 44 perturbations of a training lesion's ROI give to the ICC of each feature, or why there is nothing.

    Which ROIs have a row tells who is in the training part, so the table is of the truth class.
    """

    feature_set = models.ForeignKey(FeatureSet, on_delete=models.PROTECT, related_name="+")
    # without a constraint: to check it, SQLite would read this table whenever a reader's request stores a ROI, and the
    # fence refuses that; ROIs are never deleted
    roi = models.ForeignKey(Roi, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    summaries = models.JSONField(default=dict)
    failure = models.TextField(blank=True)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "truth_perturbation"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["feature_set", "roi"], name="one_perturbation_per_roi_and_feature_set"
            )
        ]

    def __str__(self) -> str:
        return f"perturbation of ROI {self.roi_id}"


def run_kinds() -> list[tuple[str, str]]:
    return ModelRun.Kind.choices


class ModelRun(models.Model):
    """One fit with all its inputs frozen; locked, it never changes."""

    class Kind(models.TextChoices):
        CT = "ct", "CT"
        SPECT = "spect", "SPECT"
        COMBINED = "combined", "Combined"
        CLINICAL = "clinical", "Clinical + radiomics"
        SUBSET = "subset", "Named subset"

    class State(models.TextChoices):
        QUEUED = "queued"
        FITTED = "fitted"
        FAILED = "failed"
        LOCKED = "locked"

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="+")
    code = models.CharField(max_length=24, unique=True, default=random_code, editable=False)
    kind = models.CharField(max_length=8, choices=run_kinds)
    name = models.CharField(max_length=80)
    split = models.ForeignKey(Split, on_delete=models.PROTECT, related_name="+")
    feature_set = models.ForeignKey(FeatureSet, on_delete=models.PROTECT, related_name="+")
    roi_rule = models.CharField(max_length=60, default="first_drawing_of_first_delineator")
    truth_digest = models.CharField(max_length=64)
    parameters = models.JSONField(default=dict)
    seed = models.BigIntegerField()
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    model = models.JSONField(default=dict)
    result = models.JSONField(default=dict)
    digest = models.CharField(max_length=64, blank=True)
    failure = models.TextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    fitted_at = models.DateTimeField(null=True, blank=True)
    locked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "truth_model_run"
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.code}"


class FitRow(models.Model):
    """A lesion used to fit a run; a trigger refuses one whose patient is not in `train`."""

    run = models.ForeignKey(ModelRun, on_delete=models.PROTECT, related_name="rows")
    lesion = models.ForeignKey(Lesion, on_delete=models.PROTECT, related_name="+")

    class Meta:
        db_table = "truth_fit_row"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "lesion"], name="one_fit_row_per_run_and_lesion")
        ]

    def __str__(self) -> str:
        return f"run {self.run_id} lesion {self.lesion_id}"


class Prediction(models.Model):
    """The probability of metastasis that a run gives a lesion."""

    class Kind(models.TextChoices):
        APPARENT = "apparent"
        OUT_OF_FOLD = "out_of_fold"
        VALIDATION = "validation"

    run = models.ForeignKey(ModelRun, on_delete=models.PROTECT, related_name="predictions")
    lesion = models.ForeignKey(Lesion, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=Kind)
    probability = models.FloatField(null=True, blank=True)
    not_scored = models.TextField(blank=True)

    class Meta:
        db_table = "truth_prediction"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["run", "lesion", "kind"], name="one_prediction_per_kind"
            ),
            models.CheckConstraint(
                condition=Q(probability__gte=0, probability__lte=1)
                | (Q(probability__isnull=True) & ~Q(not_scored="")),
                name="prediction_is_a_probability_or_says_why_not",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of lesion {self.lesion_id}"


class Look(models.Model):
    """One access to validation results; append-only and counted."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()
    what = models.CharField(max_length=120)
    inputs = models.JSONField(default=dict)  # part -> digest of the inputs that were looked at
    reason = models.TextField(blank=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        db_table = "truth_look"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["study", "number"], name="one_look_per_number")
        ]

    def __str__(self) -> str:
        return f"look {self.number}"


class Evaluation(models.Model):
    """All figures of the comparison on one part, as JSON, with the digest of their inputs."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="+")
    part = models.CharField(max_length=10)
    look = models.ForeignKey(Look, on_delete=models.PROTECT, related_name="+")
    inputs_digest = models.CharField(max_length=64)
    figures = models.JSONField()
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "truth_evaluation"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["study", "part", "inputs_digest"], name="one_evaluation_per_inputs"
            ),
            models.CheckConstraint(
                condition=Q(part__in=["train", "validation"]), name="evaluated_part_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.study} {self.part}"
