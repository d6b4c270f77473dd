"""The header of an image as a view shows it, in the DICOM JSON model: an allow-list, nothing else exists."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword

from portal.archive.classify import CT, NM
from portal.archive.deidentify import METHOD, OPTIONS
from portal.archive.frames import Location, location
from portal.archive.models import Exam, Instance, Series

Elements = dict[str, dict[str, Any]]
Key = tuple[str, str, str]
CASE_OPTIONS = ("113100", "113105", "113107")
NUMBERS = ("SliceThickness", "KVP", "ReconstructionDiameter", "GantryDetectorTilt", "ExposureTime",
           "XRayTubeCurrent", "Exposure")  # fmt: skip
PIXELS = ("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns",
          "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue",
          "LossyImageCompression", "LossyImageCompressionRatio")  # fmt: skip
ARCHIVE_ONLY = ("Manufacturer", "ManufacturerModelName", "SoftwareVersions")
EMPTY = ("PatientBirthDate", "AccessionNumber", "ReferringPhysicianName", "StudyID")
NUMBER_OF = {"CT": 1, "SPECT": 2, "PET": 2, "WB": 3}


@dataclass(frozen=True)
class Names:
    """How a view calls things: its UIDs, the code of its patient, the weeks its dates move back."""

    uid: Callable[[str], str]
    patient: str
    weeks: int
    is_case: bool


@dataclass(frozen=True)
class Image:
    """One instance of a view: its UIDs, its header, where its frames lie."""

    key: Key
    elements: Elements
    place: Location


@lru_cache(maxsize=512)
def known(keyword: str) -> tuple[str, str]:
    """Tag as eight digits and VR of a keyword."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"{keyword} is no DICOM keyword")
    return f"{tag:08X}", dictionary_VR(tag)


def put(found: Elements, keyword: str, *values: Any) -> None:
    """Set an element; without a value it is present and empty."""
    tag, vr = known(keyword)
    if vr == "US or SS":
        vr = "SS" if any(isinstance(v, int) and v < 0 for v in values) else "US"
    if vr == "PN":
        values = tuple({"Alphabetic": v} for v in values if v)
    kept = [v for v in values if v is not None and v != ""]
    found[tag] = {"vr": vr, "Value": kept} if kept else {"vr": vr}


def value(elements: Elements, keyword: str, default: Any = None) -> Any:
    """First value of an element."""
    values = elements.get(known(keyword)[0], {}).get("Value")
    return values[0] if values else default


def images(chosen: Iterable[Series], names: Callable[[Exam], Names]) -> list[Image]:
    """Every instance of the allow-listed series under the names of the view."""
    found = []
    for series in chosen:
        called = names(series.exam)
        exam, own = called.uid(series.exam.uid), called.uid(series.uid)
        rows = Instance.objects.filter(series=series).order_by("rank").defer("frame_digests")
        for index, instance in enumerate(rows):
            key = (exam, own, called.uid(instance.uid))
            elements = header(instance, series, called, index)
            found.append(Image(key, elements, location(instance, series)))
    return found


def header(instance: Instance, series: Series, names: Names, index: int) -> Elements:
    """What a view shows of one instance; `index` is its place in the series, from 0."""
    found: Elements = {}
    general(found, instance, series, names)
    patient(found, instance, series.exam, names)
    pixels(found, instance, series, names)
    if series.role == "WB":
        planar(found, instance, series)
    elif instance.sop_class_uid == NM:
        stacked(found, instance, series, names)
    else:
        placed(found, series, names, index)
    return dict(sorted(found.items()))


def moved(day: date | None, weeks: int) -> str:
    return (day - timedelta(days=7 * weeks)).strftime("%Y%m%d") if day else ""


def modality(series: Series, instance: Instance) -> str:
    if instance.sop_class_uid == CT:
        return "CT"
    if instance.sop_class_uid == NM:
        return "NM"
    return "PT" if series.role == "SPECT" else "OT"


def general(found: Elements, instance: Instance, series: Series, names: Names) -> None:
    facts = instance.header.get("facts", {})
    put(found, "SpecificCharacterSet", "ISO_IR 192")
    put(found, "ImageType", *facts.get("ImageType", []))
    put(found, "SOPClassUID", instance.sop_class_uid)
    put(found, "SOPInstanceUID", names.uid(instance.uid))
    put(found, "StudyInstanceUID", names.uid(series.exam.uid))
    put(found, "SeriesInstanceUID", names.uid(series.uid))
    reference = series.frame_of_reference_uid
    if reference and series.role != "WB":
        put(found, "FrameOfReferenceUID", names.uid(reference))
    put(found, "Modality", modality(series, instance))
    put(found, "SeriesDescription", series.label)
    put(found, "SeriesNumber", NUMBER_OF.get(series.label, 9))
    put(found, "InstanceNumber", instance.rank)
    put(found, "AvailableTransferSyntaxUID", *available(series, instance))
    for keyword in NUMBERS:
        if facts.get(keyword) is not None:
            put(found, keyword, facts[keyword])
    if facts.get("PatientPosition"):
        put(found, "PatientPosition", facts["PatientPosition"])
    if not names.is_case:
        for keyword in ARCHIVE_ONLY:
            put(found, keyword, facts.get(keyword, ""))


def available(series: Series, instance: Instance) -> list[str]:
    stored = [series.transfer_syntax_uid] if instance.stored_frames else []
    return list(dict.fromkeys([*stored, "1.2.840.10008.1.2.1"]))


def patient(found: Elements, instance: Instance, exam: Exam, names: Names) -> None:
    facts = instance.header.get("facts", {})
    code = names.patient or exam.subject
    put(found, "PatientName", code)
    put(found, "PatientID", code)
    for keyword in EMPTY:
        put(found, keyword)
    put(found, "PatientSex", "" if names.is_case else exam.sex)
    put(found, "StudyDate", moved(exam.shifted_date, names.weeks))
    put(found, "StudyTime", "" if names.is_case else exam.time)
    if not names.is_case:
        put(found, "PatientAge", exam.age)
        if facts.get("SyntheticData"):
            put(found, "SyntheticData", facts["SyntheticData"])
    put(found, "PatientIdentityRemoved", "YES")
    put(found, "DeidentificationMethod", METHOD)
    put(
        found,
        "DeidentificationMethodCodeSequence",
        *map(dcm, CASE_OPTIONS if names.is_case else OPTIONS),
    )
    put(found, "LongitudinalTemporalInformationModified", "MODIFIED")


def dcm(code: str) -> Elements:
    item: Elements = {}
    put(item, "CodeValue", code)
    put(item, "CodingSchemeDesignator", "DCM")
    return item


def pixels(found: Elements, instance: Instance, series: Series, names: Names) -> None:
    pixel, facts = series.pixel, instance.header.get("facts", {})
    row = {
        "SamplesPerPixel": pixel.get("samples"), "PhotometricInterpretation": pixel.get("photometric"),
        "Rows": pixel.get("rows"), "Columns": pixel.get("columns"), "BitsAllocated": pixel.get("bits_allocated"),
        "BitsStored": pixel.get("bits_stored"), "HighBit": pixel.get("high_bit"),
        "PixelRepresentation": int(bool(pixel.get("signed"))),
    }  # fmt: skip
    for keyword in PIXELS if pixel else ():
        kept = row.get(keyword) if row.get(keyword) is not None else facts.get(keyword)
        if kept is not None:
            put(found, keyword, kept)
    if instance.n_frames > 1 or instance.sop_class_uid == NM:
        put(found, "NumberOfFrames", instance.n_frames)
    if instance.sop_class_uid != NM:
        put(found, "RescaleIntercept", instance.intercept)
        put(found, "RescaleSlope", instance.slope)
        put(found, "RescaleType", series.unit if series.unit == "HU" else "US")
    for keyword, number in zip(
        ("WindowCenter", "WindowWidth"), window(instance, series), strict=True
    ):
        put(found, keyword, number)
    spacing = series.geometry.get("spacing_mm")
    if spacing:
        put(found, "PixelSpacing", *spacing)


def window(instance: Instance, series: Series) -> tuple[float, float]:
    """CT: the header's first pair, else 400/1800; others from 0 to the series' maximum."""
    if instance.sop_class_uid == CT:
        pairs = instance.header.get("windows") or [[400.0, 1800.0]]
        return float(pairs[0][0]), float(pairs[0][1])
    most = float((series.values or {}).get("maximum") or 1.0)
    most = most if most > 0 else 1.0
    return most / 2, max(most, 1.0)


def orientation(series: Series) -> list[float]:
    geometry = series.geometry
    row, column = geometry.get("row_direction"), geometry.get("column_direction")
    return [*row, *column] if row and column else []


def placed(found: Elements, series: Series, names: Names, index: int) -> None:
    """One slice per instance: its own position."""
    positions = series.geometry.get("positions_mm") or []
    if orientation(series) and index < len(positions):
        put(found, "ImagePositionPatient", *positions[index])
        put(found, "ImageOrientationPatient", *orientation(series))
    if series.geometry.get("slice_spacing_mm"):
        put(found, "SpacingBetweenSlices", series.geometry["slice_spacing_mm"])


def stacked(found: Elements, instance: Instance, series: Series, names: Names) -> None:
    """RECON TOMO: one detector item with the first position, positive spacing, slices 1..N."""
    n = instance.n_frames
    detector: Elements = {}
    origin = series.geometry.get("origin_mm")
    if origin and orientation(series):
        put(detector, "ImagePositionPatient", *origin)
        put(detector, "ImageOrientationPatient", *orientation(series))
    put(found, "DetectorInformationSequence", dict(sorted(detector.items())))
    put(found, "NumberOfDetectors", 1)
    put(found, "SliceVector", *range(1, n + 1))
    put(found, "NumberOfSlices", n)
    put(found, "FrameIncrementPointer", "00540080")
    if series.geometry.get("slice_spacing_mm"):
        put(found, "SpacingBetweenSlices", series.geometry["slice_spacing_mm"])


def planar(found: Elements, instance: Instance, series: Series) -> None:
    """Whole body: pixels only, one view per detector."""
    n = instance.n_frames
    put(found, "DetectorVector", *range(1, n + 1))
    put(found, "NumberOfDetectors", n)
    put(found, "FrameIncrementPointer", "00540020")
