"""Exports of a study as CSV and JSON: reads, ROIs, features, predictions, split, screening, audit."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from portal.analysis import feature_sets, perturbing, regions
from portal.analysis.models import FeatureVector, Prediction
from portal.analysis.reliability import reliability
from portal.audit.models import AuditEvent
from portal.audit.trail import record
from portal.dashboard.formats import SYNTHETIC, csv_text
from portal.errors import NotFound
from portal.study.access import NO_SUCH_PAGE, member_view
from portal.study.models import Membership, Screening, SplitPart, State, Study
from radiomics.features import NAMES
from readers.models import Read, Roi

Row = list[Any]
TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


@dataclass(frozen=True)
class Export:
    """One table of a study; `opens` is the state from which members may take it."""

    title: str
    opens: str
    columns: tuple[str, ...]
    rows: Callable[[Study], Iterator[Row]]


def reads(study: Study) -> Iterator[Row]:
    rows = Read.objects.filter(assignment__session__study=study).select_related(
        "assignment__lesion__patient", "assignment__session__reader"
    )
    for r in rows.order_by("pk").iterator(chunk_size=500):
        case = r.assignment
        yield [
            str(case.lesion), case.session.reader.username, case.session.task, case.session.kind,
            case.session.condition, case.occasion, r.revision, r.is_current, r.state, r.call, r.confidence,
            r.score, r.cannot_judge, r.wall_seconds, r.active_seconds, r.submitted_at, r.reason, r.digest,
        ]  # fmt: skip


def rois(study: Study) -> Iterator[Row]:
    rows = Roi.objects.filter(read__assignment__session__study=study).select_related(
        "read__assignment__lesion__patient", "read__assignment__session__reader"
    )
    for r in rows.order_by("pk").iterator(chunk_size=500):
        case = r.read.assignment
        yield [
            str(case.lesion), case.session.reader.username, case.occasion, r.read.revision, r.modality,
            r.sop_instance_uid, r.frame, r.area_mm2, r.n_pixels, r.mask_digest,
            " ".join(f"{x:.4f},{y:.4f},{z:.4f}" for x, y, z in r.vertices_mm),
        ]  # fmt: skip


def vectors(study: Study) -> QuerySet[FeatureVector]:
    return (
        FeatureVector.objects.filter(feature_set__study=study, feature_set__is_current=True)
        .select_related(
            "roi__read__assignment__lesion__patient", "roi__read__assignment__session__reader"
        )
        .order_by("pk")
    )


def features(study: Study) -> Iterator[Row]:
    """Long form, one row per value, so that names with commas and per cents stay one cell."""
    for v in vectors(study).iterator(chunk_size=100):
        case = v.roi.read.assignment
        head = [str(case.lesion), case.session.reader.username, case.occasion, v.roi.modality]
        for name, value in zip(NAMES, v.values or [None] * len(NAMES), strict=True):
            yield [*head, name, value, v.reasons.get(name, v.failure)]


def reliabilities(study: Study) -> Iterator[Row]:
    current = feature_sets.current(study)
    if current is None:
        return
    for r in reliability(study, current):
        yield [r.modality, r.feature, r.between, r.form, r.n, r.value, r.low, r.high, r.reason]


def predictions(study: Study) -> Iterator[Row]:
    rows = Prediction.objects.filter(run__study=study).select_related("run", "lesion__patient")
    for p in rows.order_by("pk").iterator(chunk_size=500):
        yield [str(p.lesion), p.run.kind, p.kind, p.probability, p.not_scored, p.run.digest]


def parts(study: Study) -> Iterator[Row]:
    rows = SplitPart.objects.filter(split__study=study).select_related("split", "patient")
    for p in rows.order_by("split__version", "patient__subject"):
        yield [p.split.version, p.split.digest, p.patient.subject, p.part]


def screening(study: Study) -> Iterator[Row]:
    rows = Screening.objects.filter(study=study).select_related(
        "patient", "lesion__patient", "criterion", "decided_by"
    )
    for s in rows:
        yield [
            s.patient.subject, s.lesion.number if s.lesion else "", s.decision,
            s.criterion.code if s.criterion else "", s.note, s.decided_by.username, s.decided_at, s.is_current,
        ]  # fmt: skip


def audit(study: Study) -> Iterator[Row]:
    for e in AuditEvent.objects.filter(study=study.code).order_by("seq").iterator(chunk_size=1000):
        yield [
            e.seq,
            e.at,
            e.actor,
            e.role,
            e.verb,
            e.obj,
            e.scope,
            e.reason_code,
            e.clock,
            e.payload,
            e.hash,
        ]


EXPORTS: Mapping[str, Export] = {
    "reads": Export(
        "Reads, every revision", State.UNBLINDED,
        ("lesion", "reader", "task", "kind", "condition", "occasion", "revision", "is_current", "state", "call",
         "confidence", "score", "cannot_judge", "wall_seconds", "active_seconds", "submitted_at", "reason", "digest"),
        reads,
    ),
    "rois": Export(
        "ROIs in patient millimetres", State.READING,
        ("lesion", "delineator", "occasion", "revision", "modality", "sop_instance_uid", "frame", "area_mm2",
         "n_pixels", "mask_digest", "vertices_mm"),
        rois,
    ),
    "features": Export(
        "Features of the current set", State.READING,
        ("lesion", "delineator", "occasion", "modality", "feature", "value", "reason"), features,
    ),
    "reliability": Export(
        "Reliability of each feature over repeated drawings of the training part", State.READING,
        ("modality", "feature", "between", "form", "n", "icc", "low", "high", "reason"), reliabilities,
    ),
    "robustness": Export(
        "Robustness of each feature under 44 perturbations, training part", State.READING,
        perturbing.COLUMNS, perturbing.rows,
    ),
    "ibsi": Export("IBSI features of each region", State.READING, regions.COLUMNS, regions.rows),
    "predictions": Export(
        "Predictions", State.UNBLINDED, ("lesion", "model", "kind", "probability", "not_scored", "run_digest"), predictions,
    ),
    "split": Export("Split", State.READING, ("version", "digest", "subject", "part"), parts),
    "screening": Export(
        "Screening log", State.SCREENING,
        ("subject", "lesion", "decision", "criterion", "note", "decided_by", "decided_at", "is_current"), screening,
    ),
    "audit": Export(
        "Audit trail", State.DRAFT,
        ("seq", "at", "actor", "role", "verb", "obj", "scope", "reason_code", "clock", "payload", "hash"), audit,
    ),
}  # fmt: skip


@member_view("analyse", "coordinate")
@require_safe
def download(request: HttpRequest, member: Membership, key: str, form: str) -> HttpResponse:
    """One table as CSV or JSON; taking it is an act in the trail."""
    study = member.study
    body = take(study, key, form, role=member.role)
    response = HttpResponse(body, content_type=TYPES[form])
    response["Content-Disposition"] = f'attachment; filename="{study.code}-{key}.{form}"'
    response["Cache-Control"] = "private, no-store"
    return response


def take(study: Study, key: str, form: str, *, role: str, actor: str = "") -> str:
    """A table of the study as `csv` or `json` text, and the act of taking it.

    Raises NotFound for a table or form that does not exist, or is not open yet in the study's state.
    """
    export = EXPORTS.get(key)
    if export is None or form not in TYPES or not study.has_reached(export.opens):
        raise NotFound(NO_SUCH_PAGE)
    rows = list(export.rows(study))
    record(
        "export.take",
        obj=f"export:{key}",
        study=study.code,
        role=role,
        actor=actor,
        new={"rows": len(rows), "form": form},
    )
    note = [SYNTHETIC] if study.is_synthetic else []
    if form == "csv":
        return csv_text(export.columns, rows, comments=note)
    named = [dict(zip(export.columns, row, strict=True)) for row in rows]
    body = {"study": study.code, "note": " ".join(note), key: named}
    return json.dumps(body, cls=DjangoJSONEncoder, allow_nan=False)
