"""A thread of its own appends frames, in their order, and goes with its writer; the disk has them before the rows."""

import os
import threading
import time

import pytest

from portal.archive import appending, packs
from portal.archive.appending import EARLY, Appending, Hands, writing
from portal.archive.packs import Spooled
from tests.archive.test_packs import LE, spool

# more than are written while anybody waits
MANY = 40


def test_frames_are_where_appending_said_once_it_has_been_waited_for(tmp_path):
    name, source = packs.new_folder(), spool(tmp_path / "spool", [b"one", b"second"])
    with writing() as found:
        first = found.begin(name, packs.NATIVE, source[:1], LE, after=0)
        behind = packs.end_of(first[0])
        second = found.begin(name, packs.NATIVE, source[1:], LE, after=behind)
        found.wait()
        read = [packs.read(name, packs.NATIVE, e) for e in (*first, *second)]
    assert read == [b"one", b"second"]
    packs.drop(name)


def test_what_goes_wrong_in_appending_is_said_by_whoever_waits_once(tmp_path):
    with writing() as found:
        found.begin(
            packs.new_folder(), packs.NATIVE, [Spooled(tmp_path / "absent", 0, 3)], LE, after=0
        )
        with pytest.raises(FileNotFoundError):
            found.wait()
        found.wait()


def test_no_frame_comes_after_the_writer_has_gone(tmp_path, monkeypatch):
    source, done = spool(tmp_path / "spool", [b"frame"] * MANY), []
    whole = packs.append

    def slow(*args, **more):
        time.sleep(0.05)
        done.append(args)
        return whole(*args, **more)

    monkeypatch.setattr(packs, "append", slow)
    name = packs.new_folder()

    def broken_off():
        with writing() as found:
            for k in range(MANY):
                found.begin(name, packs.NATIVE, source[k : k + 1], LE, after=k * 100)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken_off()
    n = len(done)
    time.sleep(0.2)
    assert len(done) == n < MANY
    packs.drop(name)


class Synced:
    """Notes of which size each file was when it was brought to the disk."""

    def __init__(self, monkeypatch) -> None:
        self.sizes: list[int] = []
        whole = os.fdatasync

        def noted(handle: int) -> None:
            self.sizes.append(os.fstat(handle).st_size)
            whole(handle)

        monkeypatch.setattr(packs.os, "fdatasync", noted)


@pytest.mark.parametrize(("length", "n_synced"), [(EARLY // 4, 1), (EARLY, 3), (10, 0)])
def test_the_disk_begins_with_what_is_written_while_nothing_else_waits(
    tmp_path, monkeypatch, length, n_synced
):
    name, synced = packs.new_folder(), Synced(monkeypatch)
    source = spool(tmp_path / "spool", [bytes(length)] * 4)
    with writing() as found:
        after = 0
        for k in range(4 if n_synced != 3 else 3):
            after = packs.end_of(
                found.begin(name, packs.NATIVE, source[k : k + 1], LE, after=after)[0]
            )
            found.wait()
    assert len(synced.sizes) == n_synced
    assert synced.sizes == sorted(set(synced.sizes))
    packs.drop(name)


def test_frames_that_wait_are_written_before_the_disk_is_asked(tmp_path, monkeypatch):
    name, synced, go = packs.new_folder(), Synced(monkeypatch), threading.Event()
    source = spool(tmp_path / "spool", [bytes(EARLY)] * 3)
    with writing() as found:
        found.then(go.wait)
        after = 0
        for k in range(3):
            after = packs.end_of(
                found.begin(name, packs.NATIVE, source[k : k + 1], LE, after=after)[0]
            )
        go.set()
        found.wait()
    assert synced.sizes == [after]
    packs.drop(name)


def test_a_writers_thread_is_the_next_writers(tmp_path):
    names = []
    for _ in range(3):
        with writing() as found:
            found.then(lambda: names.append(threading.current_thread().name))
            found.wait()
    assert len(set(names)) == 1


def test_two_writers_at_once_have_a_thread_each_and_a_forked_process_none():
    hands = Hands()
    first, second = hands.taken(), hands.taken()
    assert first is not second
    hands.leave(first)
    assert hands.taken() is first
    for one in (first, second):
        hands.leave(one)
    hands.forget()
    third = hands.taken()
    assert third not in (first, second)
    for one in (first, second, third):
        one.shutdown()


def test_a_thread_is_left_to_the_next_only_when_nothing_waits_for_it(monkeypatch):
    left, begun, slow, done = [], threading.Event(), threading.Event(), []
    monkeypatch.setattr(
        appending.hands, "leave", lambda one: left.append(one) or done.append(slow.is_set())
    )
    found = Appending()
    found.then(lambda: (begun.set(), time.sleep(0.05), slow.set()))
    found.then(lambda: time.sleep(0.05))
    assert begun.wait(60)
    found.end()
    assert (len(left), done) == (1, [True])
    left[0].shutdown()


def test_what_waits_behind_a_failure_is_not_left_to_the_next_writer():
    done: list[int] = []

    def fails() -> None:
        raise ZeroDivisionError

    found = Appending()
    found.then(fails)
    for k in range(MANY):
        found.then(lambda k=k: (time.sleep(0.03), done.append(k)))
    with pytest.raises(ZeroDivisionError):
        found.wait()
    found.end()
    n = len(done)
    time.sleep(0.15)
    assert len(done) == n < MANY


def test_what_fails_beside_the_block_is_said_at_its_end():
    def fails() -> None:
        raise ZeroDivisionError

    with writing() as found, pytest.raises(ZeroDivisionError), found.syncing([], fails):
        pass
