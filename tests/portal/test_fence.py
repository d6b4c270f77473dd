"""The database's own refusal: what a blind connection can and cannot do."""

import pytest
from django.apps import apps
from django.db import DatabaseError, connection
from django.db.models import ForeignKey

from portal.audit.models import AuditEvent, AuditPayload
from portal.audit.trail import record
from portal.fence import triggers
from portal.fence.blind import blinded, lifted
from portal.fence.tables import WRITABLE
from portal.study.models import SplitPart, Study
from portal.truth.models import ReferenceStandard
from tests.cohort import NOW, make_lesion, make_patient, make_study, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def standard():
    lesion = make_lesion(make_patient(make_study()))
    return ReferenceStandard.objects.create(
        lesion=lesion,
        diagnosis="benign",
        method="pathology",
        entered_by=make_user("coordinator"),
        entered_at=NOW,
    )


@pytest.mark.promise("B9")
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT diagnosis FROM truth_reference_standard",
        "SELECT COUNT(*) FROM truth_reference_standard",
        "SELECT COUNT(*) FROM TRUTH_REFERENCE_STANDARD AS t",
        "SELECT id FROM study_lesion WHERE id IN (SELECT lesion_id FROM truth_reference_standard)",
        "SELECT * FROM sqlite_sequence",
        "SELECT sql FROM sqlite_master",
        "ALTER TABLE truth_reference_standard RENAME TO open_table",
        "CREATE TEMP TABLE t AS SELECT * FROM truth_reference_standard",
        "CREATE VIEW v AS SELECT * FROM truth_reference_standard",
        "ATTACH DATABASE ':memory:' AS other",
        "PRAGMA table_info(truth_reference_standard)",
        "INSERT INTO truth_reference_standard (diagnosis) VALUES ('benign')",
        "DELETE FROM truth_reference_standard",
        "UPDATE study_study SET state = 'UNBLINDED'",
        "DELETE FROM readers_read",
    ],
)
def test_a_blind_request_is_refused_by_the_database(standard, statement):
    with pytest.raises(DatabaseError), blinded(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.promise("B9")
def test_the_orm_is_refused_too(standard):
    with pytest.raises(DatabaseError), blinded():
        list(ReferenceStandard.objects.all())
    with pytest.raises(DatabaseError), blinded():
        SplitPart.objects.count()


def test_a_blind_request_may_read_its_study_and_sign(standard):
    with blinded():
        assert Study.objects.get().code == "bone"
        event = record("test.act", new={"a": 1})
    assert AuditEvent.objects.get(pk=event.pk).verb == "test.act"


def test_a_blind_request_may_write_but_not_read_audit_values():
    event = record("test.act", new={"a": 1})
    with pytest.raises(DatabaseError), blinded():
        AuditPayload.objects.get(event=event)
    assert AuditPayload.objects.get(event=event).body


def count_then_blind_count() -> None:
    with lifted():
        assert ReferenceStandard.objects.count() == 1
    ReferenceStandard.objects.count()


def test_a_lifted_view_reads_truth_and_the_fence_is_up_again_after_it(standard):
    with pytest.raises(DatabaseError), blinded():
        count_then_blind_count()
    assert ReferenceStandard.objects.count() == 1


@pytest.mark.promise("R16")
def test_a_missing_trigger_is_named():
    assert triggers.missing(connection) == []
    name = next(iter(triggers.registry))
    table = triggers.registry[name].table
    on = f' ON "{table}"' if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f'DROP TRIGGER "{name}"{on}')
    assert triggers.missing(connection) == [name]
    triggers.install(connection)
    assert triggers.missing(connection) == []


@pytest.mark.trap("D6")
def test_no_truth_table_is_read_when_a_reader_writes():
    """SQLite looks into every table that refers to a row being written: none of them may lie behind the fence."""
    written = {t for t in WRITABLE if t.startswith("readers_")}
    wrong = [
        f"{model._meta.db_table}.{field.name}"
        for model in apps.get_models()
        if model._meta.db_table.startswith("truth_")
        for field in model._meta.get_fields()
        if isinstance(field, ForeignKey)
        and field.db_constraint
        and field.related_model._meta.db_table in written
    ]
    assert written
    assert wrong == []
