"""The door of every page of a study: who is a member, with which right, and is the fence let down."""

import functools
from collections.abc import Callable
from typing import Any, Concatenate

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, JsonResponse

from portal.accounts import second_factor
from portal.errors import NotFound, wants_json
from portal.fence.blind import lifted
from portal.roles import OPEN_RIGHTS, RIGHTS
from portal.study.models import Membership

Inner = Callable[Concatenate[HttpRequest, Membership, ...], HttpResponse]
NO_SUCH_PAGE = "There is no such page, or it is not yours to see."


def sign_in_first(request: HttpRequest) -> HttpResponse:
    """401 with a sentence for programs, the sign-in page for people."""
    if wants_json(request):
        response: HttpResponse = JsonResponse({"detail": "Sign in first."}, status=401)
        response["WWW-Authenticate"] = "Token"
        return response
    return redirect_to_login(request.get_full_path(), settings.LOGIN_URL)


def membership_of(user_id: int, study: str) -> Membership:
    member = (
        Membership.objects.select_related("study", "user")
        .filter(user_id=user_id, study__code=study)
        .first()
    )
    if member is None:
        raise NotFound(NO_SUCH_PAGE)
    return member


def require(member: Membership, *rights: str) -> None:
    """Refuse, as if the page did not exist, a member who has none of the rights."""
    if not any(member.may(right) for right in rights):
        raise NotFound(NO_SUCH_PAGE)


def is_truth_seeing(member: Membership) -> bool:
    return any(member.may(right) for right in OPEN_RIGHTS)


def admit(request: HttpRequest, member: Membership) -> None:
    """Who sees truth signs in with a second factor; a program's token was given out with one."""
    if is_truth_seeing(member) and getattr(request, "token_user", None) is None:
        second_factor.require(member.user, is_synthetic=member.study.is_synthetic)


def member_view(*rights: str) -> Callable[[Inner], Callable[..., HttpResponse]]:
    """A view of one study for members with any of `rights`; `study` is its code in the address.

    The view gets the membership in place of the code. The fence is let down only for members who
    coordinate, see truth or analyse; readers, delineators and monitors stay blind.
    """
    if not rights or not set(rights) <= set(RIGHTS):
        raise ValueError(f"rights must be some of {RIGHTS}, got {rights}")

    def wrap(view: Inner) -> Callable[..., HttpResponse]:
        @functools.wraps(view)
        def guarded(request: HttpRequest, study: str, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return sign_in_first(request)
            member = membership_of(request.user.pk, study)
            require(member, *rights)
            admit(request, member)
            if not is_truth_seeing(member):
                return view(request, member, **kwargs)
            with lifted():
                return view(request, member, **kwargs)

        guarded.rule = rights  # type: ignore[attr-defined]
        return guarded

    return wrap
