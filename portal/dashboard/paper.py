"""The paper pack: tables, figures, all numbers, methods and reporting sheets of a study as one zip."""

from collections.abc import Iterator

from portal.analysis.models import ModelRun
from portal.dashboard.archives import Named
from portal.dashboard.bundle import plots_of, tables_of
from portal.dashboard.facts import Facts, facts_of
from portal.dashboard.formats import SYNTHETIC, footer_of, plot_csv, plot_file, table_csv
from portal.dashboard.guidelines import GUIDELINES, sheet
from portal.study.flow import flow, flow_svg
from portal.study.models import Study

# what a figure or table of the dashboard is called in the pack; the others are supplementary
FIGURES = {
    "lasso-path": "Figure-2-path", "cv": "Figure-2-cv", "roc": "Figure-3-roc", "calibration": "Figure-4-calibration",
    "decision": "Figure-5-decision", "rates": "Figure-6-confusion", "differences": "Figure-7-differences",
    "outlines": "Figure-8-outlines",
}  # fmt: skip
TABLES = {"table-1": "Table-1-characteristics", "auc": "Table-2-auc", "rates": "Table-2-confusion"}
METHODS = (
    "design", "readers", "blinding", "told", "eligibility", "reference", "split", "preparation", "features",
    "selection", "model", "threshold", "statistics", "looks", "software",
)  # fmt: skip


def paper_files(study: Study) -> Iterator[Named]:
    """Name and bytes of everything in the pack; the same study gives the same bytes."""
    facts = facts_of(study)
    yield "README.txt", readme(study).encode()
    yield "methods.txt", methods(study, facts).encode()
    yield "figures/Figure-1-flow.svg", signed_flow(study).encode()
    yield from figure_files(study)
    yield from table_files(study)
    head = footer_of(study, study.digests.get("protocol", ""))
    for key in GUIDELINES:
        yield f"checklists/{key}.csv", table_csv(sheet(key, facts), comments=head).encode()


def figure_files(study: Study) -> Iterator[Named]:
    for name, plot, digest in plots_of(study):
        comments = footer_of(study, digest)
        place = place_of(name, FIGURES, "figures")
        yield f"{place}.svg", plot_file(plot, "svg", comments=comments)
        yield f"numbers/figure-{name}.csv", plot_csv(plot, comments=comments).encode()


def table_files(study: Study) -> Iterator[Named]:
    for name, table, digest in tables_of(study):
        body = table_csv(table, comments=footer_of(study, digest)).encode()
        yield f"{place_of(name, TABLES, 'tables')}.csv", body


def place_of(name: str, known: dict[str, str], folder: str) -> str:
    """`validation-roc` -> `figures/Figure-3-roc-validation`; what has no number is supplementary."""
    for key, title in known.items():
        if name.endswith(f"-{key}"):
            return f"{folder}/{title}-{name.removesuffix(f'-{key}')}"
    return f"supplementary/{folder}-{name}"


def signed_flow(study: Study) -> str:
    """The flow diagram, the synthetic sentence as a comment and as its visible foot."""
    svg = flow_svg(flow(study))
    return svg.replace("</svg>", f"<desc>{SYNTHETIC}</desc></svg>") if study.is_synthetic else svg


def methods(study: Study, facts: Facts) -> str:
    """One paragraph with versions and digests, of what the database holds only."""
    runs = ModelRun.objects.filter(study=study, state=ModelRun.State.LOCKED).order_by("pk")
    digests = [f"Model run {run.kind}: {run.digest}." for run in runs]
    head = [SYNTHETIC] if study.is_synthetic else []
    body = " ".join(facts[key] for key in METHODS if key in facts)
    return "\n\n".join([*head, body, "\n".join(digests)]) + "\n"


def readme(study: Study) -> str:
    head = [SYNTHETIC] if study.is_synthetic else []
    lines = [
        *head,
        f"Paper pack of the study {study.code}. Research use only.",
        "figures/ and tables/ follow the numbering of this pack; supplementary/ holds the rest; numbers/ every drawn point.",
        "Pictures of single patients are not part of the pack: take them in the viewer.",
        "checklists/ are pre-filled from the database; “not recorded” means that it holds nothing of that item.",
        "files.json lists the SHA-256 digest of every file.",
    ]
    return "\n".join(lines) + "\n"
