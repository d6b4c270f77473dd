"""Reference standards: revisions with reasons, immutable rows, sealed after the reads are locked."""

from datetime import date

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from portal.audit.models import AuditEvent
from portal.errors import Conflict, Invalid
from portal.fence.blind import blinded
from portal.study.models import Lesion
from portal.truth.entry import current_of, enter
from portal.truth.models import ReferenceStandard
from tests.cohort import NOW, make_lesion, make_patient, make_study
from tests.study.builders import carry_to, coordinator
from tests.truth.builders import make_standard

pytestmark = pytest.mark.django_db
LATE = ("READS_LOCKED", "UNBLINDED", "ARCHIVED")


def lesion_in(state: str = "SCREENING") -> Lesion:
    return make_lesion(make_patient(make_study(state=state)))


def test_a_standard_keeps_what_method_when_and_who() -> None:
    row = enter(
        lesion_in(), diagnosis="metastasis", subtype=" breast ", method="pathology",
        determined_on=date(2020, 5, 14), actor=coordinator(), now=NOW,
    )  # fmt: skip
    assert (row.revision, row.is_current, row.subtype) == (1, True, "breast")
    assert (row.entered_by, row.entered_at) == (coordinator(), NOW)


def test_entering_is_one_audit_row_without_the_answer_in_the_open() -> None:
    lesion = lesion_in()
    make_standard(lesion, "metastasis")
    row = AuditEvent.objects.get()
    assert (row.verb, row.obj) == ("truth.enter", f"lesion:{lesion.code}")
    assert "metastasis" not in str(AuditEvent.objects.values().get())


def test_a_change_is_a_new_revision_and_the_old_row_stays() -> None:
    lesion = lesion_in()
    first = make_standard(lesion, "metastasis")
    second = make_standard(lesion, "benign", reason="follow-up of six months")
    first.refresh_from_db()
    assert (first.diagnosis, first.is_current) == ("metastasis", False)
    assert (second.revision, current_of(lesion)) == (2, second)


def test_a_change_needs_a_reason() -> None:
    lesion = lesion_in()
    make_standard(lesion, "metastasis")
    with pytest.raises(Invalid, match="say why"):
        make_standard(lesion, "benign", reason="  ")
    assert ReferenceStandard.objects.count() == 1


def test_the_same_answer_again_changes_nothing() -> None:
    lesion = lesion_in()
    assert make_standard(lesion, "benign") == make_standard(lesion, "benign")
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"diagnosis": "cancer"}, "diagnosis"),
        ({"method": "guess"}, "method"),
        ({"subtype": "x" * 61}, "subtype"),
        ({"determined_on": date(2030, 1, 1)}, "future"),
    ],
)
def test_a_faulty_standard_is_refused(change: dict[str, object], match: str) -> None:
    fields = {
        "diagnosis": "benign", "subtype": "", "method": "pathology", "determined_on": None, **change,
    }  # fmt: skip
    with pytest.raises(Invalid, match=match):
        enter(lesion_in(), actor=coordinator(), now=NOW, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", LATE)
def test_nothing_is_entered_once_the_reads_are_locked(state: str) -> None:
    with pytest.raises(Conflict, match=state):
        make_standard(lesion_in(state), "benign")


@pytest.mark.parametrize("state", LATE)
@pytest.mark.promise("R15")
def test_the_database_refuses_a_late_standard(state: str) -> None:
    lesion = lesion_in()
    row = make_standard(lesion, "benign")
    carry_to(lesion.patient.study, state)
    with pytest.raises(IntegrityError, match="reads are locked"), transaction.atomic():
        ReferenceStandard.objects.filter(pk=row.pk).update(is_current=False)
    with pytest.raises(IntegrityError, match="reads are locked"), transaction.atomic():
        ReferenceStandard.objects.create(
            lesion=make_lesion(make_patient(lesion.patient.study)), diagnosis="benign",
            method="pathology", entered_by=coordinator(), entered_at=NOW,
        )  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [{"diagnosis": "metastasis"}, {"subtype": "x"}, {"note": "x"}, {"method": "clinical_course"},
     {"revision": 7, "reason": "x"}, {"is_current": False, "diagnosis": "metastasis"}],
)  # fmt: skip
def test_a_standard_never_changes_in_place(change: dict[str, object]) -> None:
    row = make_standard(lesion_in(), "benign")
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        ReferenceStandard.objects.filter(pk=row.pk).update(**change)
    for name, value in change.items():
        setattr(row, name, value)
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        row.save()


def test_a_superseded_standard_is_not_revived() -> None:
    lesion = lesion_in()
    first = make_standard(lesion, "benign")
    make_standard(lesion, "metastasis", reason="biopsy")
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        ReferenceStandard.objects.filter(pk=first.pk).update(is_current=True)


def test_standards_are_never_deleted() -> None:
    make_standard(lesion_in(), "benign")
    with pytest.raises(IntegrityError, match="never deleted"), transaction.atomic():
        ReferenceStandard.objects.all().delete()
    with (
        pytest.raises(IntegrityError, match="never deleted"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("DELETE FROM truth_reference_standard")


def test_a_lesion_has_one_current_standard() -> None:
    lesion = lesion_in()
    make_standard(lesion, "benign")
    with pytest.raises(IntegrityError), transaction.atomic():
        ReferenceStandard.objects.create(
            lesion=lesion, revision=2, reason="x", diagnosis="metastasis", method="pathology",
            entered_by=coordinator(), entered_at=NOW,
        )  # fmt: skip


def test_a_lesion_knows_no_way_to_its_standard() -> None:
    names = {f.name for f in Lesion._meta.get_fields(include_hidden=False)}
    assert not any("standard" in name or "truth" in name for name in names)


@pytest.mark.promise("B9")
@pytest.mark.skipif(connection.vendor != "sqlite", reason="the authorizer is SQLite's fence")
@pytest.mark.parametrize(
    "table", ["truth_reference_standard", "truth_train_label", "truth_split_part"]
)
def test_a_blinded_request_reads_none_of_it(table: str) -> None:
    make_standard(lesion_in(), "metastasis")
    with blinded(), pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")


@pytest.mark.promise("B9")
@pytest.mark.skipif(connection.vendor != "sqlite", reason="the authorizer is SQLite's fence")
def test_a_blinded_request_does_not_reach_it_through_the_orm() -> None:
    lesion = lesion_in()
    make_standard(lesion, "metastasis")
    with blinded(), pytest.raises(DatabaseError):
        ReferenceStandard.objects.filter(lesion=lesion).exists()
