"""The life of a study: forward only, one step at a time, each with its checklist.

What an upper floor must have done before a step it contributes through `register_check(state,
function)` in its module `checks`, which is imported at start: `function(study)` returns a tuple of
`Check`s for the step *to* that state.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from portal.accounts.models import User
from portal.audit.chain import digest
from portal.audit.models import Signature
from portal.audit.verify import verify
from portal.errors import Conflict, Forbidden, Invalid
from portal.roles import ROLES
from portal.study.acts import note_act
from portal.study.models import STATE_ORDER, Criterion, Lesion, Membership, State, Study
from portal.study.readiness import what_images_lack
from portal.study.splitting import covers_cohort, current_split

MEANINGS = {
    State.READING: "I lock the cohort, the split and the design of this study.",
    State.READS_LOCKED: "I declare the reads of this study complete and lock them.",
    State.UNBLINDED: "I unblind this study.",
}


@dataclass(frozen=True)
class Check:
    """One line of the checklist of a step; `hint` says what to do while it is not met."""

    code: str
    text: str
    is_met: bool
    hint: str = ""


Contribution = Callable[[Study], tuple[Check, ...]]
CONTRIBUTIONS: dict[str, list[Contribution]] = {state: [] for state in STATE_ORDER}


def register_check(state: str, function: Contribution) -> None:
    """Ask `function` for its checks whenever the step to `state` is considered."""
    if function not in CONTRIBUTIONS[state]:
        CONTRIBUTIONS[state].append(function)


def next_state(study: Study) -> str | None:
    position = STATE_ORDER.index(study.state) + 1
    return STATE_ORDER[position] if position < len(STATE_ORDER) else None


def create_study(
    *,
    code: str,
    name: str,
    actor: User,
    now: datetime,
    is_synthetic: bool = False,
    generator: dict[str, Any] | None = None,
    needs_second_confirmation: bool = True,
) -> Study:
    """A new study in DRAFT; its creator becomes its coordinator."""
    if not name.strip():
        raise Invalid("Give the study a name.", field="name")
    try:
        with transaction.atomic():
            study = Study.objects.create(
                code=code,
                name=name.strip(),
                is_synthetic=is_synthetic,
                generator=generator or {},
                needs_second_confirmation=needs_second_confirmation,
                created_at=now,
            )
            Membership.objects.create(
                study=study, user=actor, role="coordinator", since=now, **flags("coordinator")
            )
            note_act(study, actor, "study.create", f"study:{code}", new={"name": study.name})
    except IntegrityError as error:
        raise Conflict(
            f"There is a study “{code}” already; choose another code.", field="code"
        ) from error
    return study


def flags(role: str) -> dict[str, bool]:
    """The membership flags of a role."""
    rights = ROLES[role]
    return {
        "can_coordinate": "coordinate" in rights,
        "sees_truth": "see_truth" in rights,
        "can_analyse": "analyse" in rights,
        "can_read": "read" in rights,
        "can_draw": "draw" in rights,
        "can_monitor": "monitor" in rights,
    }


def to_screening(study: Study) -> tuple[Check, ...]:
    criteria = Criterion.objects.filter(study=study).exists()
    return (
        Check("criteria", "Criteria are written", criteria, "Add the inclusion and exclusion criteria."),
        Check("protocol", "The protocol is written", bool(study.protocol.strip()), "Write the protocol."),
        Check(
            "analysis_plan", "The analysis plan is written", bool(study.analysis_plan), "Write the analysis plan."
        ),
    )  # fmt: skip


def to_reading(study: Study) -> tuple[Check, ...]:
    included = Lesion.objects.of_study(study).included()
    split = current_split(study)
    is_split = split is not None and covers_cohort(split)
    to_split = "Preview a split and lock it."
    if split is not None and not is_split:
        to_split = f"The cohort has changed since split {split.version} was locked; make a new one and lock it."
    lack = what_images_lack(study)
    return (
        Check("lesions", "Lesions are included", included.exists(), "Include lesions in the screening."),
        Check("series", "Each included lesion has its CT and SPECT, ready to be read", not lack, lack),
        Check("split", "A split of this cohort is locked", is_split, to_split),
    )  # fmt: skip


def signers(study: Study, state: str) -> set[int]:
    rows = Signature.objects.filter(study=study.code, obj=signed_object(study, state))
    voided = set(rows.filter(kind=Signature.Kind.VOIDED).values_list("user_id", flat=True))
    return set(rows.filter(kind=Signature.Kind.SIGNED).values_list("user_id", flat=True)) - voided


def to_unblinded(study: Study) -> tuple[Check, ...]:
    trail = verify()
    checks = [Check("audit", "The audit trail holds", trail.is_intact, trail.sentence)]
    if study.needs_second_confirmation:
        is_confirmed = bool(signers(study, State.UNBLINDED))
        hint = "Ask a second member who does not read to confirm the unblinding."
        checks.append(Check("second", "A second member has confirmed", is_confirmed, hint))
    return tuple(checks)


OWN: dict[str, Contribution] = {
    State.SCREENING: to_screening,
    State.READING: to_reading,
    State.UNBLINDED: to_unblinded,
}


def checklist(study: Study) -> tuple[Check, ...]:
    """What the next step needs, met or not; empty at the end of a study's life."""
    state = next_state(study)
    if state is None:
        return ()
    own = OWN[state](study) if state in OWN else ()
    return own + tuple(check for ask in CONTRIBUTIONS[state] for check in ask(study))


def signed_object(study: Study, state: str) -> str:
    return f"study:{study.code}:{state}"


def sign(study: Study, state: str, actor: User, *, reason: str, now: datetime, method: str) -> None:
    Signature.objects.create(
        user=actor,
        printed_name=actor.printed_name,
        study=study.code,
        obj=signed_object(study, state),
        meaning=MEANINGS[State(state)],
        record_digest=digest(record_of(study)),
        method=method,
        reason=reason,
        at=now,
    )


def confirm(study: Study, *, to: str, actor: User, now: datetime, method: str = "password") -> None:
    """The second signature under a step, by another member who neither reads nor draws."""
    member = Membership.objects.filter(study=study, user=actor).first()
    if member is None or member.can_read or member.can_draw:
        raise Forbidden("A member who neither reads nor draws must confirm this step.")
    if to not in MEANINGS or to != next_state(study):
        raise Conflict(f"{to} is not the next step of this study, so there is nothing to confirm.")
    if actor.pk in signers(study, to):
        raise Conflict("You have confirmed this step already; another member must take it.")
    with transaction.atomic():
        sign(study, to, actor, reason="", now=now, method=method)
        note_act(study, actor, "study.confirm", f"study:{study.code}", new={"to": to})


def record_of(study: Study) -> dict[str, Any]:
    """What the digests of a study's plan cover."""
    criteria = Criterion.objects.filter(study=study).order_by("order", "code")
    split = current_split(study)
    return {
        "protocol": study.protocol,
        "analysis_plan": study.analysis_plan,
        "criteria": list(criteria.values("code", "text", "kind", "level", "order")),
        "split": split.digest if split else "",
    }


def frozen_digests(study: Study) -> dict[str, str]:
    parts = record_of(study)
    split = parts.pop("split")
    return {**{name: digest(part) for name, part in parts.items()}, "split": split}


def advance(
    study: Study,
    *,
    to: str,
    actor: User,
    reason: str,
    now: datetime,
    extra_checks: Sequence[Check] = (),
    method: str = "password",
) -> Study:
    """Take the next step, or refuse with everything that is missing."""
    with transaction.atomic():
        fresh = Study.objects.select_for_update().get(pk=study.pk)
        refuse_step(fresh, to, actor, reason)
        missing = [c for c in (*checklist(fresh), *extra_checks) if not c.is_met]
        if missing:
            hints = " ".join(c.hint or c.text for c in missing)
            codes = [c.code for c in missing]
            raise Conflict(f"The study cannot go to {to} yet. {hints}", extra={"missing": codes})
        before = fresh.state
        take_step(fresh, to, actor, reason=reason, now=now, method=method)
        note_act(
            fresh, actor, "study.advance", f"study:{fresh.code}",
            old={"state": before}, new={"state": to, "digests": fresh.digests}, reason=reason,
        )  # fmt: skip
    study.refresh_from_db()
    return study


def refuse_step(study: Study, to: str, actor: User, reason: str) -> None:
    following = next_state(study)
    if following is None:
        raise Conflict("This study is archived; nothing follows.")
    if to != following:
        raise Conflict(f"The study is in {study.state}; the only next step is {following}.")
    if not Membership.objects.filter(study=study, user=actor, can_coordinate=True).exists():
        raise Forbidden("Only a coordinator of the study takes its steps.")
    if not reason.strip():
        raise Invalid("Say why the study takes this step.", field="reason")
    if study.needs_second_confirmation and to == State.UNBLINDED and actor.pk in signers(study, to):
        raise Forbidden("You confirmed the unblinding; another coordinator must carry it out.")


def take_step(
    study: Study, to: str, actor: User, *, reason: str, now: datetime, method: str
) -> None:
    if to in MEANINGS:
        sign(study, to, actor, reason=reason, now=now, method=method)
    study.state = to
    if to == State.READING:
        study.digests = {**study.digests, **frozen_digests(study)}
    study.save(update_fields=["state", "digests"])
