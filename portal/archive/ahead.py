"""Files read by the children, several at a time: those of a batch, or of a request that still comes."""

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from portal.archive import limits, packs
from portal.archive.packs import Spooled
from portal.archive.pool import Pool, pool
from portal.archive.refusals import Refusal
from portal.archive.spooling import SpoolFolder
from portal.archive.unpack import Entry

BATCH = 64


@dataclass(frozen=True)
class Read:
    """One file after its child: the answer, and where its frames lie in the spool."""

    entry: Entry
    answer: dict[str, Any]
    frames: tuple[Spooled, ...] = ()
    stored: tuple[Spooled, ...] = ()


@dataclass
class Ahead:
    """The first batch of an import, read while the rest of it still comes; the folder is the files' own."""

    begin: Callable[[Entry], None] = lambda entry: None
    jobs: dict[Entry, Future[Read]] = field(default_factory=dict)


# what is made of an answer while other files are still being read
Prepare = Callable[[dict[str, Any]], None]


@contextmanager
def reading_ahead(workers: int, prepare: Prepare) -> Iterator[Ahead]:
    """Files that are begun inside this block are read at once; at its end nobody reads any more."""
    children, found = pool(workers), Ahead()
    room = BATCH if packs.has_room() else 0

    def begin(entry: Entry) -> None:
        if len(found.jobs) < room:
            base = under(spool, str(len(found.jobs)))
            job = children.threads.submit(read_one, children, entry, base, prepare)
            found.jobs[entry] = job

    found.begin = begin
    with spool_folder("ahead-") as spool:
        try:
            yield found
        finally:
            for job in found.jobs.values():
                job.cancel()
            wait(found.jobs.values())


@contextmanager
def spool_folder(prefix: str) -> Iterator[Callable[[], Path]]:
    """Makes a folder of the spool when it is first asked for, and removes it at the end."""
    made: list[SpoolFolder] = []

    def folder() -> Path:
        if not made:
            made.append(SpoolFolder(prefix))
        return Path(made[0].name)

    try:
        yield folder
    finally:
        for one in made:
            one.cleanup()


@contextmanager
def reading(
    batch: list[Entry], spool: Callable[[], Path], workers: int, ahead: Ahead, prepare: Prepare
) -> Iterator[list[Future[Read]]]:
    """Each file of a batch, in its order; at the end of the block nobody reads any more."""
    children, jobs = pool(workers), []
    for k, entry in enumerate(batch):
        job = ahead.jobs.get(entry)
        jobs.append(
            job or children.threads.submit(read_one, children, entry, under(spool, str(k)), prepare)
        )
    try:
        yield jobs
    finally:
        for job in jobs:
            job.cancel()
        wait(jobs)


def under(folder: Callable[[], Path], name: str) -> Callable[[], Path]:
    """A path in a folder that is made when it is asked for."""
    return lambda: folder() / name


def is_ours(entry: Entry) -> bool:
    """Of our spool: whoever sent it cannot change it any more."""
    path = entry.path
    return (
        entry.handle >= 0 or settings.DATA_DIR / "spool" in path.parents and ".." not in path.parts
    )


def read_one(children: Pool, entry: Entry, spool: Callable[[], Path], prepare: Prepare) -> Read:
    """Ask a child about one file, and take over the frames it has written."""
    if entry.problem:
        most = limits.FILE_BYTES if entry.problem == "too_large" else limits.ZIP_TOTAL
        refusal = Refusal(entry.problem, limit=limits.in_words(most))
        return Read(entry, {"ok": False, "code": refusal.code, "sentence": refusal.sentence})
    asked: dict[str, Any] = {
        "piece": (entry.handle, entry.offset, entry.size) if entry.handle >= 0 else None,
        "is_ours": is_ours(entry),
        "is_sealed": settings.IDENTITIES != "none",
    }
    with children.reading(entry.path, **asked) as (answer, folder):
        found = taken_over(entry, answer, folder, spool)
    prepare(answer)  # the child reads the next one meanwhile
    return found


def taken_over(
    entry: Entry, answer: dict[str, Any], folder: Path, spool: Callable[[], Path]
) -> Read:
    if not answer["ok"]:
        return Read(entry, answer)
    if "sealed" in answer:
        answer["header"] = header_of(answer, folder, spool)
    native, first = entry.path, entry.offset
    if answer["frames"] and not answer["is_in_file"]:
        native, first = taken(folder / "native", spool().with_suffix(".native")), 0
    stored = native
    if answer["stored"]:
        stored = taken(folder / "stored", spool().with_suffix(".stored"))
    frames, kept = (
        extents(native, answer["frames"], first),
        extents(stored, answer["stored"], 0),
    )
    return Read(entry, answer, frames, kept)


def header_of(answer: dict[str, Any], folder: Path, spool: Callable[[], Path]) -> Spooled | bytes:
    """The record of a header that is to be sealed, from the answer or from the child's file."""
    if "record" in answer:
        return base64.b64decode(answer.pop("record"))
    header = taken(folder / "header", spool().with_suffix(".header"))
    return Spooled(header, 0, sum(answer["sealed"]))


def taken(written: Path, mine: Path) -> Path:
    """The child writes its next file under the same name."""
    written.rename(mine)
    return mine


def extents(path: Path, found: list[list[Any]], first: int) -> tuple[Spooled, ...]:
    return tuple(Spooled(path, first + offset, length) for offset, length, _ in found)
