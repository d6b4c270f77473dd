"""What an instance is for this portal: its role, or why it is held; never decided by Modality."""

from dataclasses import dataclass
from functools import lru_cache

from pydicom.uid import UID

from portal.archive.deidentify import listed, text_of
from portal.archive.plain import Readable

CT = "1.2.840.10008.5.1.4.1.1.2"
NM = "1.2.840.10008.5.1.4.1.1.20"
PT = "1.2.840.10008.5.1.4.1.1.128"
SECONDARY = {"1.2.840.10008.5.1.4.1.1.7"} | {f"1.2.840.10008.5.1.4.1.1.7.{i}" for i in range(1, 5)}
DICOMDIR = "1.2.840.10008.1.3.10"
# the label of a volume of the PT class that may be either
UNDECIDED, KINDS_OF_PT = "PT", ("SPECT", "PET")
# what a text says when only letters and digits are left of it: symbol or name, mass before or after
SINGLE_PHOTON = (("TC", "99M", "TECHNETIUM"), ("LU", "177", "LUTETIUM"), ("IN", "111", "INDIUM"), ("I", "123", "IODINE"),
                 ("I", "131", "IODINE"), ("TL", "201", "THALLIUM"), ("GA", "67", "GALLIUM"),
                 ("SM", "153", "SAMARIUM"))  # fmt: skip
POSITRON = (("F", "18", "FLUORINE"), ("GA", "68", "GALLIUM"), ("C", "11", "CARBON"), ("N", "13", "NITROGEN"),
            ("RB", "82", "RUBIDIUM"), ("ZR", "89", "ZIRCONIUM"), ("CU", "64", "COPPER"),
            ("I", "124", "IODINE"))  # fmt: skip
# named without a mass these have one emitter that is in use
ALONE = frozenset(
    {
        "TECHNETIUM",
        "LUTETIUM",
        "INDIUM",
        "THALLIUM",
        "SAMARIUM",
        "FLUORINE",
        "RUBIDIUM",
        "ZIRCONIUM",
    }
)

# PS3.3 C.8.4.9.1.1.3; a value of a sender's own is not repeated
KINDS_OF_NM = frozenset(
    {
        "STATIC",
        "DYNAMIC",
        "GATED",
        "WHOLE BODY",
        "TOMO",
        "GATED TOMO",
        "RECON TOMO",
        "RECON GATED TOMO",
        "NONE",
    }
) | {"none"}
HELD = {
    "secondary_capture": "This is a secondary capture, which may show names in the picture; ask for the original NM object.",
    "burned_in": "The file says that text is burned into the picture; it never reaches a reader.",
    "colour": "A colour picture in this class is a screen shot; it never reaches a reader.",
    "other_class": "{name} is kept for coordinators and never part of a case.",
    "not_a_volume": "This NM image ({kind}) is neither a reconstructed volume nor a whole-body scan.",
    "localizer": "A localizer shows no slices of the volume, so it is left out of it.",
    "geometry": "The file does not say where its slices lie in the patient.",
    "geometry_to_confirm": "{why} Look at it fused on the CT and confirm it.",
    "pixel_encoding": "The way the pixels are stored ({why}) is not supported.",
    "patient_conflict": "This exam already belongs to another patient; decide in the held list.",
}


@dataclass(frozen=True)
class Verdict:
    """Role (CT, SPECT, WB, OTHER), label, and a held reason with its sentence ('' when ready)."""

    role: str
    label: str
    reason: str = ""
    sentence: str = ""


def held(reason: str, *, role: str = "OTHER", label: str = "", **values: str) -> Verdict:
    return Verdict(role, label or role, reason, HELD[reason].format(**values))


@lru_cache(maxsize=256)
def is_known_class(uid: str) -> bool:
    """A standard storage class, by name."""
    return not UID(uid).is_private and "Storage" in UID(uid).name


@lru_cache(maxsize=256)
def is_image_class(uid: str) -> bool:
    """A class whose objects are pictures, by name; doses, maps and segmentations may hold other things in their place."""
    return is_known_class(uid) and "Image Storage" in UID(uid).name


def image_type(ds: Readable) -> list[str]:
    value = ds.get("ImageType", [])
    return [str(v).upper() for v in ([value] if isinstance(value, str) else value or [])]


def classify(ds: Readable) -> Verdict:
    """Role or held reason of a data set of a known class."""
    sop = str(ds.get("SOPClassUID"))
    kinds = image_type(ds)
    if sop in SECONDARY or "SCREEN SAVE" in kinds or "ConversionType" in ds:
        return held("secondary_capture")
    if str(ds.get("BurnedInAnnotation", "")).upper() == "YES":
        return held("burned_in")
    if sop not in (CT, NM, PT):
        return held("other_class", name=UID(sop).name)
    if int(ds.get("SamplesPerPixel", 1) or 1) != 1 or "PALETTE" in str(
        ds.get("PhotometricInterpretation", "")
    ):
        return held("colour")
    why = odd_pixels(ds)
    if why:
        return held("pixel_encoding", why=why)
    if sop != NM and "LOCALIZER" in kinds:
        return held(
            "localizer", role="CT" if sop == CT else "SPECT", label="CT" if sop == CT else "PT"
        )
    if sop == CT:
        return Verdict("CT", "CT")
    return of_nuclear(kinds) if sop == NM else of_pt(ds)


def odd_pixels(ds: Readable) -> str:
    bits, stored = int(ds.get("BitsAllocated", 0) or 0), int(ds.get("BitsStored", 0) or 0)
    if "FloatPixelData" in ds or "DoubleFloatPixelData" in ds:
        return "floating point"
    if bits not in (8, 16, 32):
        return f"{bits} bits"
    if int(ds.get("HighBit", stored - 1)) != stored - 1:
        return "high bit"
    if text_of(ds, "PhotometricInterpretation") and not listed(ds, "PhotometricInterpretation"):
        return "photometric form"
    slope = ds.get("RescaleSlope")
    if slope is not None and not (abs(float(slope)) > 0 and abs(float(slope)) < 1e30):
        return "rescale slope"
    return ""


def of_nuclear(kinds: list[str]) -> Verdict:
    kind = kinds[2] if len(kinds) > 2 else "none"
    if kind == "RECON TOMO":
        return Verdict("SPECT", "SPECT")
    if kind in ("WHOLE BODY", "STATIC"):
        return Verdict("WB", "WB")
    return held("not_a_volume", kind=kind.lower() if kind in KINDS_OF_NM else "another kind")


def of_pt(ds: Readable) -> Verdict:
    """PET and SPECT of the PT class are told apart by the radionuclide; where it does not, a coordinator does."""
    texts = nuclide_texts(ds)
    for label, nuclides in (("SPECT", SINGLE_PHOTON), ("PET", POSITRON)):
        if any(spelling in text for text in texts for n in nuclides for spelling in spellings(*n)):
            return Verdict("SPECT", label)
    return Verdict("SPECT", UNDECIDED)


@lru_cache(maxsize=32)
def spellings(symbol: str, mass: str, name: str) -> tuple[str, ...]:
    """Ways to write a nuclide without spaces and signs."""
    with_mass = (symbol + mass, mass + symbol, name + mass, mass + name)
    return (*with_mass, name) if name in ALONE else with_mass


def nuclide_texts(ds: Readable) -> list[str]:
    found = []
    for item in ds.get("RadiopharmaceuticalInformationSequence") or []:
        codes = item.get("RadionuclideCodeSequence") or []
        found += [str(code.get("CodeMeaning", "")) for code in codes]
        found.append(str(item.get("Radiopharmaceutical", "")))
    return ["".join(c for c in text.upper() if c.isalnum()) for text in found]
