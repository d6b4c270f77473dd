"""The ways in which the frames of a doubtful RECON TOMO may lie in the patient, for a coordinator to choose from.

The standard does not say whether the position of the header is that of the first frame or of slice 1, nor what holds
where no distance is told: each reading is shown on the CT, and none is taken by itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from portal.archive.geometry import Stack, Tomo, normal_of

# towards where an axis of the patient points (LPS)
ENDS = (("left", "right"), ("back", "front"), ("head", "feet"))
NUMBERINGS = {
    "frames": "the frames in the order of the file, without regard to their numbers",
    "slice1": "sorted by their numbers, slice 1 at the position of the header",
    "frame1": "sorted by their numbers, the first frame at the position of the header",
}


@dataclass(frozen=True)
class Stacking:
    """One way to stack the frames: its code, what it takes for true, and where the slices then lie."""

    code: str
    words: str
    stack: Stack


def stackings(tomo: Tomo, n_frames: int) -> list[Stacking]:
    """Every reading of such a header that makes a volume; two that come to the same are one."""
    found: dict[tuple[tuple[int, ...], tuple[tuple[float, float, float], ...]], Stacking] = {}
    for numbering, places in numberings(tomo.numbered, n_frames):
        for sign, signed_mm, words in distances(tomo):
            stack = tomo.stacked(places, signed_mm)
            said = "; ".join(filter(None, (words, NUMBERINGS[numbering] if tomo.numbered else "")))
            one = Stacking(numbering + sign, f"{said[0].upper()}{said[1:]}.", stack)
            found.setdefault((stack.order, stack.positions), one)
    return list(found.values())


def numberings(numbered: tuple[int, ...], n_frames: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """By whose number each frame lies how many steps from the header's position."""
    is_whole = len(numbered) == n_frames
    if is_whole and sorted(numbered) == list(range(min(numbered), min(numbered) + n_frames)):
        yield "slice1", tuple(number - 1 for number in numbered)
        yield "frame1", tuple(number - numbered[0] for number in numbered)
    yield "frames", tuple(range(n_frames))


def distances(tomo: Tomo) -> Iterator[tuple[str, float, str]]:
    """The signed distance of the header; where it has none, that of the slices' thickness or of the pixels, both ways."""
    if tomo.signed_mm:
        yield "", tomo.signed_mm, ""
        return
    is_thick = tomo.thickness_mm is not None and tomo.thickness_mm > 0
    step = tomo.thickness_mm if is_thick and tomo.thickness_mm else tomo.frame.spacing[0]
    source = "the thickness of the slices" if is_thick else "the spacing of the pixels"
    for sign, signed_mm in (("+", step), ("-", -step)):
        yield sign, signed_mm, f"{step:g} mm apart ({source}), {towards(tomo, signed_mm)}"


def towards(tomo: Tomo, signed_mm: float) -> str:
    """Into which direction of the patient the frames follow each other."""
    along = [signed_mm * part for part in normal_of(tomo.frame)]
    axis = max(range(3), key=lambda k: abs(along[k]))
    ahead, behind = ENDS[axis]
    if along[axis] < 0:
        ahead, behind = behind, ahead
    return f"from the {behind} to the {ahead}"
