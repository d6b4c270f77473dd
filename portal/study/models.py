"""Studies, members, patients, lesions, criteria, screening and splits: who and what, no answer."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from portal.accounts.models import random_code
from portal.archive.models import Series

LEVELS = (
    *(f"C{i}" for i in range(1, 8)),
    *(f"T{i}" for i in range(1, 13)),
    *(f"L{i}" for i in range(1, 6)),
    "S1",
)


def level_choices() -> list[tuple[str, str]]:
    return [(level, level) for level in LEVELS]


class State(models.TextChoices):
    """The life of a study: forward only, one step at a time."""

    DRAFT = "DRAFT"
    SCREENING = "SCREENING"
    READING = "READING"
    READS_LOCKED = "READS_LOCKED"
    UNBLINDED = "UNBLINDED"
    ARCHIVED = "ARCHIVED"


STATE_ORDER: tuple[str, ...] = tuple(State.values)


class Study(models.Model):
    """A reader study; its code is its public name in addresses."""

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=16, choices=State, default=State.DRAFT)
    protocol = models.TextField(blank=True)
    analysis_plan = models.JSONField(default=dict, blank=True)
    lesion_cap = models.PositiveSmallIntegerField(default=2)
    is_synthetic = models.BooleanField(default=False)
    generator = models.JSONField(default=dict, blank=True)
    digests = models.JSONField(default=dict, blank=True)
    needs_second_confirmation = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "studies"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=State.values), name="study_state_is_known"
            ),
            models.CheckConstraint(condition=Q(lesion_cap__gte=1), name="lesion_cap_at_least_one"),
        ]

    def __str__(self) -> str:
        return self.code

    def has_reached(self, state: str) -> bool:
        return STATE_ORDER.index(self.state) >= STATE_ORDER.index(state)


class Site(models.Model):
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="sites")
    code = models.SlugField(max_length=40)
    name = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["study", "code"], name="one_site_code_per_study")
        ]

    def __str__(self) -> str:
        return self.code


class Membership(models.Model):
    """What one person may do in one study; truth and reading exclude each other."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="memberships"
    )
    role = models.CharField(max_length=20)
    can_coordinate = models.BooleanField(default=False)
    sees_truth = models.BooleanField(default=False)
    can_analyse = models.BooleanField(default=False)
    can_read = models.BooleanField(default=False)
    can_draw = models.BooleanField(default=False)
    can_monitor = models.BooleanField(default=False)
    since = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["study", "user"], name="one_membership_per_person_and_study"
            ),
            models.CheckConstraint(
                condition=~(
                    (Q(sees_truth=True) | Q(can_coordinate=True) | Q(can_analyse=True))
                    & (Q(can_read=True) | Q(can_draw=True))
                ),
                name="who_sees_truth_neither_reads_nor_draws",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.study}: {self.role}"

    def may(self, right: str) -> bool:
        flags = {
            "coordinate": self.can_coordinate,
            "see_truth": self.sees_truth,
            "analyse": self.can_analyse,
            "read": self.can_read,
            "draw": self.can_draw,
            "monitor": self.can_monitor,
        }
        return flags[right]


class Patient(models.Model):
    class Sex(models.TextChoices):
        FEMALE = "F"
        MALE = "M"
        OTHER = "O"

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="patients")
    code = models.CharField(max_length=24, unique=True, default=random_code, editable=False)
    subject = models.CharField(max_length=40)
    site = models.ForeignKey(
        Site, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    sex = models.CharField(max_length=1, choices=Sex, blank=True)
    age_years = models.PositiveSmallIntegerField(null=True, blank=True)
    primary_tumour = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["study", "subject"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["study", "subject"], name="one_patient_per_subject_code"
            ),
            models.CheckConstraint(
                condition=Q(age_years__isnull=True) | Q(age_years__lte=120), name="age_at_most_120"
            ),
        ]

    def __str__(self) -> str:
        return self.subject


class LesionQuerySet(models.QuerySet["Lesion"]):
    def of_study(self, study: Study) -> "LesionQuerySet":
        return self.filter(patient__study=study)

    def included(self) -> "LesionQuerySet":
        return self.filter(is_included=True)


class Lesion(models.Model):
    """A vertebral lesion; nothing here or behind it tells what it is."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="lesions")
    code = models.CharField(max_length=24, unique=True, default=random_code, editable=False)
    number = models.PositiveSmallIntegerField()
    level = models.CharField(max_length=3, choices=level_choices)
    x_mm = models.FloatField(null=True, blank=True)
    y_mm = models.FloatField(null=True, blank=True)
    z_mm = models.FloatField(null=True, blank=True)
    longest_diameter_mm = models.FloatField(null=True, blank=True)
    ct_series = models.ForeignKey(
        Series, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    spect_series = models.ForeignKey(
        Series, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    whole_body_series = models.ForeignKey(
        Series, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    whole_body_pixels = models.JSONField(default=dict, blank=True)
    registration_confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    registration_confirmed_at = models.DateTimeField(null=True, blank=True)
    is_included = models.BooleanField(default=False)
    slot = models.PositiveSmallIntegerField(null=True, blank=True)

    objects = LesionQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["patient", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["patient", "number"], name="one_lesion_number_per_patient"
            ),
            models.UniqueConstraint(
                fields=["patient", "slot"],
                condition=Q(is_included=True),
                name="one_lesion_per_slot",
            ),
            models.CheckConstraint(
                condition=Q(is_included=False, slot__isnull=True)
                | Q(
                    is_included=True,
                    slot__gte=1,
                    x_mm__isnull=False,
                    y_mm__isnull=False,
                    z_mm__isnull=False,
                ),
                name="included_lesion_has_slot_and_position",
            ),
            models.CheckConstraint(
                condition=Q(longest_diameter_mm__isnull=True) | Q(longest_diameter_mm__gt=0),
                name="diameter_is_positive",
            ),
            models.CheckConstraint(condition=Q(level__in=LEVELS), name="level_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.patient.subject}/{self.number}"

    @property
    def world_mm(self) -> tuple[float, float, float] | None:
        if self.x_mm is None or self.y_mm is None or self.z_mm is None:
            return None
        return (self.x_mm, self.y_mm, self.z_mm)


class Criterion(models.Model):
    class Kind(models.TextChoices):
        INCLUDE = "include"
        EXCLUDE = "exclude"

    class Level(models.TextChoices):
        PATIENT = "patient"
        LESION = "lesion"

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="criteria")
    code = models.SlugField(max_length=40)
    text = models.CharField(max_length=300)
    kind = models.CharField(max_length=8, choices=Kind)
    level = models.CharField(max_length=8, choices=Level)
    order = models.PositiveSmallIntegerField()

    class Meta:
        ordering: ClassVar = ["study", "order"]
        verbose_name_plural = "criteria"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["study", "code"], name="one_criterion_code_per_study")
        ]

    def __str__(self) -> str:
        return self.code


class Screening(models.Model):
    """One decision of the screening log; a later row for the same object supersedes it."""

    class Decision(models.TextChoices):
        INCLUDED = "included"
        EXCLUDED = "excluded"

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="screenings")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="screenings")
    lesion = models.ForeignKey(
        Lesion, null=True, blank=True, on_delete=models.PROTECT, related_name="screenings"
    )
    criterion = models.ForeignKey(
        Criterion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    decision = models.CharField(max_length=8, choices=Decision)
    note = models.CharField(max_length=300, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField()
    is_current = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["patient"],
                condition=Q(is_current=True, lesion__isnull=True),
                name="one_current_screening_per_patient",
            ),
            models.UniqueConstraint(
                fields=["lesion"],
                condition=Q(is_current=True),
                name="one_current_screening_per_lesion",
            ),
            models.CheckConstraint(
                condition=Q(decision="included") | Q(criterion__isnull=False) | ~Q(note=""),
                name="an_exclusion_names_its_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.patient_id} {self.decision}"


class Split(models.Model):
    """A version of the division into train and validation; locked, it never changes."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="splits")
    version = models.PositiveSmallIntegerField()
    ratio = models.FloatField()
    seed = models.BigIntegerField()
    factors = models.JSONField(default=list)
    digest = models.CharField(max_length=64, blank=True)
    warning = models.TextField(blank=True)
    locked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["study", "version"], name="one_split_per_version"),
            models.CheckConstraint(
                condition=Q(ratio__gt=0, ratio__lt=1), name="ratio_between_0_and_1"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.study} split {self.version}"


class SplitPart(models.Model):
    """The part of one patient: per patient, so that no patient straddles."""

    class Part(models.TextChoices):
        TRAIN = "train"
        VALIDATION = "validation"

    split = models.ForeignKey(Split, on_delete=models.PROTECT, related_name="+")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="+")
    part = models.CharField(max_length=10, choices=Part)

    class Meta:
        db_table = "truth_split_part"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["split", "patient"], name="one_part_per_split_and_patient"
            ),
            models.CheckConstraint(
                condition=Q(part__in=["train", "validation"]), name="part_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.patient_id}: {self.part}"
