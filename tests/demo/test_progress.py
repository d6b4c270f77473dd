"""The demo's bars and its readers' clock: what stands on the line, and which day it is."""

import io
import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.demo import progress
from portal.demo.clock import START, Clock
from portal.demo.progress import WIDTH, Bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def bar(total: int, *, stream: io.StringIO | None = None, started: float = 100.0) -> Bar:
    return Bar("reads", total, stream or io.StringIO(), started=started)


@pytest.fixture
def at(monkeypatch):
    """The seconds that have passed since the bar began."""

    def pass_seconds(seconds: float) -> None:
        monkeypatch.setattr(progress.time, "monotonic", lambda: 100.0 + seconds)

    return pass_seconds


@pytest.mark.parametrize(
    ("done", "total", "seconds", "filled", "left"),
    [
        (0, 4, 10, 0, 0),  # nothing is done: no rate, so no time is promised
        (1, 4, 10, 6, 30),
        (2, 4, 10, 12, 10),
        (3, 4, 30, 18, 10),
        (4, 4, 8, 24, 0),
        (0, 0, 5, 24, 0),
        (6, 4, 8, 24, 0),  # jobs may have counted more units than were waiting at the start
        (1, 100, 1, 0, 99),
    ],
)
def test_a_line_shows_share_and_the_time_left_at_the_rate_so_far(
    done, total, seconds, filled, left, at
):
    one = bar(total)
    at(seconds)
    one.set(done)
    line = one.line()
    inside = re.search(r"\[(.*)\]", line)[1]
    assert (inside.count("#"), len(inside)) == (filled, WIDTH)
    assert f"{done}/{total}" in line
    assert int(re.search(r"(-?\d+) s left", line)[1]) == left


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(0, 400))
def test_whatever_is_counted_the_line_keeps_its_form(steps, total):
    one = bar(total)
    for n in steps:
        one.step(n)
    assert one.done == sum(steps)
    inside = re.search(r"\[(#* *)\]", one.line())[1]
    assert len(inside) == WIDTH


def test_on_a_terminal_each_step_writes_the_line_over_the_one_before(at):
    out = Terminal()
    at(1)
    one = bar(2, stream=out)
    one.step()
    one.step()
    one.end()
    parts = out.getvalue().split("\r")
    assert [re.search(r"\d/2", p)[0] for p in parts[1:]] == ["1/2", "2/2", "2/2"]
    assert len(parts[-1].rstrip("\n")) >= len(parts[-2])  # nothing of the longer line stays behind
    assert out.getvalue().count("\n") == 1


def test_into_a_file_only_the_last_line_goes(at):
    out = io.StringIO()
    one = bar(3, stream=out)
    at(12.34)
    for _ in range(3):
        one.step()
    assert out.getvalue() == ""
    one.end()
    assert out.getvalue().rstrip() == f"{'reads':<22} 3/3 in 12.3 s"
    assert "\r" not in out.getvalue()


# --- the clock ----------------------------------------------------------------------------------


def test_the_clock_begins_on_a_monday_morning_in_utc():
    assert (START.strftime("%A %H:%M"), START.tzinfo) == ("Monday 08:00", UTC)
    assert Clock().now == START


def test_two_clocks_do_not_share_their_time():
    first, second = Clock(), Clock()
    first.advance(60)
    assert second.now == START


@pytest.mark.parametrize(
    ("now", "days", "morning"),
    [
        (datetime(2020, 11, 2, 8, 0, tzinfo=UTC), 1, date(2020, 11, 3)),
        (datetime(2020, 11, 2, 23, 59, 59, tzinfo=UTC), 1, date(2020, 11, 3)),
        (datetime(2020, 11, 3, 0, 0, tzinfo=UTC), 1, date(2020, 11, 4)),
        (datetime(2020, 12, 31, 12, 0, tzinfo=UTC), 1, date(2021, 1, 1)),
        (datetime(2024, 2, 28, 12, 0, tzinfo=UTC), 1, date(2024, 2, 29)),
        (datetime(2020, 11, 2, 9, 0, tzinfo=UTC), 28, date(2020, 11, 30)),
    ],
)
def test_the_next_morning_is_eight_oclock_of_another_day(now, days, morning):
    found = Clock(now).next_morning(days)
    assert (found.date(), found.hour, found.minute, found.second) == (morning, 8, 0, 0)


@given(st.lists(st.floats(0, 20_000), max_size=30))
def test_the_clock_never_goes_back(steps):
    clock, before = Clock(), START
    for seconds in steps:
        assert clock.advance(seconds) >= before
        before = clock.now
    assert clock.next_morning() > before
