"""QIDO-RS of the archive view in SQL: the database matches, counts and pages; only a page is written out."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Upper
from django.db.models.lookups import Exact

from portal.archive.classify import CT, NM
from portal.archive.dicomweb.header import (
    NUMBER_OF,
    OTHER_NUMBER,
    Elements,
    Names,
    exam_header,
    header,
)
from portal.archive.dicomweb.qido import (
    Page,
    Query,
    Ready,
    Row,
    chosen_of,
    has_letter_case,
    is_like,
    own,
    pattern,
    row_of,
    shown,
    uid_list,
    wild,
)
from portal.archive.dicomweb.shelf import (
    EXAM,
    SOMEBODY,
    Shelf,
    counted_up,
    exams_in_order,
    exams_of,
    exams_of_patient,
    is_of_one_patient,
    newest_exams,
    places_of,
)
from portal.archive.models import Exam, Instance, Series
from portal.sql.asked import Asked, place, written

NEWEST = F("exam__shifted_date").desc(nulls_last=True)
EMPTY = frozenset({"AccessionNumber", "StudyID", "ReferringPhysicianName", "StudyDescription"})
MODALITIES = {
    "CT": Q(sop_class_uid=CT),
    "NM": Q(sop_class_uid=NM),
    "PT": ~Q(sop_class_uid__in=(CT, NM)) & Q(series__role="SPECT"),
    "OT": ~Q(sop_class_uid__in=(CT, NM)) & ~Q(series__role="SPECT"),
}
NONE = Q(pk__in=())


def search(shelf: Shelf, query: Query, uids: Sequence[str]) -> Page:
    """One page of a level below the given UIDs."""
    if query.is_vain:
        return Page([], 0)
    found = {"studies": studies, "series": series, "instances": instances}[query.level]
    return found(shelf, query, tuple(uids))


def text(column: str, asked: str) -> Q:
    """`*` and `?` without case; what SQL's own comparison knows, else the pattern itself."""
    plain = asked.strip("*")
    if not has_letter_case(asked) or "?" in asked or "*" in plain or not plain:
        return Q(**{f"{column}__iregex": f"^(?:{pattern(asked)})$"})
    if plain == asked:
        return Q(Exact(Upper(column), asked.upper()))  # as the index has it
    ends = (asked.startswith("*"), asked.endswith("*"))
    way = {(1, 1): "icontains", (1, 0): "iendswith", (0, 1): "istartswith"}[ends]
    return Q(**{f"{column}__{way}": plain})


def dates(column: str, asked: str) -> Q:
    low, dash, high = asked.partition("-")
    ends = [f"{d[:4]}-{d[4:6]}-{d[6:]}" if d else "" for d in (low, high if dash else low)]
    found = Q(**{f"{column}__isnull": False})
    if ends[0]:
        found &= Q(**{f"{column}__gte": ends[0]})
    return found & Q(**{f"{column}__lte": ends[1]}) if ends[1] else found


def among(column: str, asked: str) -> Q:
    return Q(**{f"{column}__in": uid_list(asked)})


OF_EXAM: dict[str, tuple[str, Callable[[str, str], Q]]] = {
    "StudyInstanceUID": ("uid", among),
    "PatientID": ("subject", text),
    "PatientName": ("subject", text),
    "StudyDate": ("shifted_date", dates),
    "StudyTime": ("time", text),
}


def numbers(column: str, asked: str, known: dict[str, int], other: int) -> Q:
    """A small set of numbers, matched as text like every other key."""
    good = [label for label, number in known.items() if wild(asked, str(number))]
    found = Q(**{f"{column}__in": good})
    return found | ~Q(**{f"{column}__in": list(known)}) if wild(asked, str(other)) else found


def of_kinds(asked: str) -> Q:
    """Instances of the modalities that fit."""
    found = NONE
    for name, condition in MODALITIES.items():
        if wild(asked, name):
            found |= condition
    return found


def exam_condition(shelf: Shelf, query: Query, to: str) -> Q:
    """What the study's keys ask of the exam, as a condition on a row that reaches it through `to`."""
    found = Q()
    for keyword, asked in query.keys.items():
        if asked and keyword == "PatientName" and query.is_fuzzy:
            found &= Q(**{f"{to}subject__in": alike(shelf, asked)})
        elif asked and keyword in OF_EXAM:
            column, compare = OF_EXAM[keyword]
            found &= compare(to + column, asked)
        elif asked and keyword in EMPTY and not wild(asked, ""):
            found &= NONE
    return found


def alike(shelf: Shelf, asked: str) -> list[str]:
    names = Exam.objects.filter(shelf.exams).order_by().values_list("subject", flat=True).distinct()
    return [name for name in names if is_like(asked, name)]


def with_modality(query: Query, exam_of: str, below: Q) -> Q:
    """ModalitiesInStudy fits any instance of the exam, of those that the address leaves."""
    asked = query.keys.get("ModalitiesInStudy", "")
    if not asked:
        return Q()
    rows = Instance.objects.filter(of_kinds(asked), below, series__exam=OuterRef(exam_of))
    return Q(Exists(rows))


def counted(found: QuerySet[Any], query: Query) -> tuple[list[Any], int]:
    """The rows of the page, and how many are left behind it."""
    page = list(found[query.offset : query.offset + query.limit])
    if 0 < len(page) < query.limit:
        return page, 0
    return page, max(0, found.order_by().count() - query.offset - len(page))


def studies(shelf: Shelf, query: Query, uids: tuple[str, ...]) -> Page:
    if is_of_one_patient(query) and not shelf.is_rest:
        found, counts = exams_of_patient(shelf, query.keys["PatientID"])
        page = found[query.offset : query.offset + query.limit]
        left = max(0, len(found) - query.offset - len(page))
    elif not any(query.keys.values()) and not shelf.is_rest:
        page, left = newest_exams(shelf, query)
        counts = counts_of([one[0] for one in page], Q())
    else:
        condition = Q(exam_condition(shelf, query, ""), with_modality(query, "pk", Q()))
        page, left = counted(exams_in_order(shelf.exams, condition), query)
        counts = counts_of([one[0] for one in page], Q())
    chosen = (query.fields, query.wants_all)
    rows = [exam_row(one, counts[one[0]], shelf.root, *chosen) for one in page if one[0] in counts]
    return Page(rows, left)


@lru_cache(maxsize=2048)
def exam_row(
    values: tuple[Any, ...], counts: Row, root: str, fields: frozenset[str], wants_all: bool
) -> Elements:
    """A study's row, the same for the same values; to be read only."""
    exam = Exam(**dict(zip(EXAM, values, strict=True)))
    names = Names(str, exam.subject, 0, is_case=False)
    elements = own(exam_header(exam, names), "studies")
    row = row_of(elements, (exam.uid,), "studies", root, counts)
    return Ready(chosen_of(row, "studies", fields, wants_all=wants_all))


def counts_of(exams: Sequence[int], below: Q) -> dict[int, Row]:
    """Per exam its modalities and the number of its series and instances."""
    if not exams:
        return {}
    if below:
        return counted_up(list(grouped(exams, below)))
    return counted_up(groups_of(len(exams)).rows({-1 - k: pk for k, pk in enumerate(exams)}))


def grouped(exams: Sequence[int], below: Q) -> QuerySet[Instance, tuple[Any, ...]]:
    return (
        Instance.objects.filter(below, series__exam__in=exams).order_by()
        .values_list("series__exam_id", "series_id", "series__role", "sop_class_uid").annotate(n=Count("pk"))
    )  # fmt: skip


@lru_cache(maxsize=256)
def groups_of(n: int) -> Asked:
    return written(grouped([-1 - k for k in range(n)], Q()))


def series_condition(query: Query, to: str) -> Q:
    keys = {k: v for k, v in query.keys.items() if v}
    found = Q()
    if "SeriesInstanceUID" in keys:
        found &= Q(**{f"{to}uid__in": uid_list(keys["SeriesInstanceUID"])})
    if "SeriesNumber" in keys:
        found &= numbers(f"{to}label", keys["SeriesNumber"], NUMBER_OF, OTHER_NUMBER)
    if "SeriesDescription" in keys:
        found &= text(f"{to}label", keys["SeriesDescription"])
    return found


def numbered(label: str) -> Case:
    return Case(
        *(When(**{label: name}, then=Value(number)) for name, number in NUMBER_OF.items()),
        default=Value(OTHER_NUMBER),
    )  # fmt: skip


def within(shelf: Shelf) -> QuerySet[Exam]:
    return Exam.objects.filter(shelf.exams)


def series(shelf: Shelf, query: Query, uids: tuple[str, ...]) -> Page:
    found = Series.objects.filter(
        exam_condition(shelf, query, "exam__"), series_condition(query, ""), below_exam(uids),
        with_modality(query, "exam_id", Q()), exam__in=within(shelf),
    ).select_related("exam")  # fmt: skip
    first = Instance.objects.filter(series=OuterRef("pk"), rank=1)
    asked = query.keys.get("Modality", "")
    found = found.filter(Exists(first.filter(of_kinds(asked)) if asked else first))
    page, left = counted(
        found.annotate(number=numbered("label")).order_by(NEWEST, "exam__uid", "number", "uid"), query
    )  # fmt: skip
    kinds = counts_of(sorted({s.exam_id for s in page}), Q())
    firsts = {i.series_id: i for i in Instance.objects.filter(series__in=page, rank=1)}
    sizes = dict(
        Instance.objects.filter(series__in=page).order_by().values_list("series").annotate(Count("pk"))
    )  # fmt: skip
    rows = [
        row_of(
            own(header(firsts[s.pk], s, shelf.names(s.exam), 0), "series"), (s.exam.uid, s.uid), "series",
            shelf.root, Row(kinds[s.exam_id].kinds, 1, sizes[s.pk]),
        )
        for s in page
    ]  # fmt: skip
    return Page([shown(row, query) for row in rows], left)


STATE = (
    "pk", "folder", "digest", "n_frames", "native_size", "stored_size", "role", "label", "unit",
    "transfer_syntax_uid", "frame_of_reference_uid", "geometry", "pixel", "values", "uid", "exam__uid",
    "exam__subject", "exam__shifted_date", "exam__time", "exam__sex", "exam__age", "state",
)  # fmt: skip


def state_of(shelf: Shelf, uids: Sequence[str]) -> str:
    """All that the documents of the series below these UIDs depend on, '' where there are none."""
    names = {f"uid{k}": uid for k, uid in enumerate(uids)}
    rows = series_below(len(shelf.studies), len(uids)).rows(shelf.given(**names))
    return repr(rows) if rows else ""


@lru_cache(maxsize=64)
def series_below(n_studies: int, n_uids: int) -> Asked:
    below = {name: place(f"uid{k}") for k, name in enumerate(("exam__uid", "uid")[:n_uids])}
    mine = exams_of(places_of(n_studies), SOMEBODY, "exam__")
    return written(Series.objects.filter(mine, **below).order_by("pk").values_list(*STATE))


def below_exam(uids: tuple[str, ...]) -> Q:
    return Q(exam__uid=uids[0]) if uids else Q()


def instances(shelf: Shelf, query: Query, uids: tuple[str, ...]) -> Page:
    names = ("series__exam__uid", "series__uid")
    below = Q(**dict(zip(names, uids, strict=False)))
    keys = {k: v for k, v in query.keys.items() if v}
    found = Instance.objects.filter(
        below, exam_condition(shelf, query, "series__exam__"), series_condition(query, "series__"),
        instance_condition(keys), with_modality(query, "series__exam_id", below),
        series__exam__in=within(shelf),
    ).select_related("series__exam").defer("native_frames", "frame_digests", "stored_digests")  # fmt: skip
    ordered = found.annotate(number=numbered("series__label")).order_by(
        F("series__exam__shifted_date").desc(nulls_last=True), "series__exam__uid", "number", "series__uid",
        "rank", "uid",
    )  # fmt: skip
    page, left = counted(ordered, query)
    kinds = counts_of(sorted({i.series.exam_id for i in page}), below)
    rows = [instance_row(shelf, one, kinds[one.series.exam_id]) for one in page]
    return Page([shown(row, query) for row in rows], left)


def instance_condition(keys: dict[str, str]) -> Q:
    found = of_kinds(keys["Modality"]) if "Modality" in keys else Q()
    if "SOPInstanceUID" in keys:
        found &= Q(uid__in=uid_list(keys["SOPInstanceUID"]))
    if "SOPClassUID" in keys:
        found &= Q(sop_class_uid__in=uid_list(keys["SOPClassUID"]))
    if "InstanceNumber" in keys:
        found &= rank_condition(keys["InstanceNumber"])
    return found


def rank_condition(asked: str) -> Q:
    if asked.isascii() and asked.isdigit():
        return Q(rank=int(asked[:9])) if asked == str(int(asked)) else NONE
    return Q(rank__iregex=f"^(?:{pattern(asked)})$")


def instance_row(shelf: Shelf, one: Instance, counts: Row) -> Elements:
    exam = one.series.exam
    elements = header(one, one.series, shelf.names(exam), one.rank - 1)
    key = (exam.uid, one.series.uid, one.uid)
    return row_of(elements, key, "instances", shelf.root, counts)
