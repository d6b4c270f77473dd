"""Tables of the lesions behind a part: outlines, reliability, features, Table 1; and the list of all tables."""

from typing import Any

from portal.analysis.cases import NAMES
from portal.dashboard.plots import Figures, Scene, words
from portal.dashboard.tables import SCORE_TABLES, Beside, Make, Row, Table, limits


def outlines(figures: Figures, scene: Scene, beside: Beside) -> Table:
    rows = [
        (r["modality"], r["between"], r["n"], r["n_same_image"], *limits(r["dice"], "median", "low", "high"),
         *limits(r["centroid_shift_mm"], "median", "low", "high"), *limits(r["area_mm2"], "bias", "low", "high"))
        for r in figures["outlines"]
    ]  # fmt: skip
    columns = ("modality", "between", "lesions", "on the same image", "dice median", "dice lower quartile", "dice upper quartile",
               "centroid shift mm", "shift lower quartile", "shift upper quartile", "area bias mm2", "area limit low", "area limit high")  # fmt: skip
    notes = (
        "Dice is taken where both drew on the same image; area: first minus second, Bland and Altman's limits.",
    )
    return Table(f"Agreement of repeated outlines, {scene.part} part", columns, rows, notes)


def reliability(figures: Figures, scene: Scene, beside: Beside) -> Table:
    keys = (
        "modality",
        "between",
        "form",
        "lesions",
        "features",
        "defined",
        "median",
        "good",
        "excellent",
    )
    rows = [limits(r, *keys) for r in figures["reliability"]]
    columns = (*keys[:6], "median icc", "icc at least .75", "icc at least .90")
    return Table(f"Reliability of the features, {scene.part} part", columns, rows)


def coefficients(figures: Figures, scene: Scene, beside: Beside) -> Table:
    rows = [
        (NAMES[kind], *limits(r, "term", "coef", "low", "high", "p_value"))
        for kind, found in figures["features"].items()
        for r in found["coefficients"]
    ]
    rows += [
        (f"{NAMES[kind]}, score and clinical columns per unit", *limits(r, "term", "coef", "low", "high", "p_value"))
        for kind, found in figures["features"].items()
        for r in found.get("last_fit", ())
    ]  # fmt: skip
    columns = ("model", "term", "coefficient", "low", "high", "p (Wald)")
    notes = ("Limits and P of a refit after selection take no account of the selection.",)
    return Table("Selected features and their coefficients", columns, rows, notes)


def by_class(figures: Figures, scene: Scene, beside: Beside) -> Table:
    """Table 2 of the paper pack: what the selected features are worth one by one."""
    rows = [
        (NAMES[kind], r["feature"], r["metastasis"][2], r["metastasis"][1], r["metastasis"][3], r["benign"][2],
         r["benign"][1], r["benign"][3], r["test"].replace("_", " "), r["p_value"], r["p_holm"])
        for kind, found in figures["features"].items()
        for r in found["by_class"]
    ]  # fmt: skip
    columns = ("model", "feature", "metastasis median", "lower quartile", "upper quartile", "benign median",
               "lower quartile", "upper quartile", "test", "p", "p (Holm)")  # fmt: skip
    notes = (
        "Values in standard deviations of the training part; Holm over the features of each model.",
    )
    return Table(f"Selected features by class, {scene.part} part", columns, rows, notes)


def characteristics(found: dict[str, Any], title: str) -> Table:
    """One row per number of Table 1, P where the characteristic begins."""
    first, second = found["groups"]
    rows: list[Row] = [
        ("Patients", "", *found["patients"], "", None, None),
        ("Lesions", "", *found["lesions"], "", None, None),
    ]
    for r in found["rows"]:
        lines = means(r) if r["kind"] == "continuous" else shares(r)
        if any(r["missing"]):
            lines.append(("not recorded", *r["missing"]))
        ends = [(r["test"].replace("_", " "), r["p_value"], r["p_holm"])] + [("", None, None)] * len(lines)  # fmt: skip
        rows += [(r["label"], *cells, *end) for cells, end in zip(lines, ends, strict=False)]
    columns = ("characteristic", "value", first, second, "test", "p", "p (Holm)")
    return Table(title, columns, rows, words(*(r["flags"] for r in found["rows"])))


def means(row: dict[str, Any]) -> list[Row]:
    if row["mean"] is None:
        return [("mean ± SEM (SD)", "", "")]
    cells = [
        f"{mean:.1f} ± {sem:.1f} ({sd:.1f})"
        for mean, sem, sd in zip(row["mean"], row["sem"], row["sd"], strict=True)
    ]
    return [("mean ± SEM (SD)", *cells)]


def shares(row: dict[str, Any]) -> list[Row]:
    return [
        (name, row["counts"][0][i], row["counts"][1][i]) for i, name in enumerate(row["categories"])
    ]


def table_1(figures: Figures, scene: Scene, beside: Beside) -> Table:
    title = f"Table 1. Patients and lesions by class, {scene.part} part"
    return characteristics(figures["table_1"], title)


def parts(figures: Figures, scene: Scene, beside: Beside) -> Table:
    return characteristics(figures["parts"], "Patients and lesions of the two parts")


COHORT_TABLES: dict[str, tuple[str, Make]] = {
    "outlines": ("outlines", outlines),
    "reliability": ("reliability", reliability),
    "coefficients": ("features", coefficients),
    "by-class": ("features", by_class),
    "table-1": ("table_1", table_1),
    "parts": ("parts", parts),
}


def part_tables(figures: Figures) -> dict[str, Make]:
    """Every table that these stored figures allow, by key, in the order of the page."""
    found = dict(SCORE_TABLES)
    return found | {key: make for key, (needs, make) in COHORT_TABLES.items() if figures.get(needs)}


def make_table(figures: Figures, scene: Scene, beside: Beside, key: str) -> Table:
    """One table with the notes of its part; raises KeyError for one that is not there."""
    return part_tables(figures)[key](figures, scene, beside).with_notes(scene.notes)
