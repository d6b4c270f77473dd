"""API tokens: shown once, stored as SHA-256, named, at most 90 days, revocable."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.utils import timezone

from portal.accounts.models import ApiToken, User
from portal.errors import Forbidden, Invalid, NotFound
from portal.sql.asked import Asked, place, written

MAX_DAYS = 90
SCHEME = "Token "
# stands for the digest of a token
NAME = place("token")


@dataclass(frozen=True)
class NewToken:
    text: str
    row: ApiToken


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def issue(user: User, *, label: str, days: int, now: datetime | None = None) -> NewToken:
    if not 1 <= days <= MAX_DAYS:
        raise Invalid(f"A token lives 1 to {MAX_DAYS} days; ask for that many.", field="days")
    start = now or timezone.now()
    text = secrets.token_urlsafe(32)
    row = ApiToken.objects.create(
        user=user,
        label=label or "token",
        digest=digest_of(text),
        created_at=start,
        expires_at=start + timedelta(days=days),
    )
    return NewToken(text, row)


def refuse_token(request: HttpRequest, what: str) -> None:
    """Some acts need the person at the keyboard: a program's token is refused."""
    if getattr(request, "token_user", None) is not None:
        raise Forbidden(f"An API token cannot {what}; sign in with your password for that.")


def check_csrf(request: HttpRequest) -> None:
    """What Django checks of each view, of one that is exempt until it knows who asks; a token's request passes.

    Raises Forbidden where a session's request does not carry its CSRF token.
    """
    check = CsrfViewMiddleware(lambda _: HttpResponse())
    if check.process_view(request, HttpResponse, (), {}) is not None:
        raise Forbidden("A session sends its CSRF token along; a program signs in by an API token.")


def live(now: datetime) -> QuerySet[ApiToken]:
    return ApiToken.objects.filter(revoked_at__isnull=True, expires_at__gt=now)


def live_of(user: User, now: datetime) -> QuerySet[ApiToken]:
    return live(now).filter(user=user).order_by("-created_at", "-pk")


def revoke(user: User, token_id: int, now: datetime) -> ApiToken:
    row = live_of(user, now).filter(pk=token_id).first()
    if row is None:
        raise NotFound("There is no such token of yours, or it ended already.")
    row.revoked_at = now
    row.save(update_fields=["revoked_at"])
    return row


def revoke_all(user: User) -> int:
    return ApiToken.objects.filter(user=user, revoked_at__isnull=True).update(
        revoked_at=timezone.now()
    )


def user_of(text: str) -> User | None:
    """Whose token this is, while it is valid and its user active."""
    asked, name, now = holder(), digest_of(text), timezone.now()
    found = User.objects.raw(asked.sql, [name if v == NAME else now for v in asked.values])
    return next(iter(found), None)


@lru_cache(maxsize=1)
def holder() -> Asked:
    """Asked with every request of a program: its values are the digest and the moment, whatever that stands for here."""
    valid = live(timezone.now()).filter(digest=NAME)
    return written(User.objects.filter(is_active=True, pk__in=valid.values("user")).order_by())


def token_text(request: HttpRequest) -> str | None:
    header = request.headers.get("Authorization", "")
    return header[len(SCHEME) :].strip() if header.startswith(SCHEME) else None


class TokenMiddleware:
    """Signs a request in by its `Authorization: Token …`; CSRF concerns sessions only."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        text = token_text(request)
        user = user_of(text) if text else None
        if user is not None:
            request.user = user
            request.token_user = user  # type: ignore[attr-defined]
            request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
        return self.get_response(request)
