"""The digital phantom: every published reference value, at its tolerance."""

import csv
from pathlib import Path

import numpy as np
import pytest

from radiomics.ibsi import NOT_IMPLEMENTED, measure

GOLDEN = Path(__file__).parents[2] / "golden" / "features"
VOLUME = np.load(GOLDEN / "ibsi_digital_phantom.npz")
FOUND = measure(
    VOLUME["image"], VOLUME["mask"], (2.0, 2.0, 2.0), levels=VOLUME["image"], n_levels=6
)


def rows() -> list[tuple[str, str, str]]:
    with (GOLDEN / "ibsi_1_dig_phantom_reference.csv").open() as file:
        return [
            (row["tag"], row["reference value"], row["tolerance"])
            for row in csv.DictReader(file, delimiter=";")
        ]


PUBLISHED = [row for row in rows() if row[1]]


def three_digits(value: float) -> float:
    return float(f"{value:.3g}")


def test_the_table_has_487_tags_and_482_values():
    assert (len(rows()), len(PUBLISHED)) == (487, 482)


@pytest.mark.parametrize(
    ("tag", "reference", "tolerance"), PUBLISHED, ids=[r[0] for r in PUBLISHED]
)
def test_a_published_value_is_reproduced(tag, reference, tolerance):
    wanted = float(reference)
    slack = float(tolerance) + 1e-9 * abs(wanted)
    assert abs(three_digits(FOUND.values[tag]) - wanted) <= slack


def test_every_tag_of_the_table_is_computed_or_named_as_not_implemented():
    tags = {tag for tag, *_ in rows()}
    assert tags == set(FOUND.values) | set(NOT_IMPLEMENTED)
    assert set(FOUND.reasons) == set(NOT_IMPLEMENTED)
