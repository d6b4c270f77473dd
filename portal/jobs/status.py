"""What administrators may know about the running installation: who was seen, what waits, what failed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache
from django.db.models import Count, Min
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from portal.jobs.health import Health, state
from portal.jobs.models import Heartbeat, Job
from portal.jobs.queue import LOST_WAKE_UPS


@dataclass(frozen=True)
class Status:
    """`seen` and `oldest_queued` are ages in seconds; counts are of the whole installation."""

    health: Health
    seen: dict[str, float]
    jobs: dict[str, int]
    oldest_queued: float
    lost_wake_ups: int


def status(now: datetime) -> Status:
    counts = dict(Job.objects.order_by().values_list("state").annotate(n=Count("pk")))
    first = Job.objects.filter(state=Job.State.QUEUED).aggregate(first=Min("created_at"))["first"]
    return Status(
        health=state(now),
        seen={
            h.name: (now - h.seen_at).total_seconds() for h in Heartbeat.objects.order_by("name")
        },
        jobs={name: counts.get(name, 0) for name in Job.State.values},
        oldest_queued=(now - first).total_seconds() if first else 0.0,
        lost_wake_ups=cache.get(LOST_WAKE_UPS, 0),
    )


@dataclass(frozen=True, eq=False)
class Collector:
    """The status as gauges; no label names a study, a case or a person."""

    found: Status

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found = self.found
        yield one("osteon_up", "1 if web, worker and reaper are well", float(found.health.is_ok))
        yield labelled("osteon_jobs", "Jobs by state", "state", found.jobs)
        yield labelled(
            "osteon_seen_seconds", "Seconds since a process was seen", "process", found.seen
        )
        yield one(
            "osteon_oldest_queued_seconds", "Age of the oldest queued job", found.oldest_queued
        )
        yield one(
            "osteon_lost_wake_ups", "Wake-ups that no broker took", float(found.lost_wake_ups)
        )


def one(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def labelled(
    name: str, text: str, label: str, values: dict[str, int] | dict[str, float]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
    return family


def as_metrics(found: Status) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector(found))
    text: bytes = generate_latest(registry)
    return text
