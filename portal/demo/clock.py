"""A simulated clock for the demo's readers; requests can never pass one."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

START = datetime(2020, 11, 2, 8, 0, tzinfo=UTC)


@dataclass
class Clock:
    """Starts on a Monday morning and is moved by hand."""

    now: datetime = START

    def advance(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now

    def next_morning(self, days: int = 1) -> datetime:
        day = (self.now + timedelta(days=days)).date()
        self.now = datetime(day.year, day.month, day.day, 8, 0, tzinfo=UTC)
        return self.now
