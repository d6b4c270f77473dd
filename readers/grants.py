"""A short-lived right to the images of the case on the desk, kept in the process."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django.http import HttpRequest

from portal.accounts.models import User
from portal.archive.models import Instance, Series
from readers.exam import series_of, uid_of
from readers.models import Assignment
from readers.reading import with_everything
from readers.worklist import desk_case

SECONDS = 10.0
KEPT = 512
Key = tuple[int, str, str]


Extents = list[list[int]]
Address = tuple[str, str, str]


@dataclass(frozen=True)
class Stored:
    """Where the frames of one instance lie."""

    folder: str
    syntax: str
    native: Extents
    stored: Extents


@dataclass(frozen=True)
class Grant:
    """The instances of one case by exam, series and instance UID as this case names them."""

    instances: Mapping[Address, Stored]
    until: float


def instances_of(case: Assignment) -> dict[Address, Stored]:
    series = {series.pk: series for _, series in series_of(case)}
    rows = Instance.objects.filter(series__in=series).order_by("series", "rank")
    columns = ("series_id", "uid", "native_frames", "stored_frames")
    return {
        named(case, series[pk], uid): Stored(
            series[pk].folder, series[pk].transfer_syntax_uid, native, stored or native
        )
        for pk, uid, native, stored in rows.values_list(*columns)
    }


def named(case: Assignment, series: Series, uid: str) -> Address:
    return (uid_of(case, series.exam.uid), uid_of(case, series.uid), uid_of(case, uid))


@dataclass
class Grants:
    """The newest grants by person, session and case; none is older than ten seconds."""

    clock: Callable[[], float] = time.monotonic
    kept: OrderedDict[Key, Grant] = field(default_factory=OrderedDict)

    def of(self, request: HttpRequest, reader: User, code: str) -> Grant:
        """A grant kept from a moment ago, else a new one; NotFound if the case is not on the desk."""
        key = (reader.pk, request.session.session_key or "", code)
        found = self.kept.get(key)
        if found is not None and self.clock() < found.until:
            return found
        self.kept.pop(key, None)
        grant = self.granted(reader, code)
        self.kept[key] = grant
        while len(self.kept) > KEPT:
            self.kept.popitem(last=False)
        return grant

    def granted(self, reader: User, code: str) -> Grant:
        case = with_everything().get(pk=desk_case(reader, code).pk)
        return Grant(instances_of(case), self.clock() + SECONDS)


def view_of(case: Assignment, rows: Iterable[Series]) -> View:
    """The allow-list of a case: its ready series under its own UIDs, nothing else of the patient."""
    places: dict[tuple[str, str, str], Location] = {}
    for series in rows:
        exam, own = uid_of(case, series.exam.uid), uid_of(case, series.uid)
        for instance in Instance.objects.filter(series=series):
            places[exam, own, uid_of(case, instance.uid)] = location(instance, series)
    return View(case.code, places)


grants = Grants()
