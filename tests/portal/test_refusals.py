"""How a refusal looks from outside: status, body, and when to ask again; and which errors of a database are which."""

import json
import sqlite3

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError
from django.http import UnreadablePostError
from django.test import RequestFactory
from rest_framework.exceptions import NotAuthenticated

from portal.errors import (
    BUSY_CODES,
    Conflict,
    Forbidden,
    Invalid,
    Locked,
    NotFound,
    Stalled,
    StudyError,
    StudyErrorMiddleware,
    Unavailable,
    api_exception_handler,
    as_json,
    is_busy,
    is_fence,
    waiting,
    wants_json,
)

KINDS = [
    (StudyError, 400, "refused"),
    (NotFound, 404, "not_found"),
    (Forbidden, 403, "forbidden"),
    (Stalled, 408, "stalled"),
    (Conflict, 409, "conflict"),
    (Invalid, 422, "invalid"),
    (Locked, 423, "locked"),
    (Unavailable, 503, "unavailable"),
]
BUSY = "The database is busy; nothing was lost, please try again in a moment."
NO_SUCH = "There is no such page, or it is not yours to see."


def request(path: str = "/api/v1/x", **headers: str):
    return RequestFactory().get(path, headers=headers)


def refuse(error: Exception, path: str = "/api/v1/x"):
    return StudyErrorMiddleware(lambda _: None).process_exception(request(path), error)


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("text that varies")
    error.sqlite_errorcode = code
    return error


class Postgres(Exception):
    def __init__(self, state: str) -> None:
        super().__init__("text that varies")
        self.sqlstate = state


def caused(kind: type[DatabaseError], cause: Exception | None) -> DatabaseError:
    error = kind("text that varies")
    error.__cause__ = cause
    return error


# --- expected refusals --------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "status", "code"), KINDS)
def test_each_kind_has_its_status_and_code_in_both_doors(kind, status, code):
    error = kind("So it is.", field="level")
    assert kind.code == code
    view, api = refuse(error), api_exception_handler(error, {})
    assert (view.status_code, api.status_code) == (status, status)
    assert json.loads(view.content) == api.data == {"detail": "So it is.", "field": "level"}


@pytest.mark.parametrize(("kind", "status", "code"), KINDS)
def test_only_what_may_soon_be_possible_says_when_to_ask_again(kind, status, code):
    said = {"Retry-After": "2"} if kind is Unavailable else {}
    assert waiting(kind("x")) == said
    assert refuse(kind("x")).get("Retry-After") == said.get("Retry-After")


@pytest.mark.parametrize(
    ("error", "body"),
    [
        (Invalid("No."), {"detail": "No."}),
        (Invalid("No.", field="age"), {"detail": "No.", "field": "age"}),
        (Conflict("No.", extra={"version": 3}), {"detail": "No.", "version": 3}),
        (Conflict("No.", field="a", extra={"b": 1}), {"detail": "No.", "b": 1, "field": "a"}),
    ],
)
def test_the_body_holds_the_sentence_what_was_added_and_the_field(error, body):
    assert as_json(error) == body


def test_what_one_refusal_adds_is_not_in_the_next():
    first = Conflict("x")
    first.extra["version"] = 1
    assert Conflict("y").extra == {}


@pytest.mark.parametrize(
    ("path", "headers", "is_so"),
    [
        ("/api/v1/studies/", {}, True),
        ("/dicomweb/studies", {}, True),
        ("/reading/cases/abc/dicomweb/studies", {}, True),
        ("/studies/a/", {}, False),
        ("/studies/a/", {"Accept": "text/html"}, False),
        ("/studies/a/", {"Accept": "text/html, application/json;q=0.5"}, True),
        ("/apifruit/", {}, False),
        ("/studies/api/", {}, False),
    ],
)
def test_who_gets_json(path, headers, is_so):
    assert wants_json(request(path, **headers)) is is_so


def test_who_sends_json_gets_json():
    sent = RequestFactory().post("/studies/a/", "{}", content_type="application/json")
    assert wants_json(sent)


def test_a_page_shows_the_sentence_as_text():
    answer = refuse(Invalid("<b>No</b>"), "/studies/a/")
    assert answer.status_code == 422
    assert b"&lt;b&gt;No&lt;/b&gt;" in answer.content
    assert b"<b>No" not in answer.content


# --- the database -------------------------------------------------------------------------------


@pytest.mark.parametrize("low", range(1, 27))
@pytest.mark.parametrize("extended", [0, 1, 2, 8])
def test_only_busy_locked_and_full_are_busy_whatever_their_extended_code(low, extended):
    """sqlite.org/rescode.html: the low byte is the primary code; 5 BUSY, 6 LOCKED, 13 FULL."""
    error = caused(OperationalError, sqlite_error(low | extended << 8))
    assert is_busy(error) is (low in {5, 6, 13})
    assert {5, 6, 13} == BUSY_CODES


@pytest.mark.parametrize(
    ("state", "busy", "fence"),
    [
        ("55P03", True, False),  # lock_not_available
        ("40001", True, False),  # serialization_failure
        ("40P01", True, False),  # deadlock_detected
        ("53100", True, False),  # disk_full
        ("42501", False, True),  # insufficient_privilege
        ("23505", False, False),  # unique_violation
        ("23514", False, False),  # check_violation, as our triggers raise it
        ("57014", False, False),  # query_canceled
        ("", False, False),
    ],
)
def test_postgres_is_understood_by_its_sqlstate(state, busy, fence):
    error = caused(OperationalError, Postgres(state))
    assert (is_busy(error), is_fence(error)) == (busy, fence)


@pytest.mark.parametrize(
    ("cause", "is_so"),
    [(sqlite_error(23), True), (sqlite_error(1), False), (sqlite_error(5), False), (None, False), (sqlite3.Error("x"), False)],
)  # fmt: skip
def test_the_fence_of_sqlite_is_its_authorizers_code(cause, is_so):
    assert is_fence(caused(DatabaseError, cause)) is is_so


def test_a_busy_database_is_a_503_that_asks_to_come_again_in_both_doors():
    error = caused(OperationalError, sqlite_error(5))
    view, api = refuse(error), api_exception_handler(error, {})
    for answer in (view, api):
        assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert json.loads(view.content) == api.data == {"detail": BUSY}


@pytest.mark.parametrize("path", ["/api/v1/x", "/studies/a/"])
def test_what_the_fence_refused_looks_like_what_does_not_exist(path):
    answer = refuse(caused(DatabaseError, sqlite_error(23)), path)
    assert answer.status_code == 404
    assert answer.is_fence_refusal
    assert "text that varies" not in answer.content.decode()


def test_the_api_says_the_same_of_the_fence_and_marks_it_for_the_alarm():
    answer = api_exception_handler(caused(DatabaseError, Postgres("42501")), {})
    assert (answer.status_code, answer.data) == (404, {"detail": NO_SUCH})
    assert answer.is_fence_refusal


def test_a_body_that_stopped_coming_is_a_408():
    answer = refuse(UnreadablePostError("x"))
    assert answer.status_code == 408
    assert (
        json.loads(answer.content)["detail"] == "The request did not come in time; send it again."
    )


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        KeyError("x"),
        caused(IntegrityError, Postgres("23505")),
        caused(OperationalError, sqlite_error(1)),
        caused(OperationalError, None),
    ],
)
def test_a_fault_of_ours_is_nobodys_refusal(error):
    assert refuse(error) is None
    assert api_exception_handler(error, {}) is None


def test_the_frameworks_own_refusals_keep_their_status():
    assert api_exception_handler(NotAuthenticated(), {}).status_code in (401, 403)
