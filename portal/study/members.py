"""Who works in a study, and the refusals that keep truth and reading apart."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from portal.accounts.models import User
from portal.accounts.sessions import rights_changed
from portal.audit.models import AuditEvent
from portal.audit.trail import record
from portal.errors import Conflict, Forbidden, Invalid
from portal.roles import BLIND_RIGHTS, OPEN_RIGHTS, ROLE_NAMES, ROLES
from portal.study.acts import note_act, role_of
from portal.study.life import flags
from portal.study.models import Membership, State, Study


@dataclass(frozen=True)
class Past:
    """What a person has been in a study, from the trail and the present membership."""

    was_blind: bool
    was_open: bool


def create_user(
    username: str,
    *,
    password: str | None = None,
    first_name: str = "",
    last_name: str = "",
    email: str = "",
    actor: User | None = None,
    now: datetime,
) -> User:
    """A new account without any study; no password means it cannot sign in yet."""
    user = User(
        username=username, first_name=first_name, last_name=last_name, email=email, date_joined=now
    )
    try:
        User.username_validator(username)
        if password is not None:
            validate_password(password, user)
    except ValidationError as error:
        raise Invalid(" ".join(error.messages)) from error
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
            who = f"u:{actor.pk}" if actor else ""
            record("user.create", obj=f"user:{user.pk}", role="administrator", actor=who)
    except IntegrityError as error:
        raise Conflict("That user name is taken; choose another.", field="username") from error
    return user


def member_object(user: User, role: str) -> str:
    return f"member:{user.pk}:{role}"


def past_of(study: Study, user: User) -> Past:
    """Roles are read from the trail, because a removed membership leaves no row."""
    objects = AuditEvent.objects.filter(
        study=study.code, verb__startswith="member.", obj__startswith=f"member:{user.pk}:"
    ).values_list("obj", flat=True)
    roles = {obj.rsplit(":", 1)[1] for obj in objects} | {role_of(study, user)}
    rights = {right for role in roles if role in ROLES for right in ROLES[role]}
    return Past(bool(rights & BLIND_RIGHTS), bool(rights & OPEN_RIGHTS))


def refuse_role(study: Study, user: User, role: str, actor: User) -> None:
    if role not in ROLES:
        raise Invalid(
            f"There is no role {role}; choose one of {', '.join(ROLE_NAMES)}.", field="role"
        )
    if user.pk == actor.pk:
        raise Forbidden("Nobody grants a role to oneself; ask another coordinator.")
    if study.state == State.ARCHIVED:
        raise Conflict("This study is archived; its members no longer change.")
    rights, past = set(ROLES[role]), past_of(study, user)
    if rights & BLIND_RIGHTS and past.was_open:
        raise Conflict(
            f"{user.printed_name} may have seen the truth or results of this study as coordinator or "
            "analyst, and can neither read nor draw in it; choose somebody else.",
            field="role",
        )
    if rights & OPEN_RIGHTS and past.was_blind and not study.has_reached(State.UNBLINDED):
        raise Conflict(
            f"{user.printed_name} reads or draws in this study and must not see truth or results "
            "before it is unblinded; choose somebody else.",
            field="role",
        )


def add_member(study: Study, user: User, role: str, *, actor: User, now: datetime) -> Membership:
    refuse_role(study, user, role, actor)
    if not user.is_active:
        raise Invalid("That account is closed; choose an active one.", field="user")
    try:
        with transaction.atomic():
            member = Membership.objects.create(
                study=study, user=user, role=role, since=now, **flags(role)
            )
            rights_changed(user, now)
            note_act(study, actor, "member.add", member_object(user, role), new={"role": role})
    except IntegrityError as error:
        raise Conflict(
            f"{user.printed_name} is a member already; change the role instead.", field="user"
        ) from error
    return member


def refuse_last_coordinator(member: Membership) -> None:
    others = Membership.objects.filter(study=member.study, can_coordinate=True)
    if member.can_coordinate and not others.exclude(pk=member.pk).exists():
        raise Conflict("A study keeps at least one coordinator; add another one first.")


def change_role(member: Membership, role: str, *, actor: User, now: datetime) -> Membership:
    refuse_role(member.study, member.user, role, actor)
    refuse_last_coordinator(member)
    before = member.role
    with transaction.atomic():
        Membership.objects.filter(pk=member.pk).update(role=role, since=now, **flags(role))
        rights_changed(member.user, now)
        obj = member_object(member.user, role)
        note_act(
            member.study, actor, "member.change", obj, old={"role": before}, new={"role": role}
        )
    member.refresh_from_db()
    return member


def remove(member: Membership, *, actor: User, now: datetime) -> None:
    """End a membership; what the person did stays, and the trail remembers the role."""
    if member.user_id == actor.pk:
        raise Forbidden("Nobody removes oneself; ask another coordinator.")
    refuse_last_coordinator(member)
    with transaction.atomic():
        Membership.objects.filter(pk=member.pk).delete()
        rights_changed(member.user, now)
        obj = member_object(member.user, member.role)
        old = {"role": member.role, "since": member.since, "until": now}
        note_act(member.study, actor, "member.remove", obj, old=old)
