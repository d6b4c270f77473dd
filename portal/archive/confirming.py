"""Series whose place in the patient a person must confirm: how they may be stacked, on which images they are looked at.

What is released is what was looked at: the page hands out a mark of each stacking as it was shown beside another
series, and a release without this mark, or after anything of it has changed, is refused.
"""

from dataclasses import dataclass
from functools import lru_cache

from portal.archive.geometry import Tomo
from portal.archive.models import Instance, Series
from portal.archive.pixels import frames_of, modality_values
from portal.archive.planes import FloatArray, Stacked
from portal.archive.stackings import stackings
from portal.audit.chain import digest
from portal.errors import Conflict

TO_CONFIRM = "geometry_to_confirm"
# per frame of an instance, in the order of its volume
BY_FRAME = ("native_frames", "stored_frames", "frame_digests", "stored_digests")
LOOK_FIRST = "Look at the series fused on the CT first; it may also have changed since you did."
NO_CT = "There is no CT of this patient to see it on; import the CT, or release that first."
NO_VOLUME = "These slices make no volume as they are; ask for the original images."


@dataclass(frozen=True)
class Option:
    """One way in which the series may lie: where its slices are, and which frame comes first; () as they lie."""

    code: str
    words: str
    geometry: dict[str, object]
    order: tuple[int, ...] = ()


def options(series: Series) -> list[Option]:
    """The ways to stack a series that waits for this decision; none where its slices make no volume."""
    if series.state != Series.State.HELD or series.reason_code != TO_CONFIRM:
        return []
    if series.geometry:
        return [Option("", "", series.geometry)]
    first = Instance.objects.filter(series=series).order_by("pk").first()
    kept = first.header.get("tomo") if first else None
    if first is None or kept is None:
        return []
    found = stackings(Tomo.from_json(kept), first.n_frames)
    return [Option(one.code, one.words, one.stack.values, one.stack.order) for one in found]


def option_of(series: Series, code: str) -> Option:
    """Raises Conflict where the series has no stacking of this code."""
    for one in options(series):
        if one.code == code:
            return one
    raise Conflict(NO_VOLUME)


def partners(series: Series) -> list[Series]:
    """Ready volumes of the same patient to see it on: a CT for SPECT or PET, either of them for a CT; the likeliest first."""
    wanted = Series.Role.SPECT if series.role == Series.Role.CT else Series.Role.CT
    exam = series.exam
    same = Series.objects.ready().filter(
        role=wanted, is_volume=True, exam__study_key=exam.study_key, exam__subject=exam.subject,
        exam__patient_key=exam.patient_key,
    )  # fmt: skip
    found = same.exclude(pk=series.pk).select_related("exam").order_by("pk")

    def unlikely(one: Series) -> tuple[bool, bool, int]:
        return not shares_frame(series, one), one.exam_id != series.exam_id, one.pk

    return sorted(found, key=unlikely)


def shares_frame(one: Series, other: Series) -> bool:
    uid = one.frame_of_reference_uid
    return bool(uid) and uid == other.frame_of_reference_uid


def mark_of(series: Series, option: Option, beside: Series | None) -> str:
    """Stands for what somebody saw: these images, stacked so, beside those."""
    seen_on = [beside.uid, beside.digest] if beside else []
    return digest(
        [series.uid, series.digest, series.sentence, option.code, option.geometry, seen_on]
    )


def check_seen(series: Series, option: Option, beside: Series | None, mark: str) -> None:
    """Raises Conflict unless this very stacking was looked at, on a CT where the series is none itself."""
    if series.role != Series.Role.CT and beside is None:
        raise Conflict(NO_CT)
    if mark != mark_of(series, option, beside):
        raise Conflict(LOOK_FIRST)


def stack_as(series: Series, option: Option) -> None:
    """Take this stacking for true; the frames stay where they are in the pack and are named in its order."""
    series.geometry = option.geometry
    if not option.order:
        return
    image = Instance.objects.get(series=series)
    for name in BY_FRAME:
        setattr(image, name, reordered(getattr(image, name), option.order))
    facts = image.header.get("facts", {})
    counted = {
        name: reordered(value, option.order) if name.endswith("Vector") else value
        for name, value in facts.get("emission", {}).items()
    }
    image.header = {**image.header, "facts": {**facts, "emission": counted}}
    image.save(update_fields=[*BY_FRAME, "header"])


def reordered(rows: list[object], order: tuple[int, ...]) -> list[object]:
    return [rows[k] for k in order] if len(rows) == len(order) else rows


def stacked(series: Series, option: Option | None = None) -> Stacked:
    """The slices of a series where they lie, or as an option would have them."""
    images = {one.uid: one for one in Instance.objects.filter(series=series)}
    frames = frames_of(series)
    chosen = [frames[k] for k in option.order] if option and option.order else frames

    @lru_cache(maxsize=2)
    def frame(k: int) -> FloatArray:
        return modality_values(series, images[chosen[k].sop_instance_uid], chosen[k].frame)

    pixel = series.pixel
    geometry = dict(option.geometry) if option else series.geometry
    return Stacked(geometry, (pixel["rows"], pixel["columns"]), frame)
