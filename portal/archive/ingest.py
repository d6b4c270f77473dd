"""The one way in: files are read in children, de-identified, packed and indexed; each has its outcome."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.db import DataError, IntegrityError, connection, connections, transaction
from django.db.models import Max
from django.utils import timezone

from portal.accounts.models import User
from portal.archive import packs, rows
from portal.archive.ahead import BATCH, Ahead, Read, read_all, spool_folder
from portal.archive.context import Context
from portal.archive.identities import Sealing
from portal.archive.index import Outcome, indexed, prepare, refuse_other_kind, refused, store
from portal.archive.models import Import, ImportFile, Instance, Series
from portal.archive.packs import Appending
from portal.archive.pool import text
from portal.archive.recent import Recent, begin
from portal.archive.refusals import Refusal
from portal.archive.settle import settle
from portal.archive.store import push_later
from portal.archive.uids import archive_key
from portal.archive.unpack import Entry, entries
from portal.audit.trail import record

T = TypeVar("T")
# the series of a batch, with all their images where the batch alone has written them
Touched = dict[int, tuple[Series, list[Instance] | None]]
SKIPPED = {"not_dicom", "dicomdir"}


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
    is_folder: bool
    work: Work
    done: int = 0
    sealing: Sealing = field(default_factory=Sealing)
    appending: Appending = field(default_factory=Appending)
    noted: list[ImportFile] = field(default_factory=list)
    is_last: bool = False
    is_ended: bool = False


def import_paths(
    paths: Iterable[Path | Entry],
    *,
    door: str,
    actor: User | None,
    study_key: str = "",
    expects_synthetic: bool | None = None,
    names: Mapping[Path, str] | None = None,
    workers: int | None = None,
    archive_seed: bytes | None = None,
    warning: str = "",
    on_progress: Callable[[int, int], None] | None = None,
    heard: list[dict[str, Any]] | None = None,
    files: list[ImportFile] | None = None,
    exam_uid: str = "",
    ahead: Ahead | None = None,
) -> Import:
    """Import files, folders and zips into the unfiled shelf or a study; idempotent, every file answered for.

    `archive_seed` is for synthetic studies only: their UIDs and digests then repeat from run to run.
    `heard` is given what the children answered, `files` the rows of the report, file by file; images of another exam than `exam_uid` are refused.
    `ahead` knows files that are being read already.
    """
    context = Context(
        archive_key(archive_seed), study_key, actor, expects_synthetic, archive_seed is not None
    )
    work = Work(
        list(paths), names or {}, workers or settings.WORKERS, on_progress, heard, files, exam_uid, ahead or Ahead()
    )  # fmt: skip
    return on_own_connection(lambda: imported(context, work, door=door, warning=warning))


def on_own_connection(work: Callable[[], T]) -> T:
    """On Postgres a web request is one transaction; an import commits by itself, in a thread beside it."""
    if connection.vendor != "postgresql" or not connection.in_atomic_block:
        return work()
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(copy_context().run, closing, work).result()


def closing(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        connections.close_all()


def imported(context: Context, work: Work, *, door: str, warning: str) -> Import:
    packs.check_free_space()
    row = unwritten(context, door=door, warning=warning)
    if not add(row, context, work, is_whole=True):
        return ended(row)
    push_later()
    return row


def begun(context: Context, *, door: str, warning: str) -> Import:
    row = unwritten(context, door=door, warning=warning)
    row.save()
    return row


def unwritten(context: Context, *, door: str, warning: str) -> Import:
    """An import of which nobody has heard: its row comes with its first batch, or before the first of many."""
    return Import(
        door=door,
        study_key=context.study_key,
        actor=context.actor,
        warning=warning,
        started_at=timezone.now(),
    )


def is_unwritten(row: Import) -> bool:
    return row.pk is None


def add(row: Import, context: Context, work: Work, *, is_whole: bool = False) -> bool:
    """Take files into an import that has begun; True where the last batch of a whole one has ended it as well."""
    is_folder = work.is_folder or any(map(holds_files, work.paths))
    run = Run(row, context, is_folder, work)
    with spool_folder("unpack-") as spool:
        todo = list(entries(work.paths, work.names, spool))
        if is_unwritten(row) and len(todo) > BATCH:
            row.save()
        for first in range(0, len(todo), BATCH):
            run.is_last = is_whole and first + BATCH >= len(todo)
            take(run, todo[first : first + BATCH], work.workers)
            if work.on_progress:
                work.on_progress(run.done, len(todo))
    return run.is_ended


def holds_files(path: Path | Entry) -> bool:
    return isinstance(path, Path) and (path.is_dir() or path.suffix == ".zip")


def ended(row: Import) -> Import:
    with transaction.atomic():
        row.ended_at = timezone.now()
        row.save(update_fields=None if is_unwritten(row) else ["ended_at"])
        close(row, counts(row))
    push_later()
    return row


def close(row: Import, found: Mapping[str, int]) -> None:
    record(
        "import.end", obj=f"import:{row.code}", study=row.study_key, new=dict(found), role="coordinator"
    )  # fmt: skip


def counts(row: Import) -> dict[str, int]:
    """Files per outcome."""
    found: dict[str, int] = {}
    for outcome in ImportFile.objects.filter(source=row).values_list("outcome", flat=True):
        found[outcome] = found.get(outcome, 0) + 1
    return found


def take(run: Run, batch: list[Entry], workers: int) -> None:
    """Read a batch in parallel into the spool, then write it in order, all in one commit."""
    heard: list[dict[str, Any]] = [{} for _ in batch]
    with spool_folder("batch-") as spool:
        try:
            if not packs.has_room():
                raise packs.disk_full()
            reads = read_all(batch, spool, workers, run.work.ahead, partial(prepare, run.context))
            heard = [one.answer for one in reads]
            write_batch(run, reads)
        except packs.DiskFull:
            note_full(run, batch)
        except OSError as error:
            if not packs.is_full(error):
                raise
            note_full(run, batch)
    if run.work.heard is not None:
        run.work.heard.extend(heard)
    if run.work.files is not None:
        run.work.files.extend(run.noted)
    run.done += len(batch)


def write_batch(run: Run, reads: list[Read]) -> None:
    """Frames on the disk first, then the rows of files, series and report in one transaction."""
    is_whole = is_unwritten(run.row)
    run.sealing = Sealing()
    try:
        write_in_one(run, reads)
    except BaseException:
        run.sealing.give_up()
        if is_whole:  # its row went with the transaction
            run.row.pk, run.row.ended_at, run.row._state.adding = None, None, True
        raise
    run.is_ended = run.is_last


def write_in_one(run: Run, reads: list[Read]) -> None:
    with packs.writing() as run.appending, transaction.atomic(durable=True):
        answered = answered_places(run.row, run.work.batch)
        places = enumerate(reads, start=run.done + 1)
        todo = {place: one for place, one in places if place not in answered}
        touched: Touched = {}
        found = written_together(run, todo, touched) or written_singly(run, todo, touched)
        folders = [series.folder for series, _ in touched.values()]
        with run.appending.syncing(folders, run.sealing.sync):
            for series, images in touched.values():
                settle(series, images)
            told = {place: (todo[place].entry, outcome) for place, outcome in found.items()}
            report(run, told)


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


def written_together(
    run: Run, todo: Mapping[int, Read], touched: Touched
) -> dict[int, Outcome] | None:
    """All files of a batch with their rows in one go; None, and nothing written, where any of them is in the way."""
    seen: Touched = {}
    recent = begin(run.context, [one.answer for one in todo.values()], run.sealing, run.appending)
    try:
        for one in todo.values():
            if one.answer["ok"]:
                refuse_other_kind(run.context, one.answer)
        with transaction.atomic():
            found = {place: placed(run, one, seen, recent) for place, one in todo.items()}
            recent.write()
    except (Refusal, IntegrityError, DataError):
        drop_new(recent)
        run.sealing.forget()
        return None
    touched.update(seen)
    return found


def drop_new(recent: Recent) -> None:
    """Give up the folders of series that were never written."""
    recent.appending.give_up()
    for series in recent.series.values():
        if not Series.objects.filter(folder=series.folder).exists():
            packs.drop(series.folder)


def written_singly(run: Run, todo: Mapping[int, Read], touched: Touched) -> dict[int, Outcome]:
    """File by file, each in a savepoint of its own: what cannot be stored is one refusal."""
    recent = begin(run.context, [one.answer for one in todo.values()], run.sealing, run.appending)
    found = {place: write_one(run, one, touched, recent) for place, one in todo.items()}
    if run.sealing.has_failed:
        run.sealing.give_up()
    return found


def answered_places(row: Import, batch: int) -> set[int]:
    """Places of a numbered batch that an earlier, interrupted sending of it has answered."""
    if not batch:
        return set()
    rows = ImportFile.objects.filter(source=row, batch=batch)
    return set(rows.values_list("position", flat=True))


def note_full(run: Run, batch: list[Entry]) -> None:
    """None of these files could be written; a numbered batch stays unanswered, so that it can come again."""
    if run.work.batch:
        raise packs.disk_full()
    full = refused(Refusal("disk"))
    with transaction.atomic():
        if is_unwritten(run.row):
            run.row.save()
        told = {place: (entry, full) for place, entry in enumerate(batch, start=run.done + 1)}
        note(run, told, next_row(run.row))


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


def unread(run: Run, one: Read) -> Outcome | None:
    """What becomes of a file that its child did not read, or that belongs to another exam than was said."""
    answer = one.answer
    if not answer["ok"]:
        skipped = answer["code"] in SKIPPED and run.is_folder or answer["code"] == "dicomdir"
        outcome = ImportFile.Outcome.SKIPPED if skipped else ImportFile.Outcome.REFUSED
        return Outcome(outcome, answer["code"], answer["sentence"])
    if run.work.exam_uid not in ("", answer["source"]["StudyInstanceUID"]):
        return refused(Refusal("other_exam"))
    return None


def placed(run: Run, one: Read, touched: Touched, recent: Recent) -> Outcome:
    """One file of several that are written together. Raises Refusal where it cannot be stored."""
    outcome = unread(run, one)
    if outcome is not None:
        return outcome
    stored = indexed(run.context, one.answer, one.frames, one.stored, recent)
    if stored.series is not None:
        touched[stored.series.pk] = stored.series, recent.images.get(stored.series.pk)
    return stored


def write_one(run: Run, one: Read, touched: Touched, recent: Recent) -> Outcome:
    """Store one read file; what cannot be stored is one refusal and changes nothing."""
    outcome = unread(run, one)
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


def is_short_of_room(row: Import) -> bool:
    """Some file of the import found the disk full: the sender is told to come again."""
    return row.files.filter(reason_code="disk").exists()


def clear_spool() -> None:
    """Remove what a crash left in the spool."""
    for folder in (settings.DATA_DIR / "spool").glob("unpack-*"):
        shutil.rmtree(folder, ignore_errors=True)
