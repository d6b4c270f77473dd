"""One launcher for web, worker and reaper: starts them, restarts the dead, ends all together."""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from portal.errors import Conflict
from portal.jobs import trouble

PR_SET_PDEATHSIG = 1
MAX_BACK_OFF = 30.0


@dataclass
class Child:
    """A process of the installation with the signal that ends it."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    ending: int = signal.SIGTERM
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)
    restart_at: float = 0.0

    def start(self, log_folder: Path) -> None:
        with (log_folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  the command is our own
                self.command,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,
                start_new_session=True,
            )

    def recent_deaths(self, now: float) -> list[float]:
        return [t for t in self.deaths if now - t < trouble.WINDOW_SECONDS]

    def note_death(self, now: float) -> float:
        """When to start again: at once after a first death in five minutes, then later and later."""
        self.deaths = [*self.recent_deaths(now), now]
        earlier = len(self.deaths) - 1
        return now + (min(2.0 ** (earlier - 1), MAX_BACK_OFF) if earlier else 0.0)

    def is_dead(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.ending)

    def kill(self) -> None:
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return


def die_with_parent() -> None:
    """Linux: the child gets SIGKILL when the launcher's thread dies, however it dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class FolderLock:
    """The one launcher of a data folder; a second one is told who holds it."""

    def __init__(self, path: Path) -> None:
        self.handle = path.open("a+")
        try:
            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.handle.seek(0)
            holder = self.handle.read().strip()
            self.handle.close()
            raise Conflict(
                f"This data folder is already served by process {holder}; end it first."
            ) from None
        self.handle.truncate(0)
        self.handle.write(str(os.getpid()))
        self.handle.flush()


class Supervisor:
    """Keeps its children alive until told to end; tells the web which of them will not live."""

    def __init__(
        self, children: list[Child], log_folder: Path, *, trouble_file: Path | None = None
    ) -> None:
        self.children = children
        self.log_folder = log_folder
        self.trouble_file = trouble_file
        self.told: dict[str, int] = {}
        self.is_ending = False

    def start(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.on_signal)
        for child in self.children:
            child.start(self.log_folder)

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.is_ending = True

    def tick(self, now: float) -> None:
        """Restart dead children: at once, then after 1, 2, 4 … 30 s."""
        for child in self.children:
            if child.is_dead():
                child.restart_at = child.restart_at or child.note_death(now)
                if now >= child.restart_at:
                    child.restart_at = 0.0
                    child.start(self.log_folder)
        self.tell(now)

    def tell(self, now: float) -> None:
        """Write the restarts of the last five minutes down whenever they change."""
        restarts = {child.name: len(child.recent_deaths(now)) for child in self.children}
        if self.trouble_file is not None and restarts != self.told:
            trouble.write(restarts, self.trouble_file)
            self.told = restarts

    def run(self) -> None:
        while not self.is_ending:
            self.tick(time.monotonic())
            time.sleep(0.5)
        self.end()

    def end(self, patience: float = 8.0) -> None:
        for child in self.children:
            child.end()
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and not all(c.is_dead() for c in self.children):
            time.sleep(0.1)
        for child in self.children:
            child.kill()
