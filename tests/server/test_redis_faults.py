"""Redis dies with work in its queue: nothing is lost, the web stays up, and the work is done when it is back."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.portal_server import free_port
from tests.portal.launched import Launched, python, until

pytestmark = [pytest.mark.server, pytest.mark.promise("R7")]
redis = pytest.importorskip("redis")
SERVER = shutil.which("redis-server")
JOBS = 12
# wake-ups are repeated so often here, and each minute elsewhere
WAKE_UP_SECONDS = 10
# a worker that hears nothing any more ends after twice that, another starts, and the last wake-up comes once more
AFTER_SECONDS = 300


class Broker:
    """A redis-server of this test's own, with the append-only file of the server profile."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def answers(self) -> bool:
        client = redis.Redis(port=self.port, socket_connect_timeout=1)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [SERVER, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder),
             "--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until(self.answers, 20)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)


@pytest.fixture
def broker(tmp_path) -> Iterator[Broker]:
    if SERVER is None:
        sentence = "redis-server is not installed, R7 is NOT tested"
        if os.environ.get("OSTEON_REQUIRE_SERVER") == "1":
            pytest.fail(sentence)
        pytest.skip(sentence)
    one = Broker(tmp_path)
    one.start()
    yield one
    one.kill()


@pytest.fixture
def portal(broker, tmp_path) -> Iterator[Launched]:
    data = tmp_path / "data"
    data.mkdir()
    one = Launched(
        data, more={"OSTEON_BROKER_URL": broker.url, "FAULTY_WAKE_UP_SECONDS": str(WAKE_UP_SECONDS)}
    )
    try:
        one.start()
        yield one
    finally:
        one.stop()


def done(portal: Launched) -> int:
    return int(portal.ask("SELECT count(*) FROM jobs_job WHERE state = 'done'")[0][0])


def test_redis_killed_with_queued_work_loses_nothing_and_stops_nobody(portal, broker):
    portal.queue(*[("sleep", {"seconds": 1.0, "n": n}) for n in range(JOBS)])
    until(lambda: done(portal) >= 1, 60)
    broker.kill()
    (late,) = portal.queue(("nothing", {"n": 99}))
    assert portal.health() in {200, 503}
    assert portal.state(late) == "queued"
    assert "hold" in python(portal.data, "manage.py", "audit_verify", **portal.more)
    broker.start()
    until(lambda: done(portal) == JOBS + 1, AFTER_SECONDS)
    rows = portal.ask("SELECT id, attempts, state FROM jobs_job ORDER BY id")
    assert {(attempts, state) for _, attempts, state in rows} == {(1, "done")}
    assert all(len(portal.starts(number)) == 1 for number, _, _ in rows)
