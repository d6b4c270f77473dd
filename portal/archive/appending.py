"""Frames are appended to the packs by a thread of their own, beside other work of the archive's one writer."""

import errno
import fcntl
import os
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings

from portal.archive import packs
from portal.archive.packs import Extent, Spooled

# so much is brought to the disk at once where there is time for it
EARLY = 2**20


class Hands:
    """Threads that do one thing after the other; who is done with one leaves it to the next."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """As a forked process must: it has none of them."""
        self.idle: queue.LifoQueue[ThreadPoolExecutor] = queue.LifoQueue()

    def taken(self) -> ThreadPoolExecutor:
        try:
            return self.idle.get_nowait()
        except queue.Empty:
            return ThreadPoolExecutor(max_workers=1)

    def leave(self, thread: ThreadPoolExecutor) -> None:
        """Nothing may wait for it any more."""
        self.idle.put(thread)


hands = Hands()
os.register_at_fork(after_in_child=hands.forget)


class Appending:
    """Frames on their way into the packs, in the order in which they came, beside other work of the writer."""

    def __init__(self) -> None:
        self.thread: ThreadPoolExecutor | None = None
        self.jobs: list[Future[Any]] = []
        self.folders: dict[str, Path] = {}
        self.unsynced = 0
        # what may still be written, asked once and counted down; None until somebody wants to write
        self.room: int | None = None

    def take_room(self, n: int) -> None:
        """Raises OSError, as a full disk does, before so many bytes would leave less than the reserve."""
        self.room = (packs.room() if self.room is None else self.room) - n
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def begin(
        self, folder: str, pack: str, frames: Sequence[Spooled], syntax: str, *, after: int
    ) -> list[Extent]:
        """Where the frames will lie; whether they do is known after `wait`."""
        extents = packs.laid(frames, syntax, after=after)
        self.take_room(packs.end_of(extents[-1]) - after if extents else 0)
        if folder not in self.folders:
            self.folders[folder] = packs.made_folder(folder)
        work = partial(packs.append, self.folders[folder], pack, frames, syntax)
        self.then(partial(work, after=after, has_time=self.has_time))
        return extents

    def has_time(self, n: int) -> bool:
        """While others still read, what is written goes to the disk, so that the end need not wait for all of it."""
        self.unsynced += n
        if self.unsynced < EARLY or not all(job.done() or job.running() for job in self.jobs):
            return False
        self.unsynced = 0
        return True

    def then(self, work: Callable[[], object]) -> None:
        """Do this after what was begun before."""
        self.thread = self.thread or hands.taken()
        self.jobs.append(self.thread.submit(work))

    @contextmanager
    def syncing(self, folders: Sequence[str], more: Callable[[], None]) -> Iterator[None]:
        """Bring all of it to the disk, and `more`, beside the work of the block, which commits only after it."""
        for folder in folders:
            self.then(partial(packs.sync, folder))
        thread = hands.taken()
        other = thread.submit(more)
        try:
            yield
            other.result()
            self.wait()
        finally:
            wait([other])
            hands.leave(thread)

    def wait(self) -> None:
        """Until all are written. Raises what went wrong with the first that is not."""
        try:
            for job in self.jobs:
                job.result()
        finally:
            self.jobs = [job for job in self.jobs if not job.done()]

    def give_up(self) -> None:
        """Until nothing is written any more; what has failed is of no interest, and the disk is asked again."""
        jobs, self.jobs, self.room = self.jobs, [], None
        for job in jobs:
            job.cancel()
        wait(jobs)

    def end(self) -> None:
        self.give_up()
        if self.thread is not None:
            hands.leave(self.thread)
            self.thread = None


@contextmanager
def locked(*, waits: bool = True) -> Iterator[bool]:
    """The lock of the archive's one writer; False where somebody has it and it is not waited for."""
    lock = packs.made_file(settings.ARCHIVE_DIR / "lock")
    try:
        yield is_taken(lock, waits=waits)
    finally:
        os.close(lock)


def is_taken(lock: int, *, waits: bool) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def writing() -> Iterator[Appending]:
    """The archive's one writer: taken before the transaction begins, given back after it has ended.

    Until its commit a writer's extents are invisible to others, who would cut off its frames; nor does any of its
    frames come after it has gone.
    """
    with locked():
        appending = Appending()
        try:
            yield appending
        finally:
            appending.end()
