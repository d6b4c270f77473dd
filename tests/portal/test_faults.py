"""Faults of a running portal: processes are killed while eight readers save; then its launcher."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

import pytest

from bench.load import Reader, run
from tests.portal.launched import ROOT, Launched, python, until, variables

BACK_SECONDS = 5.0  # R9: a process of the killed kind runs again
READY_SECONDS = 90.0  # until it answers; 5 on an idle machine
WRITERS, KILLS, LOAD_READERS, LOAD_SECONDS = 8, 3, 10, 20.0


@pytest.fixture(scope="module")
def crowd(tmp_path_factory) -> tuple[Path, list[dict[str, str]]]:
    data = tmp_path_factory.mktemp("faults") / "data"
    data.mkdir()
    return data, json.loads(python(data, "bench/crowd.py", str(LOAD_READERS)))


@pytest.fixture(scope="module")
def portal(crowd) -> Iterator[Launched]:
    one = Launched(crowd[0])
    try:
        one.start()
        yield one
    finally:
        one.stop()


class Writer(threading.Thread):
    """Saves without a pause; what was not acknowledged is sent again with the same key."""

    def __init__(self, reader: Reader, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.reader, self.stop, self.faults = reader, stop, 0

    def run(self) -> None:
        while not self.stop.is_set():
            self.save_once(uuid.uuid4().hex)

    def save_once(self, key: str) -> None:
        body = {
            "answers": {"call": "benign", "confidence": 3, "comment": key},
            "outlines": {"CT": None, "SPECT": None}, "looks": {}, "focus": None,
        }  # fmt: skip
        while True:
            try:
                status, content = self.reader.ask(
                    "PUT", self.reader.draft_address, json.dumps(body).encode(), If_Match=f'"{self.reader.version}"',
                    Content_Type="application/json", Idempotency_Key=key, X_CSRFToken=self.reader.token,
                )  # fmt: skip
            except (OSError, HTTPException):
                self.reader.connection.close()
                self.faults += 1
                time.sleep(0.1)
                continue
            if status == 200:
                self.reader.version = json.loads(content)["version"]
                self.reader.tally.acknowledged += 1
                return
            assert status in {502, 503}, (status, content)


def is_back(portal: Launched, word: str, before: list[int]) -> None:
    until(lambda: set(portal.pids(word)) - set(before), BACK_SECONDS)


def kill_the_web(portal: Launched) -> None:
    """Each time all of it, as soon as the last one answered."""
    for _ in range(KILLS):
        time.sleep(1.0)
        before = portal.pids("gunicorn")
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        is_back(portal, "gunicorn", before)
        until(lambda: portal.health() == 200, READY_SECONDS)
        assert set(portal.pids("gunicorn")).isdisjoint(before)
    time.sleep(0.5)


@pytest.mark.promise("R1")
@pytest.mark.promise("R9")
def test_no_acknowledged_save_is_lost_when_the_web_is_killed_three_times(portal, crowd):
    stop = threading.Event()
    people = crowd[1][:WRITERS]
    writers = [Writer(Reader(portal.url, who, 1), stop) for who in people]
    for writer in writers:
        writer.reader.version = writer.reader.open_case()
        writer.start()
    try:
        kill_the_web(portal)
    finally:  # writers left running would meet the tests after this one
        stop.set()
        for writer in writers:
            writer.join(30)
    acknowledged = sum(w.reader.tally.acknowledged for w in writers)
    assert sum(w.faults for w in writers) >= KILLS
    assert acknowledged > WRITERS
    for writer, who in zip(writers, people, strict=True):
        assert (
            writer.reader.tally.acknowledged == writer.reader.version == writer.reader.open_case()
        )
        rows = portal.ask(
            "SELECT count(*), max(s.version) FROM readers_draftsave s JOIN readers_assignment a"
            " ON a.id = s.assignment_id WHERE a.code = ?", who["case"],
        )  # fmt: skip
        assert rows == [(writer.reader.version, writer.reader.version)]
        saved = portal.ask(
            "SELECT count(*) FROM audit_auditevent WHERE obj = ? AND verb = 'read.save'",
            f"case:{who['case']}",
        )
        assert saved == [(writer.reader.version,)]
        writer.reader.connection.close()
    assert portal.ask("PRAGMA integrity_check") == [("ok",)]
    assert json.loads(python(crowd[0], "manage.py", "audit_verify", "--json"))["intact"]


def test_ten_readers_for_twenty_seconds_meet_no_error_no_lock_and_lose_nothing(portal, crowd):
    """Counts only: how fast it was says more about the machine (bench/load.py measures that)."""
    found = run(portal.url, crowd[1], warm=0.0, seconds=LOAD_SECONDS, seed=1)
    rounds = LOAD_READERS * int(LOAD_SECONDS / 5)
    assert (found["errors"], found["lost"]) == ({}, 0)
    assert (found["acknowledged"], found["slice"]["n"], found["save"]["n"]) == (
        rounds,
        20 * rounds,
        rounds,
    )


def test_a_second_launcher_of_the_folder_is_told_who_serves_it(portal):
    done = subprocess.run(
        [sys.executable, "manage.py", "up", "--port", "1"], cwd=ROOT, env=variables(portal.data),
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    assert f"already served by process {portal.process.pid}" in done.stderr


@pytest.mark.trap("K2")
@pytest.mark.promise("R3")
def test_a_torn_message_ends_no_work(portal):
    """kombu's receiver fails on an empty file; the launcher restarts the worker, the job table knows the rest."""
    (portal.data / "broker" / "queue" / "1_torn.celery.msg").write_bytes(b"")
    (job,) = portal.queue(("nothing", {"n": 1}))
    until(lambda: portal.state(job) == "done", 30)
    assert len(portal.starts(job)) == 1


@pytest.mark.promise("R9")
def test_a_killed_worker_is_back_and_works(portal):
    before = portal.pids("celery")
    assert before
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    is_back(portal, "celery", before)
    (job,) = portal.queue(("nothing", {"n": 2}))
    until(lambda: portal.state(job) == "done", 30)


@pytest.mark.promise("R9")
def test_a_killed_launcher_leaves_no_process_not_even_a_busy_one(portal):
    (job,) = portal.queue(("sleep", {"seconds": 120}))
    until(lambda: portal.starts(job), 30)
    assert len(portal.pids()) >= 6  # launcher, gunicorn and 2, celery and 2, reaper
    os.kill(portal.process.pid, signal.SIGKILL)
    portal.process.wait(5)
    until(lambda: not portal.pids(), 10)
