"""Reading and redacting the values of acts (truth-seeing requests only: the fence sees to it)."""

import hashlib
import json
from typing import Any

from django.db import transaction

from portal.audit.models import AuditPayload
from portal.audit.trail import record
from portal.errors import Invalid


def digest_of(row: AuditPayload) -> str:
    return hashlib.sha256(bytes(row.salt) + row.body.encode()).hexdigest()


def values_of(row: AuditPayload) -> dict[str, Any]:
    if not row.body:
        return {"redacted": True}
    values: dict[str, Any] = json.loads(row.body)
    return values


def redact(row: AuditPayload, *, reason: str, actor: str, role: str) -> None:
    """Empty body and salt; the digest stays in the chain, the text cannot be guessed without salt."""
    if len(reason.strip()) < 10:
        raise Invalid(
            "Say in at least 10 characters why these values are redacted.", field="reason"
        )
    with transaction.atomic():
        row.body, row.salt = "", b""
        row.save(update_fields=["body", "salt"])
        record("audit.redact", obj=f"event:{row.event_id}", role=role, reason=reason, actor=actor)
