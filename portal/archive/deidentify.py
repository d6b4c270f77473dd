"""The archive view of a header, written as an allow-list: what is not named here does not exist."""

from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

from pydicom import Dataset
from pydicom.datadict import dictionary_VR, keyword_for_tag

METHOD = "Osteon allow-list 1 (PS3.15 Basic Profile, see docs)"
OPTIONS = ("113100", "113105", "113107", "113108", "113109")
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
    "LossyImageCompression", "LossyImageCompressionRatio",
)  # fmt: skip
DEVICE = ("Manufacturer", "ManufacturerModelName", "SoftwareVersions")
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
    }
)
VOCABULARY: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "PatientPosition": POSITIONS,
        "PhotometricInterpretation": PHOTOMETRIC,
        "Units": frozenset({"CNTS", "BQML", "GML", "CM2ML", "NONE"}),
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


def text_of(ds: Dataset, keyword: str) -> str:
    try:
        value = ds.get(keyword)
    except (ValueError, TypeError, NotImplementedError):
        return ""
    return "" if value is None else str(value).strip()


def listed(ds: Dataset, keyword: str) -> str:
    """A CS value if it is in its vocabulary."""
    value = text_of(ds, keyword).upper()
    return value if value in VOCABULARY[keyword] else ""


def age_band(text: str) -> str:
    """Five-year lower edge, 90 and older as 090Y; '' for anything else."""
    if len(text) != 4 or not text[:3].isdigit():
        return ""
    years = int(text[:3]) if text[3].upper() == "Y" else 0
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


def facts(ds: Dataset) -> dict[str, Any]:
    """Allow-listed values of a header, dates and UIDs still as received: the parent maps them by key."""
    found: dict[str, Any] = {"ImageType": [v for v in kinds(ds) if v in IMAGE_TYPES]}
    for keyword in (*NUMBERS, *PIXEL_MODULE):
        value: Any = listed(ds, keyword) if keyword in VOCABULARY else number(ds.get(keyword))
        if keyword in ROUNDED and value is not None:
            value = round(float(value), ROUNDED[keyword])
        if value not in (None, ""):
            found[keyword] = value
    for keyword in ("PatientPosition", "Units"):
        if listed(ds, keyword):
            found[keyword] = listed(ds, keyword)
    for keyword in DEVICE:
        found[keyword] = text_of(ds, keyword)[:64]
    found["PatientSex"] = text_of(ds, "PatientSex")[:1].upper()
    found["PatientAge"] = age_band(text_of(ds, "PatientAge"))
    found["times"] = {
        k: text_of(ds, k)[:16] for k in TIMES if text_of(ds, k).replace(".", "").isdigit()
    }
    found["dates"] = {k: text_of(ds, k) for k in DATES}
    flag = text_of(ds, "SyntheticData").upper()
    found["SyntheticData"] = flag if flag in ("YES", "NO") else ""
    return found


def kinds(ds: Dataset) -> list[str]:
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
