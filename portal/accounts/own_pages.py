"""A person's own account: second factor, password, tokens of programs, and ending all sessions."""

from typing import cast

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from portal.accounts import second_factor, tokens
from portal.accounts.adapter import note_about
from portal.accounts.models import User
from portal.accounts.pages import signed_out
from portal.accounts.sessions import end_everywhere
from portal.errors import Invalid
from portal.roles import rule


def person(request: HttpRequest, what: str) -> User:
    tokens.refuse_token(request, what)
    return cast(User, request.user)


def show(request: HttpRequest, user: User, new_token: str = "") -> HttpResponse:
    context = {
        "has_second_factor": second_factor.has_one(user),
        "tokens": tokens.live_of(user, timezone.now()),
        "new_token": new_token,
        "max_days": tokens.MAX_DAYS,
    }
    return render(request, "account/own.html", context)


@rule("signed_in")
@login_required
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    return show(request, person(request, "open an account"))


def days_of(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise Invalid(f"Give the days as a number from 1 to {tokens.MAX_DAYS}.", field="days")
    return int(text)


@rule("signed_in")
@login_required
@require_POST
def issue_token(request: HttpRequest) -> HttpResponse:
    """The new token stands on this one answer and nowhere else."""
    user = person(request, "make another token")
    second_factor.require(user)
    label, days = request.POST.get("label", "").strip(), days_of(request.POST.get("days", ""))
    if not 1 <= len(label) <= 80:
        raise Invalid("Give the token a name of 1 to 80 characters.", field="label")
    with transaction.atomic():
        token = tokens.issue(user, label=label, days=days)
        note_about(user, "token.issue", new={"label": label, "days": days})
    return show(request, user, new_token=token.text)


@rule("signed_in")
@login_required
@require_POST
def revoke_token(request: HttpRequest, token: int) -> HttpResponse:
    user = person(request, "revoke a token")
    with transaction.atomic():
        row = tokens.revoke(user, token, timezone.now())
        note_about(user, "token.revoke", new={"label": row.label})
    messages.success(request, f"The token {row.label} is revoked.")
    return redirect("own:account")


@rule("signed_in")
@login_required
@require_POST
def sign_out_everywhere(request: HttpRequest) -> HttpResponse:
    """End every session of the person, this one too."""
    user = person(request, "end sessions")
    with transaction.atomic():
        end_everywhere(user, timezone.now())
        note_about(user, "sessions.end")
    logout(request)
    return signed_out()
