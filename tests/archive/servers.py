"""Real DICOMweb servers on loopback: the portal itself in a process of its own, and Orthanc where installed."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from django.db import connection

from portal.archive.peer import Server

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
SECONDS = 240


@dataclass(frozen=True)
class Running:
    """A server under test, and the folder where it keeps what it is sent."""

    server: Server
    folder: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """The process is ended by its id, whatever happens."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, f"the server behind {url} ended with {process.returncode}"
        try:
            requests.get(url, timeout=5)
            return
        except (requests.ConnectionError, requests.Timeout):  # the first answer imports every page
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")


def copied_tables(path: Path) -> Path:
    """The empty tables of the test database as a file; outside a transaction, or SQLite waits for ever."""
    assert not connection.in_atomic_block
    connection.ensure_connection()
    copy = sqlite3.connect(path)
    connection.connection.backup(copy)
    copy.close()
    return path


@contextmanager
def portal_server(folder: Path, tables: Path) -> Iterator[Running]:
    """A second installation with keys and folders of its own."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    database, port = folder / "osteon.sqlite3", free_port()
    shutil.copy(tables, database)
    token = folder / "token"
    variables = {
        **os.environ,
        "OSTEON_DATA_DIR": str(folder),
        "OSTEON_DATABASE_URL": f"sqlite://{database}",
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "tests.archive.portal_process", str(port), str(token)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=variables, cwd=ROOT, stdout=log, stderr=log)
    with ended(process):
        wait_for(f"http://127.0.0.1:{port}/robots.txt", process)
        url = f"http://127.0.0.1:{port}/dicomweb"
        yield Running(Server(url, "Token", token.read_text()), folder / "archive")


def orthanc_binary() -> str | None:
    """The binary, where its DICOMweb plugin is there as well."""
    found = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    return found if found and PLUGIN.exists() else None


@contextmanager
def orthanc_server(folder: Path) -> Iterator[Running]:
    folder.mkdir(parents=True, exist_ok=True)
    port, binary = free_port(), orthanc_binary()
    assert binary is not None
    configuration = {
        "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"), "HttpPort": port,
        "RemoteAccessAllowed": False, "AuthenticationEnabled": True, "RegisteredUsers": {"osteon": "secret"},
        "DicomServerEnabled": False, "StorageCompression": False, "OverwriteInstances": False,
        "SaveJobs": False, "LimitFindResults": 0, "Plugins": [str(PLUGIN)],
        "MaximumStorageCacheSize": 0,  # what a test damages on disk is what is read next
        "DicomWeb": {
            "Enable": True, "Root": "/dicom-web/", "StudiesMetadata": "Full", "SeriesMetadata": "Full",
        },
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([binary, str(folder / "orthanc.json")], stdout=log, stderr=log)
    with ended(process):
        wait_for(f"http://127.0.0.1:{port}/system", process)
        url = f"http://127.0.0.1:{port}/dicom-web"
        yield Running(Server(url, "osteon", "secret"), folder / "db")
