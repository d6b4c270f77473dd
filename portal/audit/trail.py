"""Recording acts: each is the last statement of its transaction, under the chain lock."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from portal import __version__
from portal.audit.chain import GENESIS, canonical, event_hash, exact, payload_digest
from portal.audit.context import current
from portal.audit.models import AuditEvent, AuditPayload
from portal.sql import rows
from portal.sql.asked import Asked, written

CHAIN_LOCK = 0x0557E0


def lock_chain() -> None:
    """Serialise writers: SQLite's IMMEDIATE transaction is the lock, Postgres takes an advisory one."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CHAIN_LOCK])


def record(
    verb: str,
    *,
    obj: str = "",
    study: str = "",
    role: str = "",
    scope: str = "study",
    new: Any = None,
    old: Any = None,
    reason: str = "",
    reason_code: str = "",
    actor: str = "",
    clock: str = "",
) -> AuditEvent:
    """Append one act to the trail; values and reason go to its payload, behind the fence."""
    has_values = new is not None or old is not None or bool(reason)
    payload = exact({"new": new, "old": old, "reason": reason})
    salt = secrets.token_bytes(16)
    act = {
        "verb": verb, "obj": obj, "study": study, "role": role or "system", "scope": scope,
        "reason_code": reason_code, "payload": payload_digest(salt, payload) if has_values else "",
    }  # fmt: skip
    with transaction.atomic():
        event = append(act, actor=actor, clock=clock)
        if has_values:
            rows.insert([AuditPayload(event=event, salt=salt, body=canonical(payload).decode())])
    return event


@dataclass(frozen=True)
class Head:
    """The last act of the chain."""

    seq: int
    hash: bytes
    at: datetime | None = None


def head_of_chain() -> Head:
    for seq, text, at in last_act().rows({}):
        return Head(seq, bytes.fromhex(text), moment(at))
    return Head(0, GENESIS)


@lru_cache(maxsize=1)
def last_act() -> Asked:
    return written(AuditEvent.objects.order_by("-seq").values_list("seq", "hash", "at")[:1])


def moment(stored: datetime | str) -> datetime | None:
    """A time as a database gives it to those who ask without the ORM: of SQLite it is UTC, and says nothing of that."""
    found = parse_datetime(stored) if isinstance(stored, str) else stored
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found


def append(act: dict[str, Any], *, actor: str, clock: str) -> AuditEvent:
    """Chain one act to the head, with who, when and in which request."""
    who = current.get()
    lock_chain()
    head, now = head_of_chain(), timezone.now()
    went_back = head.at is not None and now < head.at
    fields: dict[str, Any] = {
        **act,
        "seq": head.seq + 1,
        "at": now,
        "actor": actor or who.actor,
        "request": who.request,
        "session": who.session,
        "ip": who.ip,
        "app": __version__,
        "clock": "back" if went_back else clock or who.clock,
    }
    event = AuditEvent(**fields, hash=event_hash(head.hash, fields))
    rows.insert_one(event)
    return event
