"""Recording what a member did in a study: one row of the trail, last in its transaction."""

from typing import Any

from portal.accounts.models import User
from portal.audit.trail import record
from portal.study.models import Membership, Study


def role_of(study: Study, user: User) -> str:
    row = Membership.objects.filter(study=study, user=user).values_list("role", flat=True).first()
    return row or ("administrator" if user.is_staff else "none")


def note_act(
    study: Study,
    actor: User,
    verb: str,
    obj: str,
    *,
    new: Any = None,
    old: Any = None,
    reason: str = "",
    reason_code: str = "",
) -> None:
    """Append the act to the trail in the actor's name and role."""
    record(
        verb,
        obj=obj,
        study=study.code,
        role=role_of(study, actor),
        actor=f"u:{actor.pk}",
        new=new,
        old=old,
        reason=reason,
        reason_code=reason_code,
    )
