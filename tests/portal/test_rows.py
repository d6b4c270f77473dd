"""Rows written without the ORM are, value for value, those that the ORM writes."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from portal.archive.models import Exam, Import, ImportFile, Instance, Series, SourceUid
from portal.sql import rows
from tests.cohort import make_exam, make_series, make_study, make_user

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def an_import(**fields: Any) -> Import:
    return Import(door=Import.Door.STOW, study_key="", actor=make_user("coordinator"), started_at=NOW, **fields)  # fmt: skip


def an_exam(number: int) -> Exam:
    return Exam(
        uid=f"2.25.{number}", mapped_uid=f"2.25.{number}", study_key="bone", subject="S1", patient_key="k",
        shifted_date=NOW.date(), is_synthetic=True, created_at=NOW,
    )  # fmt: skip


def a_series(number: int) -> Series:
    return Series(
        exam=make_exam(subject="P1"), uid=f"2.25.9{number}", mapped_uid="2.25.9", role=Series.Role.SPECT, label="SPECT",
        folder=f"{number:032x}", geometry={"origin_mm": [1.5, 0, -2e-7]}, acquisition={"vendor": "Müller 🙂"},
        views=["ANT"], transfer_syntax_uid="1.2", created_at=NOW,
    )  # fmt: skip


def an_image(number: int) -> Instance:
    return Instance(
        series=make_series(make_exam(), "CT"), uid=f"2.25.8{number}", sop_class_uid="1.2", rank=number, n_frames=1,
        slope=0.1, is_reversed=True, file_digest=str(number), content_digest="c", native_frames=[[1, 2]], header={"a": None},
    )  # fmt: skip


def stored(model: Any, key: object) -> dict[str, object]:
    """The row as the database has it, without its key and what must differ between two rows."""
    names = [
        f.column for f in model._meta.concrete_fields
        if not (f.primary_key or f.unique or f.column in ("exam_id", "series_id", "mapped_uid", "rank"))
    ]  # fmt: skip
    with connection.cursor() as cursor:
        columns = ", ".join(f'"{n}"' for n in names)
        cursor.execute(f'SELECT {columns} FROM "{model._meta.db_table}" WHERE "{model._meta.pk.column}" = %s', [key])  # fmt: skip
        return dict(zip(names, cursor.fetchone(), strict=True))


@pytest.mark.parametrize("make", [an_exam, a_series, an_image])
def test_a_row_is_the_one_that_the_orm_writes(make):
    mine, theirs = make(1), make(2)
    rows.insert_one(mine)
    theirs.save()
    assert mine.pk != theirs.pk
    assert stored(type(mine), mine.pk) == stored(type(theirs), theirs.pk)
    mine.refresh_from_db()
    mine.save()  # it counts as a row that is there


def test_several_rows_are_written_and_none_is_nothing():
    images = [an_image(k) for k in range(3)]
    rows.insert(images)
    rows.insert([])
    assert [i.pk for i in images] == [None] * 3
    assert sorted(Instance.objects.values_list("uid", flat=True)) == [i.uid for i in images]


def test_a_key_of_our_own_is_written():
    rows.insert([SourceUid(instance_id="2.25.7", source_uid="1.2.3", place=[1, 2], digest="d")])
    assert SourceUid.objects.get(pk="2.25.7").place == [1, 2]


def test_a_choice_is_stored_as_its_text():
    row = an_import()
    rows.insert_one(row)
    said = ImportFile.Outcome.ALREADY_HERE
    rows.insert([ImportFile(source=row, row=1, position=1, name="a", size=1, outcome=said)])
    assert stored(ImportFile, row.files.get().pk)["outcome"] == "already here"
    assert stored(Import, row.pk)["door"] == "stow"


def test_constraints_hold_for_all_rows_of_a_call():
    rows.insert([an_image(1)])
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.insert([an_image(2), an_image(1)])
    assert Instance.objects.count() == 1


def test_an_update_writes_what_is_named_and_nothing_else():
    make_study()
    series = a_series(1)
    rows.insert_one(series)
    other = a_series(2)
    other.save()
    series.unit, series.values, series.label = "HU", {"maximum": 2.5}, "unsaid"
    rows.update(series, "unit", "values")
    series.refresh_from_db()
    assert (series.unit, series.values, series.label) == ("HU", {"maximum": 2.5}, "SPECT")
    other.refresh_from_db()
    assert other.unit == ""
