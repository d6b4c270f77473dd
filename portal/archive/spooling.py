"""Folders for files on their way in. They hold images as they were sent, names and all: none outlives its process for long."""

import fcntl
import os
import shutil
import tempfile
import time
import weakref
from contextlib import suppress
from pathlib import Path

from django.conf import settings

PREFIXES = ("ahead-", "batch-", "ingest-", "unpack-", "upload-")
# made a moment ago, and perhaps not yet held
YOUNG_S = 60.0
# what the web framework spools is held by nobody; no request takes as long
STALE_FILE_S = 6 * 3600.0
EVERY_S = 600.0
cleared: list[float] = []


def spool() -> Path:
    place: Path = settings.DATA_DIR / "spool"
    return place


class SpoolFolder(tempfile.TemporaryDirectory[str]):
    """A folder of the spool, held by a lock that ends with its process, however that ends."""

    def __init__(self, prefix: str) -> None:
        super().__init__(dir=spool(), prefix=prefix)
        held = os.open(self.name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.let_go = weakref.finalize(self, os.close, held)
        with suppress(OSError):  # a file system without locks: others leave it alone
            fcntl.flock(held, fcntl.LOCK_SH)

    def cleanup(self) -> None:
        """Remove it, then let it go."""
        super().cleanup()
        self.let_go()


def clear_now_and_then() -> None:
    """The same for a process that goes on importing."""
    now = time.monotonic()
    if not cleared or now - cleared[0] > EVERY_S:
        cleared[:] = [now]
        clear_leftovers()


def clear_leftovers() -> int:
    """Remove what processes that were killed have left; how many folders and files that were."""
    gone = 0
    with os.scandir(spool()) as entries:
        for entry in list(entries):
            with suppress(FileNotFoundError):  # another process clears as well
                age = time.time() - entry.stat(follow_symlinks=False).st_mtime
                gone += is_left(entry, age) and remove(Path(entry.path))
    return gone


def is_left(entry: os.DirEntry[str], age: float) -> bool:
    if entry.is_dir(follow_symlinks=False):
        return entry.name.startswith(PREFIXES) and age > YOUNG_S and not is_held(entry.path)
    return (entry.name.startswith("nameless-") or ".upload" in entry.name) and age > STALE_FILE_S


def is_held(folder: str) -> bool:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def remove(path: Path) -> bool:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()
    return not path.exists()
