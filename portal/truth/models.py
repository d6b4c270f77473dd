"""Reference standards: the answer of a lesion, in tables that a blinded request cannot read."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from portal.study.models import Lesion


class ReferenceStandardQuerySet(models.QuerySet["ReferenceStandard"]):
    def current(self) -> "ReferenceStandardQuerySet":
        return self.filter(is_current=True)


class ReferenceStandard(models.Model):
    """What a lesion is, by which method; a change is a new row with a reason."""

    class Diagnosis(models.TextChoices):
        METASTASIS = "metastasis"
        BENIGN = "benign"
        INCONCLUSIVE = "inconclusive"

    class Method(models.TextChoices):
        PATHOLOGY = "pathology"
        FOLLOW_UP_IMAGING = "follow_up_imaging"
        CLINICAL_COURSE = "clinical_course"

    lesion = models.ForeignKey(Lesion, on_delete=models.PROTECT, related_name="+")
    revision = models.PositiveSmallIntegerField(default=1)
    diagnosis = models.CharField(max_length=12, choices=Diagnosis)
    subtype = models.CharField(max_length=60, blank=True)
    method = models.CharField(max_length=20, choices=Method)
    determined_on = models.DateField(null=True, blank=True)
    note = models.TextField(blank=True)
    reason = models.TextField(blank=True)
    is_current = models.BooleanField(default=True)
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    entered_at = models.DateTimeField()

    objects = ReferenceStandardQuerySet.as_manager()

    class Meta:
        db_table = "truth_reference_standard"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["lesion", "revision"], name="one_reference_standard_per_revision"
            ),
            models.UniqueConstraint(
                fields=["lesion"],
                condition=Q(is_current=True),
                name="one_current_reference_standard_per_lesion",
            ),
            models.CheckConstraint(
                condition=Q(revision=1) | ~Q(reason=""), name="a_changed_standard_names_its_reason"
            ),
            models.CheckConstraint(
                condition=Q(diagnosis__in=["metastasis", "benign", "inconclusive"]),
                name="diagnosis_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"reference standard of lesion {self.lesion_id}"


class TrainLabel(models.Model):
    """A row of the view that shows fitting the labels of the train part, and no other."""

    split_id = models.BigIntegerField()
    lesion_id = models.BigIntegerField()
    label = models.SmallIntegerField()

    class Meta:
        managed = False
        db_table = "truth_train_label"

    def __str__(self) -> str:
        return f"label of lesion {self.lesion_id}"
