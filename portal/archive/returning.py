"""A series that only a remote store has must come back before an image can join it: never while the writer's lock is held."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from portal.archive import packs, uids
from portal.archive.context import Context
from portal.archive.models import RemoteCopy
from portal.archive.refusals import Refusal
from portal.errors import NotFound, StudyError

# how often a series is brought back for one batch that has left again when the writer's turn comes
TRIES = 3


class Away(Exception):
    """A series is not here; the batch can be written once it is."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.folder = folder


@dataclass
class Returning:
    """The series that a batch has asked for, over all tries to write it."""

    asked: Counter[str] = field(default_factory=Counter)
    # folder -> code of the refusal of its images
    failed: dict[str, str] = field(default_factory=dict)

    def check(self, folder: str, pack: str, size: int) -> None:
        """For the writer: raises Away where a pack is not here, and Refusal where it was asked for in vain."""
        if packs.reaches(folder, pack, size):
            return
        if folder in self.failed:
            raise Refusal(self.failed[folder])
        raise Away(folder)

    def bring(self, folders: Iterable[str]) -> None:
        """For whoever holds no lock: one that does not come costs its own images only."""
        for folder in folders:
            if folder in self.failed:
                continue
            self.asked[folder] += 1
            code = asked_back(folder) if self.asked[folder] <= TRIES else "archive_down"
            if code:
                self.failed[folder] = code


def asked_back(folder: str) -> str:
    """Why a series does not come back, '' where it does."""
    try:
        return "" if packs.fetched(folder) else "archive_damaged"
    except packs.DiskFull:
        raise  # the whole batch is told of it
    except (packs.Damaged, NotFound):
        return "archive_damaged"
    except StudyError:
        return "archive_down"


def folders_of(context: Context, answers: Sequence[dict[str, Any]]) -> list[str]:
    """Series of which a remote has a copy, that are not here, and that some of these files may be going to join."""
    sent = {one["source"]["SeriesInstanceUID"] for one in answers if one["ok"]}
    found = RemoteCopy.objects.filter(
        series__sender_uid__in=[uids.archive_uid(context.key, uid) for uid in sent],
        series__exam__study_key=context.study_key,
    ).select_related("series")
    mine = found if context.study_key else found.filter(series__exam__importer=context.actor)
    return [
        one.series.folder
        for one in mine.order_by("pk")
        if not packs.reaches(one.series.folder, packs.NATIVE, one.series.native_size)
    ]
