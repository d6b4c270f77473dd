"""ROIs and reads of a study as DICOM files: SEG, RTSTRUCT and SR of each, named by lesion, reader and occasion."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from portal import __version__
from portal.analysis.outline_agreement import mask_of
from portal.archive.models import Series
from portal.archive.read_reports import Said, report
from portal.archive.roi_objects import (
    Author,
    Outline,
    file_bytes,
    segmentation,
    structure_set,
)
from portal.dashboard.archives import Named
from portal.study.models import Lesion, Study
from readers.exam import images_of
from readers.models import Assignment, Read, Roi

NO_POLYGON = np.zeros((0, 3))
NO_MASK = np.zeros((0, 0), dtype=np.bool_)


def roi_files(study: Study) -> Iterator[Named]:
    """Per locked drawing of a lesion one RTSTRUCT, one SR, and one SEG per ROI."""
    rows = (
        Roi.objects.of_study(study)
        .locked()
        .select_related(
            "series__exam", "read__assignment__session__reader", "read__assignment__lesion__patient"
        )
        .order_by("read_id", "modality", "slice_index")
    )
    by_read: dict[Read, list[Roi]] = defaultdict(list)
    for roi in rows:
        by_read[roi.read].append(roi)
    for read, rois in by_read.items():
        yield from drawing_files(read, rois)


def drawing_files(read: Read, rois: list[Roi]) -> Iterator[Named]:
    author, stem = author_of(read), stem_of(read.assignment)
    outlines = [outline_of(roi) for roi in rois]
    for roi, outline in zip(rois, outlines, strict=True):
        name = f"{stem}-{roi.modality}-{roi.slice_index}.seg.dcm"
        yield name, file_bytes(segmentation(outline, author))
    # an RTSTRUCT has one frame of reference: series that share none get one each
    by_frame: dict[str, list[Outline]] = defaultdict(list)
    for outline in outlines:
        by_frame[outline.series.frame_of_reference_uid].append(outline)
    for number, together in enumerate(by_frame.values(), 1):
        yield f"{stem}-{number}.rtstruct.dcm", file_bytes(structure_set(together, author))
        yield f"{stem}-{number}.sr.dcm", file_bytes(report(together, Said(), author))


def read_files(study: Study) -> Iterator[Named]:
    """One SR per locked read of an expert whose lesion has a place on a series."""
    rows = (
        Read.objects.of_study(study)
        .locked()
        .exclude(call="")
        .select_related("assignment__session__reader", "assignment__lesion__patient",
                        "assignment__lesion__ct_series__exam", "assignment__lesion__spect_series__exam")
        .order_by("pk")
    )  # fmt: skip
    for read in rows.iterator(chunk_size=200):
        place = place_of(read.assignment.lesion)
        if place is not None:
            said = Said(read.call, read.confidence, read.score)
            name = f"{stem_of(read.assignment)}-read.sr.dcm"
            yield name, file_bytes(report([place], said, author_of(read)))


def stem_of(case: Assignment) -> str:
    lesion = case.lesion
    return f"{lesion.patient.subject}-{lesion.number}-{case.session.reader.username}-{case.session.kind}-{case.occasion}-{case.session.condition}"


def author_of(read: Read) -> Author:
    """The reader, and when the read was locked: no clock of the export."""
    at = read.locked_at or read.started_at
    return Author(read.assignment.session.reader.username, __version__, at)


def outline_of(roi: Roi) -> Outline:
    case = roi.read.assignment
    return Outline(
        name=f"{case.lesion} {roi.modality}",
        series=roi.series,
        sop_instance_uid=roi.sop_instance_uid,
        frame=roi.frame,
        slice_index=roi.slice_index,
        vertices_mm=np.asarray(roi.vertices_mm, dtype=np.float64),
        mask=mask_of(roi),
        area_mm2=roi.area_mm2,
    )


def place_of(lesion: Lesion) -> Outline | None:
    """The image of the CT, or else of the SPECT, that lies nearest the lesion's position."""
    where = lesion.world_mm
    series: Series | None = lesion.ct_series or lesion.spect_series
    if where is None or series is None:
        return None
    placed = [(image, image.position_mm) for image in images_of(series) if image.position_mm]
    if not placed:
        return None
    normal = np.cross(series.geometry["row_direction"], series.geometry["column_direction"])
    away = [abs(float(normal @ np.subtract(position, where))) for _, position in placed]
    image, _ = placed[int(np.argmin(away))]
    return Outline(
        f"{lesion}",
        series,
        image.sop_instance_uid,
        image.frame,
        image.index,
        NO_POLYGON,
        NO_MASK,
        0.0,
    )
