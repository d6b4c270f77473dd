"""The life of a session: idle, old, ended everywhere, re-keyed; and what is written while it lives."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.accounts import sessions
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.study import members
from portal.study.models import Membership
from tests.cohort import PASSWORD, make_study, make_user
from tests.study.test_pages import sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.promise("S5")]
HOME = "/studies/bone/"


@pytest.fixture
def client() -> Client:
    make_study()
    client = sign_in("coordinator")
    assert client.get(HOME).status_code == 200
    return client


@pytest.fixture
def at(monkeypatch):
    """Sets the clock of the session's life some minutes forward."""
    start = timezone.now()

    def forward(minutes: float) -> None:
        later = start + timedelta(minutes=minutes)
        monkeypatch.setattr(sessions.timezone, "now", lambda: later)

    return forward


def is_in(client: Client) -> bool:
    return client.get(HOME).status_code == 200


def test_29_idle_minutes_do_not_end_a_session(client, at):
    at(29)
    assert is_in(client)


def test_31_idle_minutes_end_it_on_the_server_too(client, at):
    key = client.cookies["sessionid"].value
    at(31)
    assert not is_in(client)
    assert not Session.objects.filter(session_key=key).exists()


def test_work_keeps_a_session_alive_but_not_beyond_12_hours(client, at):
    for minutes in range(25, 12 * 60, 25):
        at(minutes)
        assert is_in(client), minutes
    at(12 * 60 + 1)
    assert not is_in(client)


def test_being_seen_is_written_at_most_once_a_minute(client, at):
    with CaptureQueriesContext(connection) as first:
        client.get(HOME)
    assert not any(q["sql"].startswith(("UPDATE", "INSERT")) for q in first)
    at(1.5)
    with CaptureQueriesContext(connection) as second:
        client.get(HOME)
    assert sum(q["sql"].startswith("UPDATE") and "django_session" in q["sql"] for q in second) == 1


@pytest.mark.parametrize("path", ["/dicomweb/studies", "/reading/cases/x/dicomweb/studies", "/reading/cases/x/picture.png"])  # fmt: skip
def test_an_image_is_answered_without_a_write(client, at, path):
    at(10)
    with CaptureQueriesContext(connection) as queries:
        client.get(path)
    assert not [q for q in queries if q["sql"].startswith(("UPDATE", "INSERT", "DELETE"))]


def test_a_busy_database_costs_no_answer_only_the_note(client, at, monkeypatch):
    def busy(self, *_args, **_more):
        raise OperationalError("database is locked")

    at(5)
    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.save", busy)
    assert is_in(client)


def test_ending_all_sessions_ends_those_of_one_person_only(client, at):
    second, other = sign_in("coordinator"), sign_in("analyst")
    assert is_in(second)
    assert is_in(other)
    at(1)
    sessions.end_everywhere(make_user("coordinator"), sessions.timezone.now())
    assert [is_in(c) for c in (client, second, other)] == [False, False, True]


def test_a_session_begun_afterwards_lives(client, at):
    at(1)
    sessions.end_everywhere(make_user("coordinator"), sessions.timezone.now())
    at(2)
    fresh = sign_in("coordinator")
    assert is_in(fresh)
    assert is_in(fresh)


def test_a_changed_role_gives_the_session_a_new_key(client, at):
    boss = make_user("coordinator")
    analyst = sign_in("analyst")
    assert is_in(analyst)
    before = analyst.cookies["sessionid"].value
    at(1)
    member = Membership.objects.get(user__username="analyst")
    members.change_role(member, "monitor", actor=boss, now=sessions.timezone.now())
    at(1.2)
    assert is_in(analyst)
    after = analyst.cookies["sessionid"].value
    assert after != before
    assert not Session.objects.filter(session_key=before).exists()
    assert is_in(analyst)
    assert analyst.cookies["sessionid"].value == after


@pytest.mark.parametrize("act", ["add", "remove"])
def test_a_role_given_or_taken_counts_as_a_change(client, act):
    boss, now = make_user("coordinator"), timezone.now()
    if act == "add":
        outsider = make_user("outsider")
        members.add_member(
            Membership.objects.first().study, outsider, "monitor", actor=boss, now=now
        )
    else:
        outsider = make_user("monitor")
        members.remove(Membership.objects.get(user=outsider), actor=boss, now=now)
    assert User.objects.get(pk=outsider.pk).rights_changed_at == now


def test_the_page_ends_all_sessions_clears_the_browser_and_leaves_one_act(client):
    make_user("coordinator")
    second = sign_in("coordinator")
    assert is_in(second)
    response = client.post("/account/sign-out-everywhere/")
    assert response["Clear-Site-Data"] == '"cache", "storage"'
    assert not is_in(client)
    assert not is_in(second)
    assert [e.verb for e in AuditEvent.objects.all()] == ["sessions.end"]


def test_every_way_to_sign_out_clears_the_browser(client):
    for address in ("/sign-out/", "/accounts/logout/"):
        one = sign_in("coordinator")
        response = one.post(address)
        assert response["Clear-Site-Data"] == '"cache", "storage"'
        assert one.get(HOME).status_code == 302
        assert one.get(address).status_code == 405


def test_a_person_who_signs_in_gets_a_life_of_their_own():
    make_study()
    client = Client()
    client.post("/accounts/login/", {"login": "coordinator", "password": PASSWORD})
    client.get(HOME)
    stored = client.session
    assert {sessions.BORN, sessions.SEEN, sessions.KEYED} <= set(stored.keys())
    assert abs(stored[sessions.BORN] - timezone.now().timestamp()) < 60
