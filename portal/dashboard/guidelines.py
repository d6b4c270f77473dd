"""Reporting guidelines pre-filled from the database: STARD 2015, CLAIM 2024, CLEAR, METRICS, TRIPOD+AI."""

import csv
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from portal.dashboard.facts import NOT_RECORDED, Facts
from portal.dashboard.tables import Table

FOLDER = Path(__file__).with_name("checklists")
GUIDELINES: Mapping[str, str] = MappingProxyType(
    {
        "stard-2015": "STARD 2015",
        "claim-2024": "CLAIM 2024",
        "clear": "CLEAR",
        "metrics": "METRICS",
        "tripod-ai": "TRIPOD+AI",
    }
)


def sheet(key: str, facts: Facts) -> Table:
    """Every item of a guideline with what the database says of it, or that it says nothing."""
    with (FOLDER / f"{key}.csv").open(encoding="utf-8", newline="") as source:
        rows = [
            (row["item"], row["asks"], facts.get(row["topic"], NOT_RECORDED))
            for row in csv.DictReader(source)
        ]
    columns = ("item", "asks for", "what is recorded")
    note = "Items in our own words; numbering is the guideline's. Pre-filled from the database, to be checked by the authors."
    return Table(f"{GUIDELINES[key]}, pre-filled", columns, rows, (note,))
