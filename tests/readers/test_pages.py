"""The reader's home, a session's start and signature, the desk page."""

import pytest
from django.core.cache import cache
from django.test import Client

from portal.audit.models import AuditEvent, Signature
from portal.study.models import Study
from readers.models import ReadingSession
from tests.cohort import PASSWORD, make_user
from tests.readers.builders import make_reading_study, plan, read_case, read_session, start

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.readers.urls")]


@pytest.fixture(autouse=True)
def _no_failed_signatures():
    cache.clear()


@pytest.fixture
def study():
    return make_reading_study()


def signed_in(name: str = "expert1") -> Client:
    client = Client()
    client.force_login(make_user(name))
    return client


def test_home_shows_what_is_due_and_one_button(study):
    plan(study, "expert1")
    page = signed_in().get("/reading/").content.decode()
    assert page.count(">Continue<") == 1
    assert "0 of 3" in page


def test_an_empty_home_says_what_happens_next(study):
    assert "Nothing is due" in signed_in().get("/reading/").content.decode()


@pytest.mark.promise("B5")
def test_home_tells_no_class_no_score_and_no_other_reader(study):
    session = start(study)
    read_case(session.assignments.get(position=1), actor=make_user("expert1"))
    start(study, "expert2")
    page = signed_in().get("/reading/").content.decode().lower()
    for word in ("metastasis", "benign", "expert2", "auc", "validation", "truth", "score"):
        assert word not in page
    assert "1 of 3" in page


def test_home_costs_the_same_for_one_and_for_many_sessions(study, django_assert_max_num_queries):
    for occasion in range(1, 6):
        plan(study, "expert1", kind="repeat", occasion=occasion)
    client = signed_in()
    with django_assert_max_num_queries(8):
        client.get("/reading/")


def test_a_stranger_is_asked_to_sign_in(study):
    answer = Client().get("/reading/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


def test_a_session_is_started_from_the_page_that_says_what_to_do(study):
    (session,) = plan(study, "expert1")
    client = signed_in()
    assert client.get(f"/reading/next/{session.code}/")["Location"].endswith(
        f"/reading/sessions/{session.code}/"
    )
    page = client.get(f"/reading/sessions/{session.code}/").content.decode()
    assert "Each lesion is either a metastasis or a benign lesion" in page
    client.post(f"/reading/sessions/{session.code}/")
    case = session.assignments.get(position=1)
    assert (
        client.get(f"/reading/next/{session.code}/")["Location"] == f"/reading/cases/{case.code}/"
    )


def test_a_session_that_is_not_due_says_so(study):
    (session,) = plan(study, "expert1")
    Study.objects.filter(pk=study.pk).update(state="READS_LOCKED")
    assert signed_in().post(f"/reading/sessions/{session.code}/").status_code == 404


def test_the_password_signs_and_closes_the_session(study):
    session = start(study)
    read_session(session, actor=make_user("expert1"))
    client = signed_in()
    page = client.get(f"/reading/sessions/{session.code}/").content.decode()
    assert "Sign and close" in page
    answer = client.post(f"/reading/sessions/{session.code}/close/", {"password": PASSWORD})
    assert answer.status_code == 302
    assert ReadingSession.objects.get(pk=session.pk).state == "closed"
    assert {s.method for s in Signature.objects.all()} == {"password"}


def test_a_wrong_password_signs_nothing_and_is_audited(study):
    session = start(study)
    read_session(session, actor=make_user("expert1"))
    answer = signed_in().post(f"/reading/sessions/{session.code}/close/", {"password": "guess"})
    assert answer.status_code == 422
    assert "nothing was signed" in answer.content.decode()
    assert not Signature.objects.exists()
    assert AuditEvent.objects.filter(verb="signature.failed").count() == 1


def test_five_wrong_passwords_lock_signing(study):
    session = start(study)
    read_session(session, actor=make_user("expert1"))
    client = signed_in()
    address = f"/reading/sessions/{session.code}/close/"
    for _ in range(5):
        assert client.post(address, {"password": "guess"}).status_code == 422
    assert client.post(address, {"password": PASSWORD}).status_code == 423
    assert not Signature.objects.exists()


def test_a_submitted_case_is_reopened_from_the_session_page(study):
    session = start(study)
    case = session.assignments.get(position=1)
    read_case(case, actor=make_user("expert1"))
    client = signed_in()
    client.post(
        f"/reading/cases/{case.code}/amend/",
        {"reason_code": "slip", "reason": "pressed the wrong key"},
    )
    assert (
        client.get(f"/reading/next/{session.code}/")["Location"] == f"/reading/cases/{case.code}/"
    )


def test_the_desk_holds_the_document_and_its_own_policy(study):
    session = start(study)
    case = session.assignments.get(position=1)
    answer = signed_in().get(f"/reading/cases/{case.code}/")
    page = answer.content.decode()
    assert "<title>Case 1 of 3 – Reading room</title>" in page
    assert '<script id="case-document" type="application/json">' in page
    assert 'id="desk"' in page
    policy = answer["Content-Security-Policy"]
    assert "'wasm-unsafe-eval'" in policy
    assert "'unsafe-eval'" not in policy
    assert "style-src 'self' 'unsafe-inline'" in policy
    assert answer["Cache-Control"] == "no-store"


def test_other_pages_keep_the_strict_policy(study):
    policy = signed_in().get("/reading/")["Content-Security-Policy"]
    assert "unsafe" not in policy


def test_text_of_a_study_appears_as_text(study):
    Study.objects.filter(pk=study.pk).update(name="<script>alert(1)</script>")
    plan(study, "expert1")
    page = signed_in().get("/reading/").content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_help_needs_no_session(study):
    assert "Five wrong passwords" in signed_in().get("/reading/help/").content.decode()
