"""The source view: images with the header as received, under their own UIDs, frames numbered as they came.

Only for truth-seeing requests: everything here reads sealed tables and the identity folder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Coalesce
from django.http import QueryDict

from portal.archive import identities
from portal.archive.dicomweb import baked, source_search, wado
from portal.archive.dicomweb.baked import Text
from portal.archive.dicomweb.header import Image, Key
from portal.archive.dicomweb.qido import Page, Query, parse
from portal.archive.dicomweb.routes import Mounted, warning_of
from portal.archive.dicomweb.search import STATE
from portal.archive.dicomweb.shelf import (
    SOMEBODY,
    Shelf,
    is_of_one_patient,
    parts_of,
    places_of,
)
from portal.archive.dicomweb.source_search import json_of, mine
from portal.archive.frames import NO_SUCH_IMAGE, Location, Sent, View, location
from portal.archive.identities import Record, record_of
from portal.archive.models import Exam, Instance, Series, SourceSeries, SourceUid
from portal.errors import NotFound
from portal.fence.reading import apart
from portal.sql.asked import MANY, Asked, counted, of_each, place, some_names, written

NO_STORE = "private, no-store"
BELOW = ("series__identity__source_uid", "series__source_uid", "source_uid")
OF_SERIES = ("identity__source_uid", "source_uid")
# the rows of a place and of its series; a header's facts and digests are not needed
UNUSED = (
    "instance__header", "instance__frame_digests", "instance__stored_digests", "instance__series__acquisition",
    "series__row", "series__identity__row",
)  # fmt: skip


def in_order(rows: QuerySet[SourceUid]) -> QuerySet[SourceUid]:
    """By the numbers that the sender gave, then by UID."""
    return rows.annotate(
        of_series=Coalesce("series__number", 0), of_image=Coalesce("number", 0)
    ).order_by("of_series", "series__source_uid", "of_image", "source_uid", "pk")


def rows_below(shelf: Shelf, uids: Sequence[str]) -> QuerySet[SourceUid]:
    below = dict(zip(BELOW, uids, strict=False))
    return in_order(SourceUid.objects.filter(mine(shelf, "series__identity__"), **below))


def as_numbered(instance: Instance) -> Location:
    """Where the frames lie, in the order in which they were received.

    They lie in the pack in this order, or upside down where the header's spacing is negative; a coordinator's stacking
    changes the order in which they are named, and not where they lie.
    """
    found = location(instance, instance.series)
    down = -1 if instance.is_reversed else 1
    native, stored = (
        tuple(sorted(extents, key=lambda one: one.offset))[::down]
        for extents in (found.native, found.stored)
    )
    return replace(found, native=native, stored=stored)


@lru_cache(maxsize=64)
def series_below(n_studies: int, n_uids: int) -> Asked:
    """What a document of these series is made of: their packs, and how far these reach."""
    below = {name: place(f"uid{k}") for k, name in enumerate(OF_SERIES[:n_uids])}
    shelf = Shelf(tuple(places_of(n_studies)), SOMEBODY, "")
    rows = SourceSeries.objects.filter(mine(shelf, "identity__"), **below)
    return written(rows.order_by("pk").values_list("pk", "folder", "size"))


@lru_cache(maxsize=64)
def pictures_below(n_studies: int, n_uids: int) -> Asked:
    """The images below these UIDs as the archive view calls them, each with all that the pictures of its series depend on."""
    below = {name: place(f"uid{k}") for k, name in enumerate(BELOW[:n_uids])}
    shelf = Shelf(tuple(places_of(n_studies)), SOMEBODY, "")
    rows = in_order(SourceUid.objects.filter(mine(shelf, "series__identity__"), **below))
    state = (f"instance__series__{name}" for name in STATE)
    return written(rows.values_list("instance_id", *state))


@lru_cache(maxsize=64)
def exams_beside(n_studies: int) -> Asked:
    """Is there any exam of the caller that this view does not show?"""
    parts = [Exam.objects.filter(part, has_source=False) for part in parts_of(n_studies)]
    return counted([written(part.order_by().values_list("pk")[:1]) for part in parts])


def has_others(shelf: Shelf) -> bool:
    ((number,),) = exams_beside(len(shelf.studies)).rows(shelf.given())
    return bool(number)


@lru_cache(maxsize=1024)
def asked_by(query_string: str) -> Query:
    # as Django reads it: the octets, not the characters that WSGI makes of them
    return parse("studies", QueryDict(query_string.encode("latin-1")))


def found_at_once(shelf: Shelf, asked: Mapping[str, Any]) -> Sent | None:
    """A search for exams that is answered by questions written before, on a connection that only reads.

    None where it takes more, or where it is answered with something else than what was found.
    """
    query = asked_by(asked.get("QUERY_STRING", ""))
    is_plain = is_of_one_patient(query) or not any(query.keys.values())
    if (
        not is_plain
        or not wado.takes_json(asked.get("HTTP_ACCEPT", ""))
        or "HTTP_HOST" not in asked
    ):
        return None
    with apart(is_fenced=False) as is_here:
        if not is_here or has_others(shelf):
            return None
        page = source_search.search(shelf, query, ())
    if not page.rows:
        return None
    body = page.text.encode()
    headers = {"Content-Type": wado.JSON, "ETag": baked.mark(body)}
    warning = warning_of(query, page, asked["HTTP_HOST"])
    return Sent(200, {**headers, **({"Warning": warning} if warning else {})}, body)


@dataclass(frozen=True)
class SourceBase:
    """The images of a shelf in the source view."""

    shelf: Shelf
    # another than the archive view's, where a sender's UIDs name frames in another order
    name: str = "source"
    json_cache: str = NO_STORE
    view: View | None = None
    until: float | None = None

    @property
    def root(self) -> str:
        return self.shelf.root

    def images(self, uids: Sequence[str]) -> list[Image]:
        rows = list(
            rows_below(self.shelf, uids)
            .select_related("series__identity", "instance__series").defer(*UNUSED)
        )  # fmt: skip
        records = [record_of(row, row.series.folder) for row in rows if row.series]
        texts = json_of(records, self.root)
        return [
            Image(key_of(row), said, as_numbered(row.instance), record)
            for row, record, said in zip(rows, records, texts, strict=True)
        ]

    def places(self, uids: Sequence[str]) -> Mapping[Key, Location]:
        rows = rows_below(self.shelf, uids).select_related("series__identity", "instance__series")
        return {key_of(row): as_numbered(row.instance) for row in rows.defer(*UNUSED)}

    def pictures(self, uids: Sequence[str], *, is_numbered: bool) -> list[Image]:
        """Windows and pixels as the archive view has them: what a sender writes there is not trusted."""
        asked = pictures_below(len(self.shelf.studies), len(uids))
        rows = asked.rows(self.shelf.given(**{f"uid{k}": uid for k, uid in enumerate(uids)}))
        wanted, states = {row[0] for row in rows}, {repr(row[1:]): row[1] for row in rows}
        found = [
            one
            for state, pk in states.items()
            for one in baked.known_images(f"pictures|{state}", lambda pk=pk: [series_of(pk)])  # type: ignore[misc]
            if one.key[2] in wanted
        ]
        if not is_numbered:
            return found
        kept = {one.uid: one for one in Instance.objects.filter(uid__in=wanted).select_related("series")}  # fmt: skip
        return [replace(one, place=as_numbered(kept[one.key[2]])) for one in found]

    def page(self, query: Query, uids: Sequence[str]) -> Page:
        return source_search.search(self.shelf, query, uids)

    def described(self, uids: Sequence[str]) -> Text:
        """The metadata, kept under a word for all that they are made of."""
        names = {f"uid{k}": uid for k, uid in enumerate(uids[:2])}
        asked = series_below(len(self.shelf.studies), len(uids[:2]))
        state = asked.rows(self.shelf.given(**names))
        if not state:
            raise NotFound(NO_SUCH_IMAGE)
        word = f"source|{self.root}|{uids[2:]}|{state!r}"
        return baked.texts.of(word, lambda: self.document(uids))

    def document(self, uids: Sequence[str]) -> Text:
        rows = rows_below(self.shelf, uids).select_related("series").defer("series__row")
        records = [record_of(row, row.series.folder) for row in rows if row.series]
        if not records:
            raise NotFound(NO_SUCH_IMAGE)
        return baked.text_of(written_of(records), self.root)


def series_of(pk: int) -> Series:
    return Series.objects.select_related("exam").get(pk=pk)


def written_of(records: Sequence[Record]) -> list[bytes]:
    """What the headers say as JSON, as it was written at the door."""
    found = []
    for folder, group in groupby(records, key=lambda one: one.folder):
        found += identities.read(folder, [one.json for one in group])
    return found


def key_of(row: SourceUid) -> Key:
    series: Any = row.series
    return (series.identity.source_uid, series.source_uid, row.source_uid)


def addresses(uids: Sequence[str], root: str) -> dict[str, str]:
    """Archive UID -> where the source view has the image; without those that it does not show."""
    return {
        str(uid): f"{root}/studies/{study}/series/{series}/instances/{image}"
        for uid, study, series, image in of_each(uids, in_source_view)
    }


@lru_cache(maxsize=MANY)
def in_source_view(n: int) -> Asked:
    """The sender's UIDs of so many images."""
    found = SourceUid.objects.filter(
        instance_id__in=some_names(n), series__identity__exam__has_source=True
    )
    return written(
        found.order_by().values_list(
            "instance_id", "series__identity__source_uid", "series__source_uid", "source_uid"
        )
    )


@dataclass(frozen=True)
class Both:
    """The source view, and behind it the archive view of the exams that it does not show."""

    source: SourceBase
    rest: Mounted
    view: View | None = None
    until: float | None = None

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def root(self) -> str:
        return self.source.root

    @property
    def json_cache(self) -> str:
        return self.source.json_cache

    def images(self, uids: Sequence[str]) -> list[Image]:
        return self.source.images(uids) or self.rest.images(uids)

    def places(self, uids: Sequence[str]) -> Mapping[Key, Location]:
        return self.source.places(uids) or self.rest.places(uids)

    def pictures(self, uids: Sequence[str], *, is_numbered: bool) -> list[Image]:
        found = self.source.pictures(uids, is_numbered=is_numbered)
        return found or self.rest.pictures(uids, is_numbered=is_numbered)

    def described(self, uids: Sequence[str]) -> Text:
        try:
            return self.source.described(uids)
        except NotFound:
            return self.rest.described(uids)

    def page(self, query: Query, uids: Sequence[str]) -> Page:
        """One after the other: dates of the one view say nothing beside those of the other."""
        page = self.source.page(query, uids)
        n = len(page.rows)
        before = query.offset + n + page.left if n else self.number(query, uids)
        more = replace(query, offset=max(0, query.offset - before), limit=query.limit - n)
        rest = self.rest.page(more, uids)
        return Page([*page.rows, *rest.rows], page.left + rest.left)

    def number(self, query: Query, uids: Sequence[str]) -> int:
        """How many rows of the source view there are in all."""
        one = self.source.page(replace(query, offset=0, limit=1), uids)
        return len(one.rows) + one.left
