"""The header of an image as a view shows it, in the DICOM JSON model: an allow-list, nothing else exists."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword

from portal.archive.classify import CT, NM, PT
from portal.archive.deidentify import METHOD, OPTIONS
from portal.archive.frames import Location, location
from portal.archive.identities import Record
from portal.archive.models import Exam, Instance, Series

Elements = dict[str, dict[str, Any]]
Key = tuple[str, str, str]
CASE_OPTIONS = ("113100", "113105", "113107")
NUMBERS = ("SliceThickness", "KVP", "ReconstructionDiameter", "GantryDetectorTilt", "ExposureTime",
           "XRayTubeCurrent", "Exposure")  # fmt: skip
PIXELS = ("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns",
          "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue",
          "PixelPaddingRangeLimit", "LossyImageCompression", "LossyImageCompressionRatio",
          "LossyImageCompressionMethod")  # fmt: skip
DEVICE = ("Manufacturer", "ManufacturerModelName", "SoftwareVersions")
KERNELS = ("FilterType", "ConvolutionKernel")
BODY = ("PatientWeight", "PatientSize")
DAYS = ("SeriesDate", "AcquisitionDate", "ContentDate")
TIMES = ("SeriesTime", "AcquisitionTime", "ContentTime")
TRACERS, DETECTORS = "RadiopharmaceuticalInformationSequence", "DetectorInformationSequence"
# their standard calls for these also where nothing is known
CALLED_FOR = {
    NM: ("EnergyWindowInformationSequence", "PatientOrientationCodeSequence",
         "PatientGantryRelationshipCodeSequence", "CountsAccumulated"),
    PT: ("PatientOrientationCodeSequence", "PatientGantryRelationshipCodeSequence"),
}  # fmt: skip
# written with the frames that they describe
BY_FRAME = (DETECTORS, "EnergyWindowVector", "DetectorVector", "RotationVector")
EMPTY = ("PatientBirthDate", "AccessionNumber", "ReferringPhysicianName", "StudyID")
NUMBER_OF = {"CT": 1, "SPECT": 2, "PET": 2, "WB": 3}
OTHER_NUMBER = 9


@dataclass(frozen=True)
class Names:
    """How a view calls things: its UIDs, the code of its patient, the weeks its dates move back."""

    uid: Callable[[str], str]
    patient: str
    weeks: int
    is_case: bool
    # tells two ways of naming apart that differ in images only
    mark: str = ""


def archive_names(exam: Exam) -> Names:
    """The archive view: its own UIDs, subject codes and dates."""
    return Names(str, exam.subject, 0, is_case=False)


@dataclass(frozen=True)
class Image:
    """One instance of a view: its UIDs, its header, where its frames lie, and the record of a header as received."""

    key: Key
    elements: Elements
    place: Location
    record: Record | None = None


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


def images(
    chosen: Iterable[Series], names: Callable[[Exam], Names], *, only: str = ""
) -> list[Image]:
    """Every instance of the allow-listed series under the names of the view, or the one of this UID."""
    found = []
    for series in chosen:
        called = names(series.exam)
        exam, own = called.uid(series.exam.uid), called.uid(series.uid)
        rows = Instance.objects.filter(series=series).order_by("rank")
        rows = rows.defer("frame_digests", "stored_digests")
        for instance in rows.filter(uid=only) if only else rows:
            key = (exam, own, called.uid(instance.uid))
            elements = header(instance, series, called, instance.rank - 1)
            found.append(Image(key, elements, location(instance, series)))
    return found


def header(instance: Instance, series: Series, names: Names, index: int) -> Elements:
    """What a view shows of one instance; `index` is its place in the series, from 0."""
    found: Elements = {}
    general(found, instance, series, names)
    found.update(exam_header(series.exam, names))
    acquired(found, instance, names)
    pixels(found, instance, series, names)
    if series.role == "WB":
        planar(found, instance)
    elif instance.sop_class_uid == NM:
        stacked(found, instance, series, names)
    else:
        placed(found, series, names, index)
    if instance.sop_class_uid == PT:
        put(found, "NumberOfSlices", series.n_frames)
    return dict(sorted(found.items()))


def moved(day: date | None, weeks: int) -> str:
    """A day so many weeks earlier; '' where the calendar does not reach so far back."""
    if day is None or day.toordinal() <= 7 * weeks:
        return ""
    return (day - timedelta(days=7 * weeks)).isoformat().replace("-", "")


def modality_of(sop_class_uid: str, role: str) -> str:
    """From class and role; what a sender writes is not trusted."""
    known = {CT: "CT", NM: "NM"}.get(sop_class_uid)
    return known or ("PT" if role == "SPECT" else "OT")


def general(found: Elements, instance: Instance, series: Series, names: Names) -> None:
    facts = instance.header.get("facts", {})
    put(found, "ImageType", *facts.get("ImageType", []))
    put(found, "SOPClassUID", instance.sop_class_uid)
    put(found, "SOPInstanceUID", names.uid(instance.uid))
    put(found, "SeriesInstanceUID", names.uid(series.uid))
    reference = series.frame_of_reference_uid
    if reference and series.role != "WB":
        put(found, "FrameOfReferenceUID", names.uid(reference))
        put(found, "PositionReferenceIndicator")
    put(found, "Modality", modality_of(instance.sop_class_uid, series.role))
    put(found, "SeriesDescription", series.label)
    put(found, "SeriesNumber", NUMBER_OF.get(series.label, OTHER_NUMBER))
    put(found, "InstanceNumber", instance.rank)
    put(found, "AvailableTransferSyntaxUID", *available(series, instance))
    for keyword in NUMBERS:
        if facts.get(keyword) is not None:
            put(found, keyword, facts[keyword])
    if facts.get("PatientPosition"):
        put(found, "PatientPosition", facts["PatientPosition"])


def available(series: Series, instance: Instance) -> list[str]:
    own = instance.stored_syntax_uid or series.transfer_syntax_uid
    stored = [own] if instance.stored_frames else []
    return list(dict.fromkeys([*stored, "1.2.840.10008.1.2.1"]))


def archive_only(found: Elements, facts: dict[str, Any]) -> None:
    """What no case shows: device, kernel, body, times, tracer, and whether it is synthetic."""
    for keyword in DEVICE:
        put(found, keyword, *str(facts.get(keyword, "")).split("\\"))
    for keyword in KERNELS:
        if facts.get(keyword):
            put(found, keyword, *str(facts[keyword]).split("\\"))
    days, times, tracers = facts.get("dates", {}), facts.get("times", {}), facts.get("emission", {})
    rows = [
        *((k, facts.get(k) or None) for k in BODY), *((k, times.get(k)) for k in TIMES),
        ("AcquisitionDateTime", days.get("AcquisitionDateTime")), ("SyntheticData", facts.get("SyntheticData")),
        (TRACERS, [known_of(one) for one in tracers.get(TRACERS, [])] or None),
    ]  # fmt: skip
    for keyword, value in rows:
        if value not in (None, ""):
            put(found, keyword, *json_values(value))


def known_of(tracer: dict[str, Any]) -> dict[str, Any]:
    """A tracer without a dose of nought: Xeleris writes it where it knows none, like a body's weight and size."""
    return {k: v for k, v in tracer.items() if v or k != "RadionuclideTotalDose"}


def acquired(found: Elements, instance: Instance, names: Names) -> None:
    """When, and how NM and PT images were counted."""
    facts = instance.header.get("facts", {})
    for keyword in DAYS:
        if facts.get("dates", {}).get(keyword):
            put(found, keyword, moved(read_day(facts["dates"][keyword]), names.weeks))
    for keyword in CALLED_FOR.get(instance.sop_class_uid, ()):
        put(found, keyword)
    for keyword, value in facts.get("emission", {}).items():
        if keyword not in (*BY_FRAME, TRACERS):
            put(found, keyword, *json_values(value))
    if not names.is_case:
        if instance.sop_class_uid in CALLED_FOR:
            put(found, TRACERS)
        archive_only(found, facts)


def read_day(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def json_values(value: Any) -> list[Any]:
    """Kept values as those of an element; what is kept by keyword becomes an item."""
    values = value if isinstance(value, list) else [value]
    return [item_of(v) if isinstance(v, dict) else v for v in values]


def item_of(kept: dict[str, Any]) -> Elements:
    found: Elements = {}
    for keyword, value in kept.items():
        put(found, keyword, *json_values(value))
    return dict(sorted(found.items()))


def exam_header(exam: Exam, names: Names) -> Elements:
    """What is the same for the whole exam."""
    found: Elements = dict(de_identified(names.is_case))
    code = names.patient or exam.subject
    put(found, "StudyInstanceUID", names.uid(exam.uid))
    put(found, "PatientName", code)
    put(found, "PatientID", code)
    put(found, "PatientSex", "" if names.is_case else exam.sex)
    put(found, "StudyDate", moved(exam.shifted_date, names.weeks))
    put(found, "StudyTime", "" if names.is_case else exam.time)
    if not names.is_case:
        put(found, "PatientAge", exam.age)
    return found


@lru_cache(maxsize=2)
def de_identified(is_case: bool) -> Elements:
    """The same in every header; its values are shared and never changed."""
    found: Elements = {}
    put(found, "SpecificCharacterSet", "ISO_IR 192")
    for keyword in EMPTY:
        put(found, keyword)
    put(found, "PatientIdentityRemoved", "YES")
    put(found, "DeidentificationMethod", METHOD)
    put(
        found,
        "DeidentificationMethodCodeSequence",
        *map(dcm, CASE_OPTIONS if is_case else OPTIONS),
    )
    put(found, "LongitudinalTemporalInformationModified", "MODIFIED")
    return found


def dcm(code: str) -> Elements:
    item: Elements = {}
    put(item, "CodeValue", code)
    put(item, "CodingSchemeDesignator", "DCM")
    put(item, "CodeMeaning", OPTIONS[code])
    return item


def pixels(found: Elements, instance: Instance, series: Series, names: Names) -> None:
    # slices of a held series may differ in size: each has its own
    pixel = instance.header.get("pixel") or series.pixel
    facts = instance.header.get("facts", {})
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
    if is_rescaled(instance):
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


def is_rescaled(instance: Instance) -> bool:
    """Counts of an NM image only where its file says so: of one stored before, where that changes anything."""
    says = instance.header.get("is_rescaled", (instance.slope, instance.intercept) != (1, 0))
    return instance.sop_class_uid != NM or bool(says)


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


def per_frame(instance: Instance, keyword: str) -> list[int]:
    """The kept number of each frame; none where they are not one for each."""
    numbers = instance.header.get("facts", {}).get("emission", {}).get(keyword, [])
    return numbers if len(numbers) == instance.n_frames else []


def detectors(instance: Instance) -> list[Elements]:
    kept = instance.header.get("facts", {}).get("emission", {}).get(DETECTORS, [])
    return [item_of(one) for one in kept]


def stacked(found: Elements, instance: Instance, series: Series, names: Names) -> None:
    """RECON TOMO: one detector item with the first position, positive spacing, slices 1..N."""
    n = instance.n_frames
    detector = next(iter(detectors(instance)), {})
    origin = series.geometry.get("origin_mm")
    if origin and orientation(series):
        put(detector, "ImagePositionPatient", *origin)
        put(detector, "ImageOrientationPatient", *orientation(series))
    put(found, DETECTORS, dict(sorted(detector.items())))
    put(found, "NumberOfDetectors", 1)
    for keyword in ("EnergyWindowVector", "RotationVector"):
        if per_frame(instance, keyword):
            put(found, keyword, *per_frame(instance, keyword))
    put(found, "SliceVector", *range(1, n + 1))
    put(found, "NumberOfSlices", n)
    put(found, "FrameIncrementPointer", "00540080")
    if series.geometry.get("slice_spacing_mm"):
        put(found, "SpacingBetweenSlices", series.geometry["slice_spacing_mm"])


def planar(found: Elements, instance: Instance) -> None:
    """Whole body: pixels only, one view per detector."""
    n, items, windows = instance.n_frames, detectors(instance), per_frame(instance, "EnergyWindowVector")  # fmt: skip
    put(found, DETECTORS, *items)
    put(found, "DetectorVector", *(per_frame(instance, "DetectorVector") or range(1, n + 1)))
    put(found, "NumberOfDetectors", len(items) or n)
    if windows:
        put(found, "EnergyWindowVector", *windows)
    put(found, "FrameIncrementPointer", *(["00540010"] if windows else []), "00540020")
