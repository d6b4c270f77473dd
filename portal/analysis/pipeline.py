"""The whole pipeline as resampling wants it: fitted steps, then the model, refitted from nothing each time."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from portal.analysis.clinical import rows_digest
from portal.analysis.steps import FittedSteps, StepPlan, fit_steps
from radiomics.clinical import ClinicalColumns, ClinicalRow, fit_columns
from radiomics.combined import CombinedModel
from radiomics.model import RadiomicsModel

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
MIN_FOLDS = 3
SCORE_FOLDS = 5


@dataclass(frozen=True)
class Factory:
    """Makes unfitted pipelines with a run's parameters, each knowing its columns and what its steps rest on."""

    parameters: Mapping[str, Any]
    n_folds: int
    seed: int
    names: tuple[str, ...]
    plan: StepPlan

    def __call__(self) -> "Pipeline":
        return ClinicalPipeline(self) if self.plan.clinical else Pipeline(self)

    def chosen(self) -> dict[str, Any]:
        """What a run says of its RadiomicsModel."""
        return {name: self.parameters[name] for name in ("cutoff", "rule", "refit")}

    def bare(self) -> RadiomicsModel:
        return RadiomicsModel(**self.chosen(), n_folds=self.n_folds, seed=self.seed)

    def joined(self, columns: ClinicalColumns) -> CombinedModel:
        """The model of radiomics and clinical columns, these last; its score needs folds inside folds."""
        inner, width = inner_folds(self.n_folds), len(self.names)
        return CombinedModel(
            clinical=[width + k for k in range(len(columns.names))],
            radiomics={**self.chosen(), "n_folds": inner},
            n_folds=min(SCORE_FOLDS, self.n_folds),
            seed=self.seed,
        )


def inner_folds(n_folds: int) -> int:
    """Folds inside an outer training part: one class may have lost patients to the held-out fold."""
    return max(MIN_FOLDS, min(n_folds, math.floor(n_folds * 0.8)))


def numbered(X: FloatArray) -> FloatArray:
    """X with the number of each row as a last column, by which the steps know a row in any resample."""
    return np.column_stack([X, np.arange(X.shape[0], dtype=np.float64)])


class Pipeline:
    """Steps and model; the rows come `numbered`, because drawings and batches are kept beside the table."""

    def __init__(self, factory: Factory) -> None:
        self.factory = factory
        self.selected_: tuple[str, ...] = ()

    def fit(self, X: FloatArray, y: npt.ArrayLike, groups: npt.NDArray[Any]) -> "Pipeline":
        factory, (values, rows) = self.factory, parted(X)
        self.steps: FittedSteps = fit_steps(values, rows, factory.plan)
        self.model = factory.bare()
        self.model.fit(
            self.harmonised(X), y, groups, feature_names=factory.names, blocks=factory.plan.blocks,
            feature_mask=self.steps.allowed,
        )  # fmt: skip
        self.selected_, self.flags_ = self.model.selected_, self.model.flags_
        return self

    def document(self) -> dict[str, Any]:
        """The model as it is stored; the harmonisation goes with it, because a new lesion needs it."""
        harmonised = self.steps.to_dict(self.factory.names)
        return {**self.model.to_dict(), **({"harmonised": harmonised} if harmonised else {})}

    def ranges(self, X: FloatArray) -> dict[str, list[float]]:
        """Selected feature -> least and greatest value of X, as the model sees them."""
        values = self.harmonised(X)
        place = {name: j for j, name in enumerate(self.factory.names)}
        return {name: ends(values[:, place[name]]) for name in self.selected_}

    def harmonised(self, X: FloatArray) -> FloatArray:
        values, rows = parted(X)
        return self.steps.apply(values, self.factory.plan.batches_at(rows))

    def predict_proba(self, X: FloatArray) -> FloatArray:
        p: FloatArray = self.model.predict_proba(self.harmonised(X))
        return p


class ClinicalPipeline(Pipeline):
    """The same steps, then a model of the radiomics score and the clinical columns, chosen on the rows at hand."""

    def fit(self, X: FloatArray, y: npt.ArrayLike, groups: npt.NDArray[Any]) -> "Pipeline":
        factory, (values, rows) = self.factory, parted(X)
        self.steps = fit_steps(values, rows, factory.plan)
        self.columns = fit_columns(self.clinical(rows))
        self.joined = factory.joined(self.columns).fit(
            self.beside(X), y, groups, feature_names=(*factory.names, *self.columns.names),
            blocks=factory.plan.blocks, feature_mask=self.steps.allowed,
        )  # fmt: skip
        self.model = self.joined.radiomics_
        self.selected_, self.flags_ = self.model.selected_, self.joined.flags_
        return self

    def clinical(self, rows: IntArray) -> list[ClinicalRow]:
        return [self.factory.plan.clinical[i] for i in rows]

    def beside(self, X: FloatArray) -> FloatArray:
        """The features and, beside them, the clinical columns of the same rows."""
        return np.column_stack(
            [self.harmonised(X), self.columns.apply(self.clinical(parted(X)[1]))]
        )

    def predict_proba(self, X: FloatArray) -> FloatArray:
        p: FloatArray = self.joined.predict_proba(self.beside(X))
        return p

    def document(self) -> dict[str, Any]:
        """The radiomics part as for any run, threshold and flags of the whole, the clinical part under its own key."""
        whole = self.joined.to_dict()
        del whole["radiomics"]
        clinical = {
            **whole,
            "columns": self.columns.to_dict(),
            "rows_digest": rows_digest(self.factory.plan.clinical),
        }
        found = super().document()
        return {**found, "threshold": whole["threshold"], "flags": whole["flags"], "clinical": clinical}  # fmt: skip

    def ranges(self, X: FloatArray) -> dict[str, list[float]]:
        values = self.columns.apply(self.clinical(parted(X)[1]))
        clinical = {n: ends(v) for n, v in zip(self.columns.names, values.T, strict=True)}
        return super().ranges(X) | clinical


def ends(values: FloatArray) -> list[float]:
    return [float(values.min()), float(values.max())]


def parted(X: FloatArray) -> tuple[FloatArray, IntArray]:
    return X[:, :-1], X[:, -1].astype(np.int64)
