"""QIDO-RS of the source view in SQL over the sealed tables: values, matching and order are the sender's own."""

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, Upper
from django.db.models.lookups import Exact

from portal.archive import identities
from portal.archive.dicomweb.baked import addressed
from portal.archive.dicomweb.header import Elements
from portal.archive.dicomweb.qido import (
    Page,
    Query,
    Ready,
    Row,
    chosen_of,
    has_letter_case,
    is_like,
    pattern,
    row_of,
    shown,
    wild,
)
from portal.archive.dicomweb.search import among, counted, text
from portal.archive.dicomweb.shelf import (
    SOMEBODY,
    Shelf,
    is_of_one_patient,
    parts_of,
    places_of,
)
from portal.archive.identities import Record, record_of
from portal.archive.models import Identity, SourceSeries, SourceUid
from portal.sql.asked import Asked, joined, place, written
from portal.sql.asked import counted as added_up

# of an exam's row: its key, what it is ordered by, and what stands in it
EXAM = ("pk", "study_date", "source_uid", "row")
Found = tuple[Any, ...]


def mine(shelf: Shelf, to: str = "") -> Q:
    """Exams of the shelf's studies and unfiled ones of its person, as the exam itself says."""
    unfiled = Q(**{f"{to}study_key": "", f"{to}importer": shelf.importer})
    return (Q(**{f"{to}study_key__in": shelf.studies}) | unfiled) & as_filed(to)


def as_filed(to: str) -> Q:
    """The sealed table repeats where an exam belongs; what it repeats never counts against the exam's own word."""
    return Q(**{f"{to}exam__study_key": F(f"{to}study_key"), f"{to}exam__has_source": True})


def search(shelf: Shelf, query: Query, uids: Sequence[str]) -> Page:
    """One page of a level below the given UIDs."""
    if query.is_vain:
        return Page([], 0)
    found = {"studies": studies, "series": series, "instances": instances}[query.level]
    return found(shelf, query, tuple(uids))


def names(column: str, asked: str) -> Q:
    """A name, or the first of its forms."""
    found = text(column, asked)
    return found if asked.endswith("*") else found | text(column, f"{asked}=*")


def dates(column: str, asked: str) -> Q:
    low, dash, high = asked.partition("-")
    found = ~Q(**{column: ""})
    if low:
        found &= Q(**{f"{column}__gte": low})
    last = high if dash else low
    return found & Q(**{f"{column}__lte": last}) if last else found


def numbers(column: str, asked: str) -> Q:
    """A number, compared as text like every other key; none is the empty text."""
    if asked.isascii() and asked.isdigit():
        return Q(**{column: int(asked[:9])}) if asked == str(int(asked)) else Q(pk__in=())
    found = Q(**{f"{column}__iregex": f"^(?:{pattern(asked)})$"})
    return found | Q(**{f"{column}__isnull": True}) if wild(asked, "") else found


OF_EXAM: dict[str, tuple[str, Callable[[str, str], Q]]] = {
    "StudyInstanceUID": ("source_uid", among),
    "PatientID": ("patient_id", text),
    "PatientName": ("patient_name", names),
    "StudyDate": ("study_date", dates),
    "StudyTime": ("study_time", text),
    "AccessionNumber": ("accession_number", text),
    "StudyID": ("study_id", text),
    "ReferringPhysicianName": ("referring_physician", names),
    "StudyDescription": ("study_description", text),
}
OF_SERIES: dict[str, tuple[str, Callable[[str, str], Q]]] = {
    "SeriesInstanceUID": ("source_uid", among),
    "Modality": ("modality", text),
    "SeriesNumber": ("number", numbers),
    "SeriesDescription": ("description", text),
}
OF_IMAGE: dict[str, tuple[str, Callable[[str, str], Q]]] = {
    "SOPInstanceUID": ("source_uid", among),
    "SOPClassUID": ("instance__sop_class_uid", among),
    "InstanceNumber": ("number", numbers),
}


def condition(query: Query, known: dict[str, tuple[str, Callable[[str, str], Q]]], to: str) -> Q:
    """What the keys of one level ask of a row that is reached through `to`."""
    found = Q()
    for keyword, asked in query.keys.items():
        if asked and keyword in known:
            column, compare = known[keyword]
            found &= compare(to + column, asked)
    return found


def exam_condition(shelf: Shelf, query: Query, to: str) -> Q:
    name, keys = query.keys.get("PatientName", ""), dict(query.keys)
    found = Q()
    if name and query.is_fuzzy:
        keys.pop("PatientName")
        found = Q(**{f"{to}patient_name__in": alike(shelf, name)})
    for keyword, asked in keys.items():
        if asked and keyword in OF_EXAM:
            column, compare = OF_EXAM[keyword]
            found &= compare(to + column, asked)
    return found


def alike(shelf: Shelf, asked: str) -> list[str]:
    known = Identity.objects.filter(mine(shelf)).order_by().values_list("patient_name", flat=True)
    return [name for name in known.distinct() if is_like(asked, name)]


def with_modality(query: Query, exam: str) -> Q:
    """ModalitiesInStudy fits any series of the exam."""
    asked = query.keys.get("ModalitiesInStudy", "")
    if not asked:
        return Q()
    return Q(Exists(SourceSeries.objects.filter(text("modality", asked), identity=OuterRef(exam))))


def exams_in_order(where: Q) -> QuerySet[Identity, Found]:
    return Identity.objects.filter(where).order_by("-study_date", "source_uid").values_list(*EXAM)


def studies(shelf: Shelf, query: Query, uids: tuple[str, ...]) -> Page:
    if is_of_one_patient(query):
        found, counts = exams_of_patient(shelf, query.keys["PatientID"])
        page = found[query.offset : query.offset + query.limit]
        left = max(0, len(found) - query.offset - len(page))
    elif not any(query.keys.values()):
        page, left = newest_exams(shelf, query)
        counts = counts_of([one[0] for one in page])
    else:
        asked = exam_condition(shelf, query, "") & with_modality(query, "pk")
        few = any(is_whole(query.keys.get(name, "")) for name in OF_FEW)
        found_by = counted(exams_in_order(mine(shelf) & asked), query) if few else None
        page, left = found_by or matching_exams(shelf, query, asked)
        counts = counts_of([one[0] for one in page])
    chosen = (query.fields, query.wants_all)
    rows = [exam_row(one, counts[one[0]], shelf.root, *chosen) for one in page if one[0] in counts]
    return Page(rows, left)


@lru_cache(maxsize=2048)
def exam_row(
    values: Found, counts: Row, root: str, fields: frozenset[str], wants_all: bool
) -> Elements:
    """A study's row, the same for the same values; to be read only."""
    _, _, uid, row = values
    found = row_of(json.loads(row), (uid,), "studies", root, counts)
    return Ready(chosen_of(completed(found, "studies"), "studies", fields, wants_all=wants_all))


# whole ones are found by an index of their own
OF_FEW = ("StudyInstanceUID", "PatientID", "AccessionNumber")


def is_whole(asked: str) -> bool:
    return bool(asked) and has_letter_case(asked) and not set(asked) & {"*", "?"}


def matching_exams(shelf: Shelf, query: Query, asked: Q) -> tuple[list[Found], int]:
    """A page of the exams that fit, and how many are left behind it; study for study, as an index has them."""
    end = query.offset + query.limit
    of_shelf = [Q(study_key="", importer=shelf.importer), *(Q(study_key=k) for k in shelf.studies)]
    try:
        parts = [written(exams_in_order(part & as_filed("") & asked)[:end]) for part in of_shelf]
        page = joined(parts, order="2 DESC, 3", first=query.offset, end=end).rows({})
        if 0 < len(page) < query.limit:
            return page, 0
        ((number,),) = added_up([written(keys_of(part & asked)) for part in of_shelf]).rows({})
    except EmptyResultSet:  # no name is like the one that is asked for
        return [], 0
    return page, max(0, number - query.offset - len(page))


def keys_of(where: Q) -> QuerySet[Identity, Found]:
    return Identity.objects.filter(where).order_by().values_list("pk")


def newest_exams(shelf: Shelf, query: Query) -> tuple[list[Found], int]:
    """A page of all exams, and how many are left behind it."""
    n, end = len(shelf.studies), query.offset + query.limit
    page: list[Found] = []
    if query.limit:
        page = in_order(n, query.offset, end).rows(shelf.given())
    if 0 < len(page) < query.limit:
        return page, 0
    ((number,),) = numbers_of(n).rows(shelf.given())
    return page, max(0, number - query.offset - len(page))


@lru_cache(maxsize=64)
def in_order(n_studies: int, first: int, end: int) -> Asked:
    parts = [exams_in_order(part & as_filed(""))[:end] for part in parts_of(n_studies)]
    return joined([written(part) for part in parts], order="2 DESC, 3", first=first, end=end)


@lru_cache(maxsize=64)
def numbers_of(n_studies: int) -> Asked:
    return added_up([written(keys_of(part)) for part in parts_of(n_studies)])


def exams_of_patient(shelf: Shelf, code: str) -> tuple[list[Found], dict[int, Row]]:
    """All exams of a patient, who has few, and what each of them counts; in one question."""
    rows = of_patient(len(shelf.studies)).rows(shelf.given(patient=code.upper()))
    n = len(EXAM)
    exams = {row[0]: tuple(row[:n]) for row in rows}
    return list(exams.values()), counted_up([(row[0], *row[n:]) for row in rows])


@lru_cache(maxsize=64)
def of_patient(n_studies: int) -> Asked:
    to = "identity__"
    shelf = Shelf(tuple(places_of(n_studies)), SOMEBODY, "")
    rows = SourceSeries.objects.filter(mine(shelf, to), Exact(Upper(f"{to}patient_id"), place("patient")))  # fmt: skip
    ordered = rows.order_by(f"-{to}study_date", f"{to}source_uid", "pk")
    return written(ordered.values_list(*(to + name for name in EXAM), *COUNTED))


COUNTED = ("source_uid", "modality", "n_images")


def counts_of(exams: Sequence[int]) -> dict[int, Row]:
    """Per exam its modalities and the number of its series and instances."""
    if not exams:
        return {}
    return counted_up(groups_of(len(exams)).rows({-1 - k: pk for k, pk in enumerate(exams)}))


@lru_cache(maxsize=256)
def groups_of(n: int) -> Asked:
    rows = SourceSeries.objects.filter(identity_id__in=[-1 - k for k in range(n)])
    return written(rows.order_by().values_list("identity_id", *COUNTED))


def counted_up(groups: Sequence[Found]) -> dict[int, Row]:
    """Of series: exam, UID, modality and number of images."""
    kinds: dict[int, set[str]] = {}
    uids: dict[int, set[str]] = {}
    n: dict[int, int] = {}
    for exam, uid, modality, count in groups:
        kinds.setdefault(exam, set()).update({modality} - {""})
        uids.setdefault(exam, set()).add(uid)
        n[exam] = n.get(exam, 0) + count
    return {pk: Row(tuple(sorted(kinds[pk])), len(uids[pk]), n[pk]) for pk in n}


def series(shelf: Shelf, query: Query, uids: tuple[str, ...]) -> Page:
    """Series as their sender cut them: what became several here is one again."""
    before = SourceSeries.objects.filter(
        identity=OuterRef("identity"), source_uid=OuterRef("source_uid"), pk__lt=OuterRef("pk")
    )
    found = SourceSeries.objects.filter(
        mine(shelf, "identity__"), exam_condition(shelf, query, "identity__"), condition(query, OF_SERIES, ""),
        with_modality(query, "identity"), ~Exists(before), **below(uids, ("identity__source_uid",)),
    )  # fmt: skip
    ordered = found.annotate(by_number=Coalesce("number", 0)).order_by(
        "-identity__study_date", "identity__source_uid", "by_number", "source_uid", "pk"
    )
    page, left = counted(ordered.select_related("identity").defer("identity__row"), query)
    exams = counts_of(sorted({one.identity_id for one in page}))
    sizes = sizes_of(page)
    rows = [
        row_of(
            json.loads(one.row), (one.identity.source_uid, one.source_uid), "series", shelf.root,
            Row(exams[one.identity_id].kinds, 1, sizes[one.identity_id, one.source_uid]),
        )
        for one in page
    ]  # fmt: skip
    return Page([shown(completed(row, "series"), query) for row in rows], left)


def sizes_of(page: Sequence[SourceSeries]) -> dict[tuple[int, str], int]:
    rows = SourceSeries.objects.filter(
        identity__in={one.identity_id for one in page}, source_uid__in={one.source_uid for one in page}
    ).order_by().values_list("identity_id", "source_uid").annotate(n=Sum("n_images"))  # fmt: skip
    return {(exam, uid): n for exam, uid, n in rows}


def below(uids: tuple[str, ...], columns: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(columns, uids, strict=False))


def instances(shelf: Shelf, query: Query, uids: tuple[str, ...]) -> Page:
    to = "series__identity__"
    found = SourceUid.objects.filter(
        mine(shelf, to), exam_condition(shelf, query, to), condition(query, OF_SERIES, "series__"),
        condition(query, OF_IMAGE, ""), with_modality(query, "series__identity"),
        **below(uids, (f"{to}source_uid", "series__source_uid")),
    )  # fmt: skip
    ordered = found.annotate(
        of_series=Coalesce("series__number", 0), of_image=Coalesce("number", 0)
    ).order_by(
        f"-{to}study_date", f"{to}source_uid", "of_series", "series__source_uid", "of_image", "source_uid", "pk"
    )  # fmt: skip
    page, left = counted(ordered.select_related("series__identity").defer("series__row", f"{to}row"), query)  # fmt: skip
    exams = counts_of(sorted({one.series.identity_id for one in page}))
    texts = json_of([record_of(one, one.series.folder) for one in page], shelf.root)
    rows = [
        row_of(
            said, (one.series.identity.source_uid, one.series.source_uid, one.source_uid), "instances",
            shelf.root, exams[one.series.identity_id],
        )
        for one, said in zip(page, texts, strict=True)
    ]  # fmt: skip
    return Page([shown(completed(row, "instances"), query) for row in rows], left)


def json_of(records: Sequence[Record], root: str) -> list[Elements]:
    """What the headers say, with addresses below `root`."""
    found: list[Elements] = []
    for folder, group in groupby(records, key=lambda one: one.folder):
        texts = identities.read(folder, [one.json for one in group])
        found += [json.loads(addressed(one, root)) for one in texts]
    return found


def completed(row: Elements, level: str) -> Elements:
    """What a level always answers stands in its row also where the sender left it out."""
    for tag, vr in MISSING[level].items():
        row.setdefault(tag, {"vr": vr})
    return row


MISSING = {
    "studies": {
        "00080020": "DA", "00080030": "TM", "00080050": "SH", "00080090": "PN", "00100010": "PN", "00100020": "LO",
        "00100030": "DA", "00100040": "CS", "00200010": "SH",
    },
    "series": {"00080060": "CS", "0008103E": "LO", "00200011": "IS"},
    "instances": {"00200013": "IS"},
}  # fmt: skip
