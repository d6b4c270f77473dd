"""The CSV files that people fill in: read whole or refused whole, written so that no spreadsheet computes in them."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import Invalid
from portal.study.csv_rows import FORMULA_STARTS, Column, csv_text, number, safe, table

KNOWN = ("a", "b", "c")
CELL = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff"), max_size=12)  # fmt: skip


def read(text: str) -> list[dict[str, str]]:
    return table(text, KNOWN, ("a",))


def test_rows_are_read_by_the_names_of_the_first_line() -> None:
    assert read("b,a\n1,2\n3,4\n") == [{"b": "1", "a": "2"}, {"b": "3", "a": "4"}]


@pytest.mark.parametrize(
    "text",
    ["a,b\n1,2\n", "a;b\n1;2\n", "\ufeffa,b\n1,2\n", "A , B\n 1 ,2 \n", '"a","b"\n"1","2"\n', "a,b\r\n1,2\r\n",
     "a,b\n1,2"],
)  # fmt: skip
def test_what_spreadsheets_write_is_read_alike(text: str) -> None:
    assert read(text) == [{"a": "1", "b": "2"}]


def test_a_short_row_has_empty_cells() -> None:
    assert read("a,b,c\n1\n") == [{"a": "1", "b": "", "c": ""}]


def test_empty_cells_beyond_the_last_name_are_nothing() -> None:
    assert read("a,b\n1,2,,\n") == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize(("text", "row"), [("a,b\n1,5,70\n", 2), ("a,b\n1,2\n3,4,5\n", 3), ("a;b\n1;2;x\n", 2)])  # fmt: skip
def test_a_row_that_has_slipped_is_refused_by_its_number(text: str, row: int) -> None:
    """1,5 for one and a half would move every cell behind it."""
    with pytest.raises(Invalid, match=f"Row {row} has more cells") as refusal:
        read(text)
    assert refusal.value.field == "file"


def test_a_decimal_comma_between_semicolons_stays_in_its_cell() -> None:
    assert read("a;b\n1,5;2\n") == [{"a": "1,5", "b": "2"}]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "a is missing"),
        ("b,c\n1,2\n", "a is missing"),
        ("a,d\n1,2\n", "The first line holds d"),
        ("a,a\n1,2\n", "a name twice"),
        ('a,b\n"1,2\n', "not a readable CSV file"),
        ('a,b\n1,"2"x\n', "not a readable CSV file"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        read(text)


@given(st.text(max_size=60))
def test_no_text_whatever_does_worse_than_a_refusal(text: str) -> None:
    try:
        rows: object = read(text)
    except Invalid as refusal:
        rows = refusal.sentence
    assert isinstance(rows, str | list)


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=6))
def test_what_is_written_is_read_again(rows: list[tuple[str, str, str]]) -> None:
    text = csv_text([Column(name, "") for name in KNOWN], rows)
    kept = [row for row in rows if not any(";" in cell for cell in row)]
    if len(kept) == len(rows):
        read_back = [[row[name].removeprefix("'") for name in KNOWN] for row in read(text)]
        assert read_back == [[cell.strip().removeprefix("'") for cell in row] for row in rows]


@given(CELL)
def test_no_written_cell_begins_as_a_formula(cell: str) -> None:
    written = next(csv.reader(io.StringIO(csv_text([Column("a", "")], [(cell,)]).split("\n", 1)[1])), [""])  # fmt: skip
    assert not "".join(written).startswith(FORMULA_STARTS)


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("\n=1+1", "'\n=1+1"),
        ("\t@x", "'\t@x"),
        ("-5", "'-5"),
        (-5, -5),
        (None, ""),
        ("", ""),
        ("a=b", "a=b"),
        (0, 0),
    ],
)
def test_text_is_made_safe_and_numbers_stay(cell: object, written: object) -> None:
    assert safe(cell) == written


@pytest.mark.parametrize(("text", "value"), [("1", 1.0), ("-30.25", -30.25), ("1e3", 1000.0), ("100000", 1e5)])  # fmt: skip
def test_a_number_is_read(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-inf", "100001", "1e9", "1_0", "1,5", "0x10"])  # fmt: skip
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the callers say which column
        number(text)
