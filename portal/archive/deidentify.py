"""The archive view of a header, written as an allow-list: what is not named here does not exist."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.multival import MultiValue

from portal.archive.plain import Header, Readable, kind_of, plain_number, plain_text

METHOD = "Osteon allow-list 1 (PS3.15 Basic Profile, see docs)"
# PS3.16 CID 7050
OPTIONS = MappingProxyType(
    {
        "113100": "Basic Application Confidentiality Profile",
        "113105": "Clean Descriptors Option",
        "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
        "113108": "Retain Patient Characteristics Option",
        "113109": "Retain Device Identity Option",
    }
)
IMAGE_TYPES = frozenset(
    [
        "ORIGINAL",
        "DERIVED",
        "PRIMARY",
        "SECONDARY",
        "AXIAL",
        "LOCALIZER",
        "VOLUME",
        "STATIC",
        "DYNAMIC",
        "TOMO",
        "EMISSION",
        "TRANSMISSION",
    ]
) | {"RECON TOMO", "RECON GATED TOMO", "WHOLE BODY"}
NUMBERS = (
    "SliceThickness", "KVP", "SpacingBetweenSlices", "ReconstructionDiameter", "GantryDetectorTilt",
    "ExposureTime", "XRayTubeCurrent", "Exposure", "PatientWeight", "PatientSize",
)  # fmt: skip
ROUNDED = {"PatientWeight": 0, "PatientSize": 2}  # kg, and metres to the cm
PIXEL_MODULE = (
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows",
    "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod",
)  # fmt: skip
DEVICE = ("Manufacturer", "ManufacturerModelName", "SoftwareVersions")
# text of the reconstruction, for the archive view alone like the device
KERNELS = ("FilterType", "ConvolutionKernel")
DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
TIMES = ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime")
POSITIONS = frozenset({"HFS", "HFP", "FFS", "FFP", "HFDR", "HFDL", "FFDR", "FFDL"})
PHOTOMETRIC = frozenset(
    {
        "MONOCHROME1",
        "MONOCHROME2",
        "RGB",
        "PALETTE COLOR",
        "YBR_FULL",
        "YBR_FULL_422",
        "YBR_ICT",
        "YBR_RCT",
        "YBR_PARTIAL_420",
        "YBR_PARTIAL_422",
        "ARGB",
        "CMYK",
        "HSV",
    }
)
# PS3.3 C.7.6.1.1.5.1
LOSSY_METHODS = frozenset(
    {"ISO_10918_1", "ISO_14495_1", "ISO_15444_1", "ISO_15444_15", "ISO_18181_1"}
)
SEXES = frozenset({"M", "F", "O"})
AGE = re.compile(r"([0-9]{3})([YMWD])")
PER_YEAR = {"Y": 1, "M": 12, "W": 52, "D": 365}
# a TM of PS3.5, from hours to microseconds; any other digits may be a birth date or a number of a patient
TIME = re.compile(r"([01][0-9]|2[0-3])([0-5][0-9](([0-5][0-9]|60)(\.[0-9]{1,6})?)?)?")
MOMENT = re.compile(r"([0-9]{8})([0-9.]*)([+-][0-9]{4})?")
# what an element of this kind can hold; others hold any number
WHOLE = {"IS": (-(2**31), 2**31 - 1), "US": (0, 2**16 - 1), "US or SS": (-(2**15), 2**16 - 1)}
VOCABULARY: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "PatientPosition": POSITIONS,
        "PatientSex": SEXES,
        "LossyImageCompression": frozenset({"00", "01"}),
        "LossyImageCompressionMethod": LOSSY_METHODS,
        "PhotometricInterpretation": PHOTOMETRIC,
    }
)


def number(value: Any) -> float | int | None:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    if found != found or abs(found) > 1e30:
        return None
    return int(found) if found == int(found) else found


def one_number(ds: Readable, keyword: str) -> float | int | None:
    """A finite number that its element can hold."""
    plain = plain_number(ds, keyword)
    found = number(ds.get(keyword) if plain is None else plain)
    return found if found is not None and fits(found, kind_of(keyword)) else None


def fits(value: float, vr: str) -> bool:
    if vr not in WHOLE:
        return True
    low, high = WHOLE[vr]
    return isinstance(value, int) and low <= value <= high


def text_of(ds: Readable, keyword: str) -> str:
    plain = ds.text(keyword) if isinstance(ds, Header) else plain_text(ds, keyword)
    if plain is not None:
        return plain
    try:
        value = (ds.ds if isinstance(ds, Header) else ds).get(keyword)
    except (ValueError, TypeError, NotImplementedError):
        return ""
    if isinstance(value, MultiValue):
        return "\\".join(str(v).strip() for v in value)
    return "" if value is None else str(value).strip()


def listed(ds: Readable, keyword: str) -> str:
    """A CS value if it is in its vocabulary."""
    value = text_of(ds, keyword).upper()
    return value if value in VOCABULARY[keyword] else ""


def age_band(text: str) -> str:
    """Five-year lower edge, 90 and older as 090Y; '' for anything else."""
    found = AGE.fullmatch(text.upper())
    if found is None:
        return ""
    years = int(found[1]) // PER_YEAR[found[2]]
    return "090Y" if years >= 90 else f"{years // 5 * 5:03d}Y"


def shifted(text: str, weeks: int) -> str:
    """A DICOM date moved back by whole weeks; '' where it cannot be read."""
    digits = text.replace(".", "").replace("-", "")[:8]
    if len(digits) != 8 or not digits.isdigit():
        return ""
    try:
        moved = date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) - timedelta(days=7 * weeks)
    except (ValueError, OverflowError):
        return ""
    return moved.isoformat().replace("-", "")


def moment(ds: Readable, keyword: str) -> str | None:
    """Date and time as received, without a time zone; None where it is none."""
    found = MOMENT.fullmatch(text_of(ds, keyword))
    return found[1] + found[2] if found and (not found[2] or TIME.fullmatch(found[2])) else None


def shifted_moment(text: str, weeks: int) -> str:
    """Date and time with the date moved; '' where that cannot be read."""
    day = shifted(text[:8], weeks)
    return day + text[8:] if day else ""


def facts(ds: Readable) -> dict[str, Any]:
    """Allow-listed values of a header, dates and UIDs still as received: the parent maps them by key."""
    found: dict[str, Any] = {"ImageType": [v for v in kinds(ds) if v in IMAGE_TYPES]}
    for keyword in (*NUMBERS, *PIXEL_MODULE):
        value: Any = listed(ds, keyword) if keyword in VOCABULARY else one_number(ds, keyword)
        if keyword in ROUNDED and value is not None:
            value = round(float(value), ROUNDED[keyword])
        if value not in (None, ""):
            found[keyword] = value
    if listed(ds, "PatientPosition"):
        found["PatientPosition"] = listed(ds, "PatientPosition")
    for keyword in DEVICE:
        found[keyword] = text_of(ds, keyword)[:64]
    for keyword in KERNELS:
        if text_of(ds, keyword):
            found[keyword] = "\\".join(v[:16] for v in text_of(ds, keyword).split("\\")[:4])
    found["PatientSex"] = listed(ds, "PatientSex")
    found["PatientAge"] = age_band(text_of(ds, "PatientAge"))
    found["times"] = {k: text_of(ds, k) for k in TIMES if TIME.fullmatch(text_of(ds, k))}
    found["dates"] = {k: text_of(ds, k) for k in DATES}
    found["dates"]["AcquisitionDateTime"] = moment(ds, "AcquisitionDateTime") or ""
    flag = text_of(ds, "SyntheticData").upper()
    found["SyntheticData"] = flag if flag in ("YES", "NO") else ""
    return found


def kinds(ds: Readable) -> list[str]:
    value = ds.get("ImageType") or []
    return [str(v).upper() for v in ([value] if isinstance(value, str) else value)]


def element(keyword_or_tag: str, vr: str, *values: Any) -> tuple[str, dict[str, Any]]:
    """One element of the DICOM JSON model."""
    kept = [v for v in values if v not in (None, "")]
    return keyword_or_tag, {"vr": vr, "Value": kept} if kept else {"vr": vr}


def vr_of(tag: str) -> str:
    return dictionary_VR(int(tag, 16))


def keyword_of(tag: str) -> str:
    return keyword_for_tag(int(tag, 16))
