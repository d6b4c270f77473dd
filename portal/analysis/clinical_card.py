"""The clinical part of a model card: the last fit as a table, a line and a nomogram."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.analysis.models import ModelRun
from radiomics.clinical import OTHER, ClinicalColumns, named
from radiomics.combined import CombinedModel
from radiomics.nomogram import Nomogram


@dataclass(frozen=True)
class LastTerm:
    """One line of the last fit, per unit of its column."""

    name: str
    coef: float
    low: float | None
    high: float | None
    p_value: float | None


@dataclass(frozen=True)
class ClinicalCard:
    """Terms of the last fit, the same as one line, and what the tumours are compared with."""

    terms: tuple[LastTerm, ...]
    formula: str
    reference: str


def clinical_card(run: ModelRun) -> ClinicalCard | None:
    """The clinical part of a run's card; None for a run of radiomics alone."""
    stored = run.model.get("clinical")
    if not stored:
        return None
    terms = last_terms(stored["fit"])
    columns = ClinicalColumns.from_dict(stored["columns"])
    return ClinicalCard(terms, line(terms), reference(columns))


def last_terms(fit: Mapping[str, Any]) -> tuple[LastTerm, ...]:
    columns = (fit[key] for key in ("terms", "coef", "low", "high", "p_value"))
    return tuple(LastTerm(*row) for row in zip(*columns, strict=True))


def line(terms: tuple[LastTerm, ...]) -> str:
    """The last fit as one line; the radiomics score in it is the log odds of the radiomics formula."""
    intercept, *others = terms
    text = f"log odds = {intercept.coef:.4f}"
    for term in others:
        sign = "−" if term.coef < 0 else "+"
        text += f" {sign} {abs(term.coef):.4g} · {term.name}"
    return text


def reference(columns: ClinicalColumns) -> str:
    """What a primary tumour without a column of its own counts as."""
    if not any(named(name) in columns.names for name in (*columns.tumours, OTHER)):
        return "Primary tumours have no column: none is frequent enough beside the commonest, or sex tells them apart."
    return f"Primary tumours are compared with {', '.join(columns.reference)}."


def clinical_nomogram(run: ModelRun) -> Nomogram:
    """Points of the radiomics score and of each clinical column over their training ranges."""
    return CombinedModel.from_dict({**run.model["clinical"], "radiomics": run.model}).nomogram()
