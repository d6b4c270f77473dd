"""A refused write leaves one row without what was sent, at most one per person and minute."""

import re

import pytest
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client

from portal.accounts.tokens import issue
from portal.audit import refused
from portal.audit.models import AuditEvent
from tests.cohort import make_study, make_user
from tests.study.test_pages import sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.promise("A1")]
SECRET = "metastasis-said-the-biopsy"


@pytest.fixture(autouse=True)
def no_minute_runs():
    cache.clear()
    yield
    cache.clear()


def rows() -> list[tuple[str, str, str, str]]:
    found = AuditEvent.objects.filter(verb="refused").order_by("seq")
    return [(e.actor, e.obj, e.study, e.payload) for e in found]


@pytest.mark.parametrize("name", ["expert1", "delineator1", "analyst", "monitor", "outsider"])
def test_a_refused_write_names_who_and_where_and_nothing_that_was_sent(name) -> None:
    make_study()
    client = sign_in(name)
    assert client.post("/studies/bone/protocol/save/", {"protocol": SECRET}).status_code == 404
    actor = f"u:{make_user(name).pk}"
    assert rows() == [(actor, "route:study:save_protocol", "bone", "")]
    assert SECRET not in str(list(AuditEvent.objects.values()))


def test_a_refused_write_by_token_is_recorded_in_its_owners_name() -> None:
    make_study()
    user = make_user("expert1")
    client = Client(headers={"authorization": f"Token {issue(user, label='t', days=1).text}"})
    assert client.post("/api/v1/studies/bone/patients/", {"subject": "P1"}).status_code == 404
    assert rows() == [(f"u:{user.pk}", "route:study:api_patients", "bone", "")]


def test_a_hundred_tries_in_a_minute_leave_one_row_per_person() -> None:
    make_study()
    one, two = sign_in("expert1"), sign_in("outsider")
    for _ in range(50):
        one.post("/studies/bone/advance/")
        two.post("/studies/bone/members/add/")
    assert len(rows()) == 2


def test_reading_what_is_not_there_leaves_no_row() -> None:
    make_study()
    client = sign_in("expert1")
    assert client.get("/studies/bone/members/").status_code == 404
    assert client.head("/studies/bone/members/").status_code == 404
    assert rows() == []


def test_a_stranger_without_an_account_leaves_no_row() -> None:
    make_study()
    Client().post("/studies/bone/protocol/save/", {"protocol": "x"})
    assert rows() == []


def test_an_address_that_does_not_exist_is_recorded_without_a_study() -> None:
    make_study()
    assert sign_in("expert1").post("/no/such/page/").status_code == 404
    assert [row[1:3] for row in rows()] == [("route:", "")]


def test_a_study_that_does_not_exist_looks_the_same_to_an_outsider() -> None:
    make_study()
    client = sign_in("outsider")
    known, unknown = (client.post(f"/studies/{s}/protocol/save/") for s in ("bone", "knee"))
    token = re.compile(rb"[A-Za-z0-9]{64}")
    assert known.status_code == unknown.status_code == 404
    assert token.sub(b"", known.content) == token.sub(b"", unknown.content)


def test_a_very_long_study_name_is_cut_not_a_crash() -> None:
    make_study()
    assert sign_in("outsider").post(f"/studies/{'x' * 300}/protocol/save/").status_code == 404
    assert rows()[0][2] == "x" * 40


def test_a_mistaken_form_is_no_refusal() -> None:
    make_study()
    client = sign_in("coordinator")
    client.post("/studies/bone/members/add/", {"username": "nobody", "role": "expert"})
    assert rows() == []


def test_what_records_itself_is_not_recorded_twice() -> None:
    make_study(state="READS_LOCKED")
    client = sign_in("monitor")
    assert client.post("/studies/bone/confirm/", {"password": "wrong"}).status_code == 403
    assert [e.verb for e in AuditEvent.objects.all()] == ["signature.failed"]


def test_a_busy_database_changes_nothing_for_the_person(monkeypatch) -> None:
    def busy(_request):
        raise OperationalError("database is locked")

    make_study()
    monkeypatch.setattr(refused, "write", busy)
    assert sign_in("expert1").post("/studies/bone/protocol/save/").status_code == 404


def test_the_coordinator_sees_the_tries_on_the_audit_page() -> None:
    make_study()
    sign_in("outsider").post("/studies/bone/protocol/save/")
    page = sign_in("coordinator").get("/studies/bone/audit/").content.decode()
    assert "route:study:save_protocol" in page
