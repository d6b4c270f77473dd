"""Fitted steps between the table and the model: the ICC filter and the harmonisation of batches, on the rows given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from radiomics.clinical import ClinicalRow
from radiomics.harmonisation import Combat, fit_combat
from radiomics.reliability import Basis, ColumnIcc, icc2_columns, reliable_columns

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Pair:
    """Two drawings of the training rows, (n, p) each, NaN where a lesion was not drawn twice."""

    between: str
    first: FloatArray
    second: FloatArray

    def icc(self, rows: IntArray) -> ColumnIcc:
        return icc2_columns(self.first[rows], self.second[rows])


@dataclass(frozen=True)
class StepPlan:
    """What the steps rest on, one entry per training row; without a threshold or batches they do nothing."""

    blocks: tuple[str, ...]
    pairs: tuple[Pair, ...] = ()
    threshold: float | None = None
    basis: Basis = "estimate"
    batches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    clinical: tuple[ClinicalRow, ...] = ()

    def columns_of(self, block: str) -> IntArray:
        return np.flatnonzero(np.asarray(self.blocks) == block)

    def batches_at(self, rows: IntArray) -> dict[str, list[str]]:
        return {block: [names[i] for i in rows] for block, names in self.batches.items()}


@dataclass(frozen=True)
class FittedSteps:
    """Columns that may enter the model, and per block the columns and parameters of its harmonisation."""

    allowed: BoolArray
    combat: Mapping[str, tuple[IntArray, Combat]]

    def apply(self, X: FloatArray, batches: Mapping[str, Sequence[str]]) -> FloatArray:
        """A harmonised copy of X (m, p); UnknownBatchError for a batch that was not fitted."""
        answer = X.copy()
        for block, (columns, fitted) in self.combat.items():
            answer[:, columns] = fitted.apply(X[:, columns], batches[block])
        return answer

    def to_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """Strict JSON: block -> names of the harmonised columns and the parameters."""
        return {
            block: {"columns": [names[j] for j in columns], "combat": fitted.to_dict()}
            for block, (columns, fitted) in self.combat.items()
        }


def fit_steps(X: FloatArray, rows: IntArray, plan: StepPlan) -> FittedSteps:
    """Fit on `X` (m, p), whose rows are the training rows `rows` (m,), perhaps with repeats."""
    allowed = np.ones(X.shape[1], dtype=bool)
    if plan.threshold is not None:
        found = [pair.icc(np.unique(rows)) for pair in plan.pairs]
        allowed = reliable_columns(found, threshold=plan.threshold, basis=plan.basis)
        if not allowed.any():
            raise ValueError(f"no feature reaches the ICC threshold of {plan.threshold:g}")
    combat = {}
    for block, names in plan.batches_at(rows).items():
        columns = plan.columns_of(block)
        varying = varies_within(X[:, columns], names)
        allowed[columns[~varying]] = False
        columns = columns[varying & allowed[columns]]
        if columns.size:
            combat[block] = (columns, fit_combat(X[:, columns], names))
    return FittedSteps(allowed, combat)


def varies_within(X: FloatArray, batches: Sequence[str]) -> BoolArray:
    """Columns (p,) that vary inside at least one batch; the others tell the batch and nothing else."""
    codes = np.unique(np.asarray(batches), return_inverse=True)[1]
    spreads = [np.ptp(X[codes == k], axis=0) for k in range(int(codes.max()) + 1)]
    return np.asarray(np.max(spreads, axis=0) > 0)
