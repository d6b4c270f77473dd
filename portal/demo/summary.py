"""The demo's outcome as one JSON object: counts, and per part the AUCs of models and experts."""

from collections.abc import Mapping
from typing import Any

from portal.analysis.comparison import latest
from portal.analysis.models import Evaluation, FeatureVector, ModelRun, Prediction
from portal.audit.chain import digest
from portal.demo.options import Options
from portal.study.models import Lesion, Study
from readers.models import Roi

NAMES = ("ct", "spect", "combined")


def summary(study: Study, options: Options, *, seconds: float) -> dict[str, Any]:
    rows = latest(study)
    vectors = FeatureVector.objects.filter(feature_set__study=study)
    included = Lesion.objects.of_study(study).included()
    return {
        "study": study.code,
        "patients": included.values("patient").distinct().count(),
        "lesions": included.count(),
        "rois": Roi.objects.filter(
            read__assignment__session__study=study, read__is_current=True
        ).count(),
        "vectors": vectors.count(),
        "failed_vectors": vectors.exclude(failure="").count(),
        "predictions": Prediction.objects.filter(run__study=study).count(),
        "kappa": kappa_of(rows),
        "seconds": round(seconds, 1),
        "digest": digest_of(study, rows),
        "seed": options.seed,
        **{part: aucs(study, rows.get(part)) for part in ("train", "validation")},
    }


def kappa_of(rows: Mapping[str, Evaluation]) -> float | None:
    """Kappa of the two experts' calls over the training part (the larger one)."""
    figures = rows["train"].figures if "train" in rows else {}
    pairs = figures.get("agreement", {}).get("pairs", [])
    return pairs[0]["calls"]["value"] if pairs else None


def digest_of(study: Study, rows: Mapping[str, Evaluation]) -> str:
    """One digest over every vector, model and figure."""
    vectors = FeatureVector.objects.filter(feature_set__study=study).order_by("digest")
    runs = ModelRun.objects.filter(study=study).order_by("kind", "pk")
    return digest(
        {
            "vectors": list(vectors.values_list("digest", flat=True)),
            "models": [[run.kind, digest(run.model)] for run in runs],
            "figures": {part: row.digest for part, row in sorted(rows.items())},
        }
    )


def aucs(study: Study, row: Evaluation | None) -> dict[str, Any]:
    """AUC with limits of each model and the experts, null with the reason where there is none."""
    if row is None or "reason" in row.figures:
        why = row.figures["reason"] if row else "no model run could be locked"
        found = {name: {"auc": None, "reason": failure(study, name) or why} for name in NAMES}
        return {**found, "experts": {"auc": None, "reason": why}}
    models, experts = row.figures["auc"]["models"], row.figures["auc"]["experts"]
    found = {name: short(models.get(name), failure(study, name)) for name in NAMES}
    return {**found, "experts": short(experts.get("calls"), "no expert read")}


def short(value: Mapping[str, Any] | None, reason: str) -> dict[str, Any]:
    if value is None:
        return {"auc": None, "reason": reason}
    return {key: value[key] for key in ("auc", "low", "high")}


def failure(study: Study, kind: str) -> str:
    run = ModelRun.objects.filter(study=study, kind=kind).order_by("-pk").first()
    return run.failure if run else "not trained"
