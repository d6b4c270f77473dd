"""A figure as CSV, SVG or PNG; text cells are made safe for spreadsheets."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from portal.dashboard.plots import Plot, Series
from portal.study.csv_rows import safe

SYNTHETIC = (
    "Synthetic data: computer-made images and simulated readers. "
    "Figures here test the software; they are not medical evidence."
)
COLOURS = ("#0b6e75", "#c2571a", "#5b3a8e", "#1c5f34", "#a3231b", "#51626a", "#8a6d00", "#2b4c9b")


def csv_text(
    header: Sequence[str], rows: Iterable[Sequence[Any]], *, comments: Sequence[str] = ()
) -> str:
    out = io.StringIO()
    for comment in comments:
        out.write(f"# {comment}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([safe(cell) for cell in row])
    return out.getvalue()


def plot_csv(plot: Plot, *, comments: Sequence[str]) -> str:
    rows = [
        [s.name, p["x"], p["y"], p.get("low"), p.get("high")] for s in plot.series for p in s.points
    ]
    return csv_text(["series", "x", "y", "low", "high"], rows, comments=[plot.title, *comments])


def draw(plot: Plot, *, footer: str) -> Figure:
    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    axes = figure.add_subplot()
    for index, series in enumerate(plot.series):
        draw_series(axes, series, COLOURS[index % len(COLOURS)])
    if plot.kind in {"roc", "calibration"}:
        axes.plot([0, 1], [0, 1], color="#9fb0b5", linewidth=0.8, linestyle="--")
    if plot.kind in {"lasso_path", "cv"}:
        axes.set_xscale("log")
    axes.set_title(plot.title)
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    if plot.kind != "lasso_path":
        axes.legend(fontsize=7, frameon=False)
    figure.supxlabel(footer, fontsize=5.5, color="#51626a")
    return figure


def draw_series(axes: Any, series: Series, colour: str) -> None:
    xs = [p["x"] for p in series.points]
    ys = [p["y"] for p in series.points]
    if series.style == "dots":
        low = [abs(float(p["y"] or 0) - float(p.get("low") or p["y"] or 0)) for p in series.points]
        high = [
            abs(float(p.get("high") or p["y"] or 0) - float(p["y"] or 0)) for p in series.points
        ]
        axes.errorbar(xs, ys, yerr=[low, high], fmt="o", color=colour, label=series.name, capsize=3)
    else:
        axes.plot(xs, ys, color=colour, linewidth=1.4, label=series.name)


def svg(plot: Plot, *, footer: str) -> bytes:
    figure = draw(plot, footer=footer)
    out = io.BytesIO()
    FigureCanvasSVG(figure)
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def png(plot: Plot, *, footer: str) -> bytes:
    figure = draw(plot, footer=footer)
    out = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def plot_file(plot: Plot, form: str, *, comments: Sequence[str]) -> bytes:
    """A figure as the bytes of a `csv`, `svg` or `png` file, the comments as its head or foot."""
    if form == "csv":
        return plot_csv(plot, comments=comments).encode()
    footer = " · ".join(comments)
    return svg(plot, footer=footer) if form == "svg" else png(plot, footer=footer)
