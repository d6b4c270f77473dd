"""The one way in: files are read in children, de-identified, packed and indexed; each has its outcome."""

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.db import connection, connections, transaction
from django.utils import timezone

from portal.accounts.models import User
from portal.archive import packs
from portal.archive.ahead import BATCH, Ahead, Read, reading, spool_folder
from portal.archive.commit import (
    Run,
    Work,
    close,
    counts,
    is_unwritten,
    next_row,
    note,
    write_batch,
)
from portal.archive.context import Context
from portal.archive.index import prepare, refused
from portal.archive.models import Import, ImportFile
from portal.archive.refusals import Refusal, wording
from portal.archive.spooling import clear_now_and_then
from portal.archive.store import push_later
from portal.archive.uids import archive_key
from portal.archive.unpack import Entry, Unpacking, entries

log = logging.getLogger(__name__)
T = TypeVar("T")


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
    `heard` is given what the children answered, `files` the rows of the report, file by file; images of another exam
    than `exam_uid` are refused. `ahead` knows files that are being read already.
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
    clear_now_and_then()
    row = unwritten(context, door=door, warning=warning)
    if not add(row, context, work, is_whole=True):
        return ended(row)
    push_later()
    return row


def begun(context: Context, *, door: str, warning: str) -> Import:
    clear_now_and_then()
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


def add(row: Import, context: Context, work: Work, *, is_whole: bool = False) -> bool:
    """Take files into an import that has begun; True where the last batch of a whole one has ended it as well."""
    run = Run(row, context, work)
    with spool_folder("unpack-") as spool:
        todo = list(entries(work.paths, work.names, Unpacking(spool, work.workers)))
        if work.batch and any(one.problem == "disk" for one in todo):
            raise packs.disk_full()  # a numbered batch comes again
        if is_unwritten(row) and len(todo) > BATCH:
            row.save()
        for first in range(0, len(todo), BATCH):
            run.is_last = is_whole and first + BATCH >= len(todo)
            take(run, todo[first : first + BATCH], work.workers)
            if work.on_progress:
                work.on_progress(run.done, len(todo))
    return run.is_ended


def ended(row: Import) -> Import:
    with transaction.atomic():
        row.ended_at = timezone.now()
        row.save(update_fields=None if is_unwritten(row) else ["ended_at"])
        close(row, counts(row))
    push_later()
    return row


def take(run: Run, batch: list[Entry], workers: int) -> None:
    """Read a batch in parallel into the spool, then write it in order, all in one commit."""
    heard: list[dict[str, Any]] = [{} for _ in batch]
    with spool_folder("batch-") as spool:
        try:
            if not packs.has_room(sum(one.size for one in batch)):
                raise packs.disk_full()
            prepared = partial(prepare, run.context)
            with reading(batch, spool, workers, run.work.ahead, prepared) as jobs:
                try:
                    write_batch(run, jobs)
                finally:
                    heard = list(map(answer_of, jobs))
        except packs.DiskFull:
            note_full(run, batch)
        except OSError as error:
            if not packs.is_full(error):
                raise
            note_full(run, batch)
    log_refusals(run)
    if run.work.heard is not None:
        run.work.heard.extend(heard)
    if run.work.files is not None:
        run.work.files.extend(run.noted)
    run.done += len(batch)


def log_refusals(run: Run) -> None:
    """A line for each refused file of the batch that was written; the report alone names it."""
    for one in run.noted:
        if one.outcome == ImportFile.Outcome.REFUSED:
            log.warning(
                "import %s, row %d refused: %s", run.row.code, one.row, wording(one.reason_code)
            )


def answer_of(job: Future[Read]) -> dict[str, Any]:
    """What the child said of a file, nothing where it has not come to that."""
    return job.result().answer if job.done() and not job.exception() else {}


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


def is_short_of_room(row: Import) -> bool:
    """Some file of the import found the disk full: the sender is told to come again."""
    return row.files.filter(reason_code="disk").exists()
