"""Both servers on free loopback ports in a temporary folder, ended by process id."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
PATIENCE = 300.0


@dataclass(frozen=True)
class Server:
    """A running server and the port it listens on."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def pids(self) -> list[int]:
        """The process and everything below it."""
        found, rows = [self.process.pid], children()
        for pid in found:
            found += rows.get(pid, [])
        return found

    def memory_mb(self) -> float:
        """Memory of all of them; what several share is counted once."""
        return sum(proportional(pid) for pid in self.pids()) / 2**10


def children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        found.setdefault(parent, []).append(int(path.parent.name))
    return found


def proportional(pid: int) -> int:
    """KiB of a process, shared pages divided by those who share them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def orthanc_program() -> str | None:
    """Path of Orthanc where it and its DICOMweb plugin are installed."""
    found = shutil.which("Orthanc") or shutil.which("orthanc")
    return found if found and PLUGIN.exists() else None


def wait_for(port: int, path: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            one = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            one.request("GET", path)
            if one.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"no answer from port {port}")


def orthanc(folder: Path) -> Server:
    port, program = free_port(), orthanc_program()
    storage = folder / "orthanc"
    storage.mkdir()
    settings = {
        "Name": "bench", "StorageDirectory": str(storage), "IndexDirectory": str(storage), "HttpPort": port,
        "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "DicomServerEnabled": False,
        "StorageCompression": False, "KeepAlive": True, "TcpNoDelay": True, "HttpThreadsCount": 50,
        "SaveJobs": False, "LimitFindResults": 0, "OverwriteInstances": False, "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "StudiesMetadata": "Full",
                     "SeriesMetadata": "Full"},
    }  # fmt: skip
    path = folder / "orthanc.json"
    path.write_text(json.dumps(settings))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([str(program), str(path)], stdout=log, stderr=log)
    wait_for(port, "/system", process)
    return Server("orthanc", port, process)


def variables(data: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OSTEON_")}
    return {
        **kept, "DJANGO_SETTINGS_MODULE": "portal.settings", "OSTEON_DATA_DIR": str(data),
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip


def run(data: Path, command: Sequence[str]) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=variables(data), stdout=subprocess.PIPE, check=True
    )  # fmt: skip
    return done.stdout.decode()


def portal(data: Path) -> Server:
    """The portal as `manage.py up` runs it: gunicorn gthread 2 x 4, worker and reaper."""
    port = free_port()
    with (data / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(port)], cwd=ROOT, env=variables(data),
            stdout=log, stderr=log,
        )  # fmt: skip
    wait_for(port, "/healthz", process)
    return Server("portal", port, process)


def bare(data: Path, cases: Path) -> Server:
    """The frame view alone under the same gunicorn: no middleware, no grant, no sign-in."""
    port = free_port()
    with (data / "bare.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "bench.side_by_side.bare:application", "--bind",
             f"127.0.0.1:{port}", "--worker-class", "gthread", "--workers", "2", "--threads", "4",
             "--keep-alive", "75"],
            cwd=ROOT, env={**variables(data), "BENCH_CASES": str(cases)}, stdout=log, stderr=log,
        )  # fmt: skip
    wait_for(port, "/healthz", process)
    return Server("bare", port, process)
