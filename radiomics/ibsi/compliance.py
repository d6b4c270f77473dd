"""Compliance with the published reference values of the digital phantom."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radiomics.ibsi import NOT_IMPLEMENTED, measure

FAMILIES = {
    "morph": "Morphology", "loc": "Local intensity", "stat": "Intensity statistics", "ih": "Intensity histogram",
    "ivh": "Intensity-volume histogram", "cm": "Co-occurrence", "rlm": "Run length", "szm": "Size zone",
    "dzm": "Distance zone", "ngt": "Neighbourhood grey tone difference", "ngl": "Neighbourhood dependence",
}  # fmt: skip
HEAD = """# IBSI compliance

Every value that the Image Biomarker Standardisation Initiative publishes for its digital phantom (CC BY 4.0, “Image Biomarker
Standardisation Initiative, digital phantom”), beside what `radiomics.ibsi` computes: no interpolation, levels 1 to 6 as they are,
rounded to three digits, at the published tolerance. Made by `python -m radiomics.ibsi` with the two files of `tests/golden/features`;
a test keeps this page true. The definitions are those of the IBSI reference manual.

"""


@dataclass(frozen=True)
class Line:
    """One tag: published value and tolerance (None where none is published), ours (None if not implemented)."""

    tag: str
    reference: float | None
    tolerance: float
    found: float | None

    @property
    def is_within(self) -> bool | None:
        """Whether three digits agree within the tolerance; None if nothing is published."""
        if self.reference is None:
            return None
        if self.found is None:
            return False
        slack = self.tolerance + 1e-9 * abs(self.reference)
        return abs(float(f"{self.found:.3g}") - self.reference) <= slack


def lines(reference: Path, phantom: Path) -> list[Line]:
    """Every tag of the reference table, in its order, with what is computed on the phantom (spacing 2 mm)."""
    volume = np.load(phantom, allow_pickle=False)
    values = measure(
        volume["image"], volume["mask"], (2.0, 2.0, 2.0), levels=volume["image"], n_levels=6
    ).values
    with reference.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    return [
        Line(
            row["tag"],
            float(row["reference value"]) if row["reference value"] else None,
            float(row["tolerance"] or 0),
            None if row["tag"] in NOT_IMPLEMENTED else values[row["tag"]],
        )
        for row in rows
    ]


def report(reference: Path, phantom: Path) -> str:
    """The compliance page as Markdown."""
    found = lines(reference, phantom)
    published = [line for line in found if line.reference is not None]
    within = sum(bool(line.is_within) for line in published)
    parts = [HEAD, f"**{within} of {len(published)} published values reproduced.**\n"]
    for family, title in FAMILIES.items():
        parts.append(section(title, [x for x in found if x.tag.split("_")[0] == family]))
    return "\n".join(parts)


def section(title: str, found: list[Line]) -> str:
    """One family as a table."""
    published = [line for line in found if line.reference is not None]
    within = sum(bool(line.is_within) for line in published)
    rows = [
        f"| `{x.tag}` | {shown(x.reference)} | {x.tolerance:g} | {shown(x.found)} | {verdict(x)} |"
        for x in found
    ]
    table = "\n".join(
        ["| tag | published | tolerance | computed | |", "|---|---|---|---|---|", *rows]
    )
    return f"## {title}: {within} of {len(published)}\n\n{table}\n"


def shown(value: float | None) -> str:
    """A number of the table, a dash where there is none."""
    return "–" if value is None else f"{value:.6g}"


def verdict(line: Line) -> str:
    """The last column of the table."""
    if line.found is None:
        return "not implemented"
    return {None: "nothing published", True: "within", False: "**outside**"}[line.is_within]
