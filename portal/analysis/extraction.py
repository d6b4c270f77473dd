"""From locked ROIs to feature vectors: found by a query, in parallel, resumable, idempotent."""

import math
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from portal.accounts.models import User
from portal.analysis.models import FeatureSet, FeatureVector
from portal.archive.pixels import slice_of
from portal.audit.chain import digest
from portal.audit.trail import record
from portal.errors import Conflict, StudyError
from portal.jobs.models import Job
from portal.jobs.queue import enqueue
from portal.jobs.work import commit_unit
from radiomics.features import extract
from radiomics.features.preparation import Prepared, prepare
from readers.models import Roi

KIND = "extract"
BATCH = 8
SATURATED_FROM = 0.05
NO_PIXELS = "The pixels of this series are gone from the archive; run archive_verify."


@dataclass(frozen=True)
class Computed:
    """What one ROI gave: 279 values (None where undefined) with reasons, or the failure sentence."""

    values: list[float | None] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    failure: str = ""


def wanted(feature_set: FeatureSet) -> QuerySet[Roi]:
    """Locked ROIs of the study."""
    return Roi.objects.filter(
        read__assignment__session__study=feature_set.study,
        read__is_current=True,
        read__state="locked",
    )


def pending(feature_set: FeatureSet) -> QuerySet[Roi]:
    """Locked ROIs without a vector for this feature set, oldest first."""
    vectors = FeatureVector.objects.filter(feature_set=feature_set, roi=OuterRef("pk"))
    return wanted(feature_set).filter(~Exists(vectors)).order_by("pk")


def compute(roi: Roi, feature_set: FeatureSet) -> Computed:
    """The vector of one ROI from its polygon and pixels alone; a bad ROI gives its sentence."""
    try:
        prepared = prepare_roi(roi, feature_set.parameters)
        found = extract(prepared.image, prepared.mask)
    except (ValueError, StudyError) as error:
        return Computed(failure=str(error))
    except FileNotFoundError:
        return Computed(failure=NO_PIXELS)
    values = [None if math.isnan(v) else v for v in found.values()]
    return Computed(
        values=values,
        reasons=dict(found.reasons),
        provenance=provenance(roi, prepared),
        warnings=warnings(prepared),
    )


def prepare_roi(roi: Roi, parameters: dict[str, Any]) -> Prepared:
    placed = slice_of(roi.series, roi.sop_instance_uid, roi.frame)
    if roi.modality == "CT":
        low, high = parameters["ct_window_hu"]
    else:
        low, high = 0.0, float(roi.series.values["maximum"])
    return prepare(
        placed.slice,
        np.asarray(roi.vertices_mm, dtype=np.float64),
        grid_mm=parameters["grid_mm"],
        values=parameters["values"],
        low=low,
        high=high,
    )


def provenance(roi: Roi, prepared: Prepared) -> dict[str, Any]:
    return {
        "numpy": np.__version__,
        "roi": roi.pk,
        "read_revision": roi.read.revision,
        "series": roi.series.uid,
        "sop_instance_uid": roi.sop_instance_uid,
        "frame": roi.frame,
        "native_spacing_mm": roi.series.geometry.get("spacing_mm"),
        "low": prepared.low,
        "high": prepared.high,
        "n_pixels": prepared.n_pixels,
        "saturated_share": prepared.saturated_share,
        "image_sha256": prepared.digest_sha256,
    }


def warnings(prepared: Prepared) -> list[str]:
    found = list(prepared.warnings)
    if prepared.saturated_share > SATURATED_FROM:
        share = round(100 * prepared.saturated_share)
        found.append(f"{share} % of the ROI lies at the ends of the window; texture is lost there.")
    return found


def vector(
    roi: Roi, feature_set: FeatureSet, computed: Computed, *, now: datetime
) -> FeatureVector:
    body = {"values": computed.values, "reasons": computed.reasons, "failure": computed.failure}
    return FeatureVector(
        feature_set=feature_set,
        roi=roi,
        values=computed.values,
        reasons=computed.reasons,
        provenance=computed.provenance,
        warnings=computed.warnings,
        failure=computed.failure,
        digest=digest({"feature_set": feature_set.digest, **body}),
        created_at=now,
    )


def store(vectors: list[FeatureVector]) -> None:
    """Insert; a vector that is there already must be the same, or the work is not reproducible."""
    FeatureVector.objects.bulk_create(vectors, ignore_conflicts=True)
    stored = {
        v.roi_id: v.digest
        for v in FeatureVector.objects.filter(
            feature_set=vectors[0].feature_set, roi__in=[v.roi_id for v in vectors]
        )
    }
    differing = [v.roi_id for v in vectors if stored[v.roi_id] != v.digest]
    if differing:
        raise Conflict(
            f"The vector of ROI {differing[0]} is not reproducible; the stored one was kept."
        )


def start(feature_set: FeatureSet, *, user: User | None, shards: int) -> list[Job]:
    """Queue the extraction of what is pending, one job a worker; an act when there is something to do."""
    todo = pending(feature_set).count()
    if not todo:
        return []
    newest = pending(feature_set).order_by("-pk").values_list("pk", flat=True)[0]
    arguments = {"feature_set": feature_set.pk, "shards": shards, "newest": newest}
    study = feature_set.study.code
    with transaction.atomic():
        jobs = [
            enqueue(
                KIND,
                {**arguments, "shard": shard},
                study=study,
                user=user,
                total=math.ceil(todo / shards),
            )
            for shard in range(shards)
        ]
        record("extraction.start", obj=f"feature_set:{feature_set.pk}", study=study, role="analyst")
    return jobs


def work(job: Job) -> None:
    """Extract the pending ROIs of one shard, a few at a time."""
    feature_set = FeatureSet.objects.select_related("study").get(pk=job.arguments["feature_set"])
    rois = pending(feature_set).select_related("series", "read")
    shard, shards = job.arguments["shard"], job.arguments["shards"]
    mine = [roi for roi in rois if roi.pk % shards == shard]
    total = job.done + len(mine)
    for first in range(0, len(mine), BATCH):
        batch = mine[first : first + BATCH]
        now = timezone.now()
        vectors = [vector(roi, feature_set, compute(roi, feature_set), now=now) for roi in batch]
        done = total - len(mine) + first + len(batch)
        commit_unit(job, partial(store, vectors), done=done, total=total)
