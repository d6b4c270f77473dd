"""Tables and figures as CSV, figures as SVG or PNG; text cells are made safe for spreadsheets."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from portal.dashboard import drawing
from portal.dashboard.plots import Plot
from portal.dashboard.tables import Table
from portal.study.csv_rows import safe
from portal.study.models import Study

SYNTHETIC = (
    "Synthetic data: computer-made images and simulated readers. "
    "Figures here test the software; they are not medical evidence."
)
POINT = ("series", "x", "y", "low", "high")


def footer_of(study: Study, digest: str) -> list[str]:
    """What stands under every figure and above every table: the synthetic sentence first."""
    lines = [f"Study {study.code}, inputs {digest[:16]}, research use only"]
    return [SYNTHETIC, *lines] if study.is_synthetic else lines


def csv_text(
    header: Sequence[str], rows: Iterable[Sequence[Any]], *, comments: Sequence[str] = ()
) -> str:
    """Lines end as RFC 4180 says, so that a lone carriage return in a cell is quoted, too."""
    out = io.StringIO()
    for comment in comments:
        # one line each: a comment must not begin a row of its own
        out.write(f"# {' '.join(comment.split())}\r\n")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([safe(cell) for cell in header])
    for row in rows:
        writer.writerow([safe(cell) for cell in row])
    return out.getvalue()


def table_csv(table: Table, *, comments: Sequence[str]) -> str:
    """A table with its title and flags as comment lines."""
    return csv_text(table.columns, table.rows, comments=[*comments, table.title, *table.notes])


def columns_of(plot: Plot) -> tuple[str, ...]:
    """Boxes have their quartiles, too."""
    return (*POINT, "q1", "q3") if plot.kind == "box" else POINT


def plot_rows(plot: Plot) -> list[list[Any]]:
    keys = columns_of(plot)[1:]
    return [[s.name, *(p.get(key) for key in keys)] for s in plot.series for p in s.points]


def plot_csv(plot: Plot, *, comments: Sequence[str]) -> str:
    head = [*comments, plot.title, *plot.notes]
    return csv_text(columns_of(plot), plot_rows(plot), comments=head)


def plot_file(plot: Plot, form: str, *, comments: Sequence[str]) -> bytes:
    """A figure as the bytes of a `csv`, `svg` or `png` file, the comments as its head or foot."""
    if form == "csv":
        return plot_csv(plot, comments=comments).encode()
    footer = " · ".join([*comments, *plot.notes])
    return drawing.svg(plot, footer=footer) if form == "svg" else drawing.png(plot, footer=footer)
