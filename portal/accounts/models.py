"""People who sign in, and the tokens of their programs."""

import secrets
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q


def random_code() -> str:
    """24 characters of a 120-bit random number: an identifier that tells nothing."""
    return secrets.token_hex(12)


class User(AbstractUser):
    """A person; rights come from memberships of studies, never from this row."""

    code = models.CharField(max_length=24, unique=True, default=random_code, editable=False)
    preferences = models.JSONField(default=dict, blank=True)
    sessions_since = models.DateTimeField(null=True, blank=True, editable=False)
    rights_changed_at = models.DateTimeField(null=True, blank=True, editable=False)

    def __str__(self) -> str:
        return self.username

    @property
    def printed_name(self) -> str:
        return self.get_full_name() or self.username


class ApiToken(models.Model):
    """A named token of a user's program; only its SHA-256 is stored."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    label = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=models.F("created_at")),
                name="token_expires_after_creation",
            )
        ]

    def __str__(self) -> str:
        return self.label
