"""The trail: golden hashes, append-only in the database, verification that names the broken row."""

import json
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction

from portal.audit.chain import GENESIS, canonical, event_hash, payload_digest
from portal.audit.models import AuditEvent, AuditPayload
from portal.audit.payloads import redact, values_of
from portal.audit.trail import record
from portal.audit.verify import anchor, verify
from portal.errors import Invalid
from portal.fence import triggers

SALT = bytes(range(16))
FIRST = {
    "actor": "system", "app": "0.1.0", "at": "2026-01-02T03:04:05.678901Z", "clock": "ok", "ip": "",
    "obj": "", "payload": "", "reason_code": "", "request": "", "role": "system", "scope": "system",
    "seq": 1, "session": "", "study": "", "verb": "audit.genesis",
}  # fmt: skip
SECOND = {
    "actor": "u:7", "app": "0.1.0", "at": "2026-01-02T03:05:00.000000Z", "clock": "ok",
    "ip": "127.0.0.1", "obj": "read:42",
    "payload": "ceadf63fbeb9e3efe3c2a15fcda527712fd1d9b98a697f4da9bdfea4a29bfa6a",
    "reason_code": "", "request": "r-1", "role": "reader", "scope": "own", "seq": 2,
    "session": "s-1", "study": "DEMO", "verb": "read.submit",
}  # fmt: skip
PAYLOAD = {"new": {"confidence": 80, "label": "metastasis"}, "old": None, "reason": "Grüße"}
FIRST_HASH = "ce133e09123f2fcf8e96ef218055d1523d761edf29204dcdd73d7063fc88b7a6"
SECOND_HASH = "e05639dfd923edd2aad3b4c9ac62c12251bcb2eeee0b2ae4a61e2c7e2713e389"


@pytest.fixture
def no_triggers(transactional_db):
    """A database whose trail can be tampered with, as its owner could."""
    triggers.drop(connection)
    yield
    AuditPayload.objects.all().delete()
    AuditEvent.objects.all().delete()


def test_the_golden_vector_of_the_chain_is_met():
    assert event_hash(GENESIS, FIRST) == FIRST_HASH
    assert payload_digest(SALT, PAYLOAD) == SECOND["payload"]
    assert event_hash(bytes.fromhex(FIRST_HASH), SECOND) == SECOND_HASH


def test_floats_are_written_as_decimal_strings():
    assert canonical({"x": 0.1}) == b'{"x":"0.1"}'


@pytest.mark.django_db
def test_each_act_is_chained_to_the_one_before(tmp_path):
    for n in range(5):
        record("test.act", obj=f"thing:{n}", new={"n": n})
    result = verify(tmp_path / "heads.txt")
    assert result.is_intact
    assert result.n_events == 5


@pytest.mark.promise("A2")
@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditevent SET verb = 'x'",
        "DELETE FROM audit_auditevent",
        "DELETE FROM audit_auditpayload",
        "UPDATE audit_auditpayload SET body = 'x'",
    ],
)
def test_raw_sql_cannot_change_the_trail(statement):
    record("test.act", new={"a": 1})
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert AuditEvent.objects.get().verb == "test.act"


@pytest.mark.promise("A2")
@pytest.mark.django_db
def test_replacing_a_row_of_the_trail_is_refused():
    event = record("test.act")
    with pytest.raises(IntegrityError), transaction.atomic():
        AuditEvent(pk=event.pk, seq=event.seq, at=event.at, verb="x").save(force_insert=True)


@pytest.mark.promise("A3")
def test_verification_names_an_edited_row(no_triggers, tmp_path):
    for _ in range(3):
        record("test.act")
    AuditEvent.objects.filter(seq=2).update(verb="other")
    result = verify(tmp_path / "heads.txt")
    assert result.broken_seq == 2


@pytest.mark.promise("A3")
def test_verification_names_a_row_missing_in_the_middle(no_triggers, tmp_path):
    for _ in range(3):
        record("test.act")
    AuditEvent.objects.filter(seq=2).delete()
    assert verify(tmp_path / "heads.txt").broken_seq == 2


@pytest.mark.promise("A3")
def test_a_cut_tail_shows_in_the_side_file(no_triggers, tmp_path):
    for _ in range(3):
        record("test.act")
    anchor(tmp_path / "heads.txt")
    AuditEvent.objects.filter(seq=3).delete()
    assert verify(tmp_path / "heads.txt").broken_seq == 3


@pytest.mark.promise("A3")
def test_verification_names_changed_values(no_triggers, tmp_path):
    event = record("test.act", new={"a": 1})
    AuditPayload.objects.filter(event=event).update(body='{"new":{"a":2},"old":null,"reason":""}')
    assert verify(tmp_path / "heads.txt").broken_seq == 1


@pytest.mark.django_db
def test_a_redacted_payload_leaves_the_chain_intact(tmp_path):
    event = record("test.act", new={"name": "a person"})
    row = AuditPayload.objects.get(event=event)
    redact(row, reason="withdrawn consent", actor="u:1", role="administrator")
    row.refresh_from_db()
    assert values_of(row) == {"redacted": True}
    assert verify(tmp_path / "heads.txt").is_intact


@pytest.mark.django_db
def test_redaction_without_a_reason_is_refused():
    row = AuditPayload.objects.get(event=record("test.act", new={"a": 1}))
    with pytest.raises(Invalid):
        redact(row, reason="short", actor="u:1", role="administrator")
    assert json.loads(row.body)["new"] == {"a": 1}


@pytest.mark.django_db
def test_the_side_file_is_readable_by_its_owner_only(tmp_path):
    record("test.act")
    path: Path = tmp_path / "heads.txt"
    anchor(path)
    assert path.stat().st_mode & 0o777 == 0o600
