"""Models against human readers: every figure of the dashboard, once per look, stored with its digest."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.db import transaction
from django.db.models import Max

from portal.accounts.models import User
from portal.analysis.cases import Part, gather, locked_runs
from portal.analysis.characteristics import by_class, by_part
from portal.analysis.feature_figures import feature_figures, reliability_figures
from portal.analysis.figures import all_figures, has_repeats
from portal.analysis.models import Evaluation, Look
from portal.analysis.outline_agreement import outline_agreement
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
    for part, found in gathered.items():
        if "reason" not in figures[part]:
            figures[part] |= around(study, found, gathered)
    with transaction.atomic():
        inputs = {part: found.inputs_digest for part, found in gathered.items()}
        look = take_a_look(study, "evaluation", actor=actor, now=now, reason=reason, inputs=inputs)
        rows = {
            part: store(study, gathered[part], figures[part], look=look, now=now) for part in PARTS
        }
        record(
            "evaluation.compute", obj=f"look:{look.number}", study=study.code, role="analyst",
            new={part: row.digest for part, row in rows.items()}, reason=reason,
        )  # fmt: skip
    return rows


ONE_CLASS = "This part needs lesions of both classes that every model scored and every expert read."
ONE_PATIENT = "This part needs lesions of each class from at least two patients, as lesions of one patient belong together."


def figures_or_reason(part: Part) -> dict[str, Any]:
    """The figures of a part, or the sentence why there are none (one class only, nothing scored, one patient)."""
    n_patients = [len(set(part.groups[part.y == label].tolist())) for label in (0, 1)]
    if min(n_patients) == 0:
        return {"reason": ONE_CLASS}
    if min(n_patients) == 1 and has_repeats(part):
        return {"reason": ONE_PATIENT}
    return all_figures(part)


def around(study: Study, part: Part, gathered: Mapping[str, Part]) -> dict[str, Any]:
    """What belongs to the lesions of a part beyond their scores: outlines, features, Table 1."""
    runs = locked_runs(study)
    found: dict[str, Any] = {
        "outlines": outline_agreement(study, part.lesion_ids),
        "features": feature_figures(study, part, runs),
        "table_1": by_class(part),
    }
    if part.name == "train":
        newest = next(iter(runs.values()))
        found["reliability"] = reliability_figures(study, newest.feature_set)
        found["parts"] = by_part(*(gathered[name] for name in PARTS))
    return found


def take_a_look(
    study: Study,
    what: str,
    *,
    actor: User,
    now: datetime,
    reason: str,
    inputs: Mapping[str, str] = MappingProxyType({}),
) -> Look:
    """Count one access to the validation results."""
    last = Look.objects.filter(study=study).aggregate(last=Max("number"))["last"] or 0
    return Look.objects.create(
        study=study,
        number=last + 1,
        what=what,
        inputs=dict(inputs),
        reason=reason,
        user=actor,
        at=now,
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
    """The evaluation of each part that was asked for last, though its row may be an older one."""
    rows = Evaluation.objects.filter(study=study).order_by("pk").select_related("look", "study")
    newest = {row.part: row for row in rows}
    by_inputs = {(row.part, row.inputs_digest): row for row in rows}
    looks = Look.objects.filter(study=study).exclude(inputs={})
    asked = looks.order_by("-number").values_list("inputs", flat=True).first() or {}
    again = {part: by_inputs[part, key] for part, key in asked.items() if (part, key) in by_inputs}
    return newest | again


def n_looks(study: Study) -> int:
    return Look.objects.filter(study=study).count()
