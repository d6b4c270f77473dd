from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from readers.timing import Event, derive

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def times(*rows, wall=100.0):
    events = [Event("a", seq, t_ms, kind) for seq, (t_ms, kind) in enumerate(rows)]
    return derive(events, opened_at=START, ended_at=START + timedelta(seconds=wall))


def test_wall_time_is_the_servers_clock():
    assert times(wall=42.5).wall_seconds == 42.5


def test_without_events_active_time_is_unknown():
    found = times()
    assert found.active_seconds is None
    assert not found.has_gap


def test_active_time_runs_to_the_last_event():
    assert times((1000, "first_image"), (30_000, "submit_pressed")).active_seconds == 30.0


def test_hidden_time_does_not_count():
    found = times((10_000, "hidden"), (40_000, "visible"), (50_000, "submit_pressed"))
    assert found.active_seconds == 20.0


def test_idle_time_does_not_count():
    assert times((60_000, "idle"), (80_000, "active"), (90_000, "answer")).active_seconds == 70.0


def test_overlapping_hidden_and_idle_spells_count_once():
    found = times(
        (10_000, "hidden"),
        (20_000, "idle"),
        (30_000, "visible"),
        (40_000, "active"),
        (50_000, "submit_pressed"),
    )
    assert found.active_seconds == 20.0


def test_active_time_is_never_more_than_wall_time():
    assert times((900_000, "submit_pressed"), wall=10.0).active_seconds == 10.0


def test_a_missing_event_is_marked_and_leaves_active_time_unknown():
    events = [Event("a", 0, 0, "desk_ready"), Event("a", 2, 5000, "answer")]
    found = derive(events, opened_at=START, ended_at=START + timedelta(seconds=10))
    assert found.has_gap
    assert found.active_seconds is None
    assert found.wall_seconds == 10.0


def test_events_may_be_numbered_from_one():
    events = [Event("a", 1, 0, "desk_ready"), Event("a", 2, 5000, "answer")]
    found = derive(events, opened_at=START, ended_at=START + timedelta(seconds=10))
    assert found.active_seconds == 5.0


def test_page_loads_add_up():
    events = [Event("a", 0, 4000, "hidden"), Event("b", 0, 3000, "submit_pressed")]
    found = derive(events, opened_at=START, ended_at=START + timedelta(seconds=100))
    assert found.active_seconds == 7.0


@given(st.lists(st.sampled_from(["hidden", "visible", "idle", "active", "answer"]), max_size=30))
def test_any_order_of_arrival_gives_the_same_times(kinds):
    events = [Event("a", seq, 1000 * seq, kind) for seq, kind in enumerate(kinds)]
    end = START + timedelta(seconds=100)
    forward = derive(events, opened_at=START, ended_at=end)
    backward = derive(events[::-1], opened_at=START, ended_at=end)
    assert forward == backward
    assert forward.active_seconds is None or forward.active_seconds <= forward.wall_seconds
