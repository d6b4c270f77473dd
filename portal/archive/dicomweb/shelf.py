"""What a caller may search, and the exams of it that are asked for most: the newest, and those of a patient."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Upper
from django.db.models.lookups import Exact

from portal.archive.dicomweb.header import Names, modality_of
from portal.archive.dicomweb.qido import Query, Row, has_letter_case
from portal.archive.models import Exam, Instance, Series
from portal.sql.asked import Asked, counted, joined, place, written

EXAM = ("pk", "uid", "subject", "sex", "age", "shifted_date", "time")
DAY = EXAM.index("shifted_date")
# the values of an exam in the order of these columns
Found = tuple[Any, ...]


@dataclass(frozen=True)
class Shelf:
    """What a caller may search, the exams of some studies and their own unfiled ones, and how it is called."""

    studies: tuple[str, ...]
    importer: int
    root: str
    # archive UID -> the source UID under which it was asked for
    called: Mapping[str, str] = field(default_factory=dict)
    # those alone that are not in the source view, where that is shown beside
    is_rest: bool = False

    @property
    def exams(self) -> Q:
        mine = exams_of(self.studies, self.importer)
        return mine & Q(has_source=False) if self.is_rest else mine

    def given(self, **more: str) -> dict[Any, Any]:
        """What stands for the places of a written question."""
        places = zip(places_of(len(self.studies)), self.studies, strict=True)
        return {SOMEBODY: self.importer, **dict(places), **{place(k): v for k, v in more.items()}}

    def names(self, exam: Exam) -> Names:
        mark = "|".join(sorted(self.called.values()))
        return Names(
            lambda uid: self.called.get(uid, uid), exam.subject, 0, is_case=False, mark=mark
        )


# stands for the importer in a written question
SOMEBODY = -1


def exams_of(studies: Sequence[str], importer: int, to: str = "") -> Q:
    """Exams of these studies, and unfiled ones of this person, as seen from a row that reaches them by `to`."""
    unfiled = Q(**{f"{to}study_key": "", f"{to}importer": importer})
    return Q(**{f"{to}study_key__in": studies}) | unfiled


def places_of(n_studies: int) -> list[str]:
    return [place("study", k) for k in range(n_studies)]


def exams_in_order(exams: Q, condition: Q) -> QuerySet[Exam, tuple[Any, ...]]:
    has_images = Exists(Series.objects.filter(exam=OuterRef("pk")))
    found = Exam.objects.filter(exams, condition, has_images)
    return found.order_by(F("shifted_date").desc(nulls_last=True), "uid").values_list(*EXAM)


def newest_exams(shelf: Shelf, query: Query) -> tuple[list[Found], int]:
    """A page of all exams, and how many are left behind it."""
    n, end = len(shelf.studies), query.offset + query.limit
    page: list[Found] = []
    if query.limit:
        rows = in_order(n, query.offset, end).rows(shelf.given())
        page = [(*row[:DAY], day(row[DAY]), *row[DAY + 1 :]) for row in rows]
    if 0 < len(page) < query.limit:
        return page, 0
    ((number,),) = numbers_of(n).rows(shelf.given())
    return page, max(0, number - query.offset - len(page))


def parts_of(n_studies: int) -> list[Q]:
    """The exams of each study, and the unfiled ones: apart, an index has each in order."""
    filed = [Q(study_key=name) for name in places_of(n_studies)]
    return [*filed, Q(study_key="", importer=SOMEBODY)]


@lru_cache(maxsize=64)
def in_order(n_studies: int, first: int, end: int) -> Asked:
    parts = [written(exams_in_order(part, Q())[:end]) for part in parts_of(n_studies)]
    order = f"{DAY + 1} DESC NULLS LAST, {EXAM.index('uid') + 1}"
    return joined(parts, order=order, first=first, end=end)


@lru_cache(maxsize=64)
def numbers_of(n_studies: int) -> Asked:
    parts = [exams_in_order(part, Q()).order_by().values_list("pk") for part in parts_of(n_studies)]
    return counted([written(part) for part in parts])


def is_of_one_patient(query: Query) -> bool:
    """A whole patient ID and no other key."""
    asked = query.keys.get("PatientID", "")
    return (
        len(query.keys) == 1
        and bool(asked)
        and has_letter_case(asked)
        and not set(asked) & {"*", "?"}
    )


def exams_of_patient(shelf: Shelf, code: str) -> tuple[list[Found], dict[int, Row]]:
    """All exams of a patient, who has few, and what each of them counts; in one question."""
    rows = of_patient(len(shelf.studies)).rows(shelf.given(patient=code.upper()))
    n = len(EXAM)
    exams = {row[0]: (*row[:DAY], day(row[DAY]), *row[DAY + 1 : n]) for row in rows}
    return list(exams.values()), counted_up([(row[0], *row[n:]) for row in rows])


@lru_cache(maxsize=64)
def of_patient(n_studies: int) -> Asked:
    to = "series__exam__"
    mine = exams_of(places_of(n_studies), SOMEBODY, to)
    rows = Instance.objects.filter(mine, Exact(Upper(f"{to}subject"), place("patient")))
    ordered = rows.order_by(F(f"{to}shifted_date").desc(nulls_last=True), f"{to}uid")
    columns = (*(to + name for name in EXAM), "series_id", "series__role", "sop_class_uid")
    return written(ordered.values_list(*columns).annotate(n=Count("pk")))


def day(value: Any) -> date | None:
    """SQLite has dates as text."""
    return date.fromisoformat(value) if isinstance(value, str) else value


def counted_up(groups: Sequence[tuple[Any, ...]]) -> dict[int, Row]:
    """Of groups of instances: exam, series, role, class and how many."""
    kinds: dict[int, set[str]] = {}
    series_: dict[int, set[int]] = {}
    n: dict[int, int] = {}
    for exam, one, role, sop_class, count in groups:
        kinds.setdefault(exam, set()).add(modality_of(sop_class, role))
        series_.setdefault(exam, set()).add(one)
        n[exam] = n.get(exam, 0) + count
    return {pk: Row(tuple(sorted(kinds[pk])), len(series_[pk]), n[pk]) for pk in n}
