"""Wall and active time of a read, derived by the server from its own clock and the events."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

KINDS = frozenset(
    [
        "first_image",
        "desk_ready",
        "first_input",
        "visible",
        "hidden",
        "idle",
        "active",
        "scroll",
        "window",
        "layout",
        "link",
        "outline_start",
        "outline_close",
        "outline_edit",
        "copy",
        "shift",
        "answer",
        "submit_pressed",
        "backend_changed",
        "image_error",
        "offline",
        "online",
        "script_error",
    ]
)
AWAY_AT = {"hidden": "hidden", "idle": "idle"}
BACK_AT = {"visible": "hidden", "active": "idle"}


@dataclass(frozen=True)
class Event:
    """One event of one page load; `t_ms` counts from the case document on a monotonic clock."""

    page_load: str
    seq: int
    t_ms: int
    kind: str


@dataclass(frozen=True)
class Times:
    """Seconds at the desk; `active_seconds` is None where the events do not tell."""

    wall_seconds: float
    active_seconds: float | None
    has_gap: bool


def derive(events: Iterable[Event], *, opened_at: datetime, ended_at: datetime) -> Times:
    """Wall time from the server's clock; active time = time on the page less hidden and idle spells."""
    wall = max(0.0, (ended_at - opened_at).total_seconds())
    loads: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        loads[event.page_load].append(event)
    ordered = [sorted(load, key=lambda e: e.seq) for load in loads.values()]
    if any(has_gap(load) for load in ordered):
        return Times(wall, None, True)
    if not ordered:
        return Times(wall, None, False)
    active = sum(active_ms(load) for load in ordered) / 1000
    return Times(wall, min(active, wall), False)


def has_gap(load: Sequence[Event]) -> bool:
    """A page load numbers its events 0, 1, 2 … (or from 1); a missing number is a lost event."""
    first = load[0].seq
    return first > 1 or [e.seq for e in load] != list(range(first, first + len(load)))


def active_ms(load: Sequence[Event]) -> int:
    """Milliseconds of one page load in which the page was neither hidden nor idle."""
    away: set[str] = set()
    total, last = 0, 0
    for event in load:
        if not away:
            total += max(0, event.t_ms - last)
        last = max(last, event.t_ms)
        if event.kind in AWAY_AT:
            away.add(AWAY_AT[event.kind])
        elif event.kind in BACK_AT:
            away.discard(BACK_AT[event.kind])
    return total
