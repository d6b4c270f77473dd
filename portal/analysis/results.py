"""Fitting one run: the model, its nested and optimism-corrected performance, its warnings."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from portal.analysis.table import TrainingData
from radiomics.model import RadiomicsModel
from radiomics.resampling import bootstrap_optimism, nested_cv
from radiomics.stats.calibration import calibration
from radiomics.stats.roc import auc_interval

FloatArray = npt.NDArray[np.float64]
MIN_FOLDS = 3


class NotFitted(Exception):
    """The data do not allow a fit; the text says why."""


@dataclass(frozen=True)
class Fitted:
    """A fitted run: `model` and `result` are strict JSON, the predictions are per training row."""

    model: dict[str, Any]
    result: dict[str, Any]
    apparent: FloatArray
    out_of_fold: FloatArray


@dataclass(frozen=True)
class Factory:
    """Makes unfitted models with the run's parameters, each knowing its columns."""

    parameters: Mapping[str, Any]
    n_folds: int
    seed: int
    blocks: tuple[str, ...]
    names: tuple[str, ...]

    def __call__(self) -> "BlockedModel":
        return BlockedModel(self)

    def bare(self) -> RadiomicsModel:
        p = self.parameters
        return RadiomicsModel(
            cutoff=p["cutoff"],
            n_folds=self.n_folds,
            rule=p["rule"],
            refit=p["refit"],
            seed=self.seed,
        )


class BlockedModel:
    """The whole pipeline with its modality blocks, as resampling wants it."""

    def __init__(self, factory: Factory) -> None:
        self.factory = factory
        self.selected_: tuple[str, ...] = ()

    def fit(self, X: FloatArray, y: npt.ArrayLike, groups: npt.NDArray[np.str_]) -> "BlockedModel":
        factory = self.factory
        self.model = factory.bare()
        self.model.fit(X, y, groups, feature_names=factory.names, blocks=factory.blocks)
        self.selected_ = self.model.selected_
        return self

    def predict_proba(self, X: FloatArray) -> FloatArray:
        p: FloatArray = self.model.predict_proba(X)
        return p


def folds_possible(y: npt.NDArray[np.int64], groups: npt.NDArray[np.str_], wanted: int) -> int:
    """As many folds as wanted, or as many as the rarer class has patients."""
    per_class = [len(set(groups[y == value])) for value in (0, 1)]
    if min(per_class) < MIN_FOLDS:
        raise NotFitted(
            f"Training needs at least {MIN_FOLDS} patients with and without metastasis; "
            f"there are {per_class[1]} and {per_class[0]}."
        )
    return min(wanted, *per_class)


def fit_everything(data: TrainingData, parameters: Mapping[str, Any], *, seed: int) -> Fitted:
    """Fit on the training rows, then nested CV, bootstrap and calibration of the same pipeline."""
    X = data.table.rows(data.lesion_ids)[:, data.columns]
    y = np.asarray(data.y, dtype=np.int64)
    groups = np.asarray(data.groups)
    n_folds = folds_possible(y, groups, parameters["n_folds"])
    names = tuple(data.table.names[i] for i in data.columns)
    blocks = tuple(data.table.blocks[i] for i in data.columns)
    factory = Factory(parameters, n_folds, seed, blocks, names)
    model = factory.bare()
    model.fit(X, y, groups, feature_names=names, blocks=blocks)
    apparent = model.predict_proba(X)[:, 1]
    inner = Factory(parameters, inner_folds(n_folds), seed, blocks, names)
    nested = nested_cv(inner, X, y, groups, n_outer=min(parameters["n_outer"], n_folds), seed=seed)
    result = {
        "n_folds": n_folds,
        "nominal": len(data.table.names),
        "usable": len(names),
        "apparent_auc": auc_interval(y, apparent, method="clustered", groups=groups).to_dict(),
        "nested": nested.to_dict(),
        "out_of_fold_calibration": calibration(y, nested.probability[0]).to_dict(),
        "optimism": optimism(inner, X, y, groups, parameters["n_boot"], seed),
        "flags": list(model.flags_),
    }
    return Fitted(model.to_dict(), result, apparent, nested.probability[0])


def inner_folds(n_folds: int) -> int:
    """Folds inside an outer training part: one class may have lost patients to the held-out fold."""
    return max(MIN_FOLDS, min(n_folds, math.floor(n_folds * 0.8)))


def optimism(
    make: Factory,
    X: FloatArray,
    y: npt.NDArray[np.int64],
    groups: npt.NDArray[np.str_],
    n_boot: int,
    seed: int,
) -> dict[str, Any] | None:
    if n_boot == 0:
        return None
    found: dict[str, Any] = bootstrap_optimism(
        make, X, y, groups, n_boot=n_boot, seed=seed
    ).to_dict()
    return found
