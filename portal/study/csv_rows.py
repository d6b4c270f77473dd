"""Reading and writing the CSV files that people fill in: known columns, one problem per fault."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from portal.errors import Invalid

MAX_ROWS = 100_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True)
class Column:
    """A column of the file: its name and what belongs in it."""

    name: str
    text: str


@dataclass(frozen=True)
class Problem:
    """What is wrong with one row (the header is row 1)."""

    row: int
    column: str
    sentence: str


def safe(cell: object) -> object:
    """Text that a spreadsheet would take for a formula gets a leading apostrophe; numbers stay."""
    if isinstance(cell, str) and cell.startswith(FORMULA_STARTS):
        return "'" + cell
    return "" if cell is None else cell


def csv_text(columns: Iterable[Column], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(c.name for c in columns)
    writer.writerows([safe(cell) for cell in row] for row in rows)
    return out.getvalue()


def table(text: str, known: Iterable[str], required: Iterable[str]) -> list[dict[str, str]]:
    """Rows of a CSV by column name; raises Invalid when the file as a whole cannot be read."""
    text = text.lstrip("\ufeff")
    if "\0" in text:
        raise Invalid("This is not a text file; save it as CSV UTF-8.", field="file")
    first = text.split("\n", 1)[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise Invalid(f"This is not a readable CSV file: {error}.", field="file") from error
    header = [name.strip().lower() for name in rows[0]] if rows else []
    refuse_header(header, set(known), required)
    if len(rows) - 1 > MAX_ROWS:
        raise Invalid(f"A file has at most {MAX_ROWS} rows; split it.", field="file")
    refuse_surplus(rows, len(header))
    padded = ([*row, *[""] * (len(header) - len(row))] for row in rows[1:])
    return [dict(zip(header, (c.strip() for c in row), strict=False)) for row in padded]


def refuse_header(header: list[str], known: set[str], required: Iterable[str]) -> None:
    lacking = [name for name in required if name not in header]
    if lacking:
        raise Invalid(f"The first line must name the columns; {', '.join(lacking)} is missing.", field="file")  # fmt: skip
    strange = sorted(set(header) - known)
    if strange or len(set(header)) < len(header):
        names = ", ".join(strange) or "a name twice"
        raise Invalid(f"The first line holds {names}; use the columns of the template.", field="file")  # fmt: skip


def refuse_surplus(rows: Sequence[Sequence[str]], width: int) -> None:
    """A row with more cells than names has slipped, most often by a comma inside a number."""
    for place, row in enumerate(rows, start=1):
        if any(cell.strip() for cell in row[width:]):
            raise Invalid(
                f"Row {place} has more cells than the first line has names; put cells that hold the "
                f"delimiter in quotes, and write numbers with a decimal point.", field="file",
            )  # fmt: skip


def whole(text: str) -> int:
    """A whole number in plain digits: Python's `1_0` and digits of other scripts are refused."""
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", text):
        raise ValueError(text)
    return int(text)


def number(text: str) -> float:
    if "_" in text or not text.isascii():  # Python's own digit grouping is nobody's number
        raise ValueError(text)
    value = float(text)
    if abs(value) > 100_000 or value != value:  # NaN differs from itself
        raise ValueError(text)
    return value
