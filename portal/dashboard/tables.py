"""The tables of a part: the same rows on the page, in the CSV and in the paper pack; no arithmetic."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from portal.analysis.cases import NAMES
from portal.dashboard.plots import Figures, Scene, words
from portal.dashboard.published import PUBLISHED_BRIER, PUBLISHED_KAPPA
from radiomics.stats.flags import FLAGS

Row = tuple[Any, ...]


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True)
class Table:
    """Columns and raw cells of one table, its flags as sentences."""

    title: str
    columns: tuple[str, ...]
    rows: list[Row]
    notes: tuple[str, ...] = ()

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether a column holds numbers and nothing else; an empty cell is either."""
        columns = zip(*self.rows, strict=True) if self.rows else ([] for _ in self.columns)
        known = [[cell for cell in column if cell is not None and cell != ""] for column in columns]
        return tuple(bool(cells) and all(map(is_number, cells)) for cells in known)

    @property
    def heads(self) -> list[tuple[str, bool]]:
        """Name of each column, and whether it stands to the right above numbers."""
        return list(zip(self.columns, self.numeric, strict=True))

    @property
    def lines(self) -> list[list[tuple[Any, bool]]]:
        """Each cell with whether its column is of numbers."""
        return [list(zip(row, self.numeric, strict=True)) for row in self.rows]

    def with_notes(self, notes: Sequence[str]) -> "Table":
        return replace(self, notes=(*self.notes, *(n for n in notes if n not in self.notes)))


@dataclass(frozen=True)
class Beside:
    """What the published study printed, where its figures belong beside these; else empty."""

    auc: Mapping[str, float]
    is_published: bool


def limits(found: Mapping[str, Any], *keys: str) -> Row:
    return tuple(found[key] for key in keys)


def auc(figures: Figures, scene: Scene, beside: Beside) -> Table:
    """Top line: the models and the experts, nested CV beside apparent training values."""
    found = figures["auc"]
    rows = [auc_row(NAMES[k], v, found["nested"].get(k), beside.auc.get(k)) for k, v in found["models"].items()]  # fmt: skip
    values = list(found["models"].values())
    if found["experts"]:
        for key, published in (("calls", beside.auc.get("experts")), ("scores", None)):
            values.append(found["experts"][key])
            rows.append(auc_row(f"Experts (mean of {key})", values[-1], None, published))
    notes = words(*(v["flags"] for v in values))
    if scene.part == "train":
        notes = (*notes, "Apparent values are of the rows the models were fitted on; read nested CV beside them.")  # fmt: skip
    notes = (*notes, *figures.get("left_out", {}).values())
    c = figures["counts"]
    title = (
        f"Area under the ROC curve, {scene.part} part: {c['patients']} patients, {c['lesions']} lesions, "
        f"{c['positive']} metastases"
    )
    columns = (
        "model or reader",
        "auc",
        "low",
        "high",
        "se",
        "method",
        "design effect",
        "nested cv",
        "published",
    )
    return Table(title, columns, rows, notes)


def auc_row(
    name: str, v: Mapping[str, Any], nested: Mapping[str, Any] | None, published: float | None
) -> Row:
    head = limits(v, "auc", "low", "high", "se", "method")
    return (name, *head, v.get("design_effect"), nested and nested["auc"], published)


def other_intervals(figures: Figures, scene: Scene, beside: Beside) -> Table:
    """The default method is one of several; the others stand beside it by name."""
    rows = [
        (
            NAMES[kind],
            method,
            *limits(found, "auc", "low", "high", "se"),
            " ".join(words(found["flags"])),
        )
        for kind, value in figures["auc"]["models"].items()
        for method, found in value["methods"].items()
    ]
    columns = ("model", "method", "auc", "low", "high", "se", "flags")
    return Table(f"Intervals of the AUC by method, {scene.part} part", columns, rows)


def differences(figures: Figures, scene: Scene, beside: Beside) -> Table:
    found = figures["comparisons"]
    rows = [
        (p["first"], p["second"], *limits(p, "difference", "low", "high", "p_value", "p_holm", "method"),
         p["delong"]["p_value"], p["correlation"])
        for p in found["pairs"]
    ]  # fmt: skip
    columns = ("first", "second", "difference", "low", "high", "p", "p (Holm)", "test", "p (DeLong, lesions independent)", "correlation")  # fmt: skip
    title = f"Paired differences of AUC, {scene.part} part: {found['family']} comparisons in this family"
    return Table(title, columns, rows, words(*(p["flags"] for p in found["pairs"])))


def contrasts(figures: Figures, scene: Scene, beside: Beside) -> Table:
    found = figures["comparisons"]["with_readers"]
    keys = ("auc_model", "mean_readers", "difference", "low", "high", "p_value")
    rows = [(NAMES[k], *limits(v, *keys)) for k, v in found.items()]
    columns = (
        "model",
        "auc of the model",
        "mean auc of the readers",
        "difference",
        "low",
        "high",
        "p",
    )
    title = f"Each model against the mean of the {scene.readers}' calls, {scene.part} part"
    return Table(title, columns, rows, words(*(v["flags"] for v in found.values())))


RATES = ("sensitivity", "specificity", "ppv", "npv", "accuracy")


def rates(figures: Figures, scene: Scene, beside: Beside) -> Table:
    """Confusion matrices with their rates, limits beside each."""
    found = figures["confusion"]
    named = [(NAMES[k], v) for k, v in found["models"].items()] + list(found["readers"].items())
    rows = [
        (name, v.get("threshold"), *limits(v, "tp", "fp", "fn", "tn"),
         *(x for key in RATES for x in limits(v[key], "value", "low", "high")))
        for name, v in named
    ]  # fmt: skip
    columns = ("model or reader", "threshold", "tp", "fp", "fn", "tn", *(
        f"{key}{end}" for key in RATES for end in ("", " low", " high")
    ))  # fmt: skip
    notes = (*words(*(v["flags"] for _, v in named)), FLAGS["threshold_apparent"], FLAGS["prevalence_differs"])  # fmt: skip
    title = f"Confusion matrices at the threshold fixed on train (models) and of the calls, {scene.part} part"
    return Table(title, columns, rows, notes)


def matched(figures: Figures, scene: Scene, beside: Beside) -> Table:
    """Each model at the specificity of each reader, with McNemar's test at the fixed threshold."""
    found = figures["confusion"]
    rows = []
    for kind, by_reader in found["matched"].items():
        for reader, sensitivity in by_reader.items():
            own, test = found["readers"][reader], found["mcnemar"][kind][reader]
            rows.append((
                NAMES[kind], reader, own["specificity"]["value"], own["sensitivity"]["value"], sensitivity,
                test["n10"], test["n01"], test["p_exact"],
            ))  # fmt: skip
    columns = ("model", "reader", "specificity of the reader", "sensitivity of the reader", "sensitivity of the model there",
               "only the model right", "only the reader right", "McNemar p (exact)")  # fmt: skip
    notes = (FLAGS["threshold_from_test"], "McNemar's test is at the threshold fixed on train.")
    return Table(
        f"Models at each {scene.reader}'s own specificity, {scene.part} part", columns, rows, notes
    )


def calibration(figures: Figures, scene: Scene, beside: Beside) -> Table:
    keys = ("brier", "brier_scaled", "slope", "slope_low", "slope_high", "intercept", "in_the_large", "ici",
            "e90", "e_max", "hl_p", "spiegelhalter_p")  # fmt: skip
    found = figures["calibration"]
    rows = [
        (NAMES[k], *limits(v, *keys), PUBLISHED_BRIER.get(k) if beside.is_published else None)
        for k, v in found.items()
    ]
    columns = ("model", *(key.replace("_", " ") for key in keys), "published brier")
    notes = words(*(v["flags"] for v in found.values()))
    if beside.is_published:
        notes = (*notes, "The paper does not state the cohort of its Brier scores.")
    return Table(f"Calibration, {scene.part} part", columns, rows, notes)


def agreement(figures: Figures, scene: Scene, beside: Beside) -> Table:
    found = figures["agreement"]
    rows: list[Row] = []
    flags = []
    for pair in found["pairs"]:
        names = f"{pair['first']} and {pair['second']}"
        calls, scores, ac1 = pair["calls"], pair["scores"], pair["ac1"]
        flags += [calls["flags"], scores["flags"], ac1["flags"]]
        rows += [
            (names, "kappa of the calls", *limits(calls, "value", "low", "high")),
            (names, "per cent agreement of the calls", calls["percent_agreement"], None, None),
            (names, "AC1 of the calls", *limits(ac1, "value", "low", "high")),
            (names, "PABAK of the calls", calls["pabak"], None, None),
            (
                names,
                "linearly weighted kappa of the scores",
                *limits(scores, "value", "low", "high"),
            ),
        ]
    if "icc_scores" in found:
        flags.append(found["icc_scores"]["flags"])
        rows.append(("all", "ICC(2,1) of the scores", *limits(found["icc_scores"]["icc2"], "value", "low", "high")))  # fmt: skip
    if "fleiss" in found:
        flags.append(found["fleiss"]["flags"])
        rows.append(("all", "Fleiss' kappa of the calls", found["fleiss"]["value"], None, None))
    notes = words(*flags)
    if len(figures["auc"]["experts"].get("readers", ())) == 2:
        notes = (*notes, FLAGS["few_readers"])
    if beside.is_published:
        notes = (*notes, f"Published “weighted” kappa of the calls: {PUBLISHED_KAPPA}.")
    columns = ("readers", "measure", "value", "low", "high")
    return Table(f"Agreement of the {scene.readers}, {scene.part} part", columns, rows, notes)


def mrmc(figures: Figures, scene: Scene, beside: Beside) -> Table:
    found = figures["mrmc"]
    rows: list[Row] = []
    if found:
        rows = [("mean AUC of the scores", *limits(m, "estimate", "se", "df", "low", "high")) for m in found["means"]]  # fmt: skip
        keys = ("var_reader", "var_tr", "var_error", "cov1", "cov2", "cov3")
        rows += [(key.replace("_", " "), found[key], None, None, None, None) for key in keys]
    columns = ("quantity", "estimate", "se", "df", "low", "high")
    title = f"Obuchowski–Rockette over the {scene.readers}, {scene.part} part"
    return Table(
        title, columns, rows, words(found["flags"]) if found else ("It needs two readers.",)
    )


def readers(figures: Figures, scene: Scene, beside: Beside) -> Table:
    """One row per reader."""
    rows = []
    for name, own in (figures["auc"]["experts"] or {"readers": {}})["readers"].items():
        v, t = figures["confusion"]["readers"][name], figures["times"][name]
        rows.append((
            name, *limits(own["calls"], "auc", "low", "high"), *limits(own["scores"], "auc", "low", "high"),
            v["sensitivity"]["value"], v["specificity"]["value"], v["accuracy"]["value"],
            *limits(t, "median", "low", "high"),
        ))  # fmt: skip
    columns = ("reader", "auc of calls", "low", "high", "auc of scores", "low", "high", "sensitivity", "specificity",
               "accuracy", "median seconds", "lower quartile", "upper quartile")  # fmt: skip
    return Table(f"Each {scene.reader}, {scene.part} part", columns, rows)


def failures(figures: Figures, scene: Scene, beside: Beside) -> Table:
    rows = [
        (row["lesion"], "metastasis" if row["truth"] else "benign") for row in figures["failures"]
    ]
    title = f"Lesions that every model and every {scene.reader} got wrong, {scene.part} part"
    return Table(title, ("lesion", "reference standard"), rows)


def dropped(figures: Figures, scene: Scene, beside: Beside) -> Table:
    title = f"Lesions left out of these figures, {scene.part} part"
    return Table(title, ("lesion", "reason"), list(figures["dropped"].items()))


Make = Callable[[Figures, Scene, Beside], Table]
SCORE_TABLES: Mapping[str, Make] = {
    "auc": auc,
    "intervals": other_intervals,
    "differences": differences,
    "contrasts": contrasts,
    "rates": rates,
    "matched": matched,
    "calibration": calibration,
    "agreement": agreement,
    "mrmc": mrmc,
    "readers": readers,
    "failures": failures,
    "dropped": dropped,
}
