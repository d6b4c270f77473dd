"""Fresh credentials for the signature under a step: password, second factor, five tries."""

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.core.cache import cache

from portal.accounts.models import User
from portal.errors import Forbidden, Locked
from portal.study.acts import note_act
from portal.study.models import Study

TRIES = 5
LOCK_SECONDS = 15 * 60


def tries_key(user: User) -> str:
    return f"signing:{user.code}"


def holds(user: User, password: str, code: str) -> bool:
    if not user.check_password(password):
        return False
    second = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    return second is None or bool(TOTP(second).validate_code(code))


def prove(study: Study, user: User, *, password: str, code: str = "") -> None:
    """Refuse a proof that does not hold; after five failures signing is locked for 15 minutes."""
    failed = cache.get(tries_key(user), 0)
    if failed >= TRIES:
        raise Locked("Signing is locked for 15 minutes after five failures; try again later.")
    if holds(user, password, code):
        cache.delete(tries_key(user))
        return
    cache.set(tries_key(user), failed + 1, LOCK_SECONDS)
    note_act(study, user, "signature.failed", f"user:{user.code}")
    raise Forbidden("The password or code is not right, so the step is not signed; try again.")
