"""A figure drawn by matplotlib, as SVG or PNG bytes; a footer on each."""

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from portal.dashboard.plots import Plot, Point, Series

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f7f7f")
DASHES = ("-", "--", ":", "-.")
UNIT = {"roc", "calibration"}
LOG = {"lasso_path", "cv"}
GREY, INK = "#9fb0b5", "#51626a"
# a fixed salt keeps the ids inside an SVG, and so its bytes, the same every time
SVG_IDS: Any = {"svg.hashsalt": "osteon", "svg.fonttype": "path"}


def draw(plot: Plot, *, footer: str) -> Figure:
    figure = Figure(figsize=(6.4, height_of(plot)), layout="constrained")
    axes = figure.add_subplot()
    PAINTERS.get(plot.kind, numeric)(axes, plot)
    axes.set_title(plot.title, fontsize=11)
    if len(plot.series) > 1 and plot.kind != "heat":
        axes.legend(fontsize=7, frameon=False)
    figure.supxlabel(footer, fontsize=5.5, color=INK, wrap=True)
    return figure


def height_of(plot: Plot) -> float:
    """Inches: figures with one row per category grow with them."""
    if plot.kind in {"bars", "forest", "box", "heat"}:
        return max(3.2, 1.6 + 0.32 * len(names_of(plot)))
    return 5.2


def names_of(plot: Plot) -> list[str]:
    """Categories in the order they were given, each once."""
    return list(dict.fromkeys(str(p["x"]) for s in plot.series for p in s.points))


def number(point: Point, key: str) -> float:
    """A coordinate, the point's own value where there is no limit."""
    value = point.get(key)
    return float(point["y"] or 0.0) if value is None else float(value)


def numeric(axes: Any, plot: Plot) -> None:
    for index, series in enumerate(plot.series):
        one_series(axes, series, index)
    if plot.kind in UNIT:
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle="--")
    if plot.kind in LOG:
        axes.set_xscale("log")
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)


def one_series(axes: Any, series: Series, index: int) -> None:
    colour = COLOURS[index % len(COLOURS)]
    xs, ys = [p["x"] for p in series.points], [p["y"] for p in series.points]
    if any(p.get("low") is not None for p in series.points):
        low, high = ([number(p, key) for p in series.points] for key in ("low", "high"))
        axes.vlines(xs, low, high, color=colour, linewidth=0.8)
    if series.style == "dots":
        axes.plot(xs, ys, "o", color=colour, label=series.name, markersize=5)
    else:
        dash = DASHES[index // len(COLOURS) % len(DASHES)]
        axes.plot(xs, ys, dash, color=colour, linewidth=1.4, label=series.name)


def categorical(axes: Any, plot: Plot) -> None:
    """One row per category, series beside each other in it."""
    place = {name: i for i, name in enumerate(names_of(plot))}
    n = len(plot.series)
    for index, series in enumerate(plot.series):
        colour = COLOURS[index % len(COLOURS)]
        rows = [place[str(p["x"])] + 0.28 * (index - (n - 1) / 2) for p in series.points]
        low, high = ([number(p, key) for p in series.points] for key in ("low", "high"))
        axes.hlines(rows, low, high, color=colour, linewidth=1.2)
        if plot.kind == "box":
            q1, q3 = ([number(p, key) for p in series.points] for key in ("q1", "q3"))
            axes.hlines(rows, q1, q3, color=colour, linewidth=6, alpha=0.6)
        axes.plot(
            [p["y"] for p in series.points],
            rows,
            "o",
            color=colour,
            label=series.name,
            markersize=4,
        )
    if plot.kind == "forest":
        axes.axvline(0, color=GREY, linewidth=0.8, linestyle="--")
    axes.set_yticks(list(place.values()), list(place), fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel(plot.y_label)


def histogram(axes: Any, plot: Plot) -> None:
    for index, series in enumerate(plot.series):
        edges = [number(p, "low") for p in series.points]
        heights = [number(p, "y") for p in series.points]
        widths = [number(p, "high") - number(p, "low") for p in series.points]
        axes.bar(edges, heights, widths, align="edge", alpha=0.45, label=series.name,
                 color=COLOURS[index % len(COLOURS)])  # fmt: skip
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)


def heat(axes: Any, plot: Plot) -> None:
    names = [s.name for s in plot.series]
    place = {name: i for i, name in enumerate(names)}
    grid = np.full((len(names), len(names)), np.nan)
    for series in plot.series:
        for point in series.points:
            grid[place[series.name], place[str(point["x"])]] = point["y"]
    shown = axes.imshow(grid, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=6)
    axes.set_yticks(range(len(names)), names, fontsize=6)
    axes.figure.colorbar(shown, label=plot.y_label)


PAINTERS: Mapping[str, Callable[[Any, Plot], None]] = {
    "bars": categorical,
    "forest": categorical,
    "box": categorical,
    "histogram": histogram,
    "heat": heat,
}


def svg(plot: Plot, *, footer: str) -> bytes:
    figure, out = draw(plot, footer=footer), io.BytesIO()
    FigureCanvasSVG(figure)
    with rc_context(SVG_IDS):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def png(plot: Plot, *, footer: str) -> bytes:
    figure, out = draw(plot, footer=footer), io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()
