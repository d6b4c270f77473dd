"""The second factor: who needs one, who has one, and proving it afresh under a signature.

Outside synthetic studies coordinators, truth-seers, administrators and everybody who signs need one.
"""

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.conf import settings

from portal.accounts.models import User
from portal.errors import Forbidden

KINDS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


class SecondFactorMissing(Forbidden):
    """The person must set up a second factor; the page that says so links to it."""

    code = "second_factor"


def has_one(user: User) -> bool:
    return bool(Authenticator.objects.filter(user=user, type__in=KINDS).exists())


def is_needed(*, is_synthetic: bool) -> bool:
    return bool(settings.SECOND_FACTOR) and not is_synthetic


def require(user: User, *, is_synthetic: bool = False) -> None:
    """Refuse a person without a second factor where the study is not synthetic."""
    if is_needed(is_synthetic=is_synthetic) and not has_one(user):
        raise SecondFactorMissing(
            "This needs a second factor; set up an authenticator app under your account first."
        )


def proven_method(user: User, *, password: str, code: str) -> str:
    """`password` or `password+totp`; '' if the credentials do not hold."""
    if not user.check_password(password):
        return ""
    second = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    if second is None:
        return "password"
    return "password+totp" if TOTP(second).validate_code(code) else ""
