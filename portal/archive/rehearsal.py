"""What would become of files: read by the ingest children and judged as an import judges them, with nothing kept."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings

from portal.archive import packs, uids
from portal.archive.ahead import BATCH, Ahead, Read, reading, spool_folder
from portal.archive.commit import Work, unread
from portal.archive.context import Context
from portal.archive.exams import person_of, series_name, within_reach
from portal.archive.index import (
    CONFLICT,
    Outcome,
    content_digest,
    known_outcome,
    new_outcome,
    prepare,
    refuse_other_kind,
    refused,
)
from portal.archive.models import ImportFile, Series
from portal.archive.pool import text
from portal.archive.recent import Recent, names_of
from portal.archive.refusals import Refusal
from portal.archive.unpack import Entry, Unpacking, entries


@dataclass(frozen=True)
class Told:
    """A file by its name in the report, and what would become of it."""

    name: str
    outcome: Outcome


@dataclass
class Rehearsal:
    """Judges file after file, as if those before had been stored."""

    context: Context
    work: Work
    files: set[str] = field(default_factory=set)
    # content digests by instance UID
    contents: dict[str, str] = field(default_factory=dict)
    # exams by mapped UID: of whom, whether synthetic -> whether another patient had the UID before
    exams: dict[str, dict[tuple[str, bool], bool]] = field(default_factory=dict)

    def outcome(self, one: Read) -> Outcome:
        found = unread(self.work, one)
        if found is not None:
            return found
        try:
            refuse_other_kind(self.context, one.answer)
        except Refusal as refusal:
            return refused(refusal)
        known = self.seen(one.answer) or known_outcome(self.context, one.answer, Recent())
        return known or self.new(one.answer)

    def seen(self, answer: dict[str, Any]) -> Outcome | None:
        """Like `known_outcome`, of the files before this one."""
        file, uid = names_of(self.context, answer)
        if file not in self.files and uid not in self.contents:
            return None
        is_same = file in self.files or self.contents[uid] == content_digest(self.context, answer)
        return Outcome(ImportFile.Outcome.ALREADY_HERE) if is_same else refused(Refusal("conflict"))

    def new(self, answer: dict[str, Any]) -> Outcome:
        file, uid = names_of(self.context, answer)
        self.files.add(file)
        self.contents[uid] = content_digest(self.context, answer)
        has_conflict = self.has_conflict(answer) and not self.is_decided(answer)
        return new_outcome(answer, has_conflict=has_conflict)

    def has_conflict(self, answer: dict[str, Any]) -> bool:
        """Does its exam bear the UID of another patient's?"""
        source = answer["source"]
        mapped = uids.archive_uid(self.context.key, source["StudyInstanceUID"])
        if mapped not in self.exams:
            stored = within_reach(self.context, mapped).reverse()
            self.exams[mapped] = {(e.patient_key, e.is_synthetic): e.has_conflict for e in stored}
        found, person = self.exams[mapped], person_of(self.context, source)
        place = person, answer["facts"]["SyntheticData"] == "YES"
        return found.setdefault(place, any(other != person for other, _ in found))

    def is_decided(self, answer: dict[str, Any]) -> bool:
        """Has somebody released the series that it would join?"""
        key, source = self.context.key, answer["source"]
        exams = within_reach(self.context, uids.archive_uid(key, source["StudyInstanceUID"]))
        mine = exams.filter(patient_key=person_of(self.context, source))
        name = uids.archive_uid(key, series_name(answer))
        rows = Series.objects.filter(exam__in=mine, mapped_uid=name, role=answer["role"])
        return any(CONFLICT in row.decisions for row in rows)

    def batch(self, some: list[Entry]) -> Iterator[Told]:
        prepared = partial(prepare, self.context)
        with (
            spool_folder("batch-") as spool,
            reading(some, spool, self.work.workers, Ahead(), prepared) as jobs,
        ):
            for entry, job in zip(some, jobs, strict=True):
                yield Told(text(entry.name), self.outcome(job.result()))


def rehearse(
    paths: Iterable[Path], context: Context, *, workers: int | None = None
) -> Iterator[Told]:
    """Every file of an import in its order; only the spool is written to, and left empty."""
    packs.check_free_space()
    work = Work(list(paths), {}, workers or settings.WORKERS, None)
    found = Rehearsal(context, work)
    with spool_folder("unpack-") as spool:
        todo = list(entries(work.paths, work.names, Unpacking(spool, work.workers)))
        for first in range(0, len(todo), BATCH):
            yield from found.batch(todo[first : first + BATCH])
