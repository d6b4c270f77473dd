"""The one way in: files are read in children, de-identified, packed and indexed; each has its outcome."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, connections, transaction
from django.utils import timezone

from portal.accounts.models import User
from portal.archive import packs
from portal.archive.context import Context
from portal.archive.index import Outcome, refused, store
from portal.archive.models import Import, ImportFile, Series
from portal.archive.packs import Spooled
from portal.archive.pool import Pool, pool
from portal.archive.refusals import Refusal
from portal.archive.settle import settle
from portal.archive.uids import archive_key
from portal.archive.unpack import Entry, entries
from portal.audit.trail import record

BATCH = 64
SKIPPED = {"not_dicom", "dicomdir"}


@dataclass(frozen=True)
class Read:
    """One file after its child: the answer, and where its frames lie in the spool."""

    entry: Entry
    answer: dict[str, Any]
    frames: tuple[Spooled, ...] = ()
    stored: tuple[Spooled, ...] = ()


@dataclass(frozen=True)
class Work:
    """What is to be imported, under which names, by how many children."""

    paths: list[Path]
    names: Mapping[Path, str]
    workers: int
    on_progress: Callable[[int, int], None] | None
    heard: list[dict[str, Any]] | None = None
    exam_uid: str = ""


@dataclass
class Run:
    """An import under way."""

    row: Import
    context: Context
    is_folder: bool
    work: Work
    done: int = 0
    files: list[ImportFile] = field(default_factory=list)


def import_paths(
    paths: Iterable[Path],
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
    exam_uid: str = "",
) -> Import:
    """Import files, folders and zips into the unfiled shelf or a study; idempotent, every file answered for.

    `archive_seed` is for synthetic studies only: their UIDs and digests then repeat from run to run.
    `heard` is given what the children answered, file by file; images of another exam than `exam_uid` are refused.
    """
    context = Context(
        archive_key(archive_seed), study_key, actor, expects_synthetic, archive_seed is not None
    )
    work = Work(list(paths), names or {}, workers or settings.WORKERS, on_progress, heard, exam_uid)
    return on_own_connection(lambda: imported(context, work, door=door, warning=warning))


def on_own_connection(work: Callable[[], Import]) -> Import:
    """On Postgres a web request is one transaction; an import commits by itself, in a thread beside it."""
    if connection.vendor != "postgresql" or not connection.in_atomic_block:
        return work()
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(copy_context().run, closing, work).result()


def closing(work: Callable[[], Import]) -> Import:
    try:
        return work()
    finally:
        connections.close_all()


def imported(context: Context, work: Work, *, door: str, warning: str) -> Import:
    packs.check_free_space()
    row = Import.objects.create(
        door=door,
        study_key=context.study_key,
        actor=context.actor,
        warning=warning,
        started_at=timezone.now(),
    )
    run = Run(row, context, any(p.is_dir() or p.suffix == ".zip" for p in work.paths), work)
    with tempfile.TemporaryDirectory(dir=settings.DATA_DIR / "spool", prefix="unpack-") as spool:
        todo = list(entries(work.paths, work.names, Path(spool)))
        for first in range(0, len(todo), BATCH):
            take(run, todo[first : first + BATCH], work.workers)
            if work.on_progress:
                work.on_progress(run.done, len(todo))
    row.ended_at = timezone.now()
    row.save(update_fields=["ended_at"])
    record(
        "import.end",
        obj=f"import:{row.code}",
        study=context.study_key,
        new=counts(row),
        role="coordinator",
    )
    return row


def counts(row: Import) -> dict[str, int]:
    """Files per outcome."""
    found: dict[str, int] = {}
    for outcome in ImportFile.objects.filter(source=row).values_list("outcome", flat=True):
        found[outcome] = found.get(outcome, 0) + 1
    return found


def take(run: Run, batch: list[Entry], workers: int) -> None:
    """Read a batch in parallel into the spool, then write it in order, all in one commit."""
    heard: list[dict[str, Any]] = [{} for _ in batch]
    with tempfile.TemporaryDirectory(dir=settings.DATA_DIR / "spool", prefix="batch-") as name:
        try:
            if not packs.has_room():
                raise packs.disk_full()
            reads = read_batch(run, batch, Path(name), workers)
            heard = [one.answer for one in reads]
            write_batch(run, reads)
        except packs.DiskFull:
            note(run, batch, [refused(Refusal("disk"))] * len(batch))
        except OSError as error:
            if not packs.is_full(error):
                raise
            note(run, batch, [refused(Refusal("disk"))] * len(batch))
    if run.work.heard is not None:
        run.work.heard.extend(heard)
    run.done += len(batch)


def read_batch(run: Run, batch: list[Entry], spool: Path, workers: int) -> list[Read]:
    children = pool(workers)
    with ThreadPoolExecutor(max_workers=workers) as threads:
        jobs = [
            threads.submit(read_one, children, entry, spool / str(k))
            for k, entry in enumerate(batch)
        ]
        return [job.result() for job in jobs]


def write_batch(run: Run, reads: list[Read]) -> None:
    """Frames on the disk first, then the rows of files, series and report in one transaction."""
    with packs.writing(), transaction.atomic(durable=True):
        touched: dict[int, Series] = {}
        outcomes = [write_one(run, one, touched) for one in reads]
        for series in touched.values():
            packs.sync(series.folder)
            settle(series)
        note(run, [one.entry for one in reads], outcomes)


def note(run: Run, batch: list[Entry], outcomes: list[Outcome]) -> None:
    """One row of the report per file."""
    ImportFile.objects.bulk_create(
        ImportFile(
            source=run.row, row=run.done + i, name=text(entry.name)[:300], size=entry.size,
            outcome=outcome.outcome, reason_code=outcome.reason_code, sentence=outcome.sentence,
        )
        for i, (entry, outcome) in enumerate(zip(batch, outcomes, strict=True), start=1)
    )  # fmt: skip


def text(name: str) -> str:
    """Any name or value as text that both databases store: no NUL, no half of a character."""
    raw = name.encode("utf-8", "surrogatepass")
    return raw.decode("utf-8", "replace").replace("\0", "\ufffd")


def clean(value: Any) -> Any:
    """The same for everything a child answers."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return {k: clean(v) for k, v in value.items()}
    return [clean(v) for v in value] if isinstance(value, list) else value


def read_one(children: Pool, entry: Entry, spool: Path) -> Read:
    """Ask a child about one file, and take over the frames it has written."""
    if entry.problem:
        refusal = Refusal(entry.problem, limit="4 GiB")
        return Read(entry, {"ok": False, "code": refusal.code, "sentence": refusal.sentence})
    with children.reading(entry.path) as (found, folder):
        answer = clean(found)
        if not answer["ok"]:
            return Read(entry, answer)
        frames = spooled(folder / "native", spool.with_suffix(".native"), answer["frames"])
        stored = spooled(folder / "stored", spool.with_suffix(".stored"), answer["stored"])
        return Read(entry, answer, frames, stored)


def spooled(written: Path, mine: Path, extents: list[list[Any]]) -> tuple[Spooled, ...]:
    if extents:
        written.rename(mine)
    return tuple(Spooled(mine, offset, length) for offset, length, _ in extents)


def write_one(run: Run, one: Read, touched: dict[int, Series]) -> Outcome:
    """Store one read file; what cannot be stored is one refusal and changes nothing."""
    answer = one.answer
    if not answer["ok"]:
        skipped = answer["code"] in SKIPPED and run.is_folder or answer["code"] == "dicomdir"
        outcome = ImportFile.Outcome.SKIPPED if skipped else ImportFile.Outcome.REFUSED
        return Outcome(outcome, answer["code"], answer["sentence"])
    if run.work.exam_uid not in ("", answer["source"]["StudyInstanceUID"]):
        return refused(Refusal("other_exam"))
    try:
        stored = store(run.context, answer, one.frames, one.stored)
    except Refusal as refusal:
        return refused(refusal)
    if stored.series is not None:
        touched[stored.series.pk] = stored.series
    return stored


def is_short_of_room(row: Import) -> bool:
    """Some file of the import found the disk full: the sender is told to come again."""
    return row.files.filter(reason_code="disk").exists()


def clear_spool() -> None:
    """Remove what a crash left in the spool."""
    for folder in (settings.DATA_DIR / "spool").glob("unpack-*"):
        shutil.rmtree(folder, ignore_errors=True)
