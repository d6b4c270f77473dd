"""Headers of every answer, the browser's complaints, and what a refusal of the fence looks like."""

import json
import logging

import pytest
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.accounts import pages
from portal.audit.models import AuditEvent
from portal.errors import is_busy, is_fence
from portal.fence.blind import blinded
from portal.roles import rule
from portal.truth.models import ReferenceStandard
from tests.cohort import make_study
from tests.study.test_pages import sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]
PAGES = ("/", "/studies/bone/", "/help/", "/no-such-page/", "/accounts/login/", "/account/", "/healthz", "/api/v1/studies/bone/")  # fmt: skip


def forgotten(request):
    """A view whose author forgot the wall."""
    return HttpResponse(str(ReferenceStandard.objects.count()))


class ForgottenAPI(APIView):
    permission_classes = ()

    def get(self, request, **_more):
        return Response(ReferenceStandard.objects.count())

    post = get


urlpatterns = [
    path("forgotten/", rule("signed_in")(forgotten), name="forgotten"),
    path("api/v1/forgotten/", ForgottenAPI.as_view(), name="forgotten_api"),
    path("", include("portal.urls")),
]


@pytest.fixture(autouse=True)
def fresh_cache():
    cache.clear()
    yield
    cache.clear()


@pytest.mark.parametrize("address", PAGES)
def test_every_answer_carries_the_headers(address):
    make_study()
    headers = sign_in("coordinator").get(address).headers
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    for part in ("camera=()", "microphone=()", "geolocation=()"):
        assert part in headers["Permissions-Policy"]
    assert "no-store" in headers["Cache-Control"] or "no-cache" in headers["Cache-Control"]


@pytest.mark.parametrize(
    "directive",
    [
        "default-src 'self'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:",
        "worker-src 'self'", "connect-src 'self'", "object-src 'none'", "base-uri 'none'", "form-action 'self'",
        "frame-ancestors 'none'", "report-uri /csp-report/",
    ],
)  # fmt: skip
def test_the_policy_says_what_the_specification_says(directive):
    policy = Client().get("/accounts/login/").headers["Content-Security-Policy"]
    assert directive in [part.strip() for part in policy.split(";")]


def report(**fields) -> str:
    return json.dumps({"csp-report": fields})


def send(body: str | bytes, **more) -> int:
    client = Client(enforce_csrf_checks=True)
    kind = "application/csp-report"
    return client.post("/csp-report/", body, content_type=kind, **more).status_code


@pytest.mark.promise("X1")
def test_a_report_is_one_line_without_the_query(caplog):
    body = report(
        **{"effective-directive": "script-src", "blocked-uri": "https://x.example/a?patient=Meyer"}
    )
    with caplog.at_level(logging.WARNING, "portal.csp"):
        assert send(body) == 204
    (line,) = [r.getMessage() for r in caplog.records]
    assert line == "content security policy: script-src stopped https://x.example/a"


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", "null", '{"csp-report": 3}', '{"csp-report": {}}', b"\xff\xfe"]
)
def test_what_is_no_report_is_taken_quietly(body, caplog):
    with caplog.at_level(logging.WARNING, "portal.csp"):
        assert send(body) == 204
    assert [r.getMessage() for r in caplog.records] == ["content security policy: ? stopped ?"]


def test_reports_cannot_fill_the_log(caplog):
    body = report(**{"violated-directive": "img-src x", "blocked-uri": "data"})
    with caplog.at_level(logging.WARNING, "portal.csp"):
        assert {send(body) for _ in range(pages.REPORTS_A_MINUTE + 20)} == {204}
        assert send("x" * (pages.REPORT_BYTES + 1)) == 204
    assert len(caplog.records) == pages.REPORTS_A_MINUTE


def test_a_long_directive_is_cut():
    what, where = pages.stopped(
        report(**{"effective-directive": "x" * 999, "blocked-uri": "y" * 999}).encode()
    )
    assert (len(what), len(where)) == (40, 200)


@pytest.mark.promise("B9")
@pytest.mark.promise("A5")
@pytest.mark.parametrize(
    ("address", "name"), [("/forgotten/", "forgotten"), ("/api/v1/forgotten/", "forgotten_api")]
)
def test_a_forgotten_filter_is_a_404_for_the_reader_and_an_alarm_on_the_trail(address, name):
    make_study()
    client = sign_in("expert1")
    answer = client.get(address)
    assert answer.status_code == 404
    assert "truth" not in answer.content.decode()
    event = AuditEvent.objects.get()
    assert (event.verb, event.obj, event.payload) == ("fence.refused", f"route:{name}", "")
    assert event.actor.startswith("u:")


@pytest.mark.promise("A1")
def test_a_write_that_the_fence_refuses_leaves_the_alarm_only():
    make_study()
    assert sign_in("expert1").post("/api/v1/forgotten/").status_code in {403, 404}
    verbs = [e.verb for e in AuditEvent.objects.all()]
    assert len(verbs) == 1


def test_a_program_gets_the_refusal_as_json():
    make_study()
    answer = sign_in("expert1").get("/forgotten/", headers={"accept": "application/json"})
    assert answer.json() == {"detail": "There is no such page, or it is not yours to see."}


def refusal(statement: str) -> DatabaseError:
    with pytest.raises(DatabaseError) as caught, blinded(), connection.cursor() as cursor:
        cursor.execute(statement)
    return caught.value


def test_a_refusal_of_the_fence_is_told_from_a_busy_database_and_from_a_mistake():
    fence = refusal("SELECT * FROM truth_reference_standard")
    assert is_fence(fence)
    assert not is_busy(fence)
    mistake = refusal("SELECT nothing FROM nowhere")
    assert not is_fence(mistake)
    assert not is_busy(mistake)
    assert not is_fence(ValueError("x"))
