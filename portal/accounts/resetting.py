"""Taking a person's second factor away after a lost device: an administrator's act, with a reason."""

from datetime import datetime

from allauth.mfa.models import Authenticator
from django.db import transaction

from portal.accounts.models import User
from portal.accounts.sessions import end_everywhere
from portal.audit.trail import record
from portal.errors import Conflict, Invalid

SHORTEST = 10


def reset_second_factor(user: User, *, reason: str, now: datetime) -> int:
    """Remove authenticators and recovery codes, end every session; the person sets up a new one at sign-in.

    A lost device may be in somebody's hands, so what it opened is closed too. Returns how many were removed.
    """
    if len(reason.strip()) < SHORTEST:
        raise Invalid(
            f"Say in at least {SHORTEST} characters why the second factor is reset.", field="reason"
        )
    with transaction.atomic():
        kinds = sorted(Authenticator.objects.filter(user=user).values_list("type", flat=True))
        if not kinds:
            raise Conflict(f"{user.username} has no second factor to reset.")
        Authenticator.objects.filter(user=user).delete()
        end_everywhere(user, now)
        record(
            "second_factor.reset", obj=f"user:{user.code}", role="administrator", scope="system",
            old={"kinds": kinds}, reason=reason.strip(),
        )  # fmt: skip
    return len(kinds)
