"""ROIs -> DICOM SEG and RTSTRUCT, one object per reader, lesion and series.

The segment is the mask of the rasterised polygon, on the grid of the image it was drawn on; the contour keeps the
polygon itself, in patient millimetres.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import highdicom as hd
import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage

from portal.archive.models import Instance, Series
from portal.archive.uids import keyed_uid
from portal.archive.writer import IMPLEMENTATION, decimal
from portal.errors import NotFound

MANUFACTURER, MODEL, DEVICE = "Osteon", "Osteon reader study portal", "osteon"
FINDING = Code("404684003", "SCT", "Finding")
ABNORMAL = Code("49755003", "SCT", "Morphologically abnormal structure")
SEED = b"osteon roi objects"
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Author:
    """Who made an object, when, with which software."""

    reader: str
    version: str
    at: datetime

    @property
    def person_name(self) -> str:
        return f"{self.reader}^"


@dataclass(frozen=True)
class Outline:
    """One ROI on one image: closed polygon (n, 3) in patient mm and its mask (rows, columns)."""

    name: str
    series: Series
    sop_instance_uid: str
    frame: int
    slice_index: int
    vertices_mm: FloatArray
    mask: BoolArray
    area_mm2: float


def uid_for(outline: Outline, author: Author, kind: str) -> str:
    """The same ROI gives the same UID, whenever it is exported."""
    place = f"{outline.series.uid}|{outline.sop_instance_uid}|{outline.frame}"
    return keyed_uid(SEED, kind, f"{place}|{author.reader}|{outline.name}")


@lru_cache(maxsize=1024)
def class_of(sop_instance_uid: str) -> str:
    """SOP class of an image of the archive; raises NotFound for one that is not there."""
    found = Instance.objects.filter(uid=sop_instance_uid).values_list("sop_class_uid", flat=True)
    if not found:
        raise NotFound("The image of this ROI is not in the archive; run archive_verify.")
    return str(found[0])


def source_of(outline: Outline) -> Dataset:
    """The header of the image under an ROI, one frame of it: what SEG and SR copy and refer to."""
    series, exam = outline.series, outline.series.exam
    geometry = series.geometry
    ds = patient_and_exam(series)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = class_of(outline.sop_instance_uid), outline.sop_instance_uid
    ds.SeriesInstanceUID, ds.FrameOfReferenceUID = series.uid, series.frame_of_reference_uid
    ds.Modality = "CT" if series.role == "CT" else "NM"
    ds.SeriesNumber, ds.InstanceNumber, ds.PositionReferenceIndicator = 1, outline.frame, ""
    ds.Rows, ds.Columns = series.pixel["rows"], series.pixel["columns"]
    ds.PixelSpacing = [decimal(v) for v in geometry["spacing_mm"]]
    ds.SliceThickness = decimal(geometry["thickness_mm"])
    ds.SpacingBetweenSlices = decimal(geometry["slice_spacing_mm"])
    ds.ImageOrientationPatient = [
        decimal(v) for v in (*geometry["row_direction"], *geometry["column_direction"])
    ]
    ds.ImagePositionPatient = [decimal(v) for v in geometry["positions_mm"][outline.slice_index]]
    if series.role != "CT":
        as_one_frame(ds)
    if exam.is_synthetic:
        ds.add_new(0x0008001C, "CS", "YES")
    return ds


def as_one_frame(ds: Dataset) -> None:
    """An NM header says where its frames lie in its own way; highdicom reads functional groups."""
    measures, orientation, position = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = ds.PixelSpacing, ds.SliceThickness
    measures.SpacingBetweenSlices = ds.SpacingBetweenSlices
    orientation.ImageOrientationPatient = ds.ImageOrientationPatient
    position.ImagePositionPatient = ds.ImagePositionPatient
    shared, own = Dataset(), Dataset()
    shared.PixelMeasuresSequence = Items([measures])
    shared.PlaneOrientationSequence = Items([orientation])
    own.PlanePositionSequence = Items([position])
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = (
        Items([shared]),
        Items([own]),
    )
    ds.NumberOfFrames = 1


def patient_and_exam(series: Series) -> Dataset:
    exam = series.exam
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientID, ds.PatientName = exam.subject, f"{exam.subject}^"
    ds.PatientBirthDate, ds.PatientSex, ds.PatientAge = "", exam.sex, exam.age
    ds.StudyInstanceUID, ds.StudyID, ds.AccessionNumber = exam.uid, "1", ""
    ds.StudyDate = exam.shifted_date.strftime("%Y%m%d") if exam.shifted_date else ""
    ds.StudyTime, ds.ReferringPhysicianName = exam.time, ""
    return ds


def segmentation(outline: Outline, author: Author) -> Dataset:
    """A binary SEG of one segment on the image of the ROI."""
    source = source_of(outline)
    segment = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label=outline.name,
        segmented_property_category=ABNORMAL,
        segmented_property_type=FINDING,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        tracking_uid=uid_for(outline, author, "tracking"),
        tracking_id=outline.name,
    )
    found: Dataset = hd.seg.Segmentation(
        source_images=[source],
        pixel_array=outline.mask[None].astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[segment],
        series_instance_uid=uid_for(outline, author, "seg series"),
        series_number=100,
        sop_instance_uid=uid_for(outline, author, "seg"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL,
        software_versions=author.version,
        device_serial_number=DEVICE,
        content_label="ROI",
        content_description="Outline of a lesion",
        content_creator_name=author.person_name,
        series_description="Lesion outlines",
        omit_empty_frames=False,
    )
    name_the_frame(found, outline)
    settle_dimensions(found, uid_for(outline, author, "dimensions"))
    return dated(found, source, author)


def name_the_frame(ds: Dataset, outline: Outline) -> None:
    """Of a multi-frame source the SEG names the frame, which a single-frame header cannot carry."""
    if outline.series.role == "CT":
        return
    for group in ds.PerFrameFunctionalGroupsSequence:
        for derivation in group.DerivationImageSequence:
            for image in derivation.SourceImageSequence:
                image.ReferencedFrameNumber = outline.frame


def settle_dimensions(ds: Dataset, uid: str) -> None:
    """A UID made of the ROI in place of a random one."""
    for item in (*ds.DimensionOrganizationSequence, *ds.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid


def dated(ds: Dataset, source: Dataset, author: Author) -> Dataset:
    """When the ROI was drawn stands in place of the clock, so that exports repeat byte for byte."""
    day, moment = author.at.strftime("%Y%m%d"), author.at.strftime("%H%M%S")
    ds.SeriesDate = ds.ContentDate = ds.InstanceCreationDate = day
    ds.SeriesTime = ds.ContentTime = ds.InstanceCreationTime = moment
    for equipment in ds.get("ContributingEquipmentSequence", ()):
        equipment.ContributionDateTime = day + moment
    if source.get((0x0008, 0x001C)) is not None:
        ds.add_new(0x0008001C, "CS", "YES")
    return ds


def structure_set(outlines: Sequence[Outline], author: Author) -> Dataset:
    """An RTSTRUCT of the outlines of one lesion, all in one frame of reference."""
    first = outlines[0]
    ds = patient_and_exam(first.series)
    ds.SOPClassUID, ds.SOPInstanceUID = RTStructureSetStorage, uid_for(first, author, "rtstruct")
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "RTSTRUCT", 101, 1
    ds.SeriesInstanceUID = uid_for(first, author, "rtstruct series")
    ds.Manufacturer, ds.ManufacturerModelName = MANUFACTURER, MODEL
    ds.SoftwareVersions, ds.SeriesDescription = author.version, "Lesion outlines"
    ds.OperatorsName, ds.ApprovalStatus = author.person_name, "UNAPPROVED"
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = first.series.frame_of_reference_uid, ""
    ds.StructureSetLabel, ds.StructureSetName = "ROI", "Outlines of a lesion"
    ds.StructureSetDate = author.at.strftime("%Y%m%d")
    ds.StructureSetTime = author.at.strftime("%H%M%S")
    ds.ReferencedFrameOfReferenceSequence = Items([referenced_frame(outlines)])
    ds.StructureSetROISequence = Items([roi_item(i, o) for i, o in enumerate(outlines, 1)])
    ds.ROIContourSequence = Items([contour_item(i, o) for i, o in enumerate(outlines, 1)])
    ds.RTROIObservationsSequence = Items([observation(i) for i, _ in enumerate(outlines, 1)])
    ds.file_meta = meta_of(ds)
    return dated(ds, source_of(first), author)


def image_item(outline: Outline) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = class_of(outline.sop_instance_uid)
    item.ReferencedSOPInstanceUID = outline.sop_instance_uid
    if outline.series.role != "CT":
        item.ReferencedFrameNumber = outline.frame
    return item


def referenced_frame(outlines: Sequence[Outline]) -> Dataset:
    """Frame of reference -> exam -> series -> images."""
    frame, exam = Dataset(), Dataset()
    exam.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    exam.ReferencedSOPInstanceUID = outlines[0].series.exam.uid
    exam.RTReferencedSeriesSequence = Items()
    for outline in outlines:
        series = Dataset()
        series.SeriesInstanceUID = outline.series.uid
        series.ContourImageSequence = Items([image_item(outline)])
        exam.RTReferencedSeriesSequence.append(series)
    frame.FrameOfReferenceUID = outlines[0].series.frame_of_reference_uid
    frame.RTReferencedStudySequence = Items([exam])
    return frame


def roi_item(number: int, outline: Outline) -> Dataset:
    item = Dataset()
    item.ROINumber, item.ROIName = number, outline.name
    item.ReferencedFrameOfReferenceUID = outline.series.frame_of_reference_uid
    item.ROIGenerationAlgorithm = "MANUAL"
    return item


def contour_item(number: int, outline: Outline) -> Dataset:
    item, contour = Dataset(), Dataset()
    contour.ContourImageSequence = Items([image_item(outline)])
    contour.ContourGeometricType = "CLOSED_PLANAR"
    contour.NumberOfContourPoints = len(outline.vertices_mm)
    contour.ContourData = [decimal(float(v)) for v in outline.vertices_mm.ravel()]
    item.ROIDisplayColor = [11, 110, 117] if outline.series.role == "CT" else [194, 87, 26]
    item.ReferencedROINumber, item.ContourSequence = number, Items([contour])
    return item


def observation(number: int) -> Dataset:
    item = Dataset()
    item.ObservationNumber = item.ReferencedROINumber = number
    item.RTROIInterpretedType, item.ROIInterpreter = "", ""
    return item


def meta_of(ds: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        ds.SOPClassUID,
        ds.SOPInstanceUID,
    )
    meta.TransferSyntaxUID, meta.ImplementationClassUID = ExplicitVRLittleEndian, IMPLEMENTATION
    return meta


def file_bytes(ds: Dataset) -> bytes:
    """The object as a DICOM file."""
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()
