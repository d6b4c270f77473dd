"""How alike two drawings of a lesion are: Dice, area and centroid, between delineators and within one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from portal.study.models import Study
from radiomics.region import BoolArray, FloatArray, polygon_centroid_mm, rasterise
from radiomics.stats.agreement import bland_altman, dice
from readers.exam import Image
from readers.models import Roi
from readers.outlines import plane

Drawings = Mapping[int, Roi]
Key = tuple[str, str, int]
FEWEST_FOR_LIMITS = 3


@dataclass(frozen=True)
class Pair:
    """Two sets of drawings of the same lesions on one modality."""

    modality: str
    between: str
    first: Drawings
    second: Drawings


def outline_agreement(study: Study, lesion_ids: Iterable[int]) -> list[dict[str, Any]]:
    """One row per modality and pair of drawings, over these lesions; strict JSON."""
    return [compared(pair) for pair in pairs(drawn(study, lesion_ids))]


def drawn(study: Study, lesion_ids: Iterable[int]) -> dict[Key, dict[int, Roi]]:
    """(modality, delineator, occasion) -> lesion -> the largest locked ROI of the case."""
    rows = (
        Roi.objects.of_study(study)
        .locked()
        .filter(read__assignment__lesion__in=list(lesion_ids))
        .select_related("series", "read__assignment__session__reader")
        .order_by("area_mm2", "pk")
    )
    found: dict[Key, dict[int, Roi]] = {}
    for roi in rows:
        case = roi.read.assignment
        key = (roi.modality, case.session.reader.username, case.occasion)
        found.setdefault(key, {})[case.lesion_id] = roi
    return found


def pairs(found: Mapping[Key, Drawings]) -> Iterator[Pair]:
    """Every two delineators' first drawings, then each one's drawing and its repeat."""
    for modality in sorted({key[0] for key in found}):
        names = sorted({name for kind, name, n in found if (kind, n) == (modality, 1)})
        for one, two in combinations(names, 2):
            yield Pair(modality, f"{one} and {two}", found[modality, one, 1], found[modality, two, 1])  # fmt: skip
        for name in names:
            if (modality, name, 2) in found:
                yield Pair(modality, f"{name}, repeat", found[modality, name, 1], found[modality, name, 2])  # fmt: skip


def compared(pair: Pair) -> dict[str, Any]:
    """Dice where both drew on the same image; area and centroid of every pair."""
    lesions = sorted(set(pair.first) & set(pair.second))
    both = [(pair.first[i], pair.second[i]) for i in lesions]
    overlap = [dice(mask_of(a), mask_of(b)) for a, b in both if is_same_image(a, b)]
    return {
        "modality": pair.modality,
        "between": pair.between,
        "n": len(both),
        "n_same_image": len(overlap),
        "dice": summary(overlap),
        "centroid_shift_mm": summary([shift_mm(a, b) for a, b in both]),
        "area_mm2": areas(both),
        "dice_values": [round(value, 6) for value in overlap],
    }


def is_same_image(a: Roi, b: Roi) -> bool:
    return (a.sop_instance_uid, a.frame) == (b.sop_instance_uid, b.frame)


def mask_of(roi: Roi) -> BoolArray:
    """The polygon on the grid of its image."""
    position = tuple(roi.series.geometry["positions_mm"][roi.slice_index])
    image = Image(roi.sop_instance_uid, roi.frame, roi.slice_index, position)
    where = plane(roi.series, image)
    return rasterise(where.to_pixel(vertices(roi)), where.shape)


def vertices(roi: Roi) -> FloatArray:
    return np.asarray(roi.vertices_mm, dtype=np.float64)


def shift_mm(a: Roi, b: Roi) -> float:
    away = polygon_centroid_mm(vertices(a)) - polygon_centroid_mm(vertices(b))
    return float(np.linalg.norm(away))


def areas(both: list[tuple[Roi, Roi]]) -> dict[str, float | None]:
    """Bland and Altman's bias and limits of the areas, first minus second."""
    if len(both) < FEWEST_FOR_LIMITS:
        return {"bias": None, "low": None, "high": None}
    found = bland_altman([a.area_mm2 for a, _ in both], [b.area_mm2 for _, b in both]).to_dict()
    return {key: found[key] for key in ("bias", "low", "high")}


def summary(values: list[float]) -> dict[str, float | None]:
    """Median and quartiles (type 7), none of nothing."""
    if not values:
        return {"median": None, "low": None, "high": None}
    low, median, high = (float(q) for q in np.percentile(values, [25, 50, 75]))
    return {"median": median, "low": low, "high": high}
