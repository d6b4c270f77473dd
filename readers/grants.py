"""A short-lived right to the images of the case on the desk, kept in the process."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.http import HttpRequest

from portal.accounts.models import User
from portal.archive.dicomweb.baked import Kept
from portal.archive.dicomweb.header import Names
from portal.archive.frames import Location, View, location
from portal.archive.models import Exam, Instance, Series
from portal.archive.uids import shift_weeks, study_key
from readers.exam import series_of, uid_of
from readers.models import Assignment
from readers.reading import with_everything
from readers.worklist import desk_case

SECONDS = 10.0
KEPT = 512
Key = tuple[int, str, str]


@dataclass
class Grant:
    """What the archive may show of one case, and until when."""

    view: View
    until: float
    case: Assignment

    def names(self, exam: Exam) -> Names:
        """UIDs, dates and codes of this case alone."""
        key = study_key(self.case.session.study.code)
        weeks = shift_weeks(key, f"case{self.case.code}", exam.patient_key)
        return Names(lambda uid: uid_of(self.case, uid), self.case.code, weeks, is_case=True)

    def series(self, uids: Sequence[str]) -> list[Series]:
        """The case's series below these UIDs of the case."""
        return [
            s for s in case_series(self.case) if uids_of(self.case, s)[: len(uids)] == tuple(uids)
        ]


def case_series(case: Assignment) -> list[Series]:
    return list({series.pk: series for _, series in series_of(case)}.values())


def uids_of(case: Assignment, series: Series) -> tuple[str, str]:
    return uid_of(case, series.exam.uid), uid_of(case, series.uid)


def view_of(case: Assignment) -> View:
    """The allow-list of a case: its ready series under its own UIDs, nothing else of the patient."""
    places: dict[tuple[str, str, str], Location] = {}
    for series in case_series(case):
        exam, own = uids_of(case, series)
        for uid, place in places_of(case, series):
            places[exam, own, uid_of(case, uid)] = place
    return View(case.code, places)


# by case and series: where frames lie changes only with the series; another reader's visit makes nothing faster
known_places: Kept[list[tuple[str, Location]]] = Kept(20_000, lambda found: 1 + len(found))


def places_of(case: Assignment, series: Series) -> list[tuple[str, Location]]:
    """Where each image of a series lies, by its archive UID."""

    def read() -> list[tuple[str, Location]]:
        rows = Instance.objects.filter(series=series)
        rows = rows.defer("header", "frame_digests", "stored_digests")
        return [(one.uid, location(one, series)) for one in rows]

    state = (case.code, series.folder, series.digest, series.native_size, series.stored_size)
    return known_places.of(repr(state), read)


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
        return Grant(view_of(case), self.clock() + SECONDS, case)


grants = Grants()
