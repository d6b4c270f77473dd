"""What an instance is for this portal: its role, or why it is held; never decided by Modality."""

from dataclasses import dataclass

from pydicom import Dataset
from pydicom.uid import UID

CT = "1.2.840.10008.5.1.4.1.1.2"
NM = "1.2.840.10008.5.1.4.1.1.20"
PT = "1.2.840.10008.5.1.4.1.1.128"
SECONDARY = {"1.2.840.10008.5.1.4.1.1.7"} | {f"1.2.840.10008.5.1.4.1.1.7.{i}" for i in range(1, 5)}
DICOMDIR = "1.2.840.10008.1.3.10"
IMAGE_CLASSES = {CT, NM, PT, *SECONDARY, "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.6.1"}
SINGLE_PHOTON = ("TC99M", "99MTC", "LU177", "177LU", "IN111", "111IN", "I123", "123I", "I131", "131I",
                 "TL201", "201TL", "GA67", "67GA", "SM153", "153SM", "TECHNETIUM", "LUTETIUM", "INDIUM",
                 "THALLIUM", "SAMARIUM")  # fmt: skip
POSITRON = ("F18", "18F", "GA68", "68GA", "C11", "11C", "N13", "13N", "RB82", "82RB", "ZR89", "89ZR",
            "CU64", "64CU", "I124", "124I", "FLUORINE", "ZIRCONIUM", "RUBIDIUM")  # fmt: skip

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


def is_known_class(uid: str) -> bool:
    """A standard storage class, by name."""
    return not UID(uid).is_private and "Storage" in UID(uid).name


def image_type(ds: Dataset) -> list[str]:
    value = ds.get("ImageType", [])
    return [str(v).upper() for v in ([value] if isinstance(value, str) else value or [])]


def classify(ds: Dataset) -> Verdict:
    """Role or held reason of a data set of a known class."""
    sop = str(ds.SOPClassUID)
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


def odd_pixels(ds: Dataset) -> str:
    bits, stored = int(ds.get("BitsAllocated", 0) or 0), int(ds.get("BitsStored", 0) or 0)
    if "FloatPixelData" in ds or "DoubleFloatPixelData" in ds:
        return "floating point"
    if bits not in (8, 16, 32):
        return f"{bits} bits"
    if int(ds.get("HighBit", stored - 1)) != stored - 1:
        return "high bit"
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
    return held("not_a_volume", kind=kind.lower())


def of_pt(ds: Dataset) -> Verdict:
    """PET and SPECT of the PT class are told apart by the radionuclide; undecided stays PT."""
    texts = nuclide_texts(ds)
    if any(name in text for text in texts for name in SINGLE_PHOTON):
        return Verdict("SPECT", "SPECT")
    if any(name in text for text in texts for name in POSITRON):
        return Verdict("SPECT", "PET")
    return Verdict("SPECT", "PT")


def nuclide_texts(ds: Dataset) -> list[str]:
    found = []
    for item in ds.get("RadiopharmaceuticalInformationSequence") or []:
        codes = item.get("RadionuclideCodeSequence") or []
        found += [str(code.get("CodeMeaning", "")) for code in codes]
        found.append(str(item.get("Radiopharmaceutical", "")))
    return ["".join(c for c in text.upper() if c.isalnum()) for text in found]
