"""The job table: the truth about work; Celery messages only wake a worker up."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

LEASE_SECONDS = 20
BEAT_SECONDS = 5
REAPER_SECONDS = 5
MAX_ATTEMPTS = 3
WAKE_UP_REPEAT_SECONDS = 60


class JobQuerySet(models.QuerySet["Job"]):
    def active(self) -> "JobQuerySet":
        return self.filter(state__in=[Job.State.QUEUED, Job.State.RUNNING])

    def of_study(self, code: str) -> "JobQuerySet":
        return self.filter(study=code)


class Job(models.Model):
    """One piece of work; the same inputs (kind, key) are queued once."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    kind = models.CharField(max_length=60)
    key = models.CharField(max_length=64)
    study = models.CharField(max_length=40, blank=True, db_index=True)
    arguments = models.JSONField(default=dict)
    code_version = models.CharField(max_length=20)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    token = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField()
    wake_at = models.DateTimeField()
    worker = models.CharField(max_length=80, blank=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    error_class = models.CharField(max_length=80, blank=True)
    error_text = models.TextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["state", "wake_at"], name="job_state_wake_at")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "key"],
                condition=Q(state__in=["queued", "running"]),
                name="one_active_job_per_kind_and_key",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Heartbeat(models.Model):
    """When a process of the installation (worker, reaper) was last seen."""

    name = models.CharField(max_length=80, primary_key=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
