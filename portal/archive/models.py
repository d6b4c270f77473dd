"""The index of the archive: exams, series, instances and the imports they came by."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement
from django.db.models import Q
from django.db.models.functions import Upper

from portal.accounts.models import random_code


class Import(models.Model):
    """One import: who, by which door, into which study, with what outcome."""

    class Door(models.TextChoices):
        BROWSER = "browser"
        STOW = "stow"
        COMMAND = "command"
        PACS = "pacs"

    code = models.CharField(max_length=24, unique=True, default=random_code, editable=False)
    door = models.CharField(max_length=8, choices=Door)
    study_key = models.CharField(max_length=40, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    warning = models.TextField(blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return self.code


class ImportFile(models.Model):
    """The outcome of one file of an import."""

    class Outcome(models.TextChoices):
        READY = "ready"
        HELD = "held"
        REFUSED = "refused"
        SKIPPED = "skipped"
        ALREADY_HERE = "already here"

    source = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="files")
    row = models.PositiveIntegerField()
    # a batch that is sent again after a lost answer is known by its number and the place in it
    batch = models.PositiveIntegerField(default=0)
    position = models.PositiveIntegerField()
    name = models.CharField(max_length=300)
    size = models.PositiveBigIntegerField()
    outcome = models.CharField(max_length=12, choices=Outcome)
    reason_code = models.CharField(max_length=40, blank=True)
    sentence = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["row"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "row"], name="one_outcome_per_imported_file"),
            models.UniqueConstraint(
                fields=["source", "batch", "position"], name="one_outcome_per_place_in_a_batch"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.row}: {self.outcome}"


class NewestFirst(models.Index):
    """An index with what has no date at its end, which SQLite does and Postgres must be told."""

    def create_sql(
        self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor, using: str = "", **more: Any
    ) -> Statement:  # fmt: skip
        found = super().create_sql(model, schema_editor, using=using, **more)
        columns: Any = found.parts["columns"]
        if schema_editor.connection.vendor == "postgresql":
            told = [f"{one} NULLS LAST" if one else "" for one in columns.col_suffixes]
            columns.col_suffixes = told
        return found


class Exam(models.Model):
    """A DICOM study in its archive view. `study_key` is the code of the portal's study, '' unfiled."""

    uid = models.CharField(max_length=64, unique=True)
    # what the source UID maps to; `uid` differs where another study, shelf or patient had it first
    mapped_uid = models.CharField(max_length=64, db_index=True)
    has_conflict = models.BooleanField(default=False)
    # it was filed while its sender was still sending: the study has another exam with this mapped UID
    has_other_part = models.BooleanField(default=False)
    study_key = models.CharField(max_length=40, blank=True, db_index=True)
    subject = models.CharField(max_length=40, blank=True, db_index=True)
    patient_key = models.CharField(max_length=64, db_index=True)
    importer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    shifted_date = models.DateField(null=True, blank=True)
    time = models.CharField(max_length=16, blank=True)
    sex = models.CharField(max_length=1, blank=True)
    age = models.CharField(max_length=4, blank=True)
    is_synthetic = models.BooleanField(default=False)
    # coordinators see its headers as received, for all of them are sealed; else they see this view of it
    has_source = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-shifted_date", "uid"]
        indexes: ClassVar = [
            models.Index(
                fields=["study_key"], name="exam_without_source", condition=Q(has_source=False)
            ),
            models.Index(Upper("subject"), name="exam_subject_any_case"),
            NewestFirst(fields=["study_key", "-shifted_date", "uid"], name="exam_newest_of_study"),
        ]

    def __str__(self) -> str:
        return self.uid


class SeriesQuerySet(models.QuerySet["Series"]):
    def ready(self) -> "SeriesQuerySet":
        return self.filter(state=Series.State.READY)

    def held(self) -> "SeriesQuerySet":
        return self.filter(state=Series.State.HELD)

    def of_study(self, study_key: str) -> "SeriesQuerySet":
        return self.filter(exam__study_key=study_key)


class Series(models.Model):
    """Images of one kind and geometry, in canonical order (ascending along the normal)."""

    class Role(models.TextChoices):
        CT = "CT"
        SPECT = "SPECT"
        WHOLE_BODY = "WB"
        OTHER = "OTHER"

    class State(models.TextChoices):
        READY = "ready"
        HELD = "held"

    exam = models.ForeignKey(Exam, on_delete=models.PROTECT, related_name="series")
    uid = models.CharField(max_length=64, unique=True)
    mapped_uid = models.CharField(max_length=64, db_index=True)
    # what the sender's series UID maps to, where it is known: one of its series may have become several here
    sender_uid = models.CharField(max_length=64, blank=True, db_index=True)
    role = models.CharField(max_length=5, choices=Role)
    label = models.CharField(max_length=8)
    state = models.CharField(max_length=5, choices=State, default=State.READY)
    reason_code = models.CharField(max_length=40, blank=True)
    sentence = models.TextField(blank=True)
    folder = models.CharField(max_length=32, unique=True)
    frame_of_reference_uid = models.CharField(max_length=64, blank=True)
    is_volume = models.BooleanField(default=False)
    # why it is no volume, or one of slices that are uneven or tilted, which a coordinator has released all the same
    volume_reason = models.TextField(blank=True)
    # origin_mm, row_direction, column_direction, spacing_mm, slice_spacing_mm, thickness_mm, positions_mm
    geometry = models.JSONField(default=dict)
    # what the viewer calls the pixel description
    pixel = models.JSONField(default=dict)
    values = models.JSONField(default=dict)
    unit = models.CharField(max_length=8, blank=True)
    transfer_syntax_uid = models.CharField(max_length=64)
    n_frames = models.PositiveIntegerField(default=0)
    views = models.JSONField(default=list)
    acquisition = models.JSONField(default=dict)
    digest = models.CharField(max_length=64, blank=True)
    # where the committed part of each pack ends
    native_size = models.PositiveBigIntegerField(default=0)
    stored_size = models.PositiveBigIntegerField(default=0)
    # reason code -> digest of what a coordinator saw when releasing it
    decisions = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField()

    objects = SeriesQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "series"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state="ready") | ~Q(reason_code=""), name="held_series_names_its_reason"
            )
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.uid}"

    @property
    def is_regular(self) -> bool:
        """Evenly spaced slices straight above each other: a grid, on which one volume may be laid over another."""
        return self.is_volume and not self.volume_reason


class Instance(models.Model):
    """One SOP instance in the archive view; its frames lie in the pack of its series."""

    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="instances")
    uid = models.CharField(max_length=64, unique=True)
    sop_class_uid = models.CharField(max_length=64)
    rank = models.PositiveIntegerField()
    n_frames = models.PositiveIntegerField()
    is_reversed = models.BooleanField(default=False)
    slope = models.FloatField(default=1.0)
    intercept = models.FloatField(default=0.0)
    file_digest = models.CharField(max_length=64, unique=True)
    content_digest = models.CharField(max_length=64)
    # per frame, canonical order: [offset, length] in the native pack, and in the stored pack
    native_frames = models.JSONField(default=list)
    stored_frames = models.JSONField(default=list)
    frame_digests = models.JSONField(default=list)
    stored_digests = models.JSONField(default=list, blank=True)
    # of the stored pack; one series may hold several
    stored_syntax_uid = models.CharField(max_length=64, blank=True)
    header = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["series", "rank"]

    def __str__(self) -> str:
        return self.uid


class RemoteCopy(models.Model):
    """A series that a remote store holds as well; the packs here are then a cache that may be emptied."""

    series = models.OneToOneField(
        Series, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    server = models.CharField(max_length=300)
    # of the series when it was pushed: with more images since then, it must be pushed again
    digest = models.CharField(max_length=64)
    # image UID -> its path at the server, where that gave it other UIDs
    addresses = models.JSONField(default=dict, blank=True)
    pushed_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "remote copies"

    def __str__(self) -> str:
        return f"copy of {self.series_id}"


class Connection(models.Model):
    """A PACS that an administrator has entered; its password lies in a private file."""

    name = models.SlugField(max_length=40, unique=True)
    url = models.CharField(max_length=300)
    user = models.CharField(max_length=100, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class Pull(models.Model):
    """One series on its way from a PACS. It names source UIDs, so readers' requests cannot see the table."""

    class State(models.TextChoices):
        WAITING = "waiting"
        PULLING = "pulling"
        DONE = "done"
        INCOMPLETE = "incomplete"
        FAILED = "failed"

    connection = models.CharField(max_length=40)
    study_key = models.CharField(max_length=40, db_index=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    study_uid = models.CharField(max_length=64, blank=True)
    series_uid = models.CharField(max_length=64, blank=True)
    label = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    came = models.PositiveIntegerField(default=0)
    expected = models.PositiveIntegerField(default=0)
    sentence = models.TextField(blank=True)
    source = models.ForeignKey(
        Import, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField()

    class Meta:
        db_table = "truth_pull"
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["study_key", "actor", "connection", "series_uid"],
                condition=Q(state__in=["waiting", "pulling"]),
                name="one_pull_under_way_per_series",
            )
        ]

    def __str__(self) -> str:
        return f"pull {self.pk}"


class Identity(models.Model):
    """The sealed link from an exam to the person: readable by truth-seeing requests only.

    With it what a search in the source view looks at; `study_key` repeats the exam's, so that an index has each
    study's in their order, and is null where the exam is not in that view.
    """

    exam = models.OneToOneField(Exam, on_delete=models.PROTECT, primary_key=True, related_name="+")
    study_key = models.CharField(max_length=40, null=True, blank=True)  # noqa: DJ001  '' is the shelf
    importer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    source_uid = models.CharField(max_length=64, db_index=True)
    patient_id = models.CharField(max_length=200, blank=True)
    patient_name = models.CharField(max_length=400, blank=True)
    birth_date = models.CharField(max_length=16, blank=True)
    study_date = models.CharField(max_length=16, blank=True)
    study_time = models.CharField(max_length=16, blank=True)
    accession_number = models.CharField(max_length=100, blank=True)
    study_id = models.CharField(max_length=100, blank=True)
    study_description = models.CharField(max_length=400, blank=True)
    referring_physician = models.CharField(max_length=400, blank=True)
    # what all images of the exam have in common, as DICOM JSON
    row = models.TextField(blank=True)

    class Meta:
        db_table = "truth_identity"
        verbose_name_plural = "identities"
        indexes: ClassVar = [
            models.Index(fields=["study_key", "-study_date", "source_uid"], name="identity_newest"),
            models.Index(Upper("patient_id"), name="identity_patient_any_case"),
            models.Index(Upper("accession_number"), name="identity_accession_any_case"),
        ]

    def __str__(self) -> str:
        return f"identity of exam {self.exam_id}"


class SourceSeries(models.Model):
    """The part of a sender's series that became one series here, and the pack of its headers as received."""

    series = models.OneToOneField(
        Series, on_delete=models.DO_NOTHING, primary_key=True, related_name="+"
    )
    identity = models.ForeignKey(
        Identity, on_delete=models.DO_NOTHING, db_column="exam_id", related_name="+"
    )
    source_uid = models.CharField(max_length=64, db_index=True)
    modality = models.CharField(max_length=16, blank=True)
    number = models.IntegerField(null=True)
    description = models.CharField(max_length=400, blank=True)
    folder = models.CharField(max_length=32, unique=True)
    # where the committed part of the pack ends, and how many headers it holds
    size = models.PositiveBigIntegerField(default=0)
    n_images = models.PositiveIntegerField(default=0)
    # what all images of the series have in common, as DICOM JSON
    row = models.TextField(blank=True)

    class Meta:
        db_table = "truth_source_series"
        verbose_name_plural = "source series"

    def __str__(self) -> str:
        return f"source of series {self.series_id}"


class SourceUid(models.Model):
    """Under which UID an image came, and where its header as received lies in the pack of its series."""

    instance = models.OneToOneField(
        Instance, to_field="uid", db_column="archive_uid", primary_key=True, db_constraint=False,
        on_delete=models.DO_NOTHING, related_name="+",
    )  # fmt: skip
    source_uid = models.CharField(max_length=64, db_index=True)
    series = models.ForeignKey(
        SourceSeries, null=True, on_delete=models.DO_NOTHING, related_name="+"
    )
    number = models.IntegerField(null=True)
    # offset, then the lengths of: elements before the pixels, behind them, bulk values, their index, JSON
    place = models.JSONField(default=list)
    digest = models.CharField(max_length=64, blank=True)

    class Meta:
        db_table = "truth_source_uid"

    def __str__(self) -> str:
        return str(self.instance_id)
