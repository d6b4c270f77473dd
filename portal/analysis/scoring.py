"""What a fitted run says of a lesion: its probability and what lay outside the training range, or why not."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from portal.analysis.batches import batches_of
from portal.analysis.clinical import rows_of
from portal.analysis.models import ModelRun
from portal.analysis.parameters import modalities_of
from portal.analysis.table import FeatureTable
from portal.errors import Conflict
from portal.study.models import Study
from radiomics.clinical import TUMOUR, ClinicalColumns, ClinicalRow, folded
from radiomics.combined import CombinedModel
from radiomics.harmonisation import Combat, UnknownBatchError
from radiomics.model import RadiomicsModel


@dataclass(frozen=True)
class Outcome:
    """A probability (None: `not_scored` says why), the selected values as the model saw them, those out of range."""

    probability: float | None = None
    not_scored: str = ""
    values: Mapping[str, float] | None = None
    outside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Harmonisation:
    """The stored harmonisation of one block."""

    block: str
    columns: tuple[str, ...]
    combat: Combat

    def apply(self, values: dict[str, float], batch: str) -> None:
        """Harmonise in place; columns that the model does not use may be undefined and stay so."""
        given = np.array([[values[name] for name in self.columns]])
        defined = np.where(np.isnan(given), self.combat.mean, given)
        found = np.where(np.isnan(given), np.nan, self.combat.apply(defined, [batch]))
        values.update(zip(self.columns, found[0].tolist(), strict=True))


class ClinicalPart:
    """The stored last fit of a run with clinical columns, ready to score."""

    def __init__(self, stored: Mapping[str, Any]) -> None:
        said = stored["clinical"]
        self.columns = ClinicalColumns.from_dict(said["columns"])
        self.joined = CombinedModel.from_dict({**said, "radiomics": stored})

    def probability(self, features: npt.NDArray[np.float64], row: ClinicalRow) -> float:
        """Probability of one lesion from its features (1, p) and clinical values."""
        values = np.column_stack([features, self.columns.apply([row])])
        return float(self.joined.predict_proba(values)[0, 1])

    def values(self, row: ClinicalRow) -> dict[str, float]:
        found = self.columns.apply([row])[0].tolist()
        return dict(zip(self.columns.names, found, strict=True))

    def outside(self, row: ClinicalRow) -> tuple[str, ...]:
        """A primary tumour that no training lesion had."""
        return (
            () if folded(row.tumour) in self.columns.seen else (f"{TUMOUR}: {folded(row.tumour)}",)
        )


class Scorer:
    """A run's stored model, ready to score."""

    def __init__(self, run: ModelRun) -> None:
        self.run = run
        self.model = RadiomicsModel.from_dict(run.model)
        self.clinical = ClinicalPart(run.model) if run.model.get("clinical") else None
        self.by = run.parameters.get("harmonise")
        self.harmonisations = [
            Harmonisation(block, tuple(said["columns"]), Combat.from_dict(said["combat"]))
            for block, said in run.model.get("harmonised", {}).items()
        ]

    def outcome(
        self,
        given: Mapping[str, float],
        batches: Mapping[str, str],
        row: ClinicalRow | str = "",
    ) -> Outcome:
        """Score one lesion from its values by column name; never imputes, never guesses a batch."""
        if isinstance(row, str) and self.clinical:
            return Outcome(not_scored=row)
        undefined = [name for name in self.model.selected_ if math.isnan(given[name])]
        if undefined:
            return Outcome(not_scored=f"{undefined[0]} is undefined for this lesion")
        values = dict(given)
        try:
            for step in self.harmonisations:
                step.apply(values, batches[step.block])
        except UnknownBatchError as error:
            return Outcome(not_scored=str(error))
        # the other columns have no coefficient, whatever stands in them
        features = np.array([[values[n] if n in self.model.selected_ else 0.0 for n in self.model.names_]])  # fmt: skip
        used = {name: values[name] for name in self.model.selected_}
        if self.clinical and not isinstance(row, str):
            used |= self.clinical.values(row)
            outside = (*self.out_of_range(used), *self.clinical.outside(row))
            return Outcome(self.clinical.probability(features, row), "", used, outside)
        probability = float(self.model.predict_proba(features)[0, 1])
        return Outcome(probability, "", used, self.out_of_range(used))

    def out_of_range(self, used: Mapping[str, float]) -> tuple[str, ...]:
        """Selected features whose value no training lesion reached."""
        limits = self.run.result.get("ranges", {})
        return tuple(n for n, v in used.items() if n in limits and not limits[n][0] <= v <= limits[n][1])  # fmt: skip


def outcomes(run: ModelRun, table: FeatureTable, lesion_ids: Sequence[int]) -> dict[int, Outcome]:
    """What a run says of lesions of a table that was made with the run's feature set."""
    if not lesion_ids:
        return {}
    scorer = Scorer(run)
    batches: dict[int, dict[str, str]] = {}
    if scorer.by:
        batches = batches_of(lesion_ids, scorer.by, modalities_of(run.kind, run.parameters))
    clinical = rows_of(run.feature_set, lesion_ids) if scorer.clinical else {}
    rows = zip(lesion_ids, table.rows(lesion_ids), strict=True)
    return {
        lesion: scorer.outcome(
            dict(zip(table.names, row.tolist(), strict=True)),
            batches.get(lesion, {}),
            clinical.get(lesion, ""),
        )
        for lesion, row in rows
    }


def check_kind_of_data(run: ModelRun, study: Study) -> None:
    """A model of synthetic lesions says nothing of real ones, nor the other way round."""
    if run.study.is_synthetic != study.is_synthetic:
        kinds = {True: "synthetic", False: "real"}
        raise Conflict(
            f"This run was fitted on {kinds[run.study.is_synthetic]} lesions and never scores "
            f"{kinds[study.is_synthetic]} ones."
        )
