"""Robustness of features: 44 perturbations of one ROI per training lesion and modality, as a job that goes on where it was."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone

from portal.accounts.models import User
from portal.analysis.extraction import NO_PIXELS
from portal.analysis.models import FeatureSet, Perturbation
from portal.analysis.reliability import training_lesions
from portal.analysis.table import PREFIX
from portal.archive.pixels import slice_of
from portal.audit.chain import digest
from portal.audit.trail import record
from portal.errors import Conflict, StudyError
from portal.jobs.models import Job
from portal.jobs.queue import enqueue
from portal.jobs.work import commit_unit
from portal.study.models import Study
from radiomics.robustness import KINDS, Stability, Summary, measure, stability, summaries
from readers.models import Roi

KIND = "perturb"
BATCH = 4
MODALITIES = ("CT", "SPECT")
COLUMNS = (
    "modality", "feature", "perturbation", "lesions", "icc", "low", "high", "undefined_share", "reason",
)  # fmt: skip


def wanted(feature_set: FeatureSet) -> dict[tuple[int, str], Roi]:
    """(lesion, modality) -> the ROI that models use: first drawing of the first delineator, training lesions only."""
    train = training_lesions(feature_set.study)
    found: dict[tuple[int, str], Roi] = {}
    rows = (
        Roi.objects.of_study(feature_set.study)
        .locked()
        .primary()
        .filter(read__assignment__lesion__in=train)
        .select_related("series", "read__assignment")
        .order_by("read__assignment__session__reader__username", "pk")
    )
    for roi in rows:
        found.setdefault((roi.read.assignment.lesion_id, roi.modality), roi)
    return found


def pending(feature_set: FeatureSet) -> list[Roi]:
    """The wanted ROIs without a row, oldest first."""
    done = set(
        Perturbation.objects.filter(feature_set=feature_set).values_list("roi_id", flat=True)
    )
    rois = (roi for roi in wanted(feature_set).values() if roi.pk not in done)
    return sorted(rois, key=lambda roi: roi.pk)


def start(feature_set: FeatureSet, *, user: User | None) -> Job | None:
    """Queue the perturbations of what is pending; nothing pending, no job."""
    todo = pending(feature_set)
    if not todo:
        return None
    study = feature_set.study
    with transaction.atomic():
        arguments = {"feature_set": feature_set.pk, "newest": todo[-1].pk}
        job = enqueue(KIND, arguments, study=study.code, user=user, total=len(todo))
        record(
            "features.perturb",
            obj=f"feature_set:{feature_set.pk}",
            study=study.code,
            role="analyst",
            new={"rois": len(todo), "feature_set": feature_set.digest},
        )
    return job


def seed_of(feature_set: FeatureSet, roi: Roi) -> list[int]:
    """Where the random draws of a ROI begin: the same on every database, in any order of work."""
    vertices = digest({"modality": roi.modality, "vertices": roi.vertices_mm})
    return [int(feature_set.digest[:12], 16), int(vertices[:12], 16)]


def perturb(feature_set: FeatureSet, roi: Roi) -> Perturbation:
    """One ROI's row: what its 44 variants give to the ICC of each kind, or the sentence why it gives nothing."""
    row = Perturbation(feature_set=feature_set, roi=roi, created_at=timezone.now())
    parameters = feature_set.parameters
    low, high = window(roi, parameters)
    try:
        table = measure(
            slice_of(roi.series, roi.sop_instance_uid, roi.frame).slice,
            roi.vertices_mm,
            grid_mm=parameters["grid_mm"],
            values=parameters["values"],
            low=low,
            high=high,
            rng=np.random.default_rng(seed_of(feature_set, roi)),
        )
    except (ValueError, StudyError) as error:
        row.failure = str(error)
    except FileNotFoundError:
        row.failure = NO_PIXELS
    else:
        row.summaries = {kind: as_json(s) for kind, s in summaries(table).items()}
    row.digest = digest({"summaries": row.summaries, "failure": row.failure})
    return row


def window(roi: Roi, parameters: Mapping[str, Any]) -> tuple[float, float]:
    """The ends of the 8-bit window, as the extraction takes them."""
    if roi.modality == "CT":
        low, high = parameters["ct_window_hu"]
        return float(low), float(high)
    return 0.0, float(roi.series.values["maximum"])


def as_json(summary: Summary) -> dict[str, list[Any]]:
    """JSON has no NaN: an undefined mean or sum is null."""
    return {
        "undefined": summary.undefined.tolist(),
        "mean": [None if math.isnan(v) else v for v in summary.mean.tolist()],
        "squares": [None if math.isnan(v) else v for v in summary.squares.tolist()],
    }


def from_json(stored: Mapping[str, Sequence[Any]]) -> Summary:
    def floats(name: str) -> Any:
        return np.asarray([math.nan if v is None else v for v in stored[name]], dtype=np.float64)

    undefined = np.asarray(stored["undefined"], dtype=np.int64)
    return Summary(undefined, floats("mean"), floats("squares"))


def store(rows: list[Perturbation]) -> None:
    Perturbation.objects.bulk_create(rows, ignore_conflicts=True)


def work(job: Job) -> None:
    """Perturb what is pending, a few ROIs at a time; each few are kept, so that the work goes on where it was."""
    feature_set = FeatureSet.objects.select_related("study").get(pk=job.arguments["feature_set"])
    todo = pending(feature_set)
    total = job.done + len(todo)
    for first in range(0, len(todo), BATCH):
        batch = todo[first : first + BATCH]
        made = [perturb(feature_set, roi) for roi in batch]
        done = total - len(todo) + first + len(batch)
        commit_unit(job, partial(store, made), done=done, total=total)


def robustness(study: Study, feature_set: FeatureSet) -> Iterator[tuple[str, Stability]]:
    """(modality, ICC) of every feature and kind over the stored rows of what is now the training part's ROI.

    A row of a ROI that was drawn anew since, or of a lesion that left the part, does not count.
    """
    chosen = {roi.pk for roi in wanted(feature_set).values()}
    rows = Perturbation.objects.filter(feature_set=feature_set, roi__in=chosen, failure="")
    for modality in MODALITIES:
        stored = list(
            rows.filter(roi__modality=modality)
            .order_by("roi_id")
            .values_list("summaries", flat=True)
        )
        for kind in KINDS if stored else ():
            for found in stability(kind, [from_json(s[kind]) for s in stored]):
                yield modality, found


def least(study: Study, feature_set: FeatureSet, names: Collection[str]) -> dict[str, Stability]:
    """Column -> the kind of perturbation over which its ICC is least; only columns that have one."""
    found: dict[str, Stability] = {}
    if not Perturbation.objects.filter(feature_set=feature_set).exists():
        return found
    for modality, s in robustness(study, feature_set):
        name = PREFIX[modality] + s.feature
        if name in names and s.value is not None:
            found[name] = min(found.get(name, s), s, key=lambda one: one.value or 0.0)
    return found


def rows(study: Study) -> Iterator[list[object]]:
    """One row per modality, feature and kind of perturbation, for an export."""
    current = FeatureSet.objects.filter(study=study, is_current=True).first()
    if current is None:
        return
    for modality, s in robustness(study, current):
        yield [
            modality, s.feature, s.kind, s.n, s.value, s.low, s.high, s.undefined_share, s.reason,
        ]  # fmt: skip


def require_set(feature_set: FeatureSet | None) -> FeatureSet:
    if feature_set is None:
        raise Conflict("Extract features before their robustness is measured.")
    return feature_set
