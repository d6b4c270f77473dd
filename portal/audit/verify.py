"""Verifying the trail: the first row that does not follow from the one before it."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings

from portal.audit.chain import GENESIS, event_hash, utc_text
from portal.audit.models import AuditEvent, AuditPayload
from portal.audit.payloads import digest_of
from portal.audit.trail import record

FIELDS = (
    "seq", "at", "actor", "role", "verb", "obj", "study", "scope", "reason_code", "request",
    "session", "ip", "app", "clock", "payload",
)  # fmt: skip


@dataclass(frozen=True)
class Verification:
    """`broken_seq` is the first bad row (None: the chain holds), `sentence` says what is wrong."""

    n_events: int
    head: str
    broken_seq: int | None
    sentence: str

    @property
    def is_intact(self) -> bool:
        return self.broken_seq is None


LINE_BYTES = 1024


def broken(n: int, head: str, seq: int, what: str) -> Verification:
    return Verification(n, head, seq, f"The audit trail is broken at row {seq}: {what}.")


def check_event(event: AuditEvent, previous: bytes, expected_seq: int) -> str:
    if event.seq != expected_seq:
        return f"row {expected_seq} is missing"
    if event_hash(previous, {name: getattr(event, name) for name in FIELDS}) != event.hash:
        return "its content does not match its hash"
    return ""


def verify_chain(events: Iterable[AuditEvent]) -> Verification:
    previous, count = GENESIS, 0
    for event in events:
        what = check_event(event, previous, count + 1)
        if what:
            return broken(count, previous.hex(), min(event.seq, count + 1), what)
        previous, count = bytes.fromhex(event.hash), count + 1
    return Verification(count, previous.hex(), None, f"All {count} rows of the audit trail hold.")


def verify_payloads(n: int, head: str, using: str) -> Verification | None:
    rows = AuditPayload.objects.using(using).select_related("event").order_by("event__seq")
    for row in rows.iterator(chunk_size=2000):
        if row.body and digest_of(row) != row.event.payload:
            return broken(n, head, row.event.seq, "its values do not match their digest")
    return None


def verify_side_file(path: Path, n: int, head: str, using: str) -> Verification | None:
    """The heads written outside the database must still be in it: a cut tail shows."""
    for line in path.read_text().splitlines() if path.exists() else []:
        seq, value, _ = line.split(" ", 2)
        event = AuditEvent.objects.using(using).filter(seq=int(seq)).first()
        if event is None or event.hash != value:
            return broken(n, head, int(seq), "the side file knows another head")
    return None


def side_file_of_installation() -> Path:
    path: Path = settings.DATA_DIR / "audit-heads.txt"
    return path


def verify(side_file: Path | None = None, *, using: str = "default") -> Verification:
    """Check every row, every payload and the side file (of this installation unless given)."""
    side_file = side_file or side_file_of_installation()
    rows = AuditEvent.objects.using(using).order_by("seq")
    result = verify_chain(rows.iterator(chunk_size=2000))
    if not result.is_intact:
        return result
    bad = verify_payloads(result.n_events, result.head, using)
    return bad or verify_side_file(side_file, result.n_events, result.head, using) or result


def last_line(side_file: Path) -> str:
    """What the side file says last; '' where there is none."""
    if not side_file.exists():
        return ""
    with side_file.open("rb") as file:
        file.seek(max(0, side_file.stat().st_size - LINE_BYTES))
        lines = file.read().decode().splitlines()
    return lines[-1] if lines else ""


def head_holds(side_file: Path | None = None) -> bool:
    """Whether the last head written outside the database is still in it."""
    last = last_line(side_file or side_file_of_installation())
    if not last:
        return True
    seq, value, *_ = [*last.split(" "), ""]
    return seq.isdigit() and AuditEvent.objects.filter(seq=int(seq), hash=value).exists()


def acknowledge(*, reason: str, now: datetime) -> None:
    """An administrator accepts a head that disagrees: an act of its own; the old side file is kept beside."""
    side_file = side_file_of_installation()
    if side_file.exists():
        side_file.rename(side_file.with_name(f"audit-heads.{now:%Y%m%dT%H%M%S}.txt"))
    record("audit.acknowledge", scope="system", reason=reason)
    anchor(side_file)


def anchor(side_file: Path | None = None) -> None:
    """Append `seq hash time` of the head to the side file, unless it stands there already."""
    side_file = side_file or side_file_of_installation()
    head = AuditEvent.objects.order_by("-seq").first()
    if head is None or last_line(side_file).startswith(f"{head.seq} {head.hash} "):
        return
    handle = os.open(side_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "a") as out:
        out.write(f"{head.seq} {head.hash} {utc_text(head.at)}\n")
