"""Coded values that may pass, with our own words for them: no text of a sender passes with its code."""

from dataclasses import dataclass

from pydicom import Dataset

Item = dict[str, str]
# the same numbers of SNOMED under the names it had in DICOM over the years
OLD_SCHEMES = frozenset({"SRT", "SNM3", "99SDM"})


@dataclass(frozen=True)
class Concept:
    """One meaning with its SNOMED CT number and the one used before 2018."""

    sct: str
    srt: str
    meaning: str


# PS3.16 CID 19, 21, 26, 18 and 4020
ORIENTATIONS = (
    Concept("10904000", "F-10440", "erect"),
    Concept("102538003", "F-10450", "recumbent"),
    Concept("102539006", "F-10460", "semi-erect"),
)
RELATIONSHIPS = (
    Concept("102540008", "F-10470", "headfirst"),
    Concept("102541007", "F-10480", "feet-first"),
    Concept("399220000", "R-10515", "transverse"),
    Concept("399366008", "R-10516", "oblique"),
)
VIEWS = (
    Concept("399321004", "G-5215", "Anterior projection"),
    Concept("399001007", "G-5216", "Posterior projection"),
    Concept("399118008", "G-5223", "Left lateral projection"),
    Concept("399297009", "G-5222", "Right lateral projection"),
    Concept("399074003", "G-5207", "Left anterior oblique"),
    Concept("399136008", "G-5209", "Left posterior oblique"),
    Concept("399108003", "G-5206", "Right anterior oblique"),
    Concept("399075002", "G-5208", "Right posterior oblique"),
    Concept("24422004", "G-A147", "Axial"),
    Concept("62824007", "G-A117", "Transverse"),
    Concept("81654009", "G-A138", "Coronal"),
    Concept("30730003", "G-A145", "Sagittal"),
)
NUCLIDES = (
    Concept("72454006", "C-163A8", "^99m^Technetium"),
    Concept("447553000", "C-101ED", "^177^Lutetium"),
    Concept("56609000", "C-145A4", "^111^Indium"),
    Concept("21572004", "C-114A4", "^123^Iodine"),
    Concept("1368003", "C-114B1", "^131^Iodine"),
    Concept("40937006", "C-114A5", "^124^Iodine"),
    Concept("60057003", "C-138A9", "^201^Thallium"),
    Concept("2008008", "C-131A2", "^67^Gallium"),
    Concept("35337001", "C-131A3", "^68^Gallium"),
    Concept("419804008", "C-B1134", "^153^Samarium"),
    Concept("77004003", "C-111A1", "^18^Fluorine"),
    Concept("40565003", "C-105A1", "^11^Carbon"),
    Concept("21576001", "C-107A1", "^13^Nitrogen"),
    Concept("129504001", "C-B1038", "^15^Oxygen"),
    Concept("79197006", "C-159A2", "^82^Rubidium"),
    Concept("63360001", "C-168A4", "^89^Zirconium"),
    Concept("3932008", "C-127A2", "^64^Copper"),
)


def passed(item: Dataset, known: tuple[Concept, ...]) -> Item | None:
    """Value and scheme of a listed code with our meaning; None for any other."""
    value = str(item.get("CodeValue") or "").strip()
    scheme = str(item.get("CodingSchemeDesignator") or "").strip()
    for concept in known:
        is_old = scheme in OLD_SCHEMES and value == concept.srt
        if is_old or (scheme == "SCT" and value == concept.sct):
            return {
                "CodeValue": value,
                "CodingSchemeDesignator": scheme,
                "CodeMeaning": concept.meaning,
            }
    return None
