"""The one way in: files are read in children, de-identified, packed and indexed; each has its outcome."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.db import DataError, IntegrityError, connection, connections, transaction
from django.db.models import Max
from django.utils import timezone

from portal.accounts.models import User
from portal.archive import packs
from portal.archive.context import Context
from portal.archive.index import Outcome, indexed, refuse_other_kind, refused, store
from portal.archive.models import Import, ImportFile, Series
from portal.archive.packs import Spooled
from portal.archive.pool import Pool, pool
from portal.archive.recent import Recent, begin
from portal.archive.refusals import Refusal
from portal.archive.settle import settle
from portal.archive.store import push_later
from portal.archive.uids import archive_key
from portal.archive.unpack import Entry, entries
from portal.audit.trail import record

T = TypeVar("T")
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
    is_last: bool = False
    is_ended: bool = False


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
    row = begun(context, door=door, warning=warning)
    if not add(row, context, work, is_whole=True):
        return ended(row)
    push_later()
    return row


def begun(context: Context, *, door: str, warning: str) -> Import:
    return Import.objects.create(
        door=door,
        study_key=context.study_key,
        actor=context.actor,
        warning=warning,
        started_at=timezone.now(),
    )


def add(row: Import, context: Context, work: Work, *, is_whole: bool = False) -> bool:
    """Take files into an import that has begun; True where the last batch of a whole one has ended it as well."""
    is_folder = work.is_folder or any(p.is_dir() or p.suffix == ".zip" for p in work.paths)
    run = Run(row, context, is_folder, work)
    with tempfile.TemporaryDirectory(dir=settings.DATA_DIR / "spool", prefix="unpack-") as spool:
        todo = list(entries(work.paths, work.names, Path(spool)))
        for first in range(0, len(todo), BATCH):
            run.is_last = is_whole and first + BATCH >= len(todo)
            take(run, todo[first : first + BATCH], work.workers)
            if work.on_progress:
                work.on_progress(run.done, len(todo))
    return run.is_ended


def ended(row: Import) -> Import:
    with transaction.atomic():
        close(row)
    push_later()
    return row


def close(row: Import) -> None:
    row.ended_at = timezone.now()
    row.save(update_fields=["ended_at"])
    record(
        "import.end",
        obj=f"import:{row.code}",
        study=row.study_key,
        new=counts(row),
        role="coordinator",
    )


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
            note_full(run, batch)
        except OSError as error:
            if not packs.is_full(error):
                raise
            note_full(run, batch)
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
        answered = answered_places(run.row, run.work.batch)
        places = enumerate(reads, start=run.done + 1)
        todo = {place: one for place, one in places if place not in answered}
        touched: dict[int, Series] = {}
        found = written_together(run, todo, touched) or written_singly(run, todo, touched)
        for series in touched.values():
            packs.sync(series.folder)
            settle(series)
        note(run, {place: (todo[place].entry, outcome) for place, outcome in found.items()})
        if run.is_last:
            close(run.row)
    run.is_ended = run.is_last


def written_together(
    run: Run, todo: Mapping[int, Read], touched: dict[int, Series]
) -> dict[int, Outcome] | None:
    """All files of a batch with their rows in one go; None, and nothing written, where any of them is in the way."""
    seen: dict[int, Series] = {}
    recent = begin(run.context, [one.answer for one in todo.values()])
    try:
        for one in todo.values():
            if one.answer["ok"]:
                refuse_other_kind(run.context, one.answer)
        with transaction.atomic():
            found = {place: placed(run, one, seen, recent) for place, one in todo.items()}
            recent.write()
    except (Refusal, IntegrityError, DataError):
        drop_new(recent)
        return None
    touched.update(seen)
    return found


def drop_new(recent: Recent) -> None:
    """Give up the folders of series that were never written."""
    for series in recent.series.values():
        if not Series.objects.filter(folder=series.folder).exists():
            packs.drop(series.folder)


def written_singly(
    run: Run, todo: Mapping[int, Read], touched: dict[int, Series]
) -> dict[int, Outcome]:
    """File by file, each in a savepoint of its own: what cannot be stored is one refusal."""
    recent = begin(run.context, [one.answer for one in todo.values()])
    return {place: write_one(run, one, touched, recent) for place, one in todo.items()}


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
        note(run, {place: (entry, full) for place, entry in enumerate(batch, start=run.done + 1)})


def note(run: Run, outcomes: Mapping[int, tuple[Entry, Outcome]]) -> None:
    """One row of the report per file, by its place in the batch."""
    first = next_row(run.row)
    ImportFile.objects.bulk_create(
        ImportFile(
            source=run.row, row=row, batch=run.work.batch, position=place,
            name=text(entry.name)[:300], size=entry.size, outcome=outcome.outcome,
            reason_code=outcome.reason_code, sentence=outcome.sentence,
        )
        for row, (place, (entry, outcome)) in enumerate(outcomes.items(), start=first)
    )  # fmt: skip


def next_row(source: Import) -> int:
    """The next number of the report; the lock keeps two batches of one import apart."""
    Import.objects.select_for_update().get(pk=source.pk)
    return (source.files.aggregate(last=Max("row"))["last"] or 0) + 1


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


def placed(run: Run, one: Read, touched: dict[int, Series], recent: Recent) -> Outcome:
    """One file of several that are written together. Raises Refusal where it cannot be stored."""
    outcome = unread(run, one)
    if outcome is not None:
        return outcome
    stored = indexed(run.context, one.answer, one.frames, one.stored, recent)
    if stored.series is not None:
        touched[stored.series.pk] = stored.series
    return stored


def write_one(run: Run, one: Read, touched: dict[int, Series], recent: Recent) -> Outcome:
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
        touched[stored.series.pk] = stored.series
    return stored


def is_short_of_room(row: Import) -> bool:
    """Some file of the import found the disk full: the sender is told to come again."""
    return row.files.filter(reason_code="disk").exists()


def clear_spool() -> None:
    """Remove what a crash left in the spool."""
    for folder in (settings.DATA_DIR / "spool").glob("unpack-*"):
        shutil.rmtree(folder, ignore_errors=True)
