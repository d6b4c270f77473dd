"""A warm pool of ingest children: each file to one child, a killed child costs that file only."""

import json
import os
import queue
import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from django.conf import settings

from portal.archive import limits, packs
from portal.archive.refusals import Refusal
from portal.archive.room import MOST, OWN, Nameless
from portal.archive.spooling import SpoolFolder

START_SECONDS = 60.0
# of a nameless file: its number in a child, from where on, how many bytes
Piece = tuple[int, int, int] | None


# bodies at a time that lie in nameless files: as many as a web process has threads
ROOMS = 4


def started(handles: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  our own module
        [sys.executable, "-m", "portal.archive.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=settings.BASE_DIR,
        pass_fds=handles,
    )


class Child:
    """One process of the pool with its private spool folder."""

    def __init__(self, handles: Sequence[int] = ()) -> None:
        self.spool = SpoolFolder("ingest-")
        self.folder = Path(self.spool.name)
        self.files = 0
        self.is_ready = False
        try:
            self.process = started(handles)
        except BaseException:
            self.spool.cleanup()
            raise

    def ask(
        self, path: Path, *, piece: Piece = None, is_ours: bool = False, is_sealed: bool = False
    ) -> dict[str, Any] | None:
        """The child's answer, or None when it had to be killed or died."""
        request = {
            "path": str(path), "piece": piece, "spool": self.spool.name, "is_ours": is_ours, "is_sealed": is_sealed,
            "boundary": packs.boundary(),
        }  # fmt: skip
        try:
            size = piece[2] if piece else path.stat().st_size
        except OSError:
            return None
        return self.said(request, limits.wall_seconds(size))

    def unpack(self, path: Path, folder: Path) -> dict[str, Any] | None:
        """Whether a zip was unpacked into the folder, which is emptied first; None as for a file."""
        shutil.rmtree(folder)
        folder.mkdir(mode=0o700)
        seconds = limits.zip_seconds(path.stat().st_size)
        return self.said({"path": str(path), "folder": str(folder), "seconds": seconds}, seconds)

    def said(self, request: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        """The answer to a request, or None when none came in time that can be understood."""
        line = (json.dumps(request) + "\n").encode()
        pipe_in, pipe_out = self.process.stdin, self.process.stdout
        if pipe_in is None or pipe_out is None:
            return None
        self.files += 1
        try:
            self.await_ready(pipe_out.fileno())
            until = time.monotonic() + seconds
            pipe_in.write(line)
            pipe_in.flush()
            text = self.line(pipe_out.fileno(), until)
            return understood(text) if text.endswith(b"\n") else None
        except (OSError, ValueError):  # gone, or it says what nobody understands
            return None

    def await_ready(self, handle: int) -> None:
        """Wait for the child's first empty line: starting it is no part of a file's time."""
        if not self.is_ready:
            self.line(handle, time.monotonic() + START_SECONDS)
            self.is_ready = True

    def line(self, handle: int, until: float) -> bytes:
        """The next line of the child, or what came of it by then."""
        text, waiting = bytearray(), select.poll()
        waiting.register(handle, select.POLLIN)
        while not text.endswith(b"\n"):
            ready = waiting.poll(1e3 * max(0.0, until - time.monotonic()))
            chunk = os.read(handle, 2**16) if ready else b""
            if not chunk:
                break
            text += chunk
        return bytes(text)

    def is_worn(self) -> bool:
        return self.files >= limits.CHILD_FILES

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self.spool.cleanup()


class Pool:
    """Children are lent one at a time; a worn or dead one is replaced."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.rooms: queue.LifoQueue[Nameless] = queue.LifoQueue()
        for _ in range(ROOMS if OWN.is_dir() else 0):
            self.rooms.put(Nameless(settings.DATA_DIR / "spool"))
        self.handles = [room.handle for room in self.rooms.queue]
        self.free: queue.LifoQueue[Child | None] = queue.LifoQueue()
        # each of them waits for a child, or makes something of its answer while the child has its next file
        self.threads = ThreadPoolExecutor(max_workers=2 * size)
        for _ in range(size):
            self.free.put(None)

    def reading(
        self, path: Path, *, piece: Piece = None, is_ours: bool = False, is_sealed: bool = False
    ) -> AbstractContextManager[tuple[dict[str, Any], Path]]:
        """The answer on a file and the folder of its frames, valid inside the block.

        Frames of a file that `is_ours` may stay in it, and the answer says so. The header as received lies in the
        folder where it is to be sealed.
        """
        return self.asking(
            lambda child: child.ask(path, piece=piece, is_ours=is_ours, is_sealed=is_sealed)
        )

    def unpacked(self, path: Path, folder: Path) -> dict[str, Any]:
        """The answer on a zip, whose entries then lie in the folder."""
        with self.asking(lambda child: child.unpack(path, folder)) as (answer, _):
            return answer

    @contextmanager
    def asking(
        self, ask: Callable[[Child], dict[str, Any] | None]
    ) -> Iterator[tuple[dict[str, Any], Path]]:
        """What a child answers and its folder, nobody else's inside the block; one retry after a kill."""
        child = self.free.get()
        found: dict[str, Any] | None = None
        try:
            child = child or Child(self.handles)
            found = ask(child)
            if found is None:
                child.end()
                child = None  # if no new one starts, the place stays free for a later try
                child = Child(self.handles)
                found = ask(child)
            yield found or stopped(), child.folder
        finally:
            if child is not None and (found is None or child.is_worn()):
                child.end()
                child = None
            self.free.put(child)

    @contextmanager
    def room(self, size: int) -> Iterator[Nameless | None]:
        """A nameless file for a body of this size, nobody else's inside the block; None where there is none for it."""
        try:
            found = self.rooms.get_nowait() if 0 < size <= MOST else None
        except queue.Empty:
            found = None
        try:
            yield found if found is not None and has_begun(found) else None
        finally:
            if found is not None:
                self.rooms.put(found)

    def close(self) -> None:
        """End every child; the places stay, so that a later file starts a new one."""
        lent = [self.free.get() for _ in range(self.size)]
        for child in lent:
            if child is not None:
                child.end()
            self.free.put(None)


def has_begun(room: Nameless) -> bool:
    """Ready for a body; False where the disk has no room for it, which the files of a folder may say as well."""
    try:
        room.begin()
    except OSError:
        return False
    return True


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


def understood(line: bytes) -> dict[str, Any]:
    """A child's answer, cleaned where it may hold what no database stores."""
    answer = json.loads(line)
    is_plain = line.isascii() and b"\\u" not in line
    found: dict[str, Any] = answer if is_plain else clean(answer)
    return found


def stopped() -> dict[str, Any]:
    refusal = Refusal("stopped")
    return {
        "ok": False,
        "code": refusal.code,
        "reason": refusal.reason,
        "sentence": refusal.sentence,
    }


pools: dict[int, Pool] = {}
lock = threading.Lock()


def pool(size: int) -> Pool:
    """The process's pool of this size, made when first asked for."""
    with lock:
        if size not in pools:
            pools[size] = Pool(size)
        return pools[size]


def close_all() -> None:
    with lock:
        for one in pools.values():
            one.close()
        pools.clear()
