"""QIDO-RS over the images of a view: matching, counting and paging on the view's own values only."""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any

from django.http import QueryDict
from pydicom.datadict import keyword_for_tag, tag_for_keyword

from portal.archive.dicomweb.header import Elements, Image, known, put, value
from portal.archive.frames import BadRequest
from portal.archive.uids import is_valid_uid

STUDY = ("StudyInstanceUID", "PatientID", "PatientName", "StudyDate", "StudyTime", "AccessionNumber", "StudyID",
         "ModalitiesInStudy", "ReferringPhysicianName", "StudyDescription")  # fmt: skip
SERIES = ("SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription")
INSTANCE = ("SOPInstanceUID", "SOPClassUID", "InstanceNumber")
LEVELS = ("studies", "series", "instances")
KEYS = {"studies": STUDY, "series": STUDY + SERIES, "instances": STUDY + SERIES + INSTANCE}
RETURNED = {
    "studies": ("00080020", "00080030", "00080050", "00080056", "00080061", "00080090", "00081190", "00100010",
                "00100020", "00100030", "00100040", "0020000D", "00200010", "00201206", "00201208"),
    "series": ("00080060", "0008103E", "00081190", "0020000D", "0020000E", "00200011", "00201209"),
    "instances": ("00080016", "00080018", "00080056", "00081190", "0020000D", "0020000E", "00200013", "00280008",
                  "00280010", "00280011", "00280100"),
}  # fmt: skip
RETURNED_SETS = {level: frozenset(tags) for level, tags in RETURNED.items()}
UIDS = frozenset({"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"})
MOST, DIGITS = 1000, 9
WILD = {"?": ".", "*": ".*"}
TAG = re.compile(r"[0-9A-Fa-f]{8}\Z")
DATES = re.compile(r"([0-9]{8})?(-)?([0-9]{8})?\Z")


@dataclass(frozen=True)
class Query:
    """A search: keys of its level with their patterns, extra fields, page, what was not understood."""

    level: str
    keys: Mapping[str, str]
    is_fuzzy: bool
    fields: frozenset[str]
    wants_all: bool
    limit: int
    offset: int
    ignored: tuple[str, ...]

    @property
    def is_vain(self) -> bool:
        """No value has a NUL in it, and no database is to be asked for one."""
        return any("\0" in text for text in self.keys.values())


class Ready(dict[str, dict[str, Any]]):
    """A row that is kept with its text; to be read only."""

    @cached_property
    def text(self) -> str:
        return json.dumps(self, separators=(",", ":"))


def text_of(row: Elements) -> str:
    return row.text if isinstance(row, Ready) else json.dumps(row, separators=(",", ":"))


@dataclass(frozen=True)
class Page:
    """The rows of one page, and how many more there are behind it."""

    rows: list[Elements]
    left: int

    @property
    def text(self) -> str:
        """As one JSON array."""
        return f"[{','.join(map(text_of, self.rows))}]"


@dataclass(frozen=True)
class Row:
    """What a row counts: the modalities of its exam, its series, its instances."""

    kinds: tuple[str, ...]
    n_series: int
    n_instances: int


def keyword_of(name: str) -> str:
    """The keyword of a keyword or an eight-digit tag; '' where it is neither."""
    if TAG.match(name):
        return keyword_for_tag(int(name, 16))
    return name if tag_for_keyword(name) is not None else ""


def field_of(name: str) -> str:
    """The tag of a field that the dictionary knows, of repeating groups too; '' of any other."""
    keyword = keyword_of(name)
    return name.upper() if TAG.match(name) and keyword else known(keyword)[0] if keyword else ""


def parse(level: str, given: QueryDict) -> Query:
    """Raises BadRequest for a malformed page, date, UID, tag or flag."""
    keys: dict[str, str] = {}
    ignored = []
    for name in given:
        if name in ("limit", "offset", "fuzzymatching", "includefield"):
            continue
        keyword = keyword_of(name)
        if not keyword and name[:1].isdigit() and not TAG.match(name):
            raise BadRequest("A tag has eight hexadecimal digits.")
        if keyword in KEYS[level]:
            keys[keyword] = checked(keyword, str(given[name]))
        else:
            ignored.append(name)
    fuzzy = given.get("fuzzymatching", "false").lower()
    if fuzzy not in ("true", "false"):
        raise BadRequest("fuzzymatching is true or false.")
    names = [n for text in given.getlist("includefield") for n in text.split(",") if n]
    fields = {tag for name in names if (tag := field_of(name))}
    return Query(
        level, keys, fuzzy == "true", frozenset(fields), "all" in names,
        min(whole(given, "limit", MOST), MOST), whole(given, "offset", 0), tuple(ignored),
    )  # fmt: skip


def whole(given: QueryDict, name: str, default: int) -> int:
    text = given.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS):
        raise BadRequest(f"{name} is a whole number of at most {DIGITS} digits.")
    return int(text)


def checked(keyword: str, text: str) -> str:
    if keyword in UIDS and not all(is_valid_uid(u) for u in uid_list(text)):
        raise BadRequest(f"{keyword} holds valid UIDs.")
    if keyword == "StudyDate" and text:
        check_dates(text)
    return text


def uid_list(text: str) -> list[str]:
    return [u for u in re.split(r"[,\\]", text) if u]


def check_dates(text: str) -> None:
    found = DATES.match(text)
    ends = [e for e in (found.group(1), found.group(3)) if e] if found else []
    try:
        for end in ends:
            datetime.strptime(end, "%Y%m%d")  # noqa: DTZ007  a calendar date
    except ValueError:
        ends = []
    if found is None or not ends or (len(ends) == 2 and not found.group(2)):
        raise BadRequest("StudyDate is YYYYMMDD or a range of two such dates with a hyphen.")


def in_dates(day: str, text: str) -> bool:
    if "-" not in text:
        return day == text
    low, high = text.split("-")
    return bool(day) and (not low or low <= day) and (not high or day <= high)


@lru_cache(maxsize=512)
def pattern(asked: str) -> str:
    """A regular expression: `*` and `?`; everything else is literal."""
    return "".join(WILD.get(c) or re.escape(c) for c in asked)


def wild(asked: str, text: str) -> bool:
    """Does the text fit the pattern, without case?"""
    return re.fullmatch(pattern(asked.casefold()), text.casefold(), re.DOTALL) is not None


def has_letter_case(asked: str) -> bool:
    """Plain letters, which SQL compares without case as we do."""
    return asked.isascii() and "\\" not in asked


def folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold()


def is_like(pattern: str, name: str) -> bool:
    """Every word is the beginning of a part of the name, in any order."""
    parts = re.split(r"[\s^=,]+", folded(name))
    words = [w for w in re.split(r"[\s^=,*]+", folded(pattern)) if w]
    return all(any(part.startswith(w) for part in parts) for w in words)


def texts(row: Elements, keyword: str) -> list[str]:
    values = row.get(known(keyword)[0], {}).get("Value", [])
    found = [v.get("Alphabetic", "") if isinstance(v, dict) else str(v) for v in values]
    return found or [""]


def matches(row: Elements, query: Query) -> bool:
    return all(holds(row, k, text, query.is_fuzzy) for k, text in query.keys.items() if text)


def holds(row: Elements, keyword: str, text: str, is_fuzzy: bool) -> bool:
    found = texts(row, keyword)
    if keyword in UIDS:
        return found[0] in uid_list(text)
    if keyword == "StudyDate":
        return in_dates(found[0], text)
    if keyword == "PatientName" and is_fuzzy:
        return is_like(text, found[0])
    return any(wild(text, one) for one in found)


def search(images: Sequence[Image], query: Query, *, root: str) -> Page:
    """One page of a level, StudyDate descending, then UIDs and numbers."""
    rows = [r for r in rows_of(images, query.level, root) if matches(r, query)]
    page = rows[query.offset : query.offset + query.limit]
    left = max(0, len(rows) - query.offset - len(page))
    return Page([shown(r, query) for r in page], left)


def shown(row: Elements, query: Query) -> Elements:
    return chosen_of(row, query.level, query.fields, wants_all=query.wants_all)


def chosen_of(row: Elements, level: str, fields: frozenset[str], *, wants_all: bool) -> Elements:
    """What a level always answers, and what was asked for in addition."""
    wanted = RETURNED_SETS[level] | fields
    return {tag: e for tag, e in sorted(row.items()) if wants_all or tag in wanted}


def rows_of(images: Sequence[Image], level: str, root: str) -> list[Elements]:
    depth = LEVELS.index(level) + 1
    groups: dict[tuple[str, ...], list[Image]] = {}
    kinds: dict[str, set[str]] = {}
    for image in images:
        groups.setdefault(image.key[:depth], []).append(image)
        kinds.setdefault(image.key[0], set()).add(value(image.elements, "Modality", ""))
    rows = [
        row_of(
            own(g[0].elements, level), key, level, root,
            Row(tuple(sorted(kinds[key[0]])), len({i.key[1] for i in g}), len(g)),
        )
        for key, g in groups.items()
    ]  # fmt: skip
    return sorted(rows, key=order)


def order(row: Elements) -> tuple[Any, ...]:
    day = int(value(row, "StudyDate", "0") or 0)
    numbers = [int(value(row, k, 0)) for k in ("SeriesNumber", "InstanceNumber")]
    uids = [value(row, k, "") for k in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")]
    return (-day, uids[0], numbers[0], uids[1], numbers[1], uids[2])


def row_of(elements: Elements, key: Sequence[str], level: str, root: str, counts: Row) -> Elements:
    """What the level has in common, its counts, and where to retrieve it."""
    put(elements, "InstanceAvailability", "ONLINE")
    put(elements, "ModalitiesInStudy", *counts.kinds)
    pairs = zip(LEVELS, key, strict=False)
    put(elements, "RetrieveURL", root + "".join(f"/{name}/{uid}" for name, uid in pairs))
    if level == "studies":
        put(elements, "NumberOfStudyRelatedSeries", counts.n_series)
        put(elements, "NumberOfStudyRelatedInstances", counts.n_instances)
    if level == "series":
        put(elements, "NumberOfSeriesRelatedInstances", counts.n_instances)
    return elements


def own(elements: Elements, level: str) -> Elements:
    """What is the same for the whole study or series; an instance shows all it has."""
    if level == "instances":
        return dict(elements)
    groups = ("0010", "0012") if level == "studies" else ("0010", "0012", "0018")
    names = {"00080005", "00080020", "00080030", "00080050", "00080090", "0020000D", "00200010"}
    if level == "series":
        names |= {"00080060", "0008103E", "0020000E", "00200011", "00200052"}
    return {t: e for t, e in elements.items() if t in names or t[:4] in groups}
