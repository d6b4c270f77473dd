"""What the dashboard page says: rows ready for the template, words for flags."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from portal.analysis.cases import NAMES
from portal.analysis.models import Evaluation
from portal.dashboard.plots import PART_FIGURES, Plot
from portal.dashboard.published import published_auc
from radiomics.stats.flags import FLAGS


@dataclass(frozen=True)
class AucRow:
    name: str
    value: Mapping[str, Any]
    beside: Mapping[str, Any] | None
    published: float | None
    flags: tuple[str, ...]


@dataclass(frozen=True)
class FigureView:
    """One figure of the page with the addresses of its data and pictures."""

    key: str
    plot: Plot
    columns: tuple[str, ...]


def words(flags: Iterable[str]) -> tuple[str, ...]:
    """Flags as sentences."""
    return tuple(FLAGS.get(flag.split(":")[0], flag) for flag in flags)


def auc_rows(evaluation: Evaluation) -> list[AucRow]:
    """Top line: the three models and the experts, nested CV beside apparent training values."""
    found = evaluation.figures["auc"]
    published = published_auc(evaluation.study, evaluation.part)
    rows = [
        AucRow(NAMES[k], v, found["nested"].get(k), published.get(k), words(v["flags"]))
        for k, v in found["models"].items()
    ]
    if found["experts"]:
        calls, scores = found["experts"]["calls"], found["experts"]["scores"]
        flags = words(calls["flags"])
        rows.append(AucRow("Experts (mean of calls)", calls, None, published.get("experts"), flags))
        rows.append(AucRow("Experts (mean of scores)", scores, None, None, words(scores["flags"])))
    return rows


def figures(evaluation: Evaluation) -> list[FigureView]:
    return [
        FigureView(
            key, make(evaluation.figures, evaluation.part), ("series", "x", "y", "low", "high")
        )
        for key, make in PART_FIGURES.items()
    ]


def rates(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Confusion matrices: models at the training threshold, readers' calls."""
    found = evaluation.figures["confusion"]
    rows = [{"name": NAMES[k], **v} for k, v in found["models"].items()]
    return rows + [{"name": name, "threshold": None, **v} for name, v in found["readers"].items()]


def calibration_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    return [{"name": NAMES[k], **v} for k, v in evaluation.figures["calibration"].items()]
