"""What NM and PT images say beside their pixels: energy windows, detectors, rotations, the tracer, PET's own terms.

Section 4.3 of the specification as rules: an element without a rule is not taken, nor a value that its rule refuses.
"""

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pydicom import Dataset

from portal.archive import codes
from portal.archive.deidentify import (
    TIME,
    fits,
    moment,
    number,
    one_number,
    shifted,
    shifted_moment,
    text_of,
)
from portal.archive.plain import Header, Readable, kind_of

# a value that may be kept as JSON, or None
Rule = Callable[[Readable, str], Any]
MOST_ITEMS = 64
TRACERS, STARTED = "RadiopharmaceuticalInformationSequence", "RadiopharmaceuticalStartDateTime"
# what pydicom raises when a value inside a sequence cannot be read: that value is left out
UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    NotImplementedError,
    OverflowError,
    struct.error,
)


def vector(ds: Readable, keyword: str) -> list[int] | None:
    """Per frame the number of its window, detector or rotation."""
    value = ds.get(keyword)
    if value is None or isinstance(value, (str, bytes)):
        return None
    found = [number(v) for v in ([value] if isinstance(value, int) else value)]
    return [int(v) for v in found if v] if all(v and fits(v, "US") for v in found) else None


def words(*known: str) -> Rule:
    """Coded strings of a vocabulary; others are dropped."""

    def rule(ds: Readable, keyword: str) -> list[str] | None:
        said = text_of(ds, keyword).upper().split("\\")
        return [word.strip() for word in said if word.strip() in known] or None

    return rule


def time_of_day(ds: Readable, keyword: str) -> str | None:
    found = text_of(ds, keyword)
    return found if TIME.fullmatch(found) else None


def coded(known: tuple[codes.Concept, ...]) -> Rule:
    def rule(ds: Readable, keyword: str) -> list[codes.Item] | None:
        found = [codes.passed(item, known) for item in items_of(ds, keyword)]
        return [item for item in found if item] or None

    return rule


def items(rules: Mapping[str, Rule]) -> Rule:
    """A sequence of which only these elements are taken; an item without any stays, for others count it."""

    def rule(ds: Readable, keyword: str) -> list[dict[str, Any]] | None:
        return [taken(item, rules) for item in items_of(ds, keyword)] or None

    return rule


def items_of(ds: Readable, keyword: str) -> list[Dataset]:
    value = ds.get(keyword) or []
    return [item for item in list(value)[:MOST_ITEMS] if isinstance(item, Dataset)]


def taken(ds: Readable, rules: Mapping[str, Rule]) -> dict[str, Any]:
    found = {keyword: read(ds, keyword, rule) for keyword, rule in rules.items()}
    return {keyword: value for keyword, value in found.items() if value is not None}


def read(ds: Readable, keyword: str, rule: Rule) -> Any:
    try:
        return rule(ds, keyword)
    except UNREADABLE:
        return None


LIMITS = {"EnergyWindowLowerLimit": one_number, "EnergyWindowUpperLimit": one_number}
DETECTOR = {
    "CollimatorType": words("PARA", "PINH", "FANB", "CONE", "SLNT", "ASTG", "DIVG", "NONE", "UNKN"),
    "ViewCodeSequence": coded(codes.VIEWS),
}
# dose and nuclide are clinical data: the archive view alone shows them
TRACER = {
    "RadiopharmaceuticalStartTime": time_of_day,
    "RadionuclideTotalDose": one_number,
    "RadionuclideHalfLife": one_number,
    "RadionuclidePositronFraction": one_number,
    "RadiopharmaceuticalStartDateTime": moment,
    "RadionuclideCodeSequence": coded(codes.NUCLIDES),
}
CORRECTIONS = words(
    "UNIF", "COR", "NCO", "DECY", "ATTN", "SCAT", "DTIM", "NRGY", "LIN", "MOTN", "CLN", "PMOT", "RAN",
    "RADL", "DCAL", "NORM",
)  # fmt: skip
UNITS = words(
    "CNTS", "NONE", "CM2", "CM2ML", "PCNT", "CPS", "BQML", "MGMINML", "UMOLMINML", "MLMING", "MLG", "1CM",
    "UMOLML", "PROPCNTS", "PROPCPS", "MLMINML", "MLML", "GML", "STDDEV",
)  # fmt: skip
RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "CountsAccumulated": one_number,
        "DataCollectionDiameter": one_number,
        "ActualFrameDuration": one_number,
        "CorrectedImage": CORRECTIONS,
        "EnergyWindowVector": vector,
        "NumberOfEnergyWindows": one_number,
        "EnergyWindowInformationSequence": items({"EnergyWindowRangeSequence": items(LIMITS)}),
        "RadiopharmaceuticalInformationSequence": items(TRACER),
        "DetectorVector": vector,
        "DetectorInformationSequence": items(DETECTOR),
        "RotationVector": vector,
        "NumberOfRotations": one_number,
        "RotationInformationSequence": items({"NumberOfFramesInRotation": one_number}),
        "PatientOrientationCodeSequence": coded(codes.ORIENTATIONS),
        "PatientGantryRelationshipCodeSequence": coded(codes.RELATIONSHIPS),
        "SeriesType": words("STATIC", "DYNAMIC", "GATED", "WHOLE BODY", "IMAGE", "REPROJECTION"),
        "Units": UNITS,
        "CountsSource": words("EMISSION", "TRANSMISSION"),
        "DecayCorrection": words("NONE", "START", "ADMIN"),
        "FrameReferenceTime": one_number,
        "DecayFactor": one_number,
        "ImageIndex": one_number,
    }
)  # fmt: skip
VECTORS = ("EnergyWindowVector", "DetectorVector", "RotationVector")


def emission(ds: Readable) -> dict[str, Any]:
    """Listed values by keyword, sequences as lists of such; empty for a CT, which has no emission modules."""
    is_bare = isinstance(ds, Header) and not ds.has_any(RULES)
    return {} if is_bare else taken(ds, RULES)


def moved_facts(facts: dict[str, Any], weeks: int, order: list[int] | None) -> dict[str, Any]:
    """Facts as the archive keeps them: dates moved back, numbers per frame in the order of its frames."""
    known = facts.get("emission") or {}
    n = len(order or [])
    ordered = {
        k: [known[k][i] for i in order]
        for k in VECTORS
        if order and k in known and len(known[k]) == n
    }
    tracers = [moved_tracer(item, weeks) for item in known.get(TRACERS, [])]
    own = {**known, **ordered, **({TRACERS: tracers} if tracers else {})}
    days = {k: mover(k)(v, weeks) for k, v in facts["dates"].items()}
    return {**facts, "dates": {k: v for k, v in days.items() if v}, "emission": own}


def mover(keyword: str) -> Callable[[str, int], str]:
    return shifted if kind_of(keyword) == "DA" else shifted_moment


def moved_tracer(item: dict[str, Any], weeks: int) -> dict[str, Any]:
    found = item.get(STARTED)
    if found is None:
        return item
    rest = {k: v for k, v in item.items() if k != STARTED}
    day = shifted_moment(found, weeks)
    return {**rest, STARTED: day} if day else rest
