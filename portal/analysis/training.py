"""Model runs: freeze the inputs, fit on `train` only, lock, then predict."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from portal.accounts.models import User
from portal.analysis.clinical import check_recorded
from portal.analysis.fitting import fit, training_data
from portal.analysis.models import FeatureSet, FitRow, ModelRun, Prediction
from portal.analysis.parameters import DEFAULTS, LARGEST_SEED, checked, modalities_of
from portal.analysis.results import STAGES, Fitted, NotFitted
from portal.analysis.scoring import Outcome, outcomes
from portal.analysis.table import FeatureTable, TrainingData, build_for, parts
from portal.audit.chain import digest
from portal.audit.trail import record
from portal.errors import Conflict, Invalid
from portal.jobs.models import Job
from portal.jobs.queue import enqueue
from portal.jobs.work import progress
from portal.study.models import Split, State, Study
from portal.truth.strata import truth_digest

__all__ = ["DEFAULTS", "KIND", "REPEAT", "create_run", "lock", "repeat", "score", "training_data"]
KIND = "train"
REPEAT = "repeat"


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
    check_inputs(study, split, feature_set, seed)
    full = checked(kind, parameters)
    name = checked_name(kind, name)
    if kind == ModelRun.Kind.CLINICAL:
        check_recorded(split)
    with transaction.atomic():
        run = ModelRun.objects.create(
            study=study,
            kind=kind,
            name=name,
            split=split,
            feature_set=feature_set,
            truth_digest=truth_digest(study),
            parameters=full,
            seed=seed,
            created_by=actor,
            created_at=now,
        )
        enqueue(KIND, {"run": run.pk}, study=study.code, user=actor, total=STAGES)
        record(
            "run.create", obj=f"run:{run.code}", study=study.code, role="analyst", new=inputs(run)
        )
    return run


def check_inputs(study: Study, split: Split, feature_set: FeatureSet, seed: int) -> None:
    if split.study_id != study.pk or feature_set.study_id != study.pk:
        raise Conflict("A run takes the split and the feature set of its own study.")
    if split.locked_at is None:
        raise Conflict("Lock the split before a model is trained on it.")
    if not study.has_reached(State.READING) or study.has_reached(State.READS_LOCKED):
        raise Conflict("Models are trained while the study is in READING.")
    if not 0 <= seed <= LARGEST_SEED:
        raise Invalid(
            "The seed is a whole number of at most 19 digits, not negative.", field="seed"
        )


def checked_name(kind: str, name: str) -> str:
    name = name.replace("\0", "").strip()
    if kind == ModelRun.Kind.SUBSET and not name:
        raise Invalid("Give the subset a name.", field="name")
    if len(name) > 80:
        raise Invalid("The name has at most 80 characters.", field="name")
    return name or kind


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


def run_of_job(job: Job) -> ModelRun:
    return ModelRun.objects.select_related("study", "split", "feature_set").get(
        pk=job.arguments["run"]
    )


def work(job: Job) -> None:
    """Fit a run; what the data do not allow ends it with its reason, not with a crash."""
    run = run_of_job(job)
    if run.state != ModelRun.State.QUEUED:
        return
    try:
        data, fitted = fit(run, told=partial(progress, job, total=STAGES))
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


def digest_of(run: ModelRun, fitted: Fitted) -> str:
    return digest({"inputs": inputs(run), "model": fitted.model, "result": fitted.result})


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
        run.digest = digest_of(run, fitted)
        run.state, run.fitted_at = ModelRun.State.FITTED, now
        run.save(update_fields=["model", "result", "digest", "state", "fitted_at"])
        record("run.fit", obj=f"run:{run.code}", study=run.study.code, new={"digest": run.digest})


def repeat(run: ModelRun, *, actor: User) -> Job:
    """Queue the run again from its row; the job ends well only if it gives the same bytes."""
    if run.state not in (ModelRun.State.FITTED, ModelRun.State.LOCKED):
        raise Conflict(f"Only a fitted or locked run can be repeated; this one is {run.state}.")
    with transaction.atomic():
        job = enqueue(REPEAT, {"run": run.pk}, study=run.study.code, user=actor, total=STAGES)
        record("run.repeat", obj=f"run:{run.code}", study=run.study.code, role="analyst")
    return job


def repeat_work(job: Job) -> None:
    """Fit again and compare with the stored digest; nothing of the run is touched."""
    run = run_of_job(job)
    _, fitted = fit(run, told=partial(progress, job, total=STAGES))
    if digest_of(run, fitted) != run.digest:
        raise Conflict(
            f"The repeat of run {run.code} gave another digest; {why_other(run, fitted)}."
        )


def why_other(run: ModelRun, fitted: Fitted) -> str:
    if truth_digest(run.study) != run.truth_digest:
        return "reference standards were changed since"
    if clinical_digest(run.model) != clinical_digest(fitted.model):
        return "clinical values were changed since"
    return "its inputs are the same"


def clinical_digest(model: Mapping[str, Any]) -> str:
    return str(model.get("clinical", {}).get("rows_digest", ""))


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
    table = build_for(run.study, run.feature_set, modalities_of(run.kind, run.parameters))
    lesions = sorted(lesion for lesion, part in part_of.items() if part == "validation")
    inside = set(table.lesion_ids)
    found = outcomes(run, table, [lesion for lesion in lesions if lesion in inside])
    lacking = {x: Outcome(not_scored=table.without.get(x, "no features")) for x in lesions}
    return [prediction(run, lesion, found.get(lesion, lacking[lesion])) for lesion in lesions]


def prediction(run: ModelRun, lesion_id: int, outcome: Outcome) -> Prediction:
    return Prediction(
        run=run, lesion_id=lesion_id, kind="validation", probability=outcome.probability,
        not_scored=outcome.not_scored,
    )  # fmt: skip


def score(run: ModelRun, table: FeatureTable, lesion_ids: Sequence[int]) -> dict[int, float | str]:
    """Probability of each lesion, or the sentence why there is none."""
    found = outcomes(run, table, lesion_ids)
    return {k: o.not_scored if o.probability is None else o.probability for k, o in found.items()}
