"""Every golden file against our functions, and the page that says how many values and how near."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from radiomics.stats.mrmc import obuchowski_rockette
from tests.radiomics.golden_comparisons import (
    Ledger,
    compare_design,
    compare_pair,
    compare_roc_score,
    comparison_of,
    files,
    ledger,
    mrmc_ratings,
)

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("OSTEON_SHARED", ROOT.parent / "shared"))
PUBLIC = SHARED / "golden" / "stats" / "public"
NOT_HERE = "golden public data not present (read from ../shared only)"
ROW = re.compile(r"^\| `(\w[^`]*)` \| (\d+) \| ([\d.]+) \|$", re.MULTILINE)
# a certificate may end anywhere below half its tolerance, on another machine a little elsewhere
PLAY = 0.1


def documented() -> dict[str, tuple[int, float]]:
    text = (ROOT / "docs" / "golden.md").read_text()
    return {name: (int(n), float(share)) for name, n, share in ROW.findall(text)}


@pytest.mark.parametrize("name", files())
def test_every_value_of_a_golden_file_is_met_as_the_page_says(name):
    book = ledger(name)
    assert book.worst <= 1, book.where
    values, worst = documented()[name]
    assert book.values == values
    assert book.worst <= worst + PLAY, book.where


def test_the_page_lists_every_golden_file_and_their_sum():
    rows = documented()
    assert sorted(rows) == files()
    total = sum(values for values, _ in rows.values())
    text = (ROOT / "docs" / "golden.md").read_text()
    assert f"| {len(rows)} files | {total} | |" in text


def test_a_file_that_nothing_compares_is_an_error():
    with pytest.raises(LookupError, match="unknown_set"):
        comparison_of("unknown_set")


def test_a_ledger_counts_what_is_known_and_keeps_the_worst():
    book = Ledger()
    book.near("a", [1.0, 2.0, 9.0], [1.0, 2.5, None], 1.0)
    book.same("b", ["x"], ["x"])
    assert (book.values, book.worst, book.where) == (3, 0.5, "a")


@pytest.mark.parametrize("found", [[1.0, np.nan], [1.0], [1.0, np.inf]])
def test_a_ledger_takes_a_missing_or_undefined_number_for_a_failure(found):
    book = Ledger()
    book.near("a", found, [1.0, 2.0], 1e9)
    assert book.worst == np.inf


def test_a_ledger_takes_another_order_of_names_for_a_failure():
    book = Ledger()
    book.same("a", ["y", "x"], ["x", "y"])
    assert book.worst == np.inf


@pytest.mark.skipif(not PUBLIC.exists(), reason=NOT_HERE)
def test_the_published_asah_values_are_met():
    wanted = json.loads((PUBLIC / "out" / "roc_PUBLIC_aSAH.json").read_text())
    table = np.genfromtxt(PUBLIC / "in" / "pROC_aSAH.csv", delimiter=",", names=True)
    book = Ledger()
    for score in ("s1", "s2", "s3"):
        compare_roc_score(book, table["y"], table[score], wanted[score])
    for pair, theirs in wanted["pairs"].items():
        first, second = pair.split("_")
        compare_pair(book, table["y"], table[first], table[second], theirs)
    assert book.worst <= 1, book.where
    assert [round(wanted[s]["auc"], 4) for s in ("s1", "s2", "s3")] == [0.7314, 0.6120, 0.8237]


@pytest.mark.skipif(not PUBLIC.exists(), reason=NOT_HERE)
@pytest.mark.parametrize("name", ["VanDyke", "Franken"])
@pytest.mark.parametrize("covariance", ["DeLong", "jackknife", "unbiased"])
@pytest.mark.parametrize(("key", "design"), [("none", "random"), ("reader", "fixed_readers"), ("case", "fixed_cases")])  # fmt: skip
def test_public_reader_studies_are_mrmcaovs(name, covariance, key, design):
    wanted = json.loads((PUBLIC / "out" / f"mrmc_PUBLIC_{name}.json").read_text())
    entry = wanted.get(f"{covariance}_{key}", {"error": "absent"})
    if "error" in entry:
        pytest.skip("R failed on this entry")
    lines = (PUBLIC / "in" / f"{name}.csv").read_text().replace('"', "").splitlines()
    heads = lines[0].split(",")
    cells = np.array([line.split(",") for line in lines[1:]])
    data = {k: cells[:, heads.index(k)].astype(float) for k in ("reader", "treatment", "case", "truth", "rating")}  # fmt: skip
    y, table = mrmc_ratings(data)
    book = Ledger()
    compare_design(book, obuchowski_rockette(y, table, covariance=covariance.lower(), design=design), entry)  # fmt: skip
    assert book.worst <= 1, book.where
