"""Separation of duties as tables: every role against every past, in every state; and the flags a role carries."""

import itertools
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.errors import Conflict, Forbidden, Invalid
from portal.roles import BLIND_RIGHTS, OPEN_RIGHTS, RIGHTS, ROLE_NAMES, ROLES
from portal.study.life import flags
from portal.study.members import add_member, change_role, past_of, remove
from portal.study.models import STATE_ORDER, Membership, State, Study
from tests.cohort import NOW, make_study, make_user
from tests.study.builders import carry_to, coordinator

BLIND = ("expert", "delineator", "adjudicator")
OPEN = ("coordinator", "analyst")
BEFORE = STATE_ORDER[:4]
SEEN = (
    "new may have seen the truth or results of this study as coordinator or analyst, and can neither read nor draw "
    "in it; choose somebody else."
)
READS = "new reads or draws in this study and must not see truth or results before it is unblinded; choose somebody else."  # fmt: skip
FLAGS = ("can_coordinate", "sees_truth", "can_analyse", "can_read", "can_draw", "can_monitor")
TABLE = {
    "coordinator": (True, True, True, False, False, True),
    "analyst": (False, False, True, False, False, True),
    "expert": (False, False, False, True, False, False),
    "delineator": (False, False, False, False, True, False),
    "adjudicator": (False, False, False, True, False, False),
    "monitor": (False, False, False, False, False, True),
}


@pytest.mark.parametrize("role", ROLE_NAMES)
def test_the_flags_of_a_role_are_those_of_the_specification(role: str) -> None:
    assert flags(role) == dict(zip(FLAGS, TABLE[role], strict=True))


def test_no_role_both_sees_and_reads() -> None:
    for role, rights in ROLES.items():
        assert not (set(rights) & BLIND_RIGHTS and set(rights) & OPEN_RIGHTS), role
    assert {r for role in ROLES.values() for r in role} == set(RIGHTS)


@pytest.mark.parametrize("role", ROLE_NAMES)
@pytest.mark.parametrize("right", RIGHTS)
def test_a_member_may_what_the_role_says_and_nothing_else(role: str, right: str) -> None:
    assert Membership(role=role, **flags(role)).may(right) is (right in ROLES[role])


def test_a_right_that_does_not_exist_is_an_error_and_no_refusal() -> None:
    with pytest.raises(KeyError):
        Membership(**flags("coordinator")).may("everything")


def one(study: Study, role: str) -> Membership:
    return add_member(study, make_user("new"), role, actor=coordinator(), now=NOW)


def expected(before: str, after: str, state: str) -> str:
    """The refusal by the words of section 4.3: who saw never reads; who reads sees after the unblinding."""
    if before in OPEN and after in BLIND:
        return SEEN
    return READS if before in BLIND and after in OPEN and state in BEFORE else ""


PAIRS = list(itertools.product(ROLE_NAMES, ROLE_NAMES))


@pytest.mark.django_db
@pytest.mark.parametrize("state", [State.DRAFT, State.READING, State.READS_LOCKED, State.UNBLINDED])
@pytest.mark.parametrize("way", ["change", "leave and return"])
def test_every_change_of_role_follows_the_table(state: str, way: str) -> None:
    """All 36 pairs, each in a study of its own; leaving and coming back washes nothing away."""
    met, wanted = {}, {}
    for n, (before, after) in enumerate(PAIRS):
        study = make_study(f"s{n}", cast=False)
        Membership.objects.create(study=study, user=coordinator(), role="coordinator", since=NOW, **flags("coordinator"))  # fmt: skip
        member = one(study, before)
        carry_to(study, state)
        wanted[before, after] = expected(before, after, state)
        met[before, after] = refusal_of(study, member, after, way)
    assert met == wanted


def refusal_of(study: Study, member: Membership, after: str, way: str) -> str:
    try:
        if way == "change":
            change_role(member, after, actor=coordinator(), now=NOW)
        else:
            remove(member, actor=coordinator(), now=NOW)
            one(study, after)
    except Conflict as error:
        return error.sentence
    assert Membership.objects.get(study=study, user=make_user("new")).role == after
    return ""


@pytest.mark.django_db
@pytest.mark.parametrize("path", [("monitor", "analyst", "monitor"), ("analyst", "monitor"), ("coordinator", "monitor", "analyst")])  # fmt: skip
def test_no_way_round_leads_from_the_truth_to_reading(path: tuple[str, ...]) -> None:
    study = make_study()
    member = one(study, path[0])
    for role in path[1:]:
        member = change_role(member, role, actor=coordinator(), now=NOW)
    for role in BLIND:
        with pytest.raises(Conflict) as refusal:
            change_role(member, role, actor=coordinator(), now=NOW)
        assert refusal.value.sentence == SEEN


@pytest.mark.django_db
def test_the_past_is_one_studys_and_one_persons() -> None:
    study, other = make_study(), make_study("knee", cast=False)
    one(study, "analyst")
    assert past_of(study, make_user("new")).was_open
    assert not past_of(other, make_user("new")).was_open
    assert not past_of(study, make_user("expert1")).was_open
    assert past_of(study, make_user("expert1")).was_blind


@pytest.mark.django_db
def test_a_person_whose_number_begins_like_anothers_has_another_past() -> None:
    """The trail names people by number: 1 is not 12."""
    study = make_study()
    one(study, "analyst")
    longer = User.objects.create(pk=make_user("new").pk * 10 + 1, username="longer")
    assert not past_of(study, longer).was_open


REFUSED: list[tuple[str, dict[str, Any], type, str]] = [
    ("reader", {}, Invalid, "There is no role reader; choose one of coordinator, analyst, expert, delineator, adjudicator, monitor."),
    ("", {}, Invalid, "There is no role ; choose one of coordinator, analyst, expert, delineator, adjudicator, monitor."),
    ("monitor", {"name": "coordinator"}, Forbidden, "Nobody grants a role to oneself; ask another coordinator."),
    ("monitor", {"state": "ARCHIVED"}, Conflict, "This study is archived; its members no longer change."),
    ("monitor", {"name": "expert1"}, Conflict, "expert1 is a member already; change the role instead."),
    ("monitor", {"active": False}, Invalid, "That account is closed; choose an active one."),
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize(("role", "how", "kind", "sentence"), REFUSED)
def test_a_refused_member_is_one_sentence_and_no_row(role: str, how: dict[str, Any], kind: type, sentence: str) -> None:  # fmt: skip
    study = make_study(state=how.get("state", "DRAFT"))
    user = make_user(how.get("name", "new"))
    user.is_active = how.get("active", True)
    before = Membership.objects.count()
    with pytest.raises(kind) as refusal:
        add_member(study, user, role, actor=coordinator(), now=NOW)
    assert refusal.value.sentence == sentence
    assert (Membership.objects.count(), AuditEvent.objects.count()) == (before, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("role", [r for r in ROLE_NAMES if r != "coordinator"])
def test_the_last_coordinator_neither_leaves_nor_becomes_another(role: str) -> None:
    study = make_study()
    last = Membership.objects.get(study=study, user=coordinator())
    for act in (lambda: remove(last, actor=make_user("root"), now=NOW), lambda: change_role(last, role, actor=make_user("root"), now=NOW)):  # fmt: skip
        with pytest.raises(Conflict):
            act()
    last.refresh_from_db()
    assert last.role == "coordinator"


@pytest.mark.django_db
def test_the_coordinator_of_another_study_does_not_stand_in_for_the_last_one() -> None:
    study, other = make_study(), make_study("knee", cast=False)
    add_member(other, make_user("new"), "coordinator", actor=coordinator(), now=NOW)
    with pytest.raises(Conflict) as refusal:
        remove(Membership.objects.get(study=study, user=coordinator()), actor=make_user("new"), now=NOW)  # fmt: skip
    assert refusal.value.sentence == "A study keeps at least one coordinator; add another one first."  # fmt: skip


COMBINATIONS = list(itertools.product([False, True], repeat=5))


@pytest.mark.django_db
def test_the_database_takes_exactly_the_combinations_that_keep_the_duties_apart() -> None:
    """All 32 of truth, coordinate, analyse, read, draw, written past every verb."""
    study, taken = make_study(cast=False), set()
    for n, combination in enumerate(COMBINATIONS):
        names = ("sees_truth", "can_coordinate", "can_analyse", "can_read", "can_draw")
        held = dict(zip(names, combination, strict=True))
        try:
            with transaction.atomic():
                Membership.objects.create(study=study, user=make_user(f"u{n}"), role="x", since=NOW, **held)  # fmt: skip
        except IntegrityError:
            continue
        taken.add(combination)
    assert taken == {c for c in COMBINATIONS if not (any(c[:3]) and any(c[3:]))}
