"""A thread stays with a client that asks again at once, and with nobody while others wait."""

import queue
import socket
import time
from types import SimpleNamespace

import pytest

from portal.serving import NEXT_MS, PatientWorker, asks_again

# far above the moment, far below for ever, whatever else the machine does
PATIENCE_S = 15


@pytest.fixture
def ends():
    near, far = socket.socketpair()
    yield near, far
    near.close()
    far.close()


def test_a_client_that_has_asked_again_is_heard_at_once(ends):
    near, far = ends
    far.sendall(b"GET / HTTP/1.1\r\n")
    assert asks_again(near)


def test_a_silent_client_holds_a_thread_only_for_a_moment(ends):
    begun = time.monotonic()
    assert not asks_again(ends[0])
    assert NEXT_MS / 2e3 < time.monotonic() - begun < PATIENCE_S


@pytest.mark.parametrize(
    ("is_alive", "waiting", "may_stay"), [(True, 0, True), (True, 1, False), (False, 0, False)]
)
def test_a_thread_stays_only_while_nobody_else_waits_and_the_server_goes_on(
    is_alive, waiting, may_stay
):
    jobs = queue.SimpleQueue()
    for _ in range(waiting):
        jobs.put(None)
    worker = SimpleNamespace(alive=is_alive, tpool=SimpleNamespace(_work_queue=jobs))
    assert PatientWorker.may_stay(worker) is may_stay
