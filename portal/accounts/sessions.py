"""The life of a session: 30 idle minutes, 12 hours at most, a new key when its person's rights change."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.contrib.auth import logout
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from portal.accounts.models import User

log = logging.getLogger(__name__)
BORN, SEEN, KEYED = "born", "seen", "keyed"
NOTE_SECONDS = 60
IMAGES = ("/dicomweb/", "/picture.png", "/thumbnails/")


def end_everywhere(user: User, now: datetime) -> None:
    """Every session that began before now is worth nothing from now on."""
    user.sessions_since = now
    user.save(update_fields=["sessions_since"])


def rights_changed(user: User, now: datetime) -> None:
    """The person's sessions get a new key at their next request."""
    user.rights_changed_at = now
    user.save(update_fields=["rights_changed_at"])


def moment(request: HttpRequest, name: str) -> datetime | None:
    value = request.session.get(name)
    return datetime.fromtimestamp(value, UTC) if isinstance(value, float) else None


def has_ended(request: HttpRequest, user: User, now: datetime) -> bool:
    """Idle too long, too old, or begun before the person ended all sessions."""
    born, seen = moment(request, BORN), moment(request, SEEN)
    if born is None or seen is None:
        return False
    is_idle = now - seen > timedelta(seconds=settings.SESSION_IDLE_SECONDS)
    is_old = now - born > timedelta(seconds=settings.SESSION_COOKIE_AGE)
    return is_idle or is_old or bool(user.sessions_since and born < user.sessions_since)


def note(request: HttpRequest, user: User, now: datetime) -> None:
    """Write when the person was seen, at most once a minute; a busy database is no reason to fail."""
    seen, keyed = moment(request, SEEN), moment(request, KEYED)
    changed = user.rights_changed_at
    is_stale_key = bool(changed and keyed and keyed < changed)
    if seen and now - seen < timedelta(seconds=NOTE_SECONDS) and not is_stale_key:
        return
    stamp = now.timestamp()
    request.session.setdefault(BORN, stamp)
    request.session[SEEN] = stamp
    if is_stale_key or keyed is None:
        request.session[KEYED] = stamp
    if is_stale_key:
        request.session.cycle_key()  # the cookie follows with the answer
        return
    try:
        request.session.save()
        request.session.modified = False
    except OperationalError:
        log.warning("the time of a request was not noted: the database is busy")
        request.session.modified = False


class SessionLifeMiddleware:
    """Ends what is over before the view sees it; images are answered without a write."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and isinstance(request.user, User):
            now = timezone.now()
            if has_ended(request, request.user, now):
                logout(request)
            elif not any(part in request.path for part in IMAGES):
                note(request, request.user, now)
        return self.get_response(request)
