"""Times of a read counted second by second, and cases worked by hand."""

from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.timing import AWAY_AT, BACK_AT, KINDS, Event, active_ms, derive, has_gap

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SPELLS = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from([*AWAY_AT, *BACK_AT, "answer"])), max_size=25
)


def load(*rows, page="a", first=0):
    return [Event(page, first + seq, t * 1000, kind) for seq, (t, kind) in enumerate(rows)]


def at(steps):
    """Waits between events as times since the case document."""
    times = accumulate(wait for wait, _ in steps)
    return [(t, kind) for t, (_, kind) in zip(times, steps, strict=True)]


def counted(rows):
    """Second by second: those before the last event in which the page was neither hidden nor idle."""
    total = 0
    for second in range(rows[-1][0] if rows else 0):
        away = set()
        for t, kind in rows:
            if t <= second:
                away |= {AWAY_AT[kind]} if kind in AWAY_AT else set()
                away -= {BACK_AT[kind]} if kind in BACK_AT else set()
        total += not away
    return total


@given(SPELLS)
def test_active_time_equals_a_count_second_by_second(steps):
    rows = at(steps)
    assert active_ms(load(*rows)) == 1000 * counted(rows)


@pytest.mark.parametrize(
    ("rows", "seconds"),
    [
        ([(0, "first_image")], 0),
        ([(7, "first_image")], 7),
        ([(5, "hidden"), (9, "visible"), (20, "answer")], 16),
        ([(5, "hidden"), (20, "answer")], 5),
        ([(5, "visible"), (8, "active"), (10, "answer")], 10),
        ([(5, "hidden"), (6, "hidden"), (9, "visible"), (10, "answer")], 6),
        ([(5, "hidden"), (6, "active"), (9, "visible"), (10, "answer")], 6),
        ([(5, "hidden"), (6, "idle"), (9, "visible"), (12, "answer")], 5),
        ([(60, "idle"), (60, "active"), (61, "answer")], 61),
        ([(5, "offline"), (9, "online"), (10, "answer")], 10),
    ],
)
def test_spells_worked_by_hand(rows, seconds):
    assert active_ms(load(*rows)) == 1000 * seconds


def test_a_clock_that_steps_back_never_takes_time_away():
    events = [
        Event("a", 0, 9000, "answer"),
        Event("a", 1, 4000, "answer"),
        Event("a", 2, 10_000, "answer"),
    ]
    assert active_ms(events) == 10_000


@pytest.mark.parametrize(
    ("numbers", "gap"),
    [
        ([0], False),
        ([1], False),
        ([2], True),
        ([0, 1, 2], False),
        ([1, 2, 3], False),
        ([0, 2], True),
        ([0, 1, 1], True),
        ([3, 4], True),
    ],
)
def test_a_gap_is_a_missing_or_doubled_number(numbers, gap):
    assert has_gap([Event("a", n, n, "answer") for n in numbers]) is gap


def test_a_gap_in_one_page_load_leaves_the_active_time_of_all_unknown():
    events = [*load((5, "answer")), Event("b", 4, 1000, "answer")]
    found = derive(events, opened_at=START, ended_at=START + timedelta(seconds=60))
    assert (found.active_seconds, found.has_gap, found.wall_seconds) == (None, True, 60.0)


@pytest.mark.parametrize(
    ("ended", "wall"), [(0, 0.0), (-30, 0.0), (0.25, 0.25), (3600, 3600.0), (86_400, 86_400.0)]
)
def test_wall_time_is_never_below_zero(ended, wall):
    found = derive([], opened_at=START, ended_at=START + timedelta(seconds=ended))
    assert found.wall_seconds == wall


@given(SPELLS, st.integers(0, 300))
def test_active_time_is_between_zero_and_the_wall(steps, wall):
    events = load(*at(steps))
    found = derive(events, opened_at=START, ended_at=START + timedelta(seconds=wall))
    assert found.active_seconds is None or 0 <= found.active_seconds <= wall


@given(SPELLS, SPELLS)
def test_two_page_loads_count_as_the_sum_of_each(one, other):
    def total(*loads):
        events = [e for part in loads for e in part]
        return (
            derive(events, opened_at=START, ended_at=START + timedelta(days=9)).active_seconds or 0
        )

    a, b = load(*at(one), page="a"), load(*at(other), page="b")
    assert total(a, b) == pytest.approx(total(a) + total(b))


def test_the_kinds_are_those_of_the_specification():
    named = (
        "first_image desk_ready first_input visible hidden idle active scroll window layout link "
        "outline_start outline_close outline_edit copy shift answer submit_pressed backend_changed "
        "image_error offline online"
    )
    assert set(named.split()) | {"script_error"} == KINDS
