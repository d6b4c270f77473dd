"""A short-lived right to the images of the case on the desk, kept in the process."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from django.http import HttpRequest

from portal.accounts.models import User
from portal.archive.dicomweb.header import Image, Names, images
from portal.archive.frames import Location, View, location
from portal.archive.models import Exam, Instance
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
    shown: list[Image] | None = None

    def images(self) -> list[Image]:
        """The headers of the case, made when first asked for."""
        if self.shown is None:
            self.shown = case_images(self.case)
        return self.shown


def case_images(case: Assignment) -> list[Image]:
    """Every instance of the case as its reader sees it: UIDs, dates and codes of this case alone."""
    key = study_key(case.session.study.code)

    def names(exam: Exam) -> Names:
        weeks = shift_weeks(key, f"case{case.code}", exam.patient_key)
        return Names(lambda uid: uid_of(case, uid), case.code, weeks, is_case=True)

    return images({series.pk: series for _, series in series_of(case)}.values(), names)


def view_of(case: Assignment) -> View:
    """The allow-list of a case: its ready series under its own UIDs, nothing else of the patient."""
    places: dict[tuple[str, str, str], Location] = {}
    for series in {series.pk: series for _, series in series_of(case)}.values():
        exam, own = uid_of(case, series.exam.uid), uid_of(case, series.uid)
        for instance in Instance.objects.filter(series=series).defer("header", "frame_digests"):
            places[exam, own, uid_of(case, instance.uid)] = location(instance, series)
    return View(case.code, places)


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
