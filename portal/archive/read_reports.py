"""Reads and ROI measurements -> DICOM SR, template TID 1500 (Measurement Report)."""

from collections.abc import Sequence
from dataclasses import dataclass

import highdicom as hd
import numpy as np
from highdicom.sr import (
    FindingSite,
    Measurement,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    TrackingIdentifier,
)
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from portal.archive.roi_objects import (
    ABNORMAL,
    DEVICE,
    FINDING,
    MANUFACTURER,
    MODEL,
    Author,
    Outline,
    dated,
    source_of,
    uid_for,
)

Group = PlanarROIMeasurementsAndQualitativeEvaluations | hd.sr.MeasurementsAndQualitativeEvaluations
SCHEME = "99OSTEON"
SPINE = Code("421060004", "SCT", "Vertebral column")
AREA = Code("42798000", "SCT", "Area")
MM2 = Code("mm2", "UCUM", "square millimeter")
ONE = Code("1", "UCUM", "no units")
PROCEDURE = Code("363679005", "SCT", "Imaging procedure")
CALL = Code("call", SCHEME, "Call of the reader")
CONFIDENCE = Code("confidence", SCHEME, "Confidence in the call, 1 to 5")
SCORE = Code("score", SCHEME, "Ordinal score of the read")
CALLS = {
    "metastasis": Code("14799000", "SCT", "Neoplasm, metastatic"),
    "benign": Code("benign", SCHEME, "Benign lesion"),
}


@dataclass(frozen=True)
class Said:
    """What a reader said of a lesion; empty and None where the read has none."""

    call: str = ""
    confidence: int | None = None
    score: int | None = None


def evaluations(said: Said) -> list[QualitativeEvaluation]:
    return [QualitativeEvaluation(name=CALL, value=CALLS[said.call])] if said.call else []


def numbers(said: Said) -> list[Measurement]:
    rows = ((CONFIDENCE, said.confidence), (SCORE, said.score))
    return [
        Measurement(name=name, value=value, unit=ONE) for name, value in rows if value is not None
    ]


def roi_group(outline: Outline, author: Author) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    """The outline as closed polygon in patient millimetres with its area."""
    points = np.vstack([outline.vertices_mm, outline.vertices_mm[:1]])
    region = hd.sr.ImageRegion3D(
        graphic_type=hd.sr.GraphicTypeValues3D.POLYGON,
        graphic_data=points,
        frame_of_reference_uid=outline.series.frame_of_reference_uid,
    )
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        referenced_region=region,
        tracking_identifier=tracking(outline, author),
        finding_type=FINDING,
        finding_category=ABNORMAL,
        measurements=[Measurement(name=AREA, value=round(outline.area_mm2, 6), unit=MM2)],
        finding_sites=[FindingSite(anatomic_location=SPINE)],
    )


def tracking(outline: Outline, author: Author) -> TrackingIdentifier:
    return TrackingIdentifier(uid=uid_for(outline, author, "tracking"), identifier=outline.name)


def read_group(
    outline: Outline, said: Said, author: Author
) -> hd.sr.MeasurementsAndQualitativeEvaluations:
    """Call, confidence and score of a lesion, tied to the image in the middle of it."""
    return hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(outline, author),
        finding_type=FINDING,
        finding_sites=[FindingSite(anatomic_location=SPINE)],
        qualitative_evaluations=evaluations(said),
        measurements=numbers(said),
        source_images=[image_reference(outline)],
    )


def image_reference(outline: Outline) -> hd.sr.SourceImageForMeasurementGroup:
    source = source_of(outline)
    frames = None if outline.series.role == "CT" else [outline.frame]
    return hd.sr.SourceImageForMeasurementGroup(
        referenced_sop_class_uid=source.SOPClassUID,
        referenced_sop_instance_uid=source.SOPInstanceUID,
        referenced_frame_numbers=frames,
    )


def report(outlines: Sequence[Outline], said: Said, author: Author) -> Dataset:
    """A Comprehensive 3D SR of one read: its outlines, or its call where there is no outline.

    Raises ValueError without an outline: `outlines[0]` may also be a mere place on an image (empty polygon).
    """
    if not outlines:
        raise ValueError("outlines must hold at least one outline or place, got none")
    drawn = [o for o in outlines if len(o.vertices_mm)]
    groups: list[Group] = [roi_group(o, author) for o in drawn]
    if said.call or not drawn:
        groups.append(read_group(outlines[0], said, author))
    content = MeasurementReport(
        observation_context=ObservationContext(
            observer_person_context=ObserverContext(
                observer_type=codes.DCM.Person,
                observer_identifying_attributes=PersonObserverIdentifyingAttributes(
                    name=author.person_name
                ),
            )
        ),
        procedure_reported=PROCEDURE,
        imaging_measurements=groups,
    )
    sources = {o.sop_instance_uid: source_of(o) for o in outlines}
    first = outlines[0]
    ds: Dataset = hd.sr.Comprehensive3DSR(
        evidence=list(sources.values()),
        content=content,
        series_instance_uid=uid_for(first, author, "sr series"),
        series_number=102,
        sop_instance_uid=uid_for(first, author, "sr"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        series_description="Reads and measurements",
        is_complete=True,
    )
    ds.ManufacturerModelName, ds.DeviceSerialNumber = MODEL, DEVICE
    ds.SoftwareVersions = author.version
    return dated(ds, sources[first.sop_instance_uid], author)
