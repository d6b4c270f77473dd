"""The reading room's tables: designs, sessions, assignments, reads, ROIs, events, aids."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from portal.accounts.models import User, random_code
from portal.archive.models import Series
from portal.study.models import Lesion, Study
from readers.conditions import SCORE_AGREES, THRESHOLD_NAMES_ITS_SPHERE


class Questionnaire(models.Model):
    """A version of the questions of a case; once used it never changes."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="questionnaires")
    version = models.PositiveSmallIntegerField()
    task = models.CharField(max_length=8)
    questions = models.JSONField(default=list)
    instructions = models.TextField(blank=True)
    locked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["study", "task", "version"], name="one_questionnaire_per_version"
            )
        ]

    def __str__(self) -> str:
        return f"{self.study} {self.task} {self.version}"


class ReadingDesign(models.Model):
    """Conditions, crossing, repeats, washout, gap, scale and seed; locked before the first read."""

    class Scale(models.TextChoices):
        CONFIDENCE = "confidence"
        PROBABILITY = "probability"

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="designs")
    version = models.PositiveSmallIntegerField()
    scale = models.CharField(max_length=12, choices=Scale, default=Scale.CONFIDENCE)
    sitting = models.PositiveSmallIntegerField(default=20)
    washout_days = models.PositiveSmallIntegerField(default=28)
    patient_gap = models.PositiveSmallIntegerField(default=3)
    n_repeats = models.PositiveSmallIntegerField(default=30)
    seed = models.BigIntegerField()
    parameters = models.JSONField(default=dict, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    locked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["study", "version"], name="one_design_per_version")
        ]

    def __str__(self) -> str:
        return f"{self.study} design {self.version}"


class ReadingSessionQuerySet(models.QuerySet["ReadingSession"]):
    def of_study(self, study: Study) -> "ReadingSessionQuerySet":
        return self.filter(study=study)

    def of_reader(self, reader: User) -> "ReadingSessionQuerySet":
        return self.filter(reader=reader)

    def open(self) -> "ReadingSessionQuerySet":
        return self.filter(state=ReadingSession.State.OPEN)

    def unfinished(self) -> "ReadingSessionQuerySet":
        return self.exclude(state=ReadingSession.State.CLOSED)


class ReadingSession(models.Model):
    """A reader's list of cases for one sitting or task, closed by the reader's signature."""

    class Task(models.TextChoices):
        READ = "read"
        OUTLINE = "outline"

    class Kind(models.TextChoices):
        MAIN = "main"
        REPEAT = "repeat"
        TRAINING = "training"
        ADJUDICATION = "adjudication"

    class State(models.TextChoices):
        PLANNED = "planned"
        OPEN = "open"
        CLOSED = "closed"

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="sessions")
    design = models.ForeignKey(ReadingDesign, on_delete=models.PROTECT, related_name="sessions")
    questionnaire = models.ForeignKey(Questionnaire, on_delete=models.PROTECT, related_name="+")
    reader = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reading_sessions"
    )
    code = models.CharField(max_length=24, unique=True, default=random_code, editable=False)
    number = models.PositiveSmallIntegerField()
    task = models.CharField(max_length=8, choices=Task)
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.MAIN)
    condition = models.CharField(max_length=12, default="unaided")
    state = models.CharField(max_length=8, choices=State, default=State.PLANNED)
    told = models.TextField(blank=True)
    order_digest = models.CharField(max_length=64)
    not_before = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    # days since 1970-01-01 UTC, so that one trigger can hold the washout on every database
    opened_day = models.PositiveIntegerField(null=True, blank=True)
    closed_day = models.PositiveIntegerField(null=True, blank=True)
    is_simulated = models.BooleanField(default=False)

    objects = ReadingSessionQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["study", "reader", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["study", "reader", "number"], name="one_session_per_reader_and_number"
            )
        ]

    def __str__(self) -> str:
        return f"session {self.number} of {self.reader_id}"


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    def of_study(self, study: Study) -> "AssignmentQuerySet":
        return self.filter(session__study=study)

    def of_reader(self, reader: User) -> "AssignmentQuerySet":
        return self.filter(session__reader=reader)

    def main(self) -> "AssignmentQuerySet":
        """Cases that must be locked or declared missing before the reads can be locked."""
        return self.filter(session__kind=ReadingSession.Kind.MAIN)

    def pending(self) -> "AssignmentQuerySet":
        """Cases whose reader still has something to do."""
        return self.filter(state__in=[Assignment.State.ASSIGNED, Assignment.State.DRAFT])

    def unsettled(self) -> "AssignmentQuerySet":
        return self.exclude(state__in=[Assignment.State.LOCKED, Assignment.State.MISSING])


class Assignment(models.Model):
    """One lesion on one reader's list on one occasion: a case."""

    class State(models.TextChoices):
        ASSIGNED = "assigned"
        DRAFT = "draft"
        SUBMITTED = "submitted"
        LOCKED = "locked"
        MISSING = "missing"

    session = models.ForeignKey(
        ReadingSession, on_delete=models.PROTECT, related_name="assignments"
    )
    lesion = models.ForeignKey(Lesion, on_delete=models.PROTECT, related_name="+")
    code = models.CharField(max_length=24, unique=True, default=random_code, editable=False)
    position = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.ASSIGNED)
    occasion = models.PositiveSmallIntegerField(default=1)
    missing_reason = models.TextField(blank=True)
    first_opened_at = models.DateTimeField(null=True, blank=True)

    objects = AssignmentQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["session", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["session", "position"], name="one_case_per_position"),
            models.UniqueConstraint(
                fields=["session", "lesion"], name="one_case_per_session_and_lesion"
            ),
            models.CheckConstraint(
                condition=~Q(state="missing") | ~Q(missing_reason=""),
                name="a_missing_case_names_its_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class ReadQuerySet(models.QuerySet["Read"]):
    def of_study(self, study: Study) -> "ReadQuerySet":
        return self.filter(assignment__session__study=study)

    def current(self) -> "ReadQuerySet":
        return self.filter(is_current=True)

    def locked(self) -> "ReadQuerySet":
        return self.current().filter(state=Read.State.LOCKED)

    def primary(self) -> "ReadQuerySet":
        """Reads of main sessions, first occasion."""
        return self.filter(assignment__session__kind="main", assignment__occasion=1)


class Read(models.Model):
    """A revision of what a reader said of a case; submitted or locked, it never changes."""

    class State(models.TextChoices):
        DRAFT = "draft"
        SUBMITTED = "submitted"
        LOCKED = "locked"

    class Call(models.TextChoices):
        METASTASIS = "metastasis"
        BENIGN = "benign"

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="reads")
    revision = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    is_current = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=0)
    document = models.JSONField(default=dict)
    call = models.CharField(max_length=10, choices=Call, blank=True)
    confidence = models.PositiveSmallIntegerField(null=True, blank=True)
    score = models.PositiveSmallIntegerField(null=True, blank=True)
    cannot_judge = models.BooleanField(default=False)
    is_fallback_view = models.BooleanField(default=False)
    reason_code = models.CharField(max_length=20, blank=True)
    reason = models.TextField(blank=True)
    started_at = models.DateTimeField()
    saved_at = models.DateTimeField(null=True, blank=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    locked_at = models.DateTimeField(null=True, blank=True)
    wall_seconds = models.FloatField(null=True, blank=True)
    active_seconds = models.FloatField(null=True, blank=True)
    has_event_gap = models.BooleanField(default=False)
    digest = models.CharField(max_length=64, blank=True)
    is_simulated = models.BooleanField(default=False)

    objects = ReadQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["assignment", "revision"], name="one_read_per_revision"
            ),
            models.UniqueConstraint(
                fields=["assignment"],
                condition=Q(is_current=True),
                name="one_current_read_per_assignment",
            ),
            models.CheckConstraint(
                condition=Q(revision=1) | ~Q(reason=""), name="an_amendment_names_its_reason"
            ),
            models.CheckConstraint(
                condition=SCORE_AGREES,
                name="score_agrees_with_call_and_confidence",
            ),
            models.CheckConstraint(
                condition=Q(active_seconds__isnull=True) | Q(active_seconds__lte=F("wall_seconds")),
                name="active_time_at_most_wall_time",
            ),
        ]

    def __str__(self) -> str:
        return f"read {self.id} revision {self.revision}"


class RoiQuerySet(models.QuerySet["Roi"]):
    def of_study(self, study: Study) -> "RoiQuerySet":
        return self.filter(read__assignment__session__study=study)

    def locked(self) -> "RoiQuerySet":
        """ROIs of the current, locked revision of their case."""
        return self.filter(read__is_current=True, read__state=Read.State.LOCKED)

    def primary(self) -> "RoiQuerySet":
        """First drawings: main sessions, first occasion."""
        return self.filter(read__assignment__session__kind="main", read__assignment__occasion=1)

    def repeats(self) -> "RoiQuerySet":
        return self.filter(read__assignment__session__kind="repeat")


class Roi(models.Model):
    """One closed polygon in patient millimetres on one slice of one series, of one read revision.

    Where the design has regions in three dimensions, several rows of a revision and modality are one region.
    """

    class Modality(models.TextChoices):
        CT = "CT"
        SPECT = "SPECT"

    read = models.ForeignKey(Read, on_delete=models.PROTECT, related_name="rois")
    modality = models.CharField(max_length=5, choices=Modality)
    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="+")
    sop_instance_uid = models.CharField(max_length=64)
    frame = models.PositiveIntegerField()
    slice_index = models.PositiveIntegerField()
    frame_of_reference_uid = models.CharField(max_length=64, blank=True)
    kind = models.CharField(max_length=12, default="freehand")
    # a threshold region: the sphere it was looked for in, and the share of the maximum within
    sphere_centre_mm = models.JSONField(null=True, blank=True)
    sphere_radius_mm = models.FloatField(null=True, blank=True)
    threshold_fraction = models.FloatField(null=True, blank=True)
    vertices_mm = models.JSONField()
    copy = models.JSONField(null=True, blank=True)
    area_mm2 = models.FloatField()
    n_pixels = models.PositiveIntegerField()
    mask_digest = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    objects = RoiQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["read", "modality", "slice_index"],
                name="one_roi_per_revision_modality_and_slice",
            ),
            models.CheckConstraint(condition=Q(area_mm2__gt=0), name="roi_area_is_positive"),
            models.CheckConstraint(
                condition=Q(modality__in=["CT", "SPECT"]), name="roi_modality_is_known"
            ),
            models.CheckConstraint(
                condition=THRESHOLD_NAMES_ITS_SPHERE,
                name="a_threshold_roi_names_its_sphere",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.modality} ROI {self.id}"


class DraftSave(models.Model):
    """One acknowledged autosave; a replay with the same key finds it and changes nothing."""

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="saves")
    key = models.CharField(max_length=64)
    version = models.PositiveIntegerField()
    body_digest = models.CharField(max_length=64)
    document = models.JSONField(default=dict)
    saved_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["assignment", "key"], name="one_save_per_idempotency_key"
            )
        ]

    def __str__(self) -> str:
        return f"save {self.version}"


class ReadEvent(models.Model):
    """One timing event of a case as the browser sent it; append-only."""

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="events")
    page_load = models.CharField(max_length=40)
    seq = models.PositiveIntegerField()
    t_ms = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=24)
    detail = models.JSONField(default=dict)
    received_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["assignment", "page_load", "seq"], name="one_event_per_page_load_and_seq"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.seq}"


class Aid(models.Model):
    """A released prediction for a case of an aided session, written by the analysis floor."""

    assignment = models.OneToOneField(Assignment, on_delete=models.PROTECT, related_name="aid")
    probability = models.FloatField()
    model_name = models.CharField(max_length=80)
    model_digest = models.CharField(max_length=64)
    released_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(probability__gte=0, probability__lte=1), name="aid_is_a_probability"
            )
        ]

    def __str__(self) -> str:
        return f"aid of case {self.assignment_id}"
