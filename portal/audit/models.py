"""The trail (events without values, payloads behind the fence) and signatures."""

from typing import ClassVar

from django.conf import settings
from django.db import models


class AuditEvent(models.Model):
    """One act: who did what to which object, chained to the act before it."""

    seq = models.PositiveBigIntegerField(unique=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=80)
    role = models.CharField(max_length=40)
    verb = models.CharField(max_length=80)
    obj = models.CharField(max_length=120, blank=True)
    study = models.CharField(max_length=40, blank=True, db_index=True)
    scope = models.CharField(max_length=40)
    reason_code = models.CharField(max_length=40, blank=True)
    request = models.CharField(max_length=40, blank=True)
    session = models.CharField(max_length=64, blank=True)
    ip = models.CharField(max_length=45, blank=True)
    app = models.CharField(max_length=20)
    clock = models.CharField(max_length=12, default="ok")
    payload = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering: ClassVar = ["seq"]

    def __str__(self) -> str:
        return f"{self.seq} {self.verb}"


class AuditPayload(models.Model):
    """The values of one act as canonical JSON with a salt."""

    event = models.OneToOneField(
        AuditEvent, on_delete=models.PROTECT, primary_key=True, related_name="values"
    )
    salt = models.BinaryField()
    body = models.TextField()

    def __str__(self) -> str:
        return f"payload of {self.event_id}"


class Signature(models.Model):
    """A person's signature under one record's digest; reopening adds a `voided` row."""

    class Kind(models.TextChoices):
        SIGNED = "signed"
        VOIDED = "voided"

    kind = models.CharField(max_length=8, choices=Kind, default=Kind.SIGNED)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    printed_name = models.CharField(max_length=200)
    study = models.CharField(max_length=40)
    obj = models.CharField(max_length=120, db_index=True)
    meaning = models.TextField()
    record_digest = models.CharField(max_length=64)
    method = models.CharField(max_length=40)
    reason = models.TextField(blank=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.kind} {self.obj}"
