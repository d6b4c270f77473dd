"""A batch of an import is written: frames, rows and report in one commit, while its last files are still being read.

To write while others read, the writer must wait for them with the archive's lock in its hand. It waits a moment and no
longer: where a file is late, or anything is in the way, nothing has been written, and the batch is written once all is read.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import DataError, IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from portal.archive import packs
from portal.archive.ahead import Ahead, Read
from portal.archive.appending import Appending, writing
from portal.archive.context import Context
from portal.archive.identities import Sealing
from portal.archive.index import Outcome, indexed, refuse_other_kind, refused, store
from portal.archive.models import Import, ImportFile, Instance, Series
from portal.archive.pool import text
from portal.archive.recent import Recent
from portal.archive.refusals import Refusal
from portal.archive.returning import Away, Returning, folders_of
from portal.archive.settle import settle
from portal.archive.shelving import shelved, why_closed
from portal.archive.unpack import Entry
from portal.audit.trail import record
from portal.sql import rows

# the series of a batch, with all their images where the batch alone has written them
Touched = dict[int, tuple[Series, list[Instance] | None]]
SKIPPED = {"not_dicom", "dicomdir"}
# writing begins when so many files are left to be read, and takes at least so many at a time
LEFT, AT_ONCE = 8, 3
# how long the lock waits for them in all
PATIENCE = 0.05


class InTheWay(Exception):
    """A batch cannot be written while it is read."""


@dataclass(frozen=True)
class Work:
    """What is to be imported, under which names, by how many children."""

    paths: list[Path | Entry]
    names: Mapping[Path, str]
    workers: int
    on_progress: Callable[[int, int], None] | None
    heard: list[dict[str, Any]] | None = None
    files: list[ImportFile] | None = None
    exam_uid: str = ""
    ahead: Ahead = field(default_factory=Ahead)
    batch: int = 0
    is_folder: bool = False


@dataclass
class Run:
    """An import under way."""

    row: Import
    context: Context
    work: Work
    done: int = 0
    sealing: Sealing = field(default_factory=Sealing)
    appending: Appending = field(default_factory=Appending)
    returning: Returning = field(default_factory=Returning)
    noted: list[ImportFile] = field(default_factory=list)
    shelved: str = ""
    is_last: bool = False
    is_ended: bool = False


def is_unwritten(row: Import) -> bool:
    return row.pk is None


def write_batch(run: Run, jobs: Sequence[Future[Read]]) -> None:
    """Frames on the disk first, then the rows of files, series and report in one transaction.

    What lies at a remote store only is waited for with nothing in hand, and the batch begun anew.
    """
    run.returning = Returning()
    while True:  # each series comes, or is given up after some tries
        try:
            write_read(run, jobs)
            return
        except Away as away:
            concerned = folders_of(run.context, [job.result().answer for job in jobs])
            run.returning.bring(dict.fromkeys([away.folder, *concerned]))


def write_read(run: Run, jobs: Sequence[Future[Read]]) -> None:
    """While the last files are read, or once all are."""
    if run.is_last and is_unwritten(run.row):
        try:
            write_whole(run, Arriving(jobs))
            return
        except InTheWay:
            pass
    write_whole(run, Arriving(jobs, is_complete=True))


@dataclass
class Arriving:
    """The files of a batch as they are read, in their order. Raises InTheWay where one is late."""

    jobs: Sequence[Future[Read]]
    is_complete: bool = False

    def __post_init__(self) -> None:
        """Nobody waits with the lock in hand for more than the last few."""
        for job in self.jobs if self.is_complete else self.jobs[:-LEFT]:
            job.result()

    def some(self) -> Iterator[list[Read]]:
        done, until = 0, time.monotonic() + PATIENCE
        while done < len(self.jobs):
            least = len(self.jobs) if self.is_complete else min(done + AT_ONCE, len(self.jobs))
            found = [self.one(job, until) for job in self.jobs[done:least]]
            for job in self.jobs[least:]:
                if not job.done():
                    break
                found.append(job.result())
            done += len(found)
            yield found

    def one(self, job: Future[Read], until: float) -> Read:
        try:
            return job.result(None if self.is_complete else max(0.0, until - time.monotonic()))
        except TimeoutError as error:
            if job.done():  # what it raised itself
                raise
            raise InTheWay from error


def write_whole(run: Run, arriving: Arriving) -> None:
    """Write a batch, or nothing of it."""
    is_whole = is_unwritten(run.row)
    run.sealing = Sealing()
    try:
        write_in_one(run, arriving)
    except BaseException:
        drop_unwritten(run.appending.folders)
        if is_whole:  # its row went with the transaction
            run.row.pk, run.row.ended_at, run.row._state.adding = None, None, True
        raise
    run.is_ended = run.is_last


def write_in_one(run: Run, arriving: Arriving) -> None:
    with writing() as run.appending:
        try:
            with transaction.atomic(durable=True):
                write_rows(run, arriving)
        except BaseException:
            # with the lock still in hand: the next writer's headers would lie behind the cut
            run.sealing.give_up()
            raise


def write_rows(run: Run, arriving: Arriving) -> None:
    keep_out(run)
    answered = answered_places(run.row, run.work.batch)
    todo: dict[int, Read] = {}
    touched: Touched = {}
    found = written_together(run, numbered(run, arriving, answered, todo), touched)
    if found is None and not arriving.is_complete:
        raise InTheWay
    found = found or written_singly(run, todo, touched)
    folders = [series.folder for series, _ in touched.values()]
    with run.appending.syncing(folders, run.sealing.sync):
        for series, images in touched.values():
            settle(series, images)
        told = {place: (todo[place].entry, outcome) for place, outcome in found.items()}
        report(run, told)


def keep_out(run: Run) -> None:
    """A study whose cohort was locked after the import began takes no more of it; asked anew where a batch is repeated."""
    run.shelved = run.shelved or why_closed(run.context.study_key)
    if run.shelved:
        run.context = shelved(run.context, run.row, run.shelved)


def report(run: Run, told: Mapping[int, tuple[Entry, Outcome]]) -> None:
    """The row of a file each, that of the import where it is the first batch, and its end with the last."""
    row, is_whole = run.row, is_unwritten(run.row)
    row.ended_at = timezone.now() if run.is_last else None
    if is_whole:
        rows.insert_one(row)
    elif run.is_last:
        row.save(update_fields=["ended_at"])
    note(run, told, 1 if is_whole else next_row(row))
    if run.is_last:
        outcomes = Counter(str(one.outcome) for _, one in told.values())
        close(row, outcomes if is_whole else counts(row))


def numbered(
    run: Run, arriving: Arriving, answered: set[int], todo: dict[int, Read]
) -> Iterator[dict[int, Read]]:
    """Files under their places in the report, but for those that have their answer; all of them are noted in `todo`."""
    place = run.done
    for some in arriving.some():
        found = dict(enumerate(some, start=place + 1))
        place += len(some)
        todo.update({k: one for k, one in found.items() if k not in answered})
        yield {k: todo[k] for k in found if k in todo}


def written_together(
    run: Run, portions: Iterator[dict[int, Read]], touched: Touched
) -> dict[int, Outcome] | None:
    """All files of a batch with their rows in one go; None, and nothing written, where any of them is in the way."""
    seen: Touched = {}
    found: dict[int, Outcome] = {}
    recent = recent_of(run)
    try:
        with transaction.atomic():
            for some in portions:
                recent.learn(run.context, [one.answer for one in some.values()])
                for place, one in some.items():
                    found[place] = placed(run, one, seen, recent)
            recent.write()
    except (Refusal, IntegrityError, DataError, InTheWay):
        drop_new(recent)
        run.sealing.forget()
        return None
    except OSError:
        drop_new(recent)
        raise
    touched.update(seen)
    return found


def recent_of(run: Run) -> Recent:
    return Recent(sealing=run.sealing, appending=run.appending, returning=run.returning)


def drop_new(recent: Recent) -> None:
    """Give up the folders of series that were never written."""
    recent.appending.give_up()
    drop_unwritten([series.folder for series in recent.series.values()])


def drop_unwritten(folders: Collection[str]) -> None:
    """Give up those of these folders whose series went with their transaction, or were never written."""
    if not folders:
        return
    kept = set(Series.objects.filter(folder__in=folders).values_list("folder", flat=True))
    for folder in folders:
        if folder not in kept:
            packs.drop(folder)


def written_singly(run: Run, todo: Mapping[int, Read], touched: Touched) -> dict[int, Outcome]:
    """File by file, each in a savepoint of its own: what cannot be stored is one refusal."""
    recent = recent_of(run)
    recent.learn(run.context, [one.answer for one in todo.values()])
    found = {place: write_one(run, one, touched, recent) for place, one in todo.items()}
    if run.sealing.has_failed:
        run.sealing.give_up()
    return found


def answered_places(row: Import, batch: int) -> set[int]:
    """Places of a numbered batch that an earlier, interrupted sending of it has answered."""
    if not batch:
        return set()
    known = ImportFile.objects.filter(source=row, batch=batch)
    return set(known.values_list("position", flat=True))


def note(run: Run, outcomes: Mapping[int, tuple[Entry, Outcome]], first: int) -> None:
    """One row of the report per file, by its place in the batch, numbered from `first` on."""
    run.noted = [
        ImportFile(
            source=run.row, row=row, batch=run.work.batch, position=place,
            name=text(entry.name)[:300], size=entry.size, outcome=outcome.outcome,
            reason_code=outcome.reason_code, sentence=outcome.sentence,
        )
        for row, (place, (entry, outcome)) in enumerate(outcomes.items(), start=first)
    ]  # fmt: skip
    rows.insert(run.noted)


def next_row(source: Import) -> int:
    """The next number of the report; the lock keeps two batches of one import apart."""
    Import.objects.select_for_update().get(pk=source.pk)
    return (source.files.aggregate(last=Max("row"))["last"] or 0) + 1


def unread(work: Work, one: Read) -> Outcome | None:
    """What becomes of a file that its child did not read, or that belongs to another exam than was said."""
    answer = one.answer
    if not answer["ok"]:
        is_among_others = work.is_folder or one.entry.is_among_others
        skipped = answer["code"] in SKIPPED and is_among_others or answer["code"] == "dicomdir"
        outcome = ImportFile.Outcome.SKIPPED if skipped else ImportFile.Outcome.REFUSED
        return Outcome(outcome, answer["code"], answer["sentence"])
    if work.exam_uid not in ("", answer["source"]["StudyInstanceUID"]):
        return refused(Refusal("other_exam"))
    return None


def placed(run: Run, one: Read, touched: Touched, recent: Recent) -> Outcome:
    """One file of several that are written together. Raises Refusal where it cannot be stored."""
    if one.answer["ok"]:
        refuse_other_kind(run.context, one.answer)
    outcome = unread(run.work, one)
    if outcome is not None:
        return outcome
    stored = indexed(run.context, one.answer, one.frames, one.stored, recent)
    if stored.series is not None:
        touched[stored.series.pk] = stored.series, recent.images.get(stored.series.pk)
    return stored


def write_one(run: Run, one: Read, touched: Touched, recent: Recent) -> Outcome:
    """Store one read file; what cannot be stored is one refusal and changes nothing."""
    outcome = unread(run.work, one)
    if outcome is not None:
        return outcome
    try:
        stored = store(run.context, one.answer, one.frames, one.stored, recent)
    except Refusal as refusal:
        recent.forget()
        return refused(refusal)
    if stored.series is not None:
        touched[stored.series.pk] = stored.series, recent.images.get(stored.series.pk)
    return stored


def close(row: Import, found: Mapping[str, int]) -> None:
    record(
        "import.end", obj=f"import:{row.code}", study=row.study_key, new=dict(found), role="coordinator",
        actor=f"u:{row.actor_id}" if row.actor_id else "",
    )  # fmt: skip


def counts(row: Import) -> dict[str, int]:
    """Files per outcome."""
    found: dict[str, int] = {}
    for outcome in ImportFile.objects.filter(source=row).values_list("outcome", flat=True):
        found[outcome] = found.get(outcome, 0) + 1
    return found
