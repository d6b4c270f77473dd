"""The order of the dashboard: sections of a part with their figures and tables, ready for the template."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from portal.analysis.models import Evaluation, ModelRun
from portal.dashboard.cohort_plots import draw_part, part_figures
from portal.dashboard.cohort_tables import make_table, part_tables
from portal.dashboard.plots import Figures, Plot, Scene
from portal.dashboard.published import is_published_study, published_auc
from portal.dashboard.tables import Beside, Table
from portal.study.models import Study

# section -> the tables and figures it begins with; `-*` stands for one per model
SECTIONS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("Discrimination", ("auc", "differences", "contrasts", "intervals"), ("roc", "auc", "differences")),
    ("Calls at a threshold", ("rates", "matched"), ("rates",)),
    ("Calibration and net benefit", ("calibration",), ("calibration", "decision")),
    ("Readers", ("readers", "agreement", "mrmc"), ("times",)),
    ("Outlines and reliability", ("outlines", "reliability"), ("outlines", "reliability")),
    ("Features of the models", ("coefficients", "by-class"), ("coefficients-*", "boxes-*", "correlation-*")),
    ("Patients and lesions", ("table-1", "parts"), ()),
    ("Lesions that all got wrong", ("failures", "dropped"), ()),
)  # fmt: skip

# what the page says of a run's figures before they are drawn
RUN_FIGURE_WORDS = (
    {"key": "lasso-path", "kind": "lasso_path", "title": "LASSO path",
     "description": "Coefficients of the selected features over lambda."},
    {"key": "cv", "kind": "cv", "title": "Cross-validated deviance",
     "description": "Deviance over lambda with whole patients in one fold; dots mark lambda.min and lambda.1se."},
)  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """One figure or table of the page with its key."""

    key: str
    item: Plot | Table


@dataclass(frozen=True)
class Section:
    title: str
    slug: str
    tables: list[Shown] = field(default_factory=list)
    figures: list[Shown] = field(default_factory=list)


def scene_of(evaluation: Evaluation, looks: int) -> Scene:
    return Scene(evaluation.part, looks, evaluation.study.is_synthetic)


def beside_of(study: Study, part: str) -> Beside:
    return Beside(published_auc(study, part), is_published_study(study))


def sections(evaluation: Evaluation, looks: int) -> list[Section]:
    """What these stored figures allow, in the fixed order; empty sections are left out."""
    figures = evaluation.figures
    scene, beside = scene_of(evaluation, looks), beside_of(evaluation.study, evaluation.part)
    tables, plots = part_tables(figures), part_figures(figures)
    found = []
    for title, table_keys, plot_keys in SECTIONS:
        slug = f"{evaluation.part}-{title.lower().replace(' ', '-')}"
        shown = [Shown(k, make_table(figures, scene, beside, k)) for k in table_keys if k in tables]
        drawn = [Shown(k, draw_part(figures, scene, k)) for k in matching(plot_keys, plots)]
        if shown or drawn:
            found.append(Section(title, slug, shown, drawn))
    return found


def matching(wanted: Iterable[str], keys: Iterable[str]) -> list[str]:
    """Keys in the order wanted; a wildcard takes all that begin with it."""
    known = list(keys)
    return [
        key
        for want in wanted
        for key in known
        if key == want or (want.endswith("*") and key.startswith(want[:-1]))
    ]


def table_of(evaluation: Evaluation, looks: int, key: str) -> Table:
    """Raises KeyError for a table that is not there."""
    beside = beside_of(evaluation.study, evaluation.part)
    return make_table(evaluation.figures, scene_of(evaluation, looks), beside, key)


def plot_of(evaluation: Evaluation, looks: int, key: str) -> Plot:
    """Raises KeyError for a figure that is not there."""
    return draw_part(evaluation.figures, scene_of(evaluation, looks), key)


def locked_run_names(study: Study) -> list[dict[str, Any]]:
    """Code and kind of the newest locked run of each kind, without its model."""
    rows = ModelRun.objects.filter(study=study, state=ModelRun.State.LOCKED).order_by("pk")
    newest = {row["kind"]: dict(row) for row in rows.values("kind", "code", "digest")}
    return [newest[kind] for kind in sorted(newest)]


def counts_of(figures: Figures) -> dict[str, int]:
    counts: dict[str, int] = figures["counts"]
    return counts
