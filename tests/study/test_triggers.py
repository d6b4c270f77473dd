"""What the database itself refuses, whichever way the write comes: ORM row, bulk call or raw SQL.

The statements are standard SQL, so that the same file runs on SQLite and on Postgres.
"""

from collections.abc import Callable, Sequence

import pytest
from django.db import IntegrityError, connection, models, transaction

from portal.fence.triggers import missing, registry
from portal.study.models import (
    STATE_ORDER,
    Criterion,
    Lesion,
    Patient,
    Screening,
    Split,
    SplitPart,
    Study,
)
from portal.study.screening import add_default_criteria, decide
from tests.cohort import NOW, make_lesion, make_patient, make_study
from tests.study.builders import (
    alternating_strata,
    carry_to,
    coordinator,
    make_cohort,
    make_locked_split,
)

pytestmark = pytest.mark.django_db
LATE = ("READS_LOCKED", "UNBLINDED", "ARCHIVED")


def by_row(row: models.Model, **values: object) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    row.save()


def by_bulk(row: models.Model, **values: object) -> None:
    type(row)._default_manager.filter(pk=row.pk).update(**values)


def by_bulk_update(row: models.Model, **values: object) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    type(row)._default_manager.bulk_update([row], list(values))


def by_sql(row: models.Model, **values: object) -> None:
    columns = [row._meta.get_field(name).column for name in values]  # type: ignore[union-attr]
    sets = ", ".join(f'"{column}" = %s' for column in columns)
    run(f'UPDATE "{row._meta.db_table}" SET {sets} WHERE id = %s', [*values.values(), row.pk])


def run(statement: str, parameters: Sequence[object] = ()) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, list(parameters))


WAYS = pytest.mark.parametrize("write", [by_row, by_bulk, by_bulk_update, by_sql])
Write = Callable[..., None]


def refused(match: str) -> "pytest.RaisesExc[IntegrityError]":
    return pytest.raises(IntegrityError, match=match)


def locked_split(study: Study) -> Split:
    return make_locked_split(study, alternating_strata(make_cohort(study, 6)))


def test_every_registered_trigger_is_in_the_database() -> None:
    assert missing(connection) == []
    assert sum(name.startswith(("study_", "truth_")) for name in registry) >= 25


@WAYS
@pytest.mark.parametrize(
    ("here", "there"),
    [(a, b) for i, a in enumerate(STATE_ORDER) for j, b in enumerate(STATE_ORDER) if j - i not in {0, 1}],
)  # fmt: skip
def test_a_study_never_goes_back_nor_skips(here: str, there: str, write: Write) -> None:
    study = make_study(state=here, cast=False)
    with refused("forward only"), transaction.atomic():
        write(study, state=there)


@WAYS
def test_a_study_keeps_its_code(write: Write) -> None:
    with refused("never change"), transaction.atomic():
        write(make_study(cast=False), code="other")


@WAYS
def test_a_real_study_never_turns_synthetic(write: Write) -> None:
    with refused("synthetic never change"), transaction.atomic():
        write(make_study(cast=False), is_synthetic=True)


@WAYS
@pytest.mark.parametrize("change", [{"protocol": "new"}, {"lesion_cap": 3}])
def test_the_plan_is_fixed_once_reading_has_begun(change: dict[str, object], write: Write) -> None:
    with refused("fixed once reading has begun"), transaction.atomic():
        write(make_study(state="READING", cast=False), **change)


def test_a_study_is_never_deleted() -> None:
    study = make_study(cast=False)
    with refused("never deleted"), transaction.atomic():
        run("DELETE FROM study_study WHERE id = %s", [study.pk])


@WAYS
def test_the_cap_does_not_fall_below_a_taken_slot(write: Write) -> None:
    patient = make_patient(make_study(cast=False))
    make_lesion(patient)
    make_lesion(patient, number=2)
    with refused("exclude lesions first"), transaction.atomic():
        write(patient.study, lesion_cap=1)


@WAYS
def test_a_slot_above_the_cap_is_refused(write: Write) -> None:
    lesion = make_lesion(make_patient(make_study(cast=False)))
    with refused("above the study's cap"), transaction.atomic():
        write(lesion, slot=3)


def test_a_lesion_is_not_born_above_the_cap() -> None:
    with refused("above the study's cap"), transaction.atomic():
        make_lesion(make_patient(make_study(cast=False)), number=3)


@WAYS
def test_a_lesion_stays_with_its_patient_once_in_a_locked_split(write: Write) -> None:
    study = make_study(state="SCREENING")
    locked_split(study)
    first, second = Patient.objects.filter(study=study)[:2]
    lesion = Lesion.objects.get(patient=first)
    with refused("cannot move to another patient"), transaction.atomic():
        write(lesion, patient_id=second.pk)


@WAYS
def test_a_lesion_does_not_leave_for_a_patient_outside_the_split(write: Write) -> None:
    study = make_study(state="SCREENING")
    split = locked_split(study)
    outside = make_patient(study, "OUTSIDE")
    lesion = Lesion.objects.filter(patient__in=SplitPart.objects.filter(split=split).values("patient"))[0]  # fmt: skip
    with refused("cannot move to another patient"), transaction.atomic():
        write(lesion, patient_id=outside.pk)


def test_a_lesion_may_move_while_no_split_is_locked() -> None:
    study = make_study(state="SCREENING", cast=False)
    lesion, other = make_lesion(make_patient(study)), make_patient(study)
    by_bulk(lesion, patient_id=other.pk)
    assert Lesion.objects.get().patient == other


@WAYS
@pytest.mark.parametrize("state", ["READING", *LATE])
def test_nothing_leaves_the_cohort_once_reading_has_begun(state: str, write: Write) -> None:
    lesion = make_lesion(make_patient(make_study(cast=False)))
    carry_to(lesion.patient.study, state)
    with refused("cohort is fixed"), transaction.atomic():
        write(lesion, is_included=False, slot=None)


def test_lesions_are_not_deleted_once_reading_has_begun() -> None:
    lesion = make_lesion(make_patient(make_study(state="READING", cast=False)))
    with refused("cohort is fixed"), transaction.atomic():
        Lesion.objects.filter(pk=lesion.pk).delete()


@WAYS
def test_a_patient_stays_in_its_study(write: Write) -> None:
    patient, other = make_patient(make_study(cast=False)), make_study("other", cast=False)
    with refused("never moves"), transaction.atomic():
        write(patient, study_id=other.pk)


@WAYS
@pytest.mark.parametrize(
    "change", [{"locked_at": None}, {"seed": 5}, {"ratio": 0.5}, {"digest": "x"}]
)
def test_a_locked_split_neither_changes_nor_opens(change: dict[str, object], write: Write) -> None:
    split = locked_split(make_study(state="SCREENING"))
    with refused("locked split never changes"), transaction.atomic():
        write(split, **change)


@WAYS
def test_the_part_of_a_locked_split_does_not_change(write: Write) -> None:
    split = locked_split(make_study(state="SCREENING"))
    part = SplitPart.objects.filter(split=split, part="train")[0]
    with refused("parts of a locked split"), transaction.atomic():
        write(part, part="validation")


@pytest.mark.parametrize("part", ["train", "validation"])
def test_nobody_joins_a_locked_split(part: str) -> None:
    study = make_study(state="SCREENING")
    split, late = locked_split(study), make_patient(study, "LATE")
    with refused("parts of a locked split"), transaction.atomic():
        SplitPart.objects.create(split=split, patient=late, part=part)


def test_a_locked_splits_parts_are_not_deleted() -> None:
    split = locked_split(make_study(state="SCREENING"))
    with refused("parts of a locked split"), transaction.atomic():
        SplitPart.objects.filter(split=split).delete()
    with refused("parts of a locked split"), transaction.atomic():
        run("DELETE FROM truth_split_part WHERE split_id = %s", [split.pk])


def test_a_patient_cannot_straddle_the_parts() -> None:
    study = make_study(state="SCREENING", cast=False)
    split = Split.objects.create(study=study, version=1, ratio=0.7, seed=1, created_at=NOW)
    patient = make_patient(study)
    SplitPart.objects.create(split=split, patient=patient, part="train")
    with pytest.raises(IntegrityError), transaction.atomic():
        SplitPart.objects.create(split=split, patient=patient, part="validation")


def test_a_split_holds_no_patient_of_another_study() -> None:
    study, other = make_study(cast=False), make_study("other", cast=False)
    split = Split.objects.create(study=study, version=1, ratio=0.7, seed=1, created_at=NOW)
    with refused("its own study"), transaction.atomic():
        SplitPart.objects.create(split=split, patient=make_patient(other), part="train")


def test_no_split_is_deleted() -> None:
    split = Split.objects.create(
        study=make_study(cast=False), version=1, ratio=0.7, seed=1, created_at=NOW
    )
    with refused("never deleted"), transaction.atomic():
        split.delete()


@pytest.mark.parametrize("state", LATE)
@pytest.mark.promise("R15")
def test_no_new_split_once_the_reads_are_locked(state: str) -> None:
    study = make_study(state=state, cast=False)
    with refused("once the reads are locked"), transaction.atomic():
        Split.objects.create(study=study, version=1, ratio=0.7, seed=1, created_at=NOW)


@pytest.mark.parametrize("state", LATE)
@pytest.mark.promise("R15")
def test_no_criterion_changes_once_the_reads_are_locked(state: str) -> None:
    study = make_study()
    add_default_criteria(study, actor=coordinator(), now=NOW)
    carry_to(study, state)
    row = Criterion.objects.filter(study=study)[0]
    for act in (
        lambda: by_row(row, text="other"),
        lambda: by_bulk(row, text="other"),
        lambda: by_sql(row, text="other"),
        lambda: Criterion.objects.filter(pk=row.pk).delete(),
        lambda: Criterion.objects.create(
            study=study, code="x", text="x", kind="include", level="patient", order=99
        ),
    ):
        with refused("once the reads are locked"), transaction.atomic():
            act()


@pytest.mark.parametrize("state", LATE)
@pytest.mark.promise("R15")
def test_no_screening_decision_once_the_reads_are_locked(state: str) -> None:
    study = make_study(state="SCREENING")
    patient = make_patient(study)
    row = decide(patient, "included", None, actor=coordinator(), now=NOW)
    carry_to(study, state)
    with refused("once the reads are locked"), transaction.atomic():
        by_bulk(row, is_current=False)
    with refused("once the reads are locked"), transaction.atomic():
        Screening.objects.create(
            study=study, patient=make_patient(study), decision="included",
            decided_by=coordinator(), decided_at=NOW,
        )  # fmt: skip


@WAYS
@pytest.mark.parametrize(
    "change",
    [{"decision": "excluded", "note": "x"}, {"note": "x"}, {"is_current": True, "note": "y"}],
)
def test_a_screening_decision_never_changes(change: dict[str, object], write: Write) -> None:
    row = decide(
        make_patient(make_study(state="SCREENING")), "included", None, actor=coordinator(), now=NOW
    )
    with refused("new row supersedes"), transaction.atomic():
        write(row, **change)


def test_a_superseded_decision_is_not_revived() -> None:
    patient = make_patient(make_study(state="SCREENING"))
    first = decide(patient, "included", None, actor=coordinator(), now=NOW)
    decide(patient, "excluded", None, actor=coordinator(), now=NOW, note="moved")
    with refused("new row supersedes"), transaction.atomic():
        by_bulk(first, is_current=True)


def test_the_screening_log_is_never_deleted() -> None:
    patient = make_patient(make_study(state="SCREENING"))
    row = decide(patient, "included", None, actor=coordinator(), now=NOW)
    for act in (
        row.delete,
        Screening.objects.all().delete,
        lambda: run("DELETE FROM study_screening"),
    ):
        with refused("never deleted"), transaction.atomic():
            act()
