"""Files that leave the portal: RFC 4180 by a reader of our own, safe in a spreadsheet, strict JSON, zips that repeat."""

import csv
import hashlib
import io
import json
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.dashboard.archives import LIST, zipped
from portal.dashboard.cohort_plots import draw_part, part_figures
from portal.dashboard.cohort_tables import make_table, part_tables
from portal.dashboard.formats import (
    SYNTHETIC,
    csv_text,
    footer_of,
    plot_csv,
    plot_rows,
    table_csv,
)
from portal.dashboard.plots import Plot, Scene, Series
from portal.dashboard.tables import Beside, Table
from portal.dashboard.templatetags.dashboard_format import cell, is_number, lookup, num, percent
from portal.study.models import Study
from tests.dashboard.builders import figures

ALONE = Beside({}, is_published=False)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)
cells = st.one_of(st.none(), texts, st.integers(-(10**6), 10**6), st.floats(allow_nan=False, allow_infinity=False))  # fmt: skip


def rfc4180(text: str) -> list[list[str]]:
    """Records by the grammar of RFC 4180 section 2, written from it: CRLF ends a record, quotes double."""
    records, record, at = [], [], 0
    while at < len(text):
        if text[at] == '"':
            value, at = "", at + 1
            while text[at : at + 2] == '""' or text[at] != '"':
                step = 2 if text[at : at + 2] == '""' else 1
                value, at = value + text[at], at + step
            at += 1
        else:
            end = min(x for x in (text.find(",", at), text.find("\r\n", at)) if x >= 0)
            value, at = text[at:end], end
            assert not set(value) & set('"\r\n'), "a bare field holds no quote and no line break"
        record.append(value)
        if text[at : at + 2] == "\r\n":
            records, record, at = [*records, record], [], at + 2
        else:
            assert text[at] == ","
            at += 1
    assert not record, "the last record ends with a line break, too"
    return records


def shown(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(cells, min_size=n, max_size=n), min_size=1, max_size=4)))  # fmt: skip
def test_every_cell_comes_back_by_the_grammar_of_rfc_4180(rows):
    head, *body = rows
    found = rfc4180(csv_text([str(c) for c in head], body))
    assert found[0] == [shown(str(c)) for c in head]
    assert found[1:] == [[shown(c) for c in row] for row in body]


@settings(max_examples=60, deadline=None)
@given(st.lists(cells, min_size=2, max_size=4))
def test_no_text_begins_like_a_formula_and_every_number_stays_one(row):
    _, (*found,) = rfc4180(csv_text(["n"] * len(row), [row]))
    for value, text in zip(row, found, strict=True):
        if isinstance(value, int | float):
            assert float(text) == value
        else:
            assert not text.startswith(FORMULA)


@settings(max_examples=40, deadline=None)
@given(st.lists(texts, max_size=3), texts)
def test_comments_are_lines_of_their_own_whatever_they_hold(comments, title):
    text = table_csv(Table(title, ("a",), [(1,)]), comments=comments)
    lines = text.split("\r\n")
    assert lines[-3:] == ["a", "1", ""]
    assert len(lines) == len(comments) + 4
    assert all(line.startswith("# ") for line in lines[:-3])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), ("", ""), (0, "0"), (0.0, "0.0"), (-0.5, "-0.5"), (True, "True"), (1e-300, "1e-300"),
        (0.1 + 0.2, "0.30000000000000004"), ("-0.5", "'-0.5"), ("Dr. O'Neil, A", '"Dr. O\'Neil, A"'),
        ('say "x"', '"say ""x"""'), ("a\rb", '"a\rb"'), ("a\nb", '"a\nb"'), ("ä–ß", "ä–ß"), (" =1", " =1"),
    ],
)  # fmt: skip
def test_a_cell_is_written_so(value, text):
    assert csv_text(["a", "b"], [[value, 1]]) == f"a,b\r\n{text},1\r\n"


@pytest.mark.parametrize("part", ["train", "validation"])
def test_every_table_comes_back_from_its_csv_to_the_last_digit(part):
    for key in part_tables(figures(part)):
        table = make_table(figures(part), Scene(part, 1, is_synthetic=False), ALONE, key)
        text = table_csv(table, comments=["Study bone"])
        body = [r for r in rfc4180(text) if not r[0].startswith("# ")]
        assert body[0] == [shown(c) for c in table.columns]
        for raw, read in zip(table.rows, body[1:], strict=True):
            assert read == [shown(c) for c in raw], key


@pytest.mark.parametrize("part", ["train", "validation"])
def test_every_figure_comes_back_from_its_csv_point_by_point(part):
    for key in part_figures(figures(part)):
        plot = draw_part(figures(part), Scene(part, 1, is_synthetic=False), key)
        body = [r for r in rfc4180(plot_csv(plot, comments=[])) if not r[0].startswith("# ")]
        assert body[1:] == [[shown(c) for c in row] for row in plot_rows(plot)], key


@pytest.mark.parametrize("part", ["train", "validation"])
def test_json_of_a_figure_has_null_for_what_is_not_known_and_no_nan(part):
    for key in part_figures(figures(part)):
        body = draw_part(figures(part), Scene(part, 1, is_synthetic=False), key).as_json()
        assert json.loads(json.dumps(body, allow_nan=False)) == body


def test_a_point_without_limits_has_empty_cells():
    plot = Plot("bars", "t", "x", "y", [Series("s", [{"x": "a", "y": 1.0, "low": None}])], "d.")
    assert plot_rows(plot) == [["s", "a", 1.0, None, None]]
    assert plot_csv(plot, comments=[]).endswith("series,x,y,low,high\r\ns,a,1.0,,\r\n")


@pytest.mark.parametrize(
    ("is_synthetic", "wanted"),
    [
        (True, [SYNTHETIC, "Study bone, inputs 0123456789abcdef, research use only"]),
        (False, ["Study bone, inputs 0123456789abcdef, research use only"]),
    ],
)
def test_the_foot_names_study_inputs_and_use(is_synthetic, wanted):
    assert footer_of(Study(code="bone", is_synthetic=is_synthetic), "0123456789abcdef99") == wanted


names = st.text("abc/._-", min_size=1, max_size=8).filter(lambda n: n != LIST)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(names, st.binary(max_size=50), max_size=5))
def test_a_zip_holds_its_files_their_digests_and_nothing_of_the_clock(files):
    body = zipped(files.items())
    assert body == zipped(files.items())
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        listed = json.loads(archive.read(LIST))
        assert listed == {n: hashlib.sha256(b).hexdigest() for n, b in files.items()}
        assert sorted(archive.namelist()) == sorted([*files, LIST])
        assert {n: archive.read(n) for n in files} == files


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), ("", "–"), (0.5, "0.500"), (-0.5, "−0.500"), (0.0, "0.000"), (-0.0, "0.000"), (0.0004, "0.0004"),
        (-0.00012, "−0.00012"), (1e-12, "1e−12"), (0.001, "0.001"), (0.9996, "1.000"), (12, "12"), (0, "0"),
        (-3, "-3"), ("CT", "CT"), (1234.5678, "1234.568"),
    ],
)  # fmt: skip
def test_a_cell_of_the_page_has_three_decimals_or_a_dash(value, text):
    assert cell(value) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.12345, 3, "0.123"), (0.12345, 1, "0.1"), (-1, 2, "−1.00"), (None, 3, "–"), ("0.5", 1, "0.5"), (-0.0001, 3, "0.000")],
)  # fmt: skip
def test_a_number_of_the_page_has_as_many_decimals_as_asked_and_no_negative_nought(value, digits, text):  # fmt: skip
    assert num(value, digits) == text


@pytest.mark.parametrize(("value", "wanted"), [(1, True), (1.5, True), (True, False), ("1", False), (None, False)])  # fmt: skip
def test_numbers_stand_to_the_right_and_words_to_the_left(value, wanted):
    assert is_number(value) is wanted


@pytest.mark.parametrize(("value", "text"), [(0.5, "50 %"), (0, "0 %"), (1, "100 %"), (0.996, "100 %"), (None, "–")])  # fmt: skip
def test_shares_are_whole_per_cents(value, text):
    assert percent(value) == text


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        ([1, 2.5], True), ([None, 2.5, ""], True), (["a", 1], False), ([None, ""], False), ([True], False),
        (["1"], False), ([], False),
    ],
)  # fmt: skip
def test_a_column_of_numbers_and_gaps_stands_to_the_right_with_its_head(column, wanted):
    table = Table("t", ("name", "n"), [("x", value) for value in column])
    assert table.numeric == (False, wanted)
    assert table.heads == [("name", False), ("n", wanted)]
    assert table.lines == [[("x", False), (value, wanted)] for value in column]


def test_an_unknown_key_is_nothing():
    assert (lookup({"a": 1}, "a"), lookup({"a": 1}, "b")) == (1, None)


def test_pythons_own_reader_agrees_with_ours():
    text = csv_text(["a", "b"], [['x"y', "1\n2"], ["", None]])
    assert list(csv.reader(io.StringIO(text, newline=""))) == rfc4180(text)
