"""Putting a series in order once a batch has been written: ranks, geometry, state."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db import connection, transaction

from portal.archive.classify import HELD, NM
from portal.archive.geometry import LOOK, Frame, Stack, is_alike, stack_of_slices
from portal.archive.models import Instance, Series
from portal.audit.chain import digest
from portal.sql import rows
from portal.sql.asked import Asked, place, written

SETTLED = [
    "n_frames", "geometry", "values", "digest", "state", "reason_code", "sentence", "is_volume",
    "volume_reason",
]  # fmt: skip
SAME = {
    "rows": "size", "columns": "size", "bits_allocated": "bits", "bits_stored": "bits",
    "high_bit": "bits", "signed": "sign", "samples": "samples", "photometric": "photometric form",
}  # fmt: skip

# stands for a series in a written question
SERIES = -1
DEEP = (Series.Role.CT, Series.Role.SPECT)
LARGEST_PART = (
    "The slices have several orientations; {n} of {m} were left out of this volume." + LOOK
)
IN_TWO_EXAMS = (
    "Images of this series are in two exams of the study, because one was filed before all had come; "
    "remove this series from both and send it to the study as a whole."
)
SMALLER_PART = "These slices lie in another orientation than most of their series, so they are no part of its volume."


@dataclass(frozen=True)
class Doubt:
    """Why a series is held, and the digest of what a coordinator would confirm by releasing it.

    `lasting` is what stays true of its slices after that.
    """

    code: str
    sentence: str
    basis: str = ""
    lasting: str = ""


def settle(series: Series, known: list[Instance] | None = None) -> None:
    """Put a series in order, and with it the slices of its sender's series that lie in another orientation.

    `known` are all its images in the order of their rows, where the caller has just written them.
    """
    with transaction.atomic(savepoint=False):
        others = turned(series)
        settle_one(series, others, known)
        for other in others:
            settle_one(other, turned(other))


def turned(series: Series) -> list[Series]:
    """Other stacks of the same series of the sender: slices of unlike orientation are no one volume."""
    if not series.sender_uid or series.role not in DEEP:
        return []
    asked = {place("sender"): series.sender_uid, SERIES: series.pk}
    if not others_of_sender().rows(asked):
        return []
    same = Series.objects.filter(exam=series.exam, sender_uid=series.sender_uid, role=series.role)
    others = same.exclude(pk=series.pk).select_related("exam").order_by("pk")
    return [s for s in others if is_stack(s, list(s.instances.all()))]


@lru_cache(maxsize=1)
def others_of_sender() -> Asked:
    others = Series.objects.filter(sender_uid=place("sender")).exclude(pk=SERIES)
    return written(others.order_by().values_list("pk"))


def settle_one(series: Series, others: list[Series], known: list[Instance] | None = None) -> None:
    """Sort the instances of a series along its normal and decide whether it is a volume."""
    with transaction.atomic(savepoint=False):
        if connection.features.has_select_for_update:
            series.decisions = latest_decisions(series)
        instances = known or list(Instance.objects.filter(series=series).order_by("pk"))
        stack = order_slices(series, instances) if is_stack(series, instances) else None
        if stack is None:
            series.n_frames = sum(i.n_frames for i in instances)
        series.digest = digest(sorted(i.content_digest for i in instances))
        decide(series, list(doubts(series, instances, stack, others)))
        rows.update(series, *SETTLED)


def latest_decisions(series: Series) -> dict[str, Any]:
    """What was decided since the series was read counts; until this is committed nobody decides anew."""
    found: dict[str, Any] = Series.objects.select_for_update().get(pk=series.pk).decisions
    return found


def is_stack(series: Series, instances: list[Instance]) -> bool:
    return series.role in DEEP and all(
        i.sop_class_uid != NM and "plane" in i.header for i in instances
    )


def frame_of(instance: Instance) -> Frame:
    position, orientation, spacing = instance.header["plane"]
    return Frame(tuple(position), tuple(orientation), tuple(spacing))


def order_slices(series: Series, instances: list[Instance]) -> Stack:
    stack = stack_of_slices([frame_of(i) for i in instances], instances[0].header.get("thickness"))
    moved = []
    for rank, source in enumerate(stack.order, start=1):
        if instances[source].rank != rank:
            instances[source].rank = rank
            moved.append(instances[source])
    Instance.objects.bulk_update(with_keys(series, moved), ["rank"])
    series.n_frames = len(instances)
    series.geometry = stack.values
    series.values = extremes(instances)
    return stack


def with_keys(series: Series, instances: list[Instance]) -> list[Instance]:
    """Images that were written in this batch do not know their keys yet."""
    if any(one.pk is None for one in instances):
        keys = dict(Instance.objects.filter(series=series).values_list("uid", "pk"))
        for one in instances:
            one.pk = keys[one.uid]
    return instances


def doubts(
    series: Series, instances: list[Instance], stack: Stack | None, others: list[Series]
) -> Iterator[Doubt]:
    """Everything that keeps a series from the readers, the gravest first."""
    if series.exam.has_conflict:
        person = digest([series.exam.uid, series.exam.patient_key])
        yield Doubt("patient_conflict", HELD["patient_conflict"], person)
    shape = digest([series.geometry, sorted(i.uid for i in instances)])
    if series.exam.has_other_part and is_in_two_exams(series):
        yield Doubt("geometry", IN_TWO_EXAMS)
    code, sentence = instances[0].header.get("held", ["", ""])
    if code:
        yield Doubt(code, sentence, shape)
    odd = differences(instances)
    if odd:
        why = f"the slices differ in {' and '.join(odd)}"
        yield Doubt("pixel_encoding", HELD["pixel_encoding"].format(why=why))
    if stack is not None:
        yield from doubts_of_stack(series, len(instances), stack, shape, others)


def is_in_two_exams(series: Series) -> bool:
    """Has the study the same series of the sender in another exam that is the same for the sender?"""
    exam = series.exam
    others = Series.objects.filter(
        mapped_uid=series.mapped_uid, exam__mapped_uid=exam.mapped_uid, exam__study_key=exam.study_key,
        exam__patient_key=exam.patient_key,
    )  # fmt: skip
    return others.exclude(exam=exam).exists()


def doubts_of_stack(
    series: Series, n: int, stack: Stack, shape: str, others: list[Series]
) -> Iterator[Doubt]:
    """Of several orientations the one with most slices is the volume, once somebody has seen it; others are not."""
    sizes = {other.pk: other.instances.count() for other in others}
    if any((size, -pk) > (n, -series.pk) for pk, size in sizes.items()):
        yield Doubt("geometry", SMALLER_PART)
    elif sizes and stack.problem != "geometry":
        left_out = sum(sizes.values())
        words = LARGEST_PART.format(n=left_out, m=n + left_out)
        basis = digest([shape, sorted(sizes.items())])
        sentence = f"{words} {stack.sentence}".strip()
        yield Doubt("geometry_to_confirm", sentence, basis, lasting_of(stack))
    elif stack.problem:
        yield Doubt(stack.problem, stack.sentence, shape, lasting_of(stack))


def lasting_of(stack: Stack) -> str:
    """A person may take uneven or tilted slices for what they are; they do not become a regular grid by that."""
    return stack.sentence.removesuffix(LOOK)


def differences(instances: list[Instance]) -> list[str]:
    """What differs in the pixel modules of one series: such slices cannot be read as one volume."""
    modules = [i.header.get("pixel") or {} for i in instances]
    found = [what for name, what in SAME.items() if len({str(m.get(name)) for m in modules}) > 1]
    scaled = {(i.slope, i.intercept) for i in instances}
    if modules[0] and len(scaled) > 1 and instances[0].header.get("unit") == "HU":
        found.append("rescale slope or intercept")
    spacings = [i.header["plane"][2] for i in instances if "plane" in i.header]
    if spacings and not all(is_alike(one, spacings[0]) for one in spacings):
        found.append("pixel spacing")
    if len({i.header["reference"] for i in instances if "reference" in i.header}) > 1:
        found.append("frame of reference")
    units = {i.header.get("unit") for i in instances}
    return sorted(set(found)) + (["unit"] if len(units) > 1 else [])


def decide(series: Series, found: list[Doubt]) -> None:
    """Held by the first doubt that no coordinator has decided on as it now stands."""
    has_depth = series.role in DEEP
    open_ = [d for d in found if not d.basis or series.decisions.get(d.code) != d.basis]
    first = open_[0] if open_ else Doubt("", "")
    series.state = Series.State.HELD if open_ else Series.State.READY
    series.reason_code, series.sentence = first.code, first.sentence
    series.is_volume = has_depth and bool(series.geometry) and not open_
    if has_depth:
        lasting = next((d.lasting for d in found if d.lasting), "")
        series.volume_reason = first.sentence if open_ else lasting


def basis_of(series: Series, code: str) -> str:
    """What a release of this series for this reason would confirm, '' where nobody may decide."""
    instances = list(Instance.objects.filter(series=series).order_by("pk"))
    stack = order_slices(series, instances) if is_stack(series, instances) else None
    found = doubts(series, instances, stack, turned(series))
    return next((d.basis for d in found if d.code == code), "")


def extremes(instances: list[Instance]) -> dict[str, Any]:
    """Largest, smallest and 99.9th percentile over the slices (the largest of the slices' percentiles)."""
    found = [i.header.get("values") or {} for i in instances]

    def over(key: str, pick: Any) -> float | None:
        known = [one[key] for one in found if one.get(key) is not None]
        return float(pick(known)) if known else None

    return {
        "minimum": over("minimum", min),
        "maximum": over("maximum", max),
        "p999_positive": over("p999_positive", max),
        "windows": instances[0].header.get("windows", []),
    }
