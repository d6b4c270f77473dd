"""Fresh credentials for a signature: the password, the second factor where there is one, five tries."""

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.core.cache import cache

from portal.accounts.models import User
from portal.audit.trail import record
from portal.errors import Invalid, Locked
from readers.design import actor_name

TRIES = 5
LOCK_SECONDS = 15 * 60


def tries_key(user: User) -> str:
    return f"signing:{user.code}"


def prove(user: User, *, password: str, totp: str = "") -> str:
    """The method of a proof that holds; five failures lock signing for 15 minutes."""
    failed = cache.get(tries_key(user), 0)
    if failed >= TRIES:
        raise Locked("Signing is locked for 15 minutes after five failures; try again later.")
    method = proven_method(user, password=password, totp=totp)
    if not method:
        cache.set(tries_key(user), failed + 1, LOCK_SECONDS)
        record("signature.failed", obj=f"user:{user.code}", role="reader", actor=actor_name(user))
        raise Invalid("The password or code is not right; nothing was signed.", field="password")
    cache.delete(tries_key(user))
    return method


def proven_method(user: User, *, password: str, totp: str) -> str:
    """`password` or `password+totp`; '' if the credentials do not hold."""
    if not user.check_password(password):
        return ""
    second = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    if second is None:
        return "password"
    return "password+totp" if TOTP(second).validate_code(totp) else ""
