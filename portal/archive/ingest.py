"""The one way in: files are read in children, de-identified, packed and indexed; each has its outcome."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from portal.accounts.models import User
from portal.archive import packs
from portal.archive.index import Context, Outcome, known_outcome, store
from portal.archive.models import Import, ImportFile, Series
from portal.archive.pool import pool
from portal.archive.refusals import Refusal
from portal.archive.settle import settle
from portal.archive.uids import archive_key
from portal.archive.unpack import Entry, entries
from portal.audit.trail import record

BATCH = 64
SKIPPED = {"not_dicom", "dicomdir"}


@dataclass(frozen=True)
class Read:
    """One file after its child: the answer, and a private copy of its frames."""

    entry: Entry
    answer: dict[str, Any]
    frames: tuple[bytes, ...] = ()
    stored: tuple[bytes, ...] = ()


@dataclass
class Run:
    """An import under way."""

    row: Import
    context: Context
    is_folder: bool
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
) -> Import:
    """Import files, folders and zips into the unfiled shelf or a study; idempotent, every file answered for.

    `archive_seed` is for synthetic studies only: their UIDs and digests then repeat from run to run.
    """
    packs.check_free_space()
    row = Import.objects.create(
        door=door, study_key=study_key, actor=actor, warning=warning, started_at=timezone.now()
    )
    given = list(paths)
    context = Context(
        archive_key(archive_seed), study_key, actor, expects_synthetic, archive_seed is not None
    )
    run = Run(row, context, any(p.is_dir() or p.suffix == ".zip" for p in given))
    with tempfile.TemporaryDirectory(dir=settings.DATA_DIR / "spool", prefix="unpack-") as spool:
        todo = list(entries(given, names or {}, Path(spool)))
        for first in range(0, len(todo), BATCH):
            take(run, todo[first : first + BATCH], workers or settings.WORKERS)
            if on_progress:
                on_progress(run.done, len(todo))
    row.ended_at = timezone.now()
    row.save(update_fields=["ended_at"])
    record(
        "import.end", obj=f"import:{row.code}", study=study_key, new=counts(row), role="coordinator"
    )
    return row


def counts(row: Import) -> dict[str, int]:
    """Files per outcome."""
    found: dict[str, int] = {}
    for outcome in ImportFile.objects.filter(source=row).values_list("outcome", flat=True):
        found[outcome] = found.get(outcome, 0) + 1
    return found


def take(run: Run, batch: list[Entry], workers: int) -> None:
    """Read a batch in parallel, write it in order, put the touched series in order, note the outcomes."""
    children = pool(workers)
    with ThreadPoolExecutor(max_workers=workers) as threads:
        reads = list(threads.map(lambda entry: read_one(children, run.context, entry), batch))
    touched: dict[int, Series] = {}
    outcomes = [write_one(run, one, touched) for one in reads]
    for series in touched.values():
        settle(series)
    ImportFile.objects.bulk_create(
        ImportFile(
            source=run.row, row=run.done + i, name=one.entry.name[:300], size=one.entry.size,
            outcome=outcome.outcome, reason_code=outcome.reason_code, sentence=outcome.sentence,
        )
        for i, (one, outcome) in enumerate(zip(reads, outcomes, strict=True), start=1)
    )  # fmt: skip
    run.done += len(batch)


def read_one(children: Any, context: Context, entry: Entry) -> Read:
    """Ask a child about one file, and copy its frames while the child's spool is ours."""
    if entry.problem:
        refusal = Refusal(entry.problem, limit="4 GiB")
        return Read(entry, {"ok": False, "code": refusal.code, "sentence": refusal.sentence})
    with children.reading(entry.path) as (answer, spool):
        if not answer["ok"]:
            return Read(entry, answer)
        native = (spool / "native").read_bytes() if answer["frames"] else b""
        stored = (spool / "stored").read_bytes() if answer["stored"] else b""
        frames = tuple(native[o : o + n] for o, n, _ in answer["frames"])
        return Read(entry, answer, frames, tuple(stored[o : o + n] for o, n in answer["stored"]))


def write_one(run: Run, one: Read, touched: dict[int, Series]) -> Outcome:
    """Store one read file; what cannot be stored is one refusal and changes nothing."""
    answer = one.answer
    if not answer["ok"]:
        skipped = answer["code"] in SKIPPED and run.is_folder or answer["code"] == "dicomdir"
        outcome = ImportFile.Outcome.SKIPPED if skipped else ImportFile.Outcome.REFUSED
        return Outcome(outcome, answer["code"], answer["sentence"])
    known = known_outcome(run.context, answer)
    if known is not None:
        return known
    try:
        stored = store(run.context, answer, one.frames, one.stored)
    except Refusal as refusal:
        return Outcome(ImportFile.Outcome.REFUSED, refusal.code, refusal.sentence)
    if stored.series is not None:
        touched[stored.series.pk] = stored.series
    return stored


def clear_spool() -> None:
    """Remove what a crash left in the spool."""
    for folder in (settings.DATA_DIR / "spool").glob("unpack-*"):
        shutil.rmtree(folder, ignore_errors=True)
