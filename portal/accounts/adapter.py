"""Sign-in as allauth does it, with a closed door for strangers and every failure on the trail."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from portal.accounts.models import User
from portal.audit.trail import record

LOCK_SECONDS = 15 * 60
UNKNOWN_SECONDS = 60


def known_user(credentials: dict[str, Any]) -> User | None:
    return User.objects.filter(username=credentials.get("username", "")).first()


def note_about(user: User, verb: str, **more: Any) -> None:
    record(
        verb, obj=f"user:{user.code}", actor=f"u:{user.pk}", role="account", scope="system", **more
    )


class ClosedSignup(DefaultAccountAdapter):  # type: ignore[misc]
    """People come by invitation of an administrator; what was typed at the door is never kept."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """The lock after ten failures is an act of its own, once."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            user = known_user(credentials)
            if user and cache.add(f"sign-in-locked:{user.code}", True, LOCK_SECONDS):
                note_about(user, "sign_in.locked")
            raise

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        user = known_user(credentials)
        if user is not None:
            note_about(user, "sign_in.failed")
        elif cache.add(f"sign-in-unknown:{self.get_client_ip(request)}", True, UNKNOWN_SECONDS):
            record("sign_in.failed", obj="user:unknown", role="account", scope="system")

    def post_login(self, request: HttpRequest, user: User, **more: Any) -> HttpResponse:
        note_about(user, "sign_in")
        response: HttpResponse = super().post_login(request, user, **more)
        return response

    def send_notification_mail(
        self, template_prefix: str, user: User, *more: Any, **context: Any
    ) -> None:
        """Allauth's one call after every change of a password or second factor: a row of the trail, then the mail."""
        note_about(user, f"account.{template_prefix.rsplit('/', 1)[-1]}")
        super().send_notification_mail(template_prefix, user, *more, **context)


class SecondFactors(DefaultMFAAdapter):  # type: ignore[misc]
    """A second factor is taken away by an administrator, never by whoever sits at the machine."""

    def can_delete_authenticator(self, authenticator: Any) -> bool:
        return False
