"""A portal started as people start it, with a crowd of readers and jobs that misbehave."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.browser.portal_server import free_port

ROOT = Path(__file__).parents[2]
START_SECONDS = 240.0  # an idle machine needs ten
QUEUE = (
    "import django, json, sys; django.setup(); from portal.jobs.queue import enqueue;"
    "print(json.dumps([enqueue(k, a, total=1).pk for k, a in json.loads(sys.argv[1])]))"
)


def variables(data: Path, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OSTEON_", "DJANGO_"))}
    return {
        **kept, "DJANGO_SETTINGS_MODULE": "tests.portal.fault_settings", "OSTEON_DATA_DIR": str(data),
        "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", **more,
    }  # fmt: skip


def python(data: Path, *command: str, **more: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=variables(data, **more), capture_output=True,
        text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


def until(is_so: Callable[[], Any], seconds: float) -> Any:
    """What `is_so` answers once it is true; fails when the time is up."""
    end = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)
    return found


@dataclass
class Launched:
    """`manage.py up` on a data folder, and what can be seen of it from outside."""

    data: Path
    port: int = field(default_factory=free_port)
    more: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        with (self.data / "up.out").open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--port", str(self.port)], cwd=ROOT,
                env=variables(self.data, **self.more), stdout=out, stderr=out,
            )  # fmt: skip
        until(lambda: b"Osteon is ready" in (self.data / "up.out").read_bytes(), START_SECONDS)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)

    def pids(self, word: str = "") -> list[int]:
        """Living processes of this data folder whose command line holds the word."""
        mine = f"OSTEON_DATA_DIR={self.data}".encode()
        return [pid for pid in all_pids() if mine in environment(pid) and word in command(pid)]

    def health(self) -> int:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.data / "osteon.sqlite3", timeout=10)) as database:
            return database.execute(sql, values).fetchall()

    def queue(self, *jobs: tuple[str, dict[str, Any]]) -> list[int]:
        found: list[int] = json.loads(python(self.data, "-c", QUEUE, json.dumps(jobs), **self.more))
        return found

    def state(self, job: int) -> str:
        return str(self.ask("SELECT state FROM jobs_job WHERE id = ?", job)[0][0])

    def starts(self, job: int) -> list[int]:
        """The process of each start of a job."""
        path = self.data / "starts.txt"
        rows = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [int(pid) for number, pid, _ in rows if int(number) == job]


def all_pids() -> list[int]:
    return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()]


def environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
