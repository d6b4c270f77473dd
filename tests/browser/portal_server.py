"""A portal of its own for each module of browser tests: data folder, gunicorn, and a look into its database."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SEED = Path(__file__).with_name("seed.py")
START_SECONDS = 240.0  # an idle machine needs five
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def variables(data: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OSTEON_")}
    return {
        **kept,
        **ONE_THREAD,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "OSTEON_DATA_DIR": str(data),
        "PYTHONPATH": str(ROOT),
    }


def run(data: Path, *command: str) -> str:
    """Run a Python program on a data folder; its output, or a failure that shows it."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=variables(data),
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise AssertionError(f"{command} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def manage(data: Path, *command: str) -> str:
    return run(data, "manage.py", *command)


def build_reference(data: Path) -> None:
    """Migrated tables and the seeded reference study."""
    data.mkdir(parents=True)
    run(data, str(SEED))


def free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class Portal:
    """A running portal; `ask` reads its SQLite file beside it."""

    data: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.data / "gunicorn.log"

    def start(self) -> None:
        command = [
            sys.executable, "-m", "gunicorn", "portal.wsgi:application", "--bind", f"127.0.0.1:{self.port}",
            "--worker-class", "gthread", "--threads", "8", "--keep-alive", "75", "--graceful-timeout", "2",
            "--no-control-socket",
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=variables(self.data), stdout=log, stderr=log
            )
        self.wait()

    def wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while not self.answers():
            if time.monotonic() > end or self.process is None or self.process.poll() is not None:
                raise AssertionError(f"the portal did not start:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.1)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/accounts/login/", timeout=20) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=60)
            self.process = None

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.data / "osteon.sqlite3", timeout=10)) as connection:
            return connection.execute(sql, values).fetchall()

    def manage(self, *command: str) -> str:
        return manage(self.data, *command)


@contextmanager
def running(reference: Path, data: Path) -> Iterator[Portal]:
    """A copy of the reference data behind a server on a free port, ended with the block."""
    shutil.copytree(reference, data)
    portal = Portal(data, free_port())
    try:
        portal.start()
        yield portal
    finally:
        portal.stop()
