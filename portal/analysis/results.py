"""Fitting one run: the model, its nested and optimism-corrected performance, its warnings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from portal.analysis.pipeline import MIN_FOLDS, Factory, Pipeline, inner_folds, numbered
from portal.analysis.steps import StepPlan
from portal.analysis.table import PREFIX, TrainingData
from radiomics.resampling import NestedCV, Optimism, bootstrap_optimism, nested_cv
from radiomics.result import to_json
from radiomics.stats.calibration import calibration
from radiomics.stats.roc import auc_interval

FloatArray = npt.NDArray[np.float64]
Told = Callable[[int], None]
STAGES = 4


class NotFitted(Exception):
    """The data do not allow a fit; the text says why."""


@dataclass(frozen=True)
class Fitted:
    """A fitted run: `model` and `result` are strict JSON, the predictions are per training row."""

    model: dict[str, Any]
    result: dict[str, Any]
    apparent: FloatArray
    out_of_fold: FloatArray


def folds_possible(y: npt.NDArray[np.int64], groups: npt.NDArray[np.str_], wanted: int) -> int:
    """As many folds as wanted, or as many as the rarer class has patients."""
    per_class = [len(set(groups[y == value])) for value in (0, 1)]
    if min(per_class) < MIN_FOLDS:
        raise NotFitted(
            f"Training needs at least {MIN_FOLDS} patients with and without metastasis; "
            f"there are {per_class[1]} and {per_class[0]}."
        )
    return min(wanted, *per_class)


def silent(_stage: int) -> None:
    """Nobody is told how far the work is."""


def fit_everything(
    data: TrainingData,
    plan: StepPlan,
    parameters: Mapping[str, Any],
    *,
    seed: int,
    told: Told = silent,
) -> Fitted:
    """Fit on the training rows, then nested CV, bootstrap and calibration of the same pipeline."""
    X = numbered(data.table.rows(data.lesion_ids)[:, data.columns])
    y, groups = np.asarray(data.y, dtype=np.int64), np.asarray(data.groups)
    n_folds = folds_possible(y, groups, parameters["n_folds"])
    names = tuple(data.table.names[i] for i in data.columns)
    pipeline = Factory(parameters, n_folds, seed, names, plan)().fit(X, y, groups)
    told(1)
    apparent = pipeline.predict_proba(X)[:, 1]
    inner = Factory(parameters, inner_folds(n_folds), seed, names, plan)
    n_outer = min(parameters["n_outer"], n_folds)
    nested = held_out(inner, X, y, groups, n_outer, seed)
    told(2)
    resampled = optimism(inner, X, y, groups, parameters["n_boot"], seed)
    told(3)
    result = {
        "n_folds": n_folds,
        "n_inner_folds": inner.n_folds,
        "nominal": len(data.table.names),
        "usable": len(names),
        "per_modality": per_modality(data),
        "apparent_auc": auc_interval(y, apparent, method="clustered", groups=groups).to_dict(),
        "nested": nested.to_dict(),
        "out_of_fold_calibration": calibration(y, nested.probability[0]).to_dict(),
        "optimism": resampled.to_dict() if resampled else None,
        "stability": stability(pipeline, resampled),
        "ranges": pipeline.ranges(X),
        "icc": icc_rows(pipeline),
        "flags": list(pipeline.flags_),
    }
    return Fitted(pipeline.document(), result, apparent, nested.probability[0])


def held_out(
    make: Factory,
    X: FloatArray,
    y: npt.NDArray[np.int64],
    groups: npt.NDArray[np.str_],
    n_outer: int,
    seed: int,
) -> NestedCV:
    """Nested cross-validation; a fold too small for what the whole allows is named as such."""
    try:
        return nested_cv(make, X, y, groups, n_outer=n_outer, seed=seed)
    except ValueError as error:
        raise NotFitted(f"In a fold of the nested cross-validation: {error}.") from error


def optimism(
    make: Factory,
    X: FloatArray,
    y: npt.NDArray[np.int64],
    groups: npt.NDArray[np.str_],
    n_boot: int,
    seed: int,
) -> Optimism | None:
    return bootstrap_optimism(make, X, y, groups, n_boot=n_boot, seed=seed) if n_boot else None


def per_modality(data: TrainingData) -> dict[str, dict[str, int]]:
    """Modality -> how many columns there are, were asked for, and can be fitted."""
    counts: dict[str, dict[str, int]] = {}
    usable, wanted = set(data.columns), set(data.wanted)
    for column, block in enumerate(data.table.blocks):
        found = counts.setdefault(block, {"nominal": 0, "wanted": 0, "usable": 0})
        found["nominal"] += 1
        found["wanted"] += column in wanted
        found["usable"] += column in usable
    return counts


def stability(pipeline: Pipeline, found: Optimism | None) -> dict[str, float]:
    """Selected feature -> share of the bootstrap resamples that selected it, too."""
    if found is None or found.selected_fraction is None:
        return {}
    share = dict(zip(pipeline.model.names_, found.selected_fraction.tolist(), strict=True))
    return {name: share[name] for name in pipeline.selected_}


def icc_rows(pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    """Each usable feature's ICC between drawings of training lesions, and whether it may enter the model."""
    plan, everyone = pipeline.factory.plan, np.arange(pipeline.model.n_)
    found = [(pair.between, pair.icc(everyone)) for pair in plan.pairs]
    if not any((icc.n > 0).any() for _, icc in found):
        return {}
    return {
        name: {
            "passes": bool(pipeline.steps.allowed[j]),
            "comparisons": [
                {"between": between, "n": int(icc.n[j]), "value": to_json(icc.value[j]),
                 "low": to_json(icc.low[j]), "high": to_json(icc.high[j])}
                for between, icc in found if icc.n[j]
            ],
        }
        for j, name in enumerate(pipeline.factory.names)
    }  # fmt: skip


def modality_of(name: str) -> str:
    """CT or SPECT of a column name."""
    return next(m for m, prefix in PREFIX.items() if name.startswith(prefix))
