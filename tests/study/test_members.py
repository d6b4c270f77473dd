"""Who may be what: truth and reading never meet in one person."""

import pytest
from django.contrib.auth import authenticate
from django.db import IntegrityError, transaction

from portal.audit.models import AuditEvent
from portal.errors import Conflict, Forbidden, Invalid
from portal.study.members import add_member, change_role, create_user, remove
from portal.study.models import Membership, Study
from tests.cohort import NOW, make_study, make_user
from tests.study.builders import coordinator

pytestmark = pytest.mark.django_db
SECRET = "a long enough phrase"


def member(study: Study, name: str) -> Membership:
    return Membership.objects.select_related("study", "user").get(study=study, user__username=name)


def test_a_new_account_can_sign_in_and_belongs_to_no_study() -> None:
    user = create_user("carla", password=SECRET, first_name="Carla", now=NOW)
    assert authenticate(username="carla", password=SECRET) == user
    assert not Membership.objects.filter(user=user).exists()


def test_an_account_without_a_password_cannot_sign_in() -> None:
    assert not create_user("carla", now=NOW).has_usable_password()


@pytest.mark.parametrize("password", ["short", "password1234"])
def test_a_weak_password_is_refused(password: str) -> None:
    with pytest.raises(Invalid, match="password"):
        create_user("carla", password=password, now=NOW)


def test_a_user_name_is_given_once() -> None:
    create_user("carla", now=NOW)
    with pytest.raises(Conflict, match="taken"):
        create_user("carla", now=NOW)


def test_a_user_name_without_odd_signs() -> None:
    with pytest.raises(Invalid):
        create_user("carla <b>", now=NOW)


@pytest.mark.parametrize(
    ("role", "right"),
    [("expert", "read"), ("delineator", "draw"), ("analyst", "analyse"), ("monitor", "monitor")],
)
def test_a_role_brings_its_right(role: str, right: str) -> None:
    row = add_member(make_study(), make_user("carla"), role, actor=coordinator(), now=NOW)
    assert row.may(right)
    assert not row.may("see_truth")


def test_adding_a_member_is_one_audit_row_with_the_role() -> None:
    study = make_study()
    add_member(study, make_user("carla"), "expert", actor=coordinator(), now=NOW)
    row = AuditEvent.objects.get()
    assert (row.verb, row.role, row.study) == ("member.add", "coordinator", "bone")
    assert row.obj == f"member:{make_user('carla').pk}:expert"


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(Invalid, match="no role"):
        add_member(make_study(), make_user("carla"), "king", actor=coordinator(), now=NOW)


def test_a_closed_account_is_not_added() -> None:
    user = make_user("carla")
    user.is_active = False
    with pytest.raises(Invalid, match="closed"):
        add_member(make_study(), user, "expert", actor=coordinator(), now=NOW)


def test_nobody_grants_a_role_to_oneself() -> None:
    admin = make_user("outsider")
    with pytest.raises(Forbidden, match="oneself"):
        add_member(make_study(), admin, "coordinator", actor=admin, now=NOW)


def test_a_person_is_a_member_once() -> None:
    with pytest.raises(Conflict, match="member already"):
        add_member(make_study(), make_user("expert1"), "expert", actor=coordinator(), now=NOW)


@pytest.mark.parametrize("role", ["expert", "delineator", "adjudicator"])
def test_who_may_have_seen_the_truth_never_reads(role: str) -> None:
    study = make_study()
    with pytest.raises(Conflict, match="neither read nor draw"):
        change_role(member(study, "analyst"), role, actor=coordinator(), now=NOW)


@pytest.mark.parametrize("role", ["coordinator", "analyst"])
def test_a_reader_does_not_become_truth_seeing_before_the_unblinding(role: str) -> None:
    study = make_study(state="READING")
    with pytest.raises(Conflict, match="before it is unblinded"):
        change_role(member(study, "expert1"), role, actor=coordinator(), now=NOW)


def test_a_reader_may_become_analyst_after_the_unblinding() -> None:
    study = make_study(state="UNBLINDED")
    row = change_role(member(study, "expert1"), "analyst", actor=coordinator(), now=NOW)
    assert row.can_analyse
    assert not row.can_read


def test_leaving_and_coming_back_does_not_wash_the_truth_away() -> None:
    study = make_study()
    remove(member(study, "analyst"), actor=coordinator(), now=NOW)
    with pytest.raises(Conflict, match="neither read nor draw"):
        add_member(study, make_user("analyst"), "expert", actor=coordinator(), now=NOW)


def test_an_expert_may_become_a_delineator() -> None:
    row = change_role(member(make_study(), "expert1"), "delineator", actor=coordinator(), now=NOW)
    assert row.can_draw
    assert not row.can_read


def test_a_study_keeps_a_coordinator() -> None:
    study = make_study()
    with pytest.raises(Conflict, match="at least one coordinator"):
        change_role(member(study, "coordinator"), "monitor", actor=make_user("analyst"), now=NOW)
    with pytest.raises(Conflict, match="at least one coordinator"):
        remove(member(study, "coordinator"), actor=make_user("analyst"), now=NOW)


def test_nobody_removes_oneself() -> None:
    study = make_study()
    with pytest.raises(Forbidden, match="oneself"):
        remove(member(study, "coordinator"), actor=coordinator(), now=NOW)


def test_the_members_of_an_archived_study_stay() -> None:
    with pytest.raises(Conflict, match="archived"):
        add_member(
            make_study(state="ARCHIVED"), make_user("x"), "monitor", actor=coordinator(), now=NOW
        )


def test_the_database_itself_refuses_a_reader_who_sees_truth() -> None:
    study = make_study()
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.filter(study=study, role="expert").update(sees_truth=True)
