"""Five wrong proofs under a signature lock signing for 15 minutes, across all processes."""

from django.core.cache import cache

from portal.accounts.models import User
from portal.errors import Locked

TRIES = 5
LOCK_SECONDS = 15 * 60


def tries_key(user: User) -> str:
    return f"signing:{user.code}"


def refuse_locked(user: User) -> None:
    if cache.get(tries_key(user), 0) >= TRIES:
        raise Locked("Signing is locked for 15 minutes after five failures; try again later.")


def count_failure(user: User) -> bool:
    """Count one more; True when this one locks."""
    failed = cache.get(tries_key(user), 0) + 1
    cache.set(tries_key(user), failed, LOCK_SECONDS)
    return bool(failed == TRIES)


def forget(user: User) -> None:
    cache.delete(tries_key(user))
