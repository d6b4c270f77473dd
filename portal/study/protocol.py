"""Writing the protocol, the analysis plan and the settings of a study."""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max

from portal.accounts.models import User
from portal.errors import Conflict, Invalid
from portal.study.acts import note_act
from portal.study.models import Lesion, State, Study
from portal.study.patients import require_state

WRITING: tuple[str, ...] = (State.DRAFT, State.SCREENING)
MAX_DEPTH = 20


def inside(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def refuse_plan(plan: Mapping[str, Any]) -> None:
    """A plan that can be stored and digested: finite numbers, not nested without end."""
    layer: list[Any] = [plan]
    for _ in range(MAX_DEPTH + 1):
        if any(isinstance(v, float) and not math.isfinite(v) for v in layer):
            raise Invalid("A number of the analysis plan is not finite; write it as text.", field="analysis_plan")  # fmt: skip
        layer = [inner for value in layer for inner in inside(value)]
    if layer:
        raise Invalid(f"The analysis plan is nested more than {MAX_DEPTH} deep; make it flatter.", field="analysis_plan")  # fmt: skip


def write_protocol(
    study: Study, *, protocol: str, analysis_plan: Mapping[str, Any], actor: User, now: datetime
) -> Study:
    """Set protocol and analysis plan; both are fixed once reading has begun."""
    require_state(study, WRITING, "Protocol and analysis plan are written")
    refuse_plan(analysis_plan)
    new = {"protocol": protocol.strip(), "analysis_plan": dict(analysis_plan)}
    old = {"protocol": study.protocol, "analysis_plan": study.analysis_plan}
    if new == old:
        return study
    with transaction.atomic():
        study.protocol, study.analysis_plan = protocol.strip(), dict(analysis_plan)
        study.save(update_fields=["protocol", "analysis_plan"])
        note_act(study, actor, "study.protocol", f"study:{study.code}", old=old, new={**new, "at": now})  # fmt: skip
    return study


def change_settings(
    study: Study,
    *,
    name: str,
    lesion_cap: int,
    needs_second_confirmation: bool,
    actor: User,
    now: datetime,
) -> Study:
    if not name.strip():
        raise Invalid("Give the study a name.", field="name")
    refuse_cap(study, lesion_cap)
    if study.needs_second_confirmation and not needs_second_confirmation:
        require_state(study, WRITING, "The second confirmation is given up")
    new = {"name": name.strip(), "lesion_cap": lesion_cap, "second": needs_second_confirmation}
    old = {"name": study.name, "lesion_cap": study.lesion_cap, "second": study.needs_second_confirmation}  # fmt: skip
    if new == old:
        return study
    with transaction.atomic():
        study.name, study.lesion_cap = name.strip(), lesion_cap
        study.needs_second_confirmation = needs_second_confirmation
        study.save(update_fields=["name", "lesion_cap", "needs_second_confirmation"])
        note_act(study, actor, "study.settings", f"study:{study.code}", old=old, new={**new, "at": now})  # fmt: skip
    return study


def refuse_cap(study: Study, lesion_cap: int) -> None:
    if lesion_cap == study.lesion_cap:
        return
    require_state(study, WRITING, "The cap of lesions is changed")
    if not 1 <= lesion_cap <= 24:
        raise Invalid("The cap lies between 1 and 24 lesions per patient.", field="lesion_cap")
    highest = Lesion.objects.of_study(study).aggregate(top=Max("slot"))["top"] or 0
    if lesion_cap < highest:
        raise Conflict(f"Some patients have {highest} included lesions; exclude lesions first.")
