"""kill -9 of web processes and ingest children while four clients store: what was acknowledged is there, once."""

import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pydicom
import pytest

from tests.archive.builders import person, slices
from tests.browser.portal_server import ROOT, free_port, manage, variables
from tests.portal.test_malformed_http import TOKEN

CLIENTS, PER_REQUEST, KILLS = 4, 4, 3


class Sender(threading.Thread):
    """Stores request after request; keeps the source UIDs that an answer has acknowledged."""

    def __init__(self, port: int, token: str, files: list[list[bytes]]) -> None:
        super().__init__(daemon=True)
        self.port, self.token, self.todo = port, token, files
        self.acknowledged: dict[str, str] = {}
        self.ended = threading.Event()

    def run(self) -> None:
        while self.todo and not self.ended.is_set():
            try:
                self.send(self.todo[0])
                self.todo.pop(0)
            except (OSError, http.client.HTTPException):
                time.sleep(0.2)  # the server is gone: the same again, as a client does

    def send(self, files: list[bytes]) -> None:
        head = b"--b\r\nContent-Type: application/dicom\r\n\r\n"
        body = b"".join(head + f + b"\r\n" for f in files) + b"--b--\r\n"
        kind = 'multipart/related; type="application/dicom"; boundary=b'
        headers = {"Content-Type": kind, "Authorization": f"Token {self.token}"}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as one:
            one.request("POST", "/dicomweb/studies", body, headers)
            with closing(one.getresponse()) as answer:
                said = json.loads(answer.read())
        if answer.status != 200:
            raise OSError(f"{answer.status} {said}")
        for item in said["00081199"]["Value"]:
            source = item["00081155"]["Value"][0]
            self.acknowledged[source] = item["00081190"]["Value"][0].rsplit("/", 1)[1]


def serve(data: Path, port: int) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, "-m", "gunicorn", "portal.wsgi:application", "--bind", f"127.0.0.1:{port}", "--workers", "2",
        "--threads", "4", "--worker-class", "portal.serving.PatientWorker",
    ]  # fmt: skip
    with (data / "log").open("ab") as log:
        return subprocess.Popen(
            command, cwd=ROOT, env=variables(data), stdout=log, stderr=log, start_new_session=True
        )


def requests_of(folder: Path, client: int) -> list[list[bytes]]:
    """25 requests of 4 slices; each client's exam is its own."""
    paths = slices(
        folder / str(client), n=100, series=f"2.25.60{client}", who=person(f"SYN{client}", f"2.25.61{client}")
    )  # fmt: skip
    data = [p.read_bytes() for p in paths]
    return [data[k : k + PER_REQUEST] for k in range(0, len(data), PER_REQUEST)]


@pytest.mark.slow
@pytest.mark.promise("R1")
def test_every_acknowledged_image_survives_three_kills_of_the_web_server(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    manage(data, "migrate", "--skip-checks", "--verbosity", "0")
    token = subprocess.run(
        [sys.executable, "-c", TOKEN], cwd=ROOT, env=variables(data), capture_output=True, text=True, check=True
    ).stdout.split()[-1]  # fmt: skip
    port = free_port()
    senders = [Sender(port, token, requests_of(tmp_path / "in", k)) for k in range(CLIENTS)]
    server = serve(data, port)
    for sender in senders:
        sender.start()
    for kill in range(1, KILLS + 1):
        wait_for(lambda k=kill: sum(len(s.acknowledged) for s in senders) >= 60 * k)
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        server = serve(data, port)
    wait_for(lambda: not any(s.todo for s in senders))
    os.killpg(server.pid, signal.SIGTERM)
    server.wait(20)
    check(data, tmp_path / "in", {u: a for s in senders for u, a in s.acknowledged.items()})


def wait_for(condition, seconds: float = 180.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def check(data: Path, sent: Path, acknowledged: dict[str, str]) -> None:
    """All 400 stored once, with the pixels that were sent; the archive is sound."""
    with sqlite3.connect(data / "osteon.sqlite3") as rows:
        stored = [r[0] for r in rows.execute("SELECT uid FROM archive_instance")]
        lengths = rows.execute("SELECT native_size FROM archive_series").fetchall()
        sealed = dict(rows.execute("SELECT archive_uid, source_uid FROM truth_source_uid"))
    assert len(acknowledged) == len(stored) == len(set(stored)) == 400
    assert set(sealed) == set(stored)
    # addresses are the source view's
    assert acknowledged == {uid: uid for uid in sealed.values()}
    found = json.loads(manage(data, "archive_verify", "--json"))
    assert (found["checked"], found["damaged"]) == (400, [])
    packs = sorted(p.stat().st_size for p in (data / "archive").rglob("native.pack"))
    assert packs == sorted(n for (n,) in lengths)
    values = {int(np.unique(pydicom.dcmread(p).pixel_array)[0]) for p in sent.rglob("*.dcm")}
    assert (
        len(values) == 100
    )  # each number of a slice is another value, so a mix-up would be a damaged digest
