"""What each figure draws: series of points taken from the stored figures, no arithmetic."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from portal.analysis.cases import NAMES


@dataclass(frozen=True)
class Series:
    """One line or set of dots: points with x, y and, where known, low and high."""

    name: str
    points: list[dict[str, float | str | None]]
    style: str = "line"


@dataclass(frozen=True)
class Plot:
    """A figure: what is drawn, its title, axes, one-sentence description and flags in words."""

    kind: str
    title: str
    x_label: str
    y_label: str
    series: list[Series]
    description: str
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "title": self.title,
            "x_label": self.x_label,
            "y_label": self.y_label,
            "series": [{"name": s.name, "style": s.style, "points": s.points} for s in self.series],
            "note": " ".join([self.description, *self.notes]),
        }


def line(name: str, xs: Sequence[Any], ys: Sequence[Any], style: str = "line") -> Series:
    points = [
        {"x": x, "y": y} for x, y in zip(xs, ys, strict=True) if x is not None and y is not None
    ]
    return Series(name, points, style)


def auc_bars(figures: Mapping[str, Any], part: str) -> Plot:
    rows = [(NAMES[k], v) for k, v in figures["auc"]["models"].items()]
    experts = figures["auc"]["experts"]
    if experts:
        rows += [("Experts (calls)", experts["calls"]), ("Experts (scores)", experts["scores"])]
    points: list[dict[str, float | str | None]] = [
        {"x": name, "y": v["auc"], "low": v["low"], "high": v["high"]} for name, v in rows
    ]
    return Plot(
        "bars", f"AUC, {part}", "", "AUC with 95 % CI", [Series("AUC", points, "dots")],
        "Area under the ROC curve of the models and the readers.",
    )  # fmt: skip


def roc(figures: Mapping[str, Any], part: str) -> Plot:
    curves = figures["roc"]
    series = [
        Series(NAMES[k], [{"x": x, "y": y} for x, y in points])
        for k, points in curves["models"].items()
    ]
    series += [
        Series(f"{name} (call)", [{"x": p["x"], "y": p["y"]}], "dots")
        for name, p in curves["operating_points"].items()
    ]
    return Plot(
        "roc", f"ROC curves, {part}", "1 − specificity", "Sensitivity", series,
        "ROC curves of the models with the readers' operating points.",
    )  # fmt: skip


def calibration(figures: Mapping[str, Any], part: str) -> Plot:
    series = []
    for kind, found in figures["calibration"].items():
        series.append(line(NAMES[kind], found["smooth_x"], found["smooth_y"]))
        series.append(
            line(f"{NAMES[kind]} (tenths)", found["bin_predicted"], found["bin_observed"], "dots")
        )
    return Plot(
        "calibration", f"Calibration, {part}", "Predicted probability", "Observed share", series,
        f"Smoothed observed share of metastases against the predicted probability, {part} part.",
    )  # fmt: skip


def decision(figures: Mapping[str, Any], part: str) -> Plot:
    found = figures["decision"]
    everyone = next(iter(found["models"].values()))
    inside = [i for i, t in enumerate(everyone["thresholds"]) if 0.05 <= t <= 0.95]

    def cut(values: Sequence[Any]) -> list[Any]:
        return [values[i] for i in inside]

    xs = cut(everyone["thresholds"])
    series = [line(NAMES[k], xs, cut(v["net_benefit"])) for k, v in found["models"].items()]
    series += [line(name, xs, cut(v["net_benefit"])) for name, v in found["readers"].items()]
    series += [
        line("Treat all", xs, cut(everyone["net_benefit_all"])),
        line("Treat none", xs, cut(everyone["net_benefit_none"])),
    ]
    return Plot(
        "decision", f"Decision curves, {part}", "Threshold probability", "Net benefit", series,
        "Net benefit of the models and of the readers' calls for thresholds .05 to .95.",
    )  # fmt: skip


def times(figures: Mapping[str, Any], part: str) -> Plot:
    points: list[dict[str, float | str | None]] = [
        {"x": name, "y": v["median"], "low": v["low"], "high": v["high"]}
        for name, v in figures["times"].items()
    ]
    return Plot(
        "bars", f"Reading time, {part}", "", "Active seconds, median and quartiles",
        [Series("Seconds", points, "dots")], "Active time per case, idle and hidden time left out.",
    )  # fmt: skip


def lasso_path(model: Mapping[str, Any], kind: str) -> Plot:
    """Coefficients of the selected features along the path."""
    path = model["path"]
    column = dict(enumerate(model["kept"]))
    wanted = set(model["selected"])
    lines: dict[str, list[dict[str, float | str | None]]] = {}
    for row, col, value in zip(path["row"], path["col"], path["val"], strict=True):
        name = column.get(row, str(row))
        if name in wanted:
            lines.setdefault(name, []).append({"x": path["lambdas"][col], "y": value})
    return Plot(
        "lasso_path", f"LASSO path, {NAMES[kind]}", "Lambda", "Coefficient",
        [Series(name, points) for name, points in lines.items()],
        "Coefficients of the selected features over lambda.",
    )  # fmt: skip


def cv_curve(model: Mapping[str, Any], kind: str) -> Plot:
    cv, lambdas = model["cv"], model["path"]["lambdas"]
    points: list[dict[str, float | str | None]] = [
        {"x": x, "y": m, "low": m - s, "high": m + s}
        for x, m, s in zip(lambdas, cv["cvm"], cv["cvsd"], strict=False)
    ]
    marks = [
        {"x": lambdas[cv["index_min"]], "y": cv["cvm"][cv["index_min"]]},
        {"x": lambdas[cv["index_1se"]], "y": cv["cvm"][cv["index_1se"]]},
    ]
    return Plot(
        "cv", f"Cross-validated deviance, {NAMES[kind]}", "Lambda", "Deviance",
        [Series("Deviance ± SE", points), Series("lambda.min and lambda.1se", marks, "dots")],
        "Ten-fold cross-validation with whole patients in one fold.",
    )  # fmt: skip


PART_FIGURES: Mapping[str, Callable[[Mapping[str, Any], str], Plot]] = {
    "auc": auc_bars,
    "roc": roc,
    "calibration": calibration,
    "decision": decision,
    "times": times,
}
RUN_FIGURES: Mapping[str, Callable[[Mapping[str, Any], str], Plot]] = {
    "lasso-path": lasso_path,
    "cv": cv_curve,
}
