"""Figures of the lesions behind a part: outlines, reliability, features; and the list of all figures of a part."""

from collections.abc import Callable, Mapping
from functools import partial

from portal.analysis.cases import NAMES
from portal.analysis.feature_figures import BINS
from portal.dashboard.plots import (
    Figures,
    Plot,
    Point,
    Scene,
    Series,
    auc_bars,
    calibration,
    decision,
    differences,
    interval,
    rates,
    roc,
    times,
)

Draw = Callable[[Figures, Scene], Plot]
PART_FIGURES: Mapping[str, Draw] = {
    "auc": auc_bars,
    "roc": roc,
    "differences": differences,
    "rates": rates,
    "calibration": calibration,
    "decision": decision,
    "times": times,
}


def outlines(figures: Figures, scene: Scene) -> Plot:
    points = [
        interval(f"{r['modality']}, {r['between']}", r["dice"], "median")
        for r in figures["outlines"]
        if r["n_same_image"]
    ]
    return Plot(
        "bars", f"Overlap of repeated outlines, {scene.part}", "", "Dice, median and quartiles",
        [Series("Dice", points, "dots")],
        "Dice of two drawings of a lesion on the same image, between delineators and within one.",
    )  # fmt: skip


def reliability(figures: Figures, scene: Scene) -> Plot:
    series = []
    for row in figures["reliability"]:
        points: list[Point] = [
            {"x": (low + high) / 2, "y": count, "low": low, "high": high}
            for low, high, count in zip(BINS[:-1], BINS[1:], row["counts"], strict=True)
        ]
        series.append(Series(f"{row['modality']}, {row['between']}, {row['form']}", points))
    return Plot(
        "histogram", f"Reliability of the features, {scene.part}", "ICC", "Features", series,
        "How many features have which intraclass correlation over repeated drawings; values below 0 "
        "stand in the first tenth.",
    )  # fmt: skip


def coefficients(figures: Figures, scene: Scene, *, kind: str) -> Plot:
    rows = [r for r in figures["features"][kind]["coefficients"] if r["term"] != "(Intercept)"]
    return Plot(
        "forest", f"Coefficients, {NAMES[kind]}", "", "Log odds ratio per SD with 95 % CI",
        [Series("Coefficient", [interval(r["term"], r, "coef") for r in rows], "dots")],
        "Coefficients of the refit on the selected features, fitted on the training part.",
    )  # fmt: skip


def boxes(figures: Figures, scene: Scene, *, kind: str) -> Plot:
    series = []
    for name in ("metastasis", "benign"):
        points: list[Point] = [
            dict(zip(("low", "q1", "y", "q3", "high"), row[name], strict=True))
            | {"x": row["feature"]}
            for row in figures["features"][kind]["by_class"]
        ]
        series.append(Series(name.capitalize(), points))
    return Plot(
        "box", f"Selected features by class, {NAMES[kind]}, {scene.part}", "", "Standard deviations of the training part",
        series, "Minimum, quartiles, median and maximum of each selected feature by class.",
    )  # fmt: skip


def correlation(figures: Figures, scene: Scene, *, kind: str) -> Plot:
    found = figures["features"][kind]
    series = []
    for name, row in zip(found["names"], found["correlation"], strict=True):
        cells: list[Point] = [
            {"x": other, "y": r}
            for other, r in zip(found["names"], row, strict=True)
            if r is not None
        ]
        series.append(Series(name, cells))
    return Plot(
        "heat", f"Correlation of the selected features, {NAMES[kind]}, {scene.part}", "", "Pearson r", series,
        "Pearson correlation between the features of the model.",
    )  # fmt: skip


KIND_FIGURES: Mapping[str, Callable[..., Plot]] = {
    "coefficients": coefficients,
    "boxes": boxes,
    "correlation": correlation,
}


def part_figures(figures: Figures) -> dict[str, Draw]:
    """Every figure that these stored figures allow, by key, in the order of the page."""
    found: dict[str, Draw] = dict(PART_FIGURES)
    if figures.get("outlines"):
        found["outlines"] = outlines
    if figures.get("reliability"):
        found["reliability"] = reliability
    for kind, feature in figures.get("features", {}).items():
        if feature["names"]:
            found |= {
                f"{key}-{kind}": partial(draw, kind=kind) for key, draw in KIND_FIGURES.items()
            }
    return found


def draw_part(figures: Figures, scene: Scene, key: str) -> Plot:
    """One figure with the notes of its part; raises KeyError for one that is not there."""
    return part_figures(figures)[key](figures, scene).with_notes(scene.notes)
