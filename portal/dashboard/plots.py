"""What each figure of a part draws: series of points taken from the stored figures, no arithmetic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from portal.analysis.cases import NAMES
from radiomics.stats.flags import FLAGS

Point = dict[str, float | str | None]
Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Series:
    """One line or set of dots: points with x, y and, where known, low and high (boxes: q1 and q3, too)."""

    name: str
    points: list[Point]
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
    notes: tuple[str, ...] = field(default_factory=tuple)

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "title": self.title,
            "x_label": self.x_label,
            "y_label": self.y_label,
            "series": [{"name": s.name, "style": s.style, "points": s.points} for s in self.series],
            "note": " ".join([self.description, *self.notes]),
        }

    def with_notes(self, notes: Sequence[str]) -> "Plot":
        return replace(self, notes=(*self.notes, *(n for n in notes if n not in self.notes)))


@dataclass(frozen=True)
class Scene:
    """Where a figure stands: its part, how often the validation part was looked at, whose readers they are."""

    part: str
    looks: int
    is_synthetic: bool

    @property
    def readers(self) -> str:
        return "simulated readers" if self.is_synthetic else "readers"

    @property
    def reader(self) -> str:
        return self.readers.removesuffix("s")

    @property
    def notes(self) -> tuple[str, ...]:
        """The count of looks, on everything of the validation part."""
        if self.part != "validation":
            return ()
        counted = f"Looks at the validation part: {self.looks}."
        return (counted, FLAGS["test_looked_n"]) if self.looks > 1 else (counted,)


def words(*flags: Sequence[str]) -> tuple[str, ...]:
    """Flags as sentences, each once."""
    found = [FLAGS.get(flag.split(":")[0], flag) for group in flags for flag in group]
    return tuple(dict.fromkeys(found))


def line(name: str, xs: Sequence[Any], ys: Sequence[Any], style: str = "line") -> Series:
    points: list[Point] = [
        {"x": x, "y": y} for x, y in zip(xs, ys, strict=True) if x is not None and y is not None
    ]
    return Series(name, points, style)


def interval(name: str, found: Mapping[str, Any], key: str) -> Point:
    return {"x": name, "y": found[key], "low": found["low"], "high": found["high"]}


def auc_bars(figures: Figures, scene: Scene) -> Plot:
    rows = [(NAMES[k], v) for k, v in figures["auc"]["models"].items()]
    experts = figures["auc"]["experts"]
    if experts:
        rows += [("Experts (calls)", experts["calls"]), ("Experts (scores)", experts["scores"])]
    return Plot(
        "bars", f"AUC, {scene.part}", "", "AUC with 95 % CI",
        [Series("AUC", [interval(name, v, "auc") for name, v in rows], "dots")],
        f"Area under the ROC curve of the models and the {scene.readers}.",
        words(*(v["flags"] for _, v in rows)),
    )  # fmt: skip


def differences(figures: Figures, scene: Scene) -> Plot:
    pairs = figures["comparisons"]["pairs"]
    points = [interval(f"{p['first']} − {p['second']}", p, "difference") for p in pairs]
    return Plot(
        "forest", f"Differences of AUC, {scene.part}", "", "Difference with 95 % CI",
        [Series("Difference", points, "dots")],
        f"Paired differences of AUC between the models and the calls of the {scene.readers}.",
        words(*(p["flags"] for p in pairs)),
    )  # fmt: skip


def roc(figures: Figures, scene: Scene) -> Plot:
    curves = figures["roc"]
    series = [
        Series(NAMES[k], [{"x": x, "y": y} for x, y in points])
        for k, points in curves["models"].items()
    ]
    series += [
        Series(f"{name} (scores)", [{"x": x, "y": y} for x, y in points])
        for name, points in curves["readers"].items()
    ]
    series += [
        Series(f"{name} (calls)", [{"x": p["x"], "y": p["y"]}], "dots")
        for name, p in curves["operating_points"].items()
    ]
    return Plot(
        "roc", f"ROC curves, {scene.part}", "1 − specificity", "Sensitivity", series,
        f"ROC curves of the models and scores, with the operating points of the {scene.readers}.",
    )  # fmt: skip


def rates(figures: Figures, scene: Scene) -> Plot:
    found = figures["confusion"]
    rows = [(NAMES[k], v) for k, v in found["models"].items()] + list(found["readers"].items())
    series = [
        Series(key.capitalize(), [interval(name, v[key], "value") for name, v in rows], "dots")
        for key in ("sensitivity", "specificity")
    ]
    return Plot(
        "bars", f"Sensitivity and specificity, {scene.part}", "", "Rate with 95 % CI", series,
        f"Models at the threshold fixed on train, {scene.readers} by their calls.",
        words(*(v["flags"] for _, v in rows)),
    )  # fmt: skip


def calibration(figures: Figures, scene: Scene) -> Plot:
    series = []
    for kind, found in figures["calibration"].items():
        series.append(line(NAMES[kind], found["smooth_x"], found["smooth_y"]))
        series.append(
            line(f"{NAMES[kind]} (tenths)", found["bin_predicted"], found["bin_observed"], "dots")
        )
    flags = [found["flags"] for found in figures["calibration"].values()]
    return Plot(
        "calibration", f"Calibration, {scene.part}", "Predicted probability", "Observed share", series,
        f"Smoothed observed share of metastases against the predicted probability, {scene.part} part.",
        words(*flags),
    )  # fmt: skip


def decision(figures: Figures, scene: Scene) -> Plot:
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
    few = [
        f"{NAMES[k]}: fewer than 5 positive calls from threshold {t:.2f} on."
        for k, t in found.get("few_from", {}).items()
        if t is not None and t <= 0.95
    ]
    return Plot(
        "decision", f"Decision curves, {scene.part}", "Threshold probability", "Net benefit", series,
        f"Net benefit of the models and of the calls of the {scene.readers} for thresholds .05 to .95.",
        tuple(few),
    )  # fmt: skip


def times(figures: Figures, scene: Scene) -> Plot:
    points = [interval(name, v, "median") for name, v in figures["times"].items() if v["n"]]
    return Plot(
        "bars", f"Reading time, {scene.part}", "", "Active seconds, median and quartiles",
        [Series("Seconds", points, "dots")],
        f"Active time per case of the {scene.readers}, idle and hidden time left out.",
    )  # fmt: skip
