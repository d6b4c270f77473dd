"""Model runs: freeze the inputs, fit on `train` only, lock, then predict."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone

from portal.accounts.models import User
from portal.analysis.models import FeatureSet, FitRow, ModelRun, Prediction
from portal.analysis.results import Fitted, NotFitted, fit_everything
from portal.analysis.table import FeatureTable, TrainingData, build, parts, unusable_columns
from portal.audit.chain import digest
from portal.audit.trail import record
from portal.errors import Conflict, Invalid
from portal.jobs.models import Job
from portal.jobs.queue import enqueue
from portal.study.models import Split, State, Study
from portal.truth.strata import train_labels, truth_digest
from radiomics.model import RadiomicsModel

KIND = "train"
DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {"cutoff": 0.9, "rule": "min", "refit": "logistic", "n_folds": 10, "n_boot": 200, "n_outer": 10}
)


def create_run(
    study: Study,
    kind: str,
    *,
    split: Split,
    feature_set: FeatureSet,
    seed: int,
    actor: User,
    now: datetime,
    parameters: Mapping[str, Any] | None = None,
    name: str = "",
) -> ModelRun:
    """Freeze the inputs of a run and queue its job."""
    if split.locked_at is None:
        raise Conflict("Lock the split before a model is trained on it.")
    if not study.has_reached(State.READING) or study.has_reached(State.READS_LOCKED):
        raise Conflict("Models are trained while the study is in READING.")
    unknown = sorted(set(parameters or {}) - set(DEFAULTS))
    if unknown:
        raise Invalid(f"Unknown run parameter {unknown[0]}; known are {', '.join(DEFAULTS)}.")
    with transaction.atomic():
        run = ModelRun.objects.create(
            study=study,
            kind=kind,
            name=name or kind,
            split=split,
            feature_set=feature_set,
            truth_digest=truth_digest(study),
            parameters={**DEFAULTS, **(parameters or {})},
            seed=seed,
            created_by=actor,
            created_at=now,
        )
        enqueue(KIND, {"run": run.pk}, study=study.code, user=actor, total=4)
        record(
            "run.create", obj=f"run:{run.code}", study=study.code, role="analyst", new=inputs(run)
        )
    return run


def inputs(run: ModelRun) -> dict[str, Any]:
    """Everything a run depends on: the same inputs give the same bytes."""
    return {
        "kind": run.kind,
        "split": run.split.digest,
        "feature_set": run.feature_set.digest,
        "roi_rule": run.roi_rule,
        "truth": run.truth_digest,
        "parameters": run.parameters,
        "seed": run.seed,
    }


def training_data(run: ModelRun) -> TrainingData:
    """The rows that may be fitted: included lesions of `train` with a label and a vector."""
    table = build(run.study, run.feature_set, run.kind)
    labels = train_labels(run.split)
    rows = [i for i, lesion in enumerate(table.lesion_ids) if lesion in labels]
    if not rows:
        raise ValueError(
            "No lesion of the training part has both a reference standard and features."
        )
    train = tuple(table.lesion_ids[i] for i in rows)
    unusable = unusable_columns(table, train)
    return TrainingData(
        table=table,
        lesion_ids=train,
        groups=tuple(table.groups[i] for i in rows),
        y=tuple(labels[lesion] for lesion in train),
        columns=tuple(i for i, name in enumerate(table.names) if name not in unusable),
        unusable=unusable,
    )


def work(job: Job) -> None:
    """Fit a run; what the data do not allow ends it with its reason, not with a crash."""
    run = ModelRun.objects.select_related("study", "split", "feature_set").get(
        pk=job.arguments["run"]
    )
    if run.state != ModelRun.State.QUEUED:
        return
    try:
        data = training_data(run)
        fitted = fit_everything(data, run.parameters, seed=run.seed)
    except (NotFitted, ValueError) as error:
        store_failure(run, str(error))
        return
    store(run, data, fitted, now=timezone.now())


def store_failure(run: ModelRun, sentence: str) -> None:
    with transaction.atomic():
        ModelRun.objects.filter(pk=run.pk, state=ModelRun.State.QUEUED).update(
            state=ModelRun.State.FAILED, failure=sentence
        )
        record("run.fail", obj=f"run:{run.code}", study=run.study.code, reason=sentence)


def store(run: ModelRun, data: TrainingData, fitted: Fitted, *, now: datetime) -> None:
    """Write model, result and training predictions in one transaction."""
    result = {**fitted.result, "unusable": dict(data.unusable), "without": dict(data.table.without)}
    with transaction.atomic():
        FitRow.objects.bulk_create(
            [FitRow(run=run, lesion_id=lesion) for lesion in data.lesion_ids]
        )
        Prediction.objects.bulk_create(
            [
                Prediction(run=run, lesion_id=lesion, kind=kind, probability=float(p))
                for kind, values in (
                    ("apparent", fitted.apparent),
                    ("out_of_fold", fitted.out_of_fold),
                )
                for lesion, p in zip(data.lesion_ids, values, strict=True)
            ]
        )
        run.model, run.result = fitted.model, result
        run.digest = digest({"inputs": inputs(run), "model": fitted.model, "result": fitted.result})
        run.state, run.fitted_at = ModelRun.State.FITTED, now
        run.save(update_fields=["model", "result", "digest", "state", "fitted_at"])
        record("run.fit", obj=f"run:{run.code}", study=run.study.code, new={"digest": run.digest})


def lock(run: ModelRun, *, actor: User, now: datetime) -> ModelRun:
    """Lock a fitted run; then, and only then, it predicts the validation part."""
    if run.state != ModelRun.State.FITTED:
        raise Conflict(f"Only a fitted run can be locked; this one is {run.state}.")
    predictions = validation_predictions(run)
    with transaction.atomic():
        run.state, run.locked_at = ModelRun.State.LOCKED, now
        run.save(update_fields=["state", "locked_at"])
        Prediction.objects.bulk_create(predictions)
        record(
            "run.lock", obj=f"run:{run.code}", study=run.study.code, role="analyst",
            actor=f"u:{actor.pk}", new={"digest": run.digest},
        )  # fmt: skip
    return run


def validation_predictions(run: ModelRun) -> list[Prediction]:
    part_of = parts(run.split)
    table = build(run.study, run.feature_set, run.kind)
    lesions = sorted(lesion for lesion, part in part_of.items() if part == "validation")
    scored = score(run, table, [lesion for lesion in lesions if lesion in set(table.lesion_ids)])
    reasons = {lesion: table.without.get(lesion, "no features") for lesion in lesions}
    return [prediction(run, lesion, scored.get(lesion, reasons[lesion])) for lesion in lesions]


def prediction(run: ModelRun, lesion_id: int, outcome: float | str) -> Prediction:
    if isinstance(outcome, str):
        return Prediction(run=run, lesion_id=lesion_id, kind="validation", not_scored=outcome)
    return Prediction(run=run, lesion_id=lesion_id, kind="validation", probability=outcome)


def score(run: ModelRun, table: FeatureTable, lesion_ids: Sequence[int]) -> dict[int, float | str]:
    """Probability of each lesion, or the sentence why a feature that the model uses is undefined."""
    if not lesion_ids:
        return {}
    model = RadiomicsModel.from_dict(run.model)
    used = [table.names.index(name) for name in model.names_]
    X = table.rows(lesion_ids)[:, used]
    selected = [model.names_.index(name) for name in model.selected_]
    outcomes: dict[int, float | str] = {}
    for lesion, row in zip(lesion_ids, X, strict=True):
        undefined = [model.names_[i] for i in selected if math.isnan(row[i])]
        if undefined:
            outcomes[lesion] = f"{undefined[0]} is undefined for this lesion"
            continue
        filled = np.where(np.isnan(row), 0.0, row)  # columns with coefficient 0 only
        outcomes[lesion] = float(model.predict_proba(filled[None, :])[0, 1])
    return outcomes
