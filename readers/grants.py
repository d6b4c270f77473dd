"""A short-lived right to the images of the case on the desk, kept in the process."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from django.http import HttpRequest

from portal.accounts.models import User
from portal.archive.models import Series
from readers.exam import series_of
from readers.reading import with_everything
from readers.worklist import desk_case

SECONDS = 10.0
KEPT = 512
Key = tuple[int, str, str]


@dataclass(frozen=True)
class Grant:
    """The series of one case, under the names that this case gives them."""

    study_key: str
    case_code: str
    series: tuple[Series, ...]
    until: float


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
        unique = {series.pk: series for _, series in series_of(case)}
        return Grant(
            study_key=case.session.study.code,
            case_code=case.code,
            series=tuple(unique.values()),
            until=self.clock() + SECONDS,
        )


grants = Grants()
