"""Putting a series in order once a batch has been written: ranks, geometry, state."""

from typing import Any

from django.db import transaction

from portal.archive.classify import NM
from portal.archive.geometry import Frame, Stack, stack_of_slices
from portal.archive.models import Instance, Series
from portal.audit.chain import digest


def settle(series: Series) -> None:
    """Sort the instances of a series along its normal and decide whether it is a volume."""
    with transaction.atomic():
        instances = list(Instance.objects.filter(series=series).order_by("pk"))
        if series.role in (Series.Role.CT, Series.Role.SPECT) and is_stack(instances):
            order_slices(series, instances)
        else:
            series.n_frames = sum(i.n_frames for i in instances)
        series.digest = digest(sorted(i.content_digest for i in instances))
        series.save()


def is_stack(instances: list[Instance]) -> bool:
    return all(i.sop_class_uid != NM and "plane" in i.header for i in instances)


def frame_of(instance: Instance) -> Frame:
    position, orientation, spacing = instance.header["plane"]
    return Frame(tuple(position), tuple(orientation), tuple(spacing))


def order_slices(series: Series, instances: list[Instance]) -> None:
    stack: Stack = stack_of_slices(
        [frame_of(i) for i in instances], instances[0].header.get("thickness")
    )
    for rank, source in enumerate(stack.order, start=1):
        instances[source].rank = rank
    Instance.objects.bulk_update(instances, ["rank"])
    series.n_frames = len(instances)
    series.geometry = stack.values
    series.values = extremes(instances)
    series.is_volume = not stack.problem
    series.volume_reason = stack.sentence
    if stack.problem and series.state == Series.State.READY and len(instances) > 1:
        series.state, series.reason_code, series.sentence = "held", stack.problem, stack.sentence
    elif not stack.problem and series.reason_code.startswith("geometry"):
        series.state, series.reason_code, series.sentence = "ready", "", ""


def extremes(instances: list[Instance]) -> dict[str, Any]:
    """Largest, smallest and 99.9th percentile over the slices (the largest of the slices' percentiles)."""
    rows = [i.header.get("values") or {} for i in instances]

    def over(key: str, pick: Any) -> float | None:
        known = [r[key] for r in rows if r.get(key) is not None]
        return float(pick(known)) if known else None

    return {
        "minimum": over("minimum", min),
        "maximum": over("maximum", max),
        "p999_positive": over("p999_positive", max),
        "windows": instances[0].header.get("windows", []),
    }
