"""How an image was acquired, as typed columns; out of range or unknown is null."""

import re
from typing import Any

from pydicom import Dataset

from portal.archive import codes
from portal.archive.classify import NM, POSITRON, PT, SINGLE_PHOTON
from portal.archive.deidentify import number, text_of
from portal.archive.emission import CORRECTIONS
from portal.archive.extremes import several
from portal.archive.plain import Header, Readable

RANGES = {"kvp": (20, 200), "tube_current_ma": (1, 2000), "slice_thickness_mm": (0.1, 50), "frame_ms": (1, 10**8),
          "weight_kg": (1, 400), "activity_mbq": (1, 1e5), "pixel_scale": (1e-9, 1e9), "pixel_offset": (-1e9, 1e9)}  # fmt: skip
COLLIMATORS = {"PARA", "PINH", "FANB", "CONE", "SLNT", "ASTG", "DIVG", "NONE", "UNKN"}
ELEMENTS = {
    "technetium": "Tc", "fluorine": "F", "iodine": "I", "indium": "In", "gallium": "Ga", "lutetium": "Lu",
    "thallium": "Tl", "samarium": "Sm", "carbon": "C", "nitrogen": "N", "rubidium": "Rb",
    "zirconium": "Zr", "copper": "Cu",
}  # fmt: skip
SYMBOLS = "|".join(
    [*ELEMENTS, "Tc", "In", "Ga", "Lu", "Tl", "Sm", "Rb", "Zr", "Cu", "F", "I", "C", "N"]
)
NUCLIDE = re.compile(rf"\b(?P<symbol>{SYMBOLS})[ -]?\^?(?P<mass>\d{{2,3}}m?)\b", re.IGNORECASE)
NUCLIDE_FIRST = re.compile(
    rf"\^?\b(?P<mass>\d{{2,3}}m?)\^?[ -]?(?P<symbol>{SYMBOLS})\b", re.IGNORECASE
)
RECOGNISED = frozenset(f"{s.capitalize()}-{m.lower()}" for s, m, _ in (*SINGLE_PHOTON, *POSITRON))
# GE's block of its nuclear medicine workstations, and what is read of it before private groups are dropped
GENIE = (0x0011, "GEMS_GENIE_1")
ISOTOPE, PIXEL_SCALE, PIXEL_OFFSET = 0x0D, 0x3B, 0x3C
# an item that is not there
NOTHING: Readable = dict[str, Any]()
VERSION = re.compile(r"[A-Za-z]{0,4}[0-9][0-9A-Za-z._-]{0,20}")


def ranged(name: str, value: Any) -> float | int | None:
    found = number(value)
    low, high = RANGES[name]
    return found if found is not None and low <= found <= high else None


def whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def first(ds: Readable, keyword: str) -> Readable:
    items = ds.get(keyword) or []
    return items[0] if len(items) else NOTHING


def energy_windows(ds: Readable) -> list[list[float]]:
    found = []
    for window in ds.get("EnergyWindowInformationSequence") or []:
        for part in window.get("EnergyWindowRangeSequence") or []:
            low, high = (
                number(part.get("EnergyWindowLowerLimit")),
                number(part.get("EnergyWindowUpperLimit")),
            )
            if low is not None and high is not None:
                found.append([float(low), float(high)])
    return found


def detectors_of(ds: Readable, n_frames: int) -> list[tuple[Readable, int]]:
    """Item and number of the detector of each planar frame."""
    items = list(ds.get("DetectorInformationSequence") or [])
    said = ds.get("DetectorVector")
    # of a single frame pydicom gives the number alone
    vector = (
        [] if said is None or isinstance(said, (str, bytes)) else [int(v) for v in several(said)]
    )
    # one that leaves frames out tells nothing of any of them; the header that is shown has none then
    detectors = vector if len(vector) >= n_frames else range(1, n_frames + 1)
    return [(items[n - 1] if 0 < n <= len(items) else NOTHING, n) for n in detectors[:n_frames]]


def views_of(ds: Readable, n_frames: int) -> list[str]:
    """ANT, POST or OTHER of each planar frame; without a code detector 1 is taken as anterior, 2 as posterior."""
    return [view_of(item, n) for item, n in detectors_of(ds, n_frames)]


def assumed_views(ds: Readable, n_frames: int) -> list[bool]:
    """Of each planar frame whether its view was taken from the number of its detector alone."""
    return [not told_view(item) for item, _ in detectors_of(ds, n_frames)]


def told_view(item: Readable) -> str:
    """By its code, whatever the sender calls it; by its text where the code is none of the standard's."""
    found = first(item, "ViewCodeSequence")
    known = codes.passed(found, codes.VIEWS) if isinstance(found, Dataset) else None
    return (known["CodeMeaning"] if known else text_of(found, "CodeMeaning")).lower()


def view_of(item: Readable, detector: int) -> str:
    said = told_view(item)
    for start, view in (("ant", "ANT"), ("post", "POST")):
        if said.startswith(start):
            return view
    if said:
        return "OTHER"  # from the side, oblique: no view of the whole body from before or behind
    return "POST" if detector == 2 else "ANT"


def software(ds: Readable) -> str:
    """Version numbers only: a site's own text may follow them in the header."""
    said = ds.get("SoftwareVersions") or []
    versions = [said] if isinstance(said, str) else list(said)
    return ", ".join(v for v in map(str, versions) if VERSION.fullmatch(v))[:64]


def collimator(ds: Readable) -> str:
    """Type of the first detector's collimator, as the standard's code (PARA, FANB, ...)."""
    name = str(first(ds, "DetectorInformationSequence").get("CollimatorType") or "").strip()
    return name if name in COLLIMATORS else ""


def nuclide(drug: Readable) -> str:
    """Mass number and symbol, from a code meaning or a text in any spelling; '' when not told."""
    code = first(drug, "RadionuclideCodeSequence")
    texts = (text_of(code, "CodeMeaning"), text_of(drug, "Radiopharmaceutical"))
    return next(filter(None, map(nuclide_in, texts)), "")


def nuclide_in(text: str) -> str:
    found = NUCLIDE.search(text) or NUCLIDE_FIRST.search(text)
    if not found:
        return ""
    symbol = found["symbol"].lower()
    return f"{ELEMENTS.get(symbol, symbol.capitalize())}-{found['mass'].lower()}"


def activity_mbq(ds: Readable, drug: Readable) -> float | int | None:
    """The standard counts the injected activity in MBq in NM objects and in Bq in PET objects."""
    said = number(drug.get("RadionuclideTotalDose"))
    if said is not None and str(ds.get("SOPClassUID", "")) == PT:
        said /= 1e6
    return ranged("activity_mbq", said)


def acquisition(ds: Readable) -> dict[str, Any]:
    """Typed values shown per patient and summarised per cohort."""
    drug = first(ds, "RadiopharmaceuticalInformationSequence")
    rotation = first(ds, "RotationInformationSequence")
    return {
        "vendor": text_of(ds, "Manufacturer")[:64],
        "model": text_of(ds, "ManufacturerModelName")[:64],
        "software": software(ds),
        "collimator": collimator(ds),
        "nuclide": nuclide(drug),
        "kvp": ranged("kvp", ds.get("KVP")),
        "tube_current_ma": ranged("tube_current_ma", ds.get("XRayTubeCurrent")),
        "slice_thickness_mm": ranged("slice_thickness_mm", ds.get("SliceThickness")),
        "matrix": [number(ds.get("Rows")), number(ds.get("Columns"))],
        "frame_ms": ranged(
            "frame_ms", rotation.get("ActualFrameDuration") or ds.get("ActualFrameDuration")
        ),
        "energy_windows_kev": energy_windows(ds),
        "activity_mbq": activity_mbq(ds, drug),
        "weight_kg": whole(ranged("weight_kg", ds.get("PatientWeight"))),
        "corrected": CORRECTIONS(ds, "CorrectedImage") or [],
    }


def besides(header: Header) -> dict[str, Any]:
    """Typed values that are read since 2026-11: what an image's content is known by must not change with them.

    GE's scale and offset of pixels are kept and applied to nothing, for nobody says whether counts need them.
    """
    if str(header.get("SOPClassUID")) != NM:
        return {}
    isotope = nuclide_in(str(header.private(*GENIE, ISOTOPE) or ""))
    is_needed = isotope in RECOGNISED and not nuclide(
        first(header, "RadiopharmaceuticalInformationSequence")
    )
    found = {
        "pixel_scale": ranged("pixel_scale", header.private(*GENIE, PIXEL_SCALE)),
        "pixel_offset": ranged("pixel_offset", header.private(*GENIE, PIXEL_OFFSET)),
        "nuclide": isotope if is_needed else None,
    }
    return {name: value for name, value in found.items() if value is not None}
