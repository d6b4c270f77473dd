"""Outlines of a draft against the images of their case; at submission they become ROI rows."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from portal.archive.models import Series
from radiomics.image import FloatArray, Slice
from radiomics.region import (
    clean_vertices,
    polygon_area_mm2,
    project_to_plane,
    rasterise,
    validate_outline,
)
from readers.documents import SLOTS, THRESHOLD, sections
from readers.exam import Image, images_of, uid_of
from readers.models import Assignment, DraftSave, Read, Roi
from readers.regions import is_threshold_region, sphere_of

COPY_TOLERANCE_MM = 0.01


@dataclass(frozen=True)
class Bound:
    """An outline's image in the archive and its plane, without the pixels."""

    series: Series
    image: Image
    plane: Slice


def slot_series(case: Assignment, slot: str) -> Series | None:
    return case.lesion.ct_series if slot == "CT" else case.lesion.spect_series


def bind(case: Assignment, slot: str, outline: Mapping[str, Any]) -> Bound | None:
    """The image that an outline names, None if it is not one of the open case in this slot's role."""
    series = slot_series(case, slot)
    if series is None or not series.is_volume:
        return None
    reference = series.frame_of_reference_uid
    if outline["frame_of_reference_uid"] != (uid_of(case, reference) if reference else None):
        return None
    for image in images_of(series):
        if (
            image.frame == outline["frame"]
            and uid_of(case, image.sop_instance_uid) == outline["sop_instance_uid"]
        ):
            return None if image.position_mm is None else Bound(series, image, plane(series, image))
    return None


def plane(series: Series, image: Image) -> Slice:
    """The geometry of one image; its pixels are not needed to judge an outline."""
    geometry, shape = series.geometry, (series.pixel["rows"], series.pixel["columns"])
    position = image.position_mm or (0.0, 0.0, 0.0)
    down, right = geometry["spacing_mm"]
    return Slice(
        np.broadcast_to(np.zeros(1, dtype=np.uint8), shape),
        position,
        tuple(geometry["row_direction"]),
        tuple(geometry["column_direction"]),
        (down, right),
    )


def problems(case: Assignment, outlines: Mapping[str, Any]) -> dict[str, list[str]]:
    """Problem codes per slot; an empty slot has none."""
    return {slot: slot_codes(case, slot, outlines) for slot in SLOTS}


def slot_codes(case: Assignment, slot: str, outlines: Mapping[str, Any]) -> list[str]:
    """The codes of a slot's outlines, each once: a region has one outline per slice, a threshold region the server's."""
    drawn = sections(outlines[slot])
    found = [code for outline in drawn for code in codes(case, slot, outline, outlines)]
    images = {(outline["sop_instance_uid"], outline["frame"]) for outline in drawn}
    if len(images) < len(drawn):
        found.append("same_slice")
    if not found and not threshold_holds(case, slot, drawn):
        found.append("threshold_mismatch")
    return list(dict.fromkeys(found))


def threshold_holds(case: Assignment, slot: str, drawn: Sequence[Mapping[str, Any]]) -> bool:
    """True unless an outline claims to be a threshold's and the region is not what the server computes."""
    if all(outline["kind"] != THRESHOLD for outline in drawn):
        return True
    bounds = [bind(case, slot, outline) for outline in drawn]
    found = {b.image.index: vertices_of(o) for b, o in zip(bounds, drawn, strict=True) if b}
    series = slot_series(case, slot)
    return series is not None and is_threshold_region(series, drawn, found)


def codes(
    case: Assignment, slot: str, outline: Mapping[str, Any], outlines: Mapping[str, Any]
) -> list[str]:
    bound = bind(case, slot, outline)
    if bound is None:
        return ["wrong_image"]
    found = list(validate_outline(vertices_of(outline), bound.plane))
    if not is_copy_of(outline, outlines, bound.plane) and not was_copy(case, outline, bound.plane):
        found.append("copy_mismatch")
    return found


def vertices_of(outline: Mapping[str, Any]) -> FloatArray:
    return np.asarray(outline["vertices"], dtype=np.float64).reshape(-1, 3)


def is_copy_of(outline: Mapping[str, Any], outlines: Mapping[str, Any], image: Slice) -> bool:
    """True unless the outline claims to be a shifted copy of an outline that it is not."""
    copy = outline["copy"]
    if copy is None or copy["edited_after_copy"]:
        return True
    sources = sections(outlines.get(copy["source"]))
    return any(is_shifted(vertices_of(source), outline, image) for source in sources)


def is_shifted(first: FloatArray, outline: Mapping[str, Any], image: Slice) -> bool:
    """Whether the outline is the source (n, 3) moved as its copy record says."""
    copy, second = outline["copy"], vertices_of(outline)
    if first.shape != second.shape:
        return False
    along_row, along_column = copy["shift_mm"]
    by = (
        copy["plane_distance_mm"] * image.normal
        + along_row * np.asarray(image.row_direction)
        + along_column * np.asarray(image.column_direction)
    )
    away = np.linalg.norm(second - first - by, axis=1)
    return bool((away <= COPY_TOLERANCE_MM).all())


def was_copy(case: Assignment, outline: Mapping[str, Any], image: Slice) -> bool:
    """The source may have been edited since: then some saved draft still holds it as it was."""
    saves = DraftSave.objects.filter(assignment=case).order_by("-version")
    return any(
        is_copy_of(outline, document["outlines"], image)
        for document in saves.values_list("document", flat=True)
    )


def store(case: Assignment, read: Read, *, now: datetime) -> list[Roi]:
    """ROI rows of a draft without problems, vertices projected onto the plane of their image.

    Of a region the largest cross-section comes first: features of one slice are taken from it.
    """
    outlines = read.document["outlines"]
    rois = [
        roi(case, read, slot, outline, now=now)
        for slot in SLOTS
        for outline in sections(outlines[slot])
    ]
    drawn = [r for r in rois if r is not None]
    drawn.sort(key=lambda r: (SLOTS.index(r.modality), -r.area_mm2, r.slice_index))
    return Roi.objects.bulk_create(drawn)


def roi(
    case: Assignment, read: Read, slot: str, outline: Mapping[str, Any], *, now: datetime
) -> Roi | None:
    bound = bind(case, slot, outline)
    if bound is None:
        return None
    flat = project_to_plane(clean_vertices(vertices_of(outline)), bound.plane)
    mask = rasterise(bound.plane.to_pixel(flat), bound.plane.shape)
    return Roi(
        read=read,
        modality=slot,
        series=bound.series,
        sop_instance_uid=bound.image.sop_instance_uid,
        frame=bound.image.frame,
        slice_index=bound.image.index,
        frame_of_reference_uid=bound.series.frame_of_reference_uid,
        kind=outline["kind"],
        **sphere_of(outline),
        vertices_mm=flat.tolist(),
        copy=outline["copy"],
        area_mm2=polygon_area_mm2(flat),
        n_pixels=int(mask.sum()),
        mask_digest=hashlib.sha256(np.packbits(mask).tobytes()).hexdigest(),
        created_at=now,
    )
