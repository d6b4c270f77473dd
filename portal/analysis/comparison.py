"""Models against human readers: every figure of the dashboard, once per look, stored with its digest."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max

from portal.accounts.models import User
from portal.analysis.cases import Part, gather
from portal.analysis.figures import all_figures
from portal.analysis.models import Evaluation, Look
from portal.audit.chain import digest
from portal.audit.trail import record
from portal.errors import Conflict
from portal.study.models import State, Study

PARTS = ("train", "validation")


def evaluate(
    study: Study, *, actor: User, now: datetime, reason: str = ""
) -> dict[str, Evaluation]:
    """Evaluate both parts; refused before UNBLINDED, counted as one look at the validation part."""
    if not study.has_reached(State.UNBLINDED):
        raise Conflict("The study is not unblinded; no validation figure exists before.")
    gathered = {part: gather(study, part) for part in PARTS}
    figures = {part: figures_or_reason(found) for part, found in gathered.items()}
    with transaction.atomic():
        look = take_a_look(study, "evaluation", actor=actor, now=now, reason=reason)
        rows = {
            part: store(study, gathered[part], figures[part], look=look, now=now) for part in PARTS
        }
        record(
            "evaluation.compute", obj=f"look:{look.number}", study=study.code, role="analyst",
            new={part: row.digest for part, row in rows.items()}, reason=reason,
        )  # fmt: skip
    return rows


def figures_or_reason(part: Part) -> dict[str, Any]:
    """The figures of a part, or the sentence why there are none (one class only, nothing scored)."""
    if len(set(part.y.tolist())) < 2:
        return {
            "reason": "This part needs lesions of both classes that every model scored and every expert read."
        }
    return all_figures(part)


def take_a_look(study: Study, what: str, *, actor: User, now: datetime, reason: str) -> Look:
    """Count one access to the validation results."""
    last = Look.objects.filter(study=study).aggregate(last=Max("number"))["last"] or 0
    return Look.objects.create(
        study=study, number=last + 1, what=what, reason=reason, user=actor, at=now
    )


def store(
    study: Study, part: Part, figures: Mapping[str, Any], *, look: Look, now: datetime
) -> Evaluation:
    """Insert the figures of these inputs, or check that they came out as before."""
    row, is_new = Evaluation.objects.get_or_create(
        study=study,
        part=part.name,
        inputs_digest=part.inputs_digest,
        defaults={"look": look, "figures": figures, "digest": digest(figures), "created_at": now},
    )
    if not is_new and row.digest != digest(figures):
        raise Conflict("The figures are not reproducible; the stored ones were kept.")
    return row


def latest(study: Study) -> dict[str, Evaluation]:
    """The newest evaluation of each part."""
    rows = Evaluation.objects.filter(study=study).order_by("pk").select_related("look")
    return {row.part: row for row in rows}


def n_looks(study: Study) -> int:
    return Look.objects.filter(study=study).count()
