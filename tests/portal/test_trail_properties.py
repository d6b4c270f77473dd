"""The trail under generated acts and faults: canonical JSON, any edit of any field found, eight writers, one chain."""

import hashlib
import json
import math
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from django.core.management.color import no_style
from django.db import DatabaseError, IntegrityError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.audit import chain
from portal.audit.chain import (
    GENESIS,
    canonical,
    digest,
    event_hash,
    exact,
    payload_digest,
    utc_text,
)
from portal.audit.context import Context, current
from portal.audit.models import AuditEvent, AuditPayload, Signature
from portal.audit.payloads import redact, values_of
from portal.audit.trail import record
from portal.audit.verify import FIELDS, anchor, verify, verify_chain
from portal.fence import triggers
from portal.fence.blind import blinded
from tests.cohort import NOW, make_user
from tests.portal.launched import python

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


# --- canonical JSON -----------------------------------------------------------------------------


@given(plain)
def test_canonical_json_says_the_same_and_is_its_own_canonical_form(value):
    text = canonical(value)
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text


@given(st.dictionaries(st.text(max_size=8), st.integers(), max_size=6))
def test_the_order_in_which_a_record_was_made_does_not_matter(record):
    assert digest(dict(reversed(list(record.items())))) == digest(record)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_written_so_that_it_reads_back_exactly(x):
    assert float(json.loads(canonical({"x": x}))["x"]) == x


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None]}, b'{"a":[true,null],"b":1}'), ("Grüße", '"Grüße"'.encode()), (0.1, b'"0.1"'),
        (1e300, b'"1e+300"'), (date(2026, 1, 2), b'"2026-01-02"'), ((1, 2), b"[1,2]"), ({1: 2}, b'{"1":2}'),
        ("\u2028\"\\", '"\u2028\\"\\\\"'.encode()),
    ],
)  # fmt: skip
def test_canonical_json_by_hand(value, text):
    assert canonical(value) == text


@pytest.mark.parametrize("hours", [-11, 0, 2, 5.5])
def test_times_are_utc_with_six_places_wherever_they_were_told(hours):
    zone = timezone(timedelta(hours=hours))
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    assert utc_text(moment.astimezone(zone)) == "2026-01-02T03:04:05.678901Z"
    assert exact(moment.astimezone(zone)) == "2026-01-02T03:04:05.678901Z"


def test_what_is_no_number_is_written_as_text():
    assert [exact(x) for x in (math.inf, math.nan)] == ["inf", "nan"]


def test_the_hash_is_sha256_of_the_previous_hash_and_the_record():
    event = {"seq": 1, "verb": "x"}
    assert (
        event_hash(GENESIS, event)
        == hashlib.sha256(bytes(32) + b'{"seq":1,"verb":"x"}').hexdigest()
    )
    assert payload_digest(b"salt", {"a": 1}) == hashlib.sha256(b'salt{"a":1}').hexdigest()
    assert digest({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()
    assert chain.GENESIS == b"\x00" * 32


# --- recording ----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_act_carries_who_when_where_and_no_value():
    token = current.set(Context(actor="u:7", request="r-1", session="s-1", ip="10.0.0.1"))
    try:
        event = record(
            "read.submit",
            obj="case:1",
            study="bone",
            role="reader",
            new={"call": "benign"},
            reason="secret",
        )
    finally:
        current.reset(token)
    row = AuditEvent.objects.values().get(pk=event.pk)
    assert (row["actor"], row["request"], row["session"], row["ip"]) == (
        "u:7",
        "r-1",
        "s-1",
        "10.0.0.1",
    )
    assert "benign" not in str(row)
    assert "secret" not in str(row)
    assert values_of(AuditPayload.objects.get()) == {
        "new": {"call": "benign"},
        "old": None,
        "reason": "secret",
    }


@pytest.mark.django_db
def test_an_act_without_values_has_no_payload():
    assert record("x").payload == ""
    assert not AuditPayload.objects.exists()


@pytest.mark.django_db
def test_the_same_values_twice_have_different_digests():
    one, two = (record("x", new={"call": "benign"}).payload for _ in range(2))
    assert one != two
    assert {len(bytes(p.salt)) for p in AuditPayload.objects.all()} == {16}


@pytest.mark.django_db
def test_an_act_of_a_transaction_that_failed_never_was():
    def act_and_fail() -> None:
        with transaction.atomic():
            record("x", new=1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        act_and_fail()
    record("y")
    assert list(AuditEvent.objects.values_list("seq", "verb")) == [(1, "y")]
    assert verify().is_intact


# --- verification -------------------------------------------------------------------------------


@pytest.fixture
def acts(transactional_db):
    """Six acts with values in a database whose triggers its owner has dropped."""
    for n in range(6):
        record("test.act", obj=f"thing:{n}", new={"n": n}, reason=f"because {n}")
    triggers.drop(connection)
    yield
    AuditPayload.objects.all().delete()
    AuditEvent.objects.all().delete()


@pytest.mark.promise("A3")
@pytest.mark.parametrize("field", [f for f in FIELDS if f not in {"seq"}])
def test_a_change_of_any_field_names_the_row(acts, field, tmp_path):
    other = NOW if field == "at" else "another"
    AuditEvent.objects.filter(seq=3).update(**{field: other})
    found = verify(tmp_path / "none")
    assert found.broken_seq == 3
    assert "row 3" in found.sentence


@pytest.mark.promise("A3")
@pytest.mark.parametrize("lost", [1, 2, 5])
def test_the_first_gap_is_named(acts, lost, tmp_path):
    AuditPayload.objects.filter(event__seq=lost).delete()
    AuditEvent.objects.filter(seq=lost).delete()
    assert verify(tmp_path / "none").broken_seq == lost


@pytest.mark.promise("A3")
def test_two_rows_that_changed_places_are_found(acts):
    rows = list(AuditEvent.objects.order_by("seq"))
    rows[1], rows[2] = rows[2], rows[1]
    assert verify_chain(rows).broken_seq == 2


@pytest.mark.promise("A3")
def test_a_row_put_in_between_is_found(acts, tmp_path):
    row = AuditEvent.objects.get(seq=6)
    row.pk, row.seq, row.verb = None, 7, "forged"
    row.save(force_insert=True)
    assert verify(tmp_path / "none").broken_seq == 7


@pytest.mark.promise("A3")
def test_values_of_another_act_are_found(acts, tmp_path):
    first, second = AuditPayload.objects.order_by("event__seq")[:2]
    AuditPayload.objects.filter(pk=first.pk).update(salt=second.salt, body=second.body)
    assert verify(tmp_path / "none").broken_seq == 1


@pytest.mark.promise("A3")
@pytest.mark.parametrize("cut", [1, 3])
def test_a_cut_tail_is_found_by_the_head_outside(acts, cut, tmp_path):
    side = tmp_path / "heads"
    anchor(side)
    for seq in range(7 - cut, 7):
        AuditPayload.objects.filter(event__seq=seq).delete()
        AuditEvent.objects.filter(seq=seq).delete()
    assert verify(tmp_path / "none").is_intact  # the chain alone cannot know
    assert verify(side).broken_seq == 6


def test_an_empty_trail_holds(db, tmp_path):
    found = verify(tmp_path / "none")
    assert (found.n_events, found.head, found.is_intact) == (0, "00" * 32, True)


@pytest.mark.django_db
@settings(max_examples=15, deadline=None)
@given(values=st.lists(plain, min_size=1, max_size=4))
def test_whatever_was_recorded_verifies_also_after_a_redaction(values):
    with transaction.atomic():
        rows = [record("test.act", new={"value": value}) for value in values]
        payload = AuditPayload.objects.get(event=rows[0])
        redact(payload, reason="the person asked for it", actor="u:1", role="administrator")
        assert verify_chain(AuditEvent.objects.order_by("seq")).is_intact
        transaction.set_rollback(True)


# --- what the database refuses ------------------------------------------------------------------


@pytest.fixture
def signed(db) -> Signature:
    record("x", new=1)
    return Signature.objects.create(
        user=make_user("coordinator"), printed_name="C", study="bone", obj="study:bone", meaning="I lock.",
        record_digest="0" * 64, method="password", at=NOW,
    )  # fmt: skip


@pytest.mark.promise("A2")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditpayload SET event_id = event_id + 1", "UPDATE audit_auditpayload SET body = body || ' '",
        "UPDATE audit_auditevent SET seq = seq + 1", "UPDATE audit_auditevent SET hash = hash",
        "DELETE FROM audit_signature", "UPDATE audit_signature SET meaning = 'I read.'",
        "UPDATE audit_signature SET kind = 'voided'",
    ],
)  # fmt: skip
def test_raw_sql_changes_neither_trail_nor_signature(signed, statement):
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.trap("D2")
@pytest.mark.promise("A2")
@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="REPLACE is SQLite's")
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
@pytest.mark.parametrize("table", ["audit_auditevent", "audit_auditpayload", "audit_signature"])
def test_replace_is_refused_whatever_the_pragma_says(signed, table, recursive):
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA recursive_triggers={recursive}")
        try:
            with pytest.raises(IntegrityError), transaction.atomic():
                cursor.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
        finally:
            cursor.execute("PRAGMA recursive_triggers=ON")


@pytest.mark.trap("D3")
@pytest.mark.parametrize("table", ["audit_auditevent", "audit_auditpayload", "audit_signature"])
def test_a_flush_is_refused_and_removes_nothing(signed, table):
    counts = [AuditEvent.objects.count(), Signature.objects.count()]
    connection.check_constraints()  # Postgres empties no table whose rows still wait for their check
    statements = connection.ops.sql_flush(no_style(), [table])
    with pytest.raises(DatabaseError), transaction.atomic():
        connection.ops.execute_sql_flush(statements)
    assert [AuditEvent.objects.count(), Signature.objects.count()] == counts


@pytest.mark.promise("A2")
def test_bulk_calls_of_the_orm_are_refused(signed):
    for change in (
        lambda: AuditEvent.objects.all().delete(), lambda: AuditEvent.objects.update(verb="y"),
        lambda: Signature.objects.all().delete(), lambda: Signature.objects.update(reason="y"),
        lambda: AuditPayload.objects.all().delete(),
    ):  # fmt: skip
        with pytest.raises(IntegrityError), transaction.atomic():
            change()


@pytest.mark.promise("A2")
def test_a_blind_request_appends_and_signs_but_edits_no_signature(signed):
    with blinded():
        record("y", new={"a": 1})
    with (
        pytest.raises(Exception, match=r"prohibited|denied|not authorized"),
        transaction.atomic(),
        blinded(),
    ):
        Signature.objects.update(reason="y")


# --- eight writers ------------------------------------------------------------------------------

WRITERS = """
import django, threading
django.setup()
from portal.audit.trail import record
def write(name):
    for n in range(20):
        record("test.act", obj=f"writer:{name}", new={"n": n})
threads = [threading.Thread(target=write, args=(k,)) for k in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


@pytest.mark.promise("A3")
@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="the writers share a file")
def test_eight_writers_at_once_make_one_chain_without_a_fork(tmp_path):
    python(tmp_path, "manage.py", "migrate", "audit", "--skip-checks", "--verbosity", "0")
    python(tmp_path, "-c", WRITERS)
    found = json.loads(python(tmp_path, "manage.py", "audit_verify", "--json"))
    assert (found["intact"], found["events"]) == (True, 160)
