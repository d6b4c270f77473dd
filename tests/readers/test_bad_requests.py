"""Every JSON door of the desk: a request with one fault is refused by its field, and no row anywhere changes."""

import json
from typing import Any

import pytest
from django.apps import apps
from django.test import Client

from portal.audit.models import AuditEvent
from readers import reading
from readers.models import Assignment
from tests.cohort import NOW, make_user
from tests.readers.builders import answers, draft, make_reading_study, start

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.readers.urls")]
GOOD = draft(answers("metastasis", 4))
EVENT = {"seq": 1, "t_ms": 5, "kind": "visible", "detail": {}}
REASON = {"reason_code": "slip", "reason": "pressed the wrong key"}
KNOWN = "An event has a number, a time and a known kind."
# verb, body, the field that is blamed
FAULTS: list[tuple[str, Any, str]] = [
    ("submit", {}, "version"),
    ("submit", [], "version"),
    ("submit", {"version": None}, "version"),
    ("submit", {"version": "1"}, "version"),
    ("submit", {"version": 1.0}, "version"),
    ("submit", {"version": True}, "version"),
    ("submit", {"Version": 1}, "version"),
    ("events", {}, "page_load"),
    ("events", {"page_load": "a"}, "page_load"),
    ("events", {"page_load": "", "events": [EVENT]}, "page_load"),
    ("events", {"page_load": "a" * 41, "events": [EVENT]}, "page_load"),
    ("events", {"page_load": 7, "events": [EVENT]}, "page_load"),
    ("events", {"page_load": "a\u0000b", "events": [EVENT]}, "page_load"),
    ("events", {"page_load": "a", "events": {}}, "events"),
    ("events", {"page_load": "a", "events": "visible"}, "events"),
    ("events", {"page_load": "a", "events": [EVENT] * 2001}, "events"),
    ("events", {"page_load": "a", "events": [7]}, "events"),
    ("events", {"page_load": "a", "events": [{}]}, "events"),
    ("events", {"page_load": "a", "events": [EVENT, {**EVENT, "kind": "truth"}]}, "events"),
    ("events", {"page_load": "a", "events": [{**EVENT, "kind": ""}]}, "events"),
    ("events", {"page_load": "a", "events": [{**EVENT, "kind": None}]}, "events"),
    ("events", {"page_load": "a", "events": [{**EVENT, "seq": -1}]}, "events"),
    ("events", {"page_load": "a", "events": [{**EVENT, "seq": 1.5}]}, "events"),
    ("events", {"page_load": "a", "events": [{**EVENT, "seq": "1"}]}, "events"),
    ("events", {"page_load": "a", "events": [{**EVENT, "seq": True}]}, "events"),
    ("events", {"page_load": "a", "events": [{**EVENT, "seq": 2**63}]}, "events"),
    ("events", {"page_load": "a", "events": [{**EVENT, "t_ms": -1}]}, "events"),
    ("events", {"page_load": "a", "events": [{**EVENT, "t_ms": "now"}]}, "events"),
    ("events", {"page_load": "a", "events": [{**EVENT, "t_ms": None}]}, "events"),
    ("events", {"page_load": "a", "events": [{**EVENT, "detail": "ct"}]}, "events"),
    ("reopen", {}, "reason_code"),
    ("reopen", {"reason_code": "slip"}, "reason_code"),
    ("reopen", {**REASON, "reason_code": "whim"}, "reason_code"),
    ("reopen", {**REASON, "reason_code": None}, "reason_code"),
    ("reopen", {**REASON, "reason_code": ["slip"]}, "reason_code"),
    ("reopen", {**REASON, "reason": "short"}, "reason"),
    ("reopen", {**REASON, "reason": "   short   "}, "reason"),
    ("reopen", {**REASON, "reason": None}, "reason"),
    ("reopen", {**REASON, "reason": 1234567890}, "reason"),
]


@pytest.fixture
def case() -> Assignment:
    return start(make_reading_study(n_lesions=2)).assignments.get(position=1)


@pytest.fixture
def desk(case: Assignment) -> Client:
    client = Client(headers={"accept": "application/json"})
    client.force_login(make_user("expert1"))
    return client


def post(desk: Client, case: Assignment, verb: str, body: Any) -> Any:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return desk.post(f"/reading/cases/{case.code}/{verb}", text, content_type="application/json")


def put(desk: Client, case: Assignment, body: Any, **headers: str) -> Any:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    plain = {"If-Match": '"0"', "Idempotency-Key": "k"}
    sent = {name: value for name, value in {**plain, **headers}.items() if value}
    address = f"/reading/cases/{case.code}/draft"
    return desk.put(address, text, content_type="application/json", headers=sent)


def rows() -> dict[str, Any]:
    """Every row of the reading room, and how many acts there are."""
    tables = {m._meta.label: m for m in apps.get_app_config("readers").get_models()}
    found: dict[str, Any] = {
        name: list(m._default_manager.order_by("pk").values()) for name, m in tables.items()
    }
    return found | {"acts": AuditEvent.objects.exclude(verb="refused").count()}


def submitted(desk: Client, case: Assignment) -> None:
    assert put(desk, case, GOOD).status_code == 200
    assert post(desk, case, "submit", {"version": 1}).status_code == 200


@pytest.mark.parametrize(("verb", "body", "field"), FAULTS)
def test_a_request_with_one_fault_is_refused_by_its_field_and_changes_nothing(
    desk: Client, case: Assignment, verb: str, body: Any, field: str
) -> None:
    if verb == "reopen":
        submitted(desk, case)
    else:
        assert put(desk, case, GOOD).status_code == 200
    before = rows()
    answer = post(desk, case, verb, body)
    assert answer.status_code == 422, answer.content
    assert answer.json()["field"] == field
    assert answer.json()["detail"].endswith(".")
    assert rows() == before


def test_the_same_requests_without_a_fault_are_taken(desk: Client, case: Assignment) -> None:
    """So that the table above cannot pass because of something else."""
    assert put(desk, case, GOOD).status_code == 200
    assert post(desk, case, "events", {"page_load": "a", "events": [EVENT]}).status_code == 204
    assert post(desk, case, "submit", {"version": 1}).status_code == 200
    assert post(desk, case, "reopen", REASON).status_code == 200


@pytest.mark.parametrize("verb", ["submit", "events", "reopen"])
@pytest.mark.parametrize(
    "text", ["", "{", "null", '"a"', "7", "[1", b"\xff\xfe", "{" * 5000, '{"version": NaN}']
)
def test_a_body_that_is_no_object_is_a_sentence(
    desk: Client, case: Assignment, verb: str, text: str | bytes
) -> None:
    before = rows()
    answer = post(desk, case, verb, text)
    assert answer.status_code == 422, answer.content
    assert answer.json()["detail"].endswith(".")
    assert rows() == before


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"If-Match": ""}, "If-Match"),
        ({"If-Match": "*"}, "If-Match"),
        ({"If-Match": '"-1"'}, "If-Match"),
        ({"If-Match": '"1.5"'}, "If-Match"),
        ({"If-Match": 'W/"0"'}, "If-Match"),
        ({"If-Match": '"0", "1"'}, "If-Match"),
        ({"If-Match": '"' + "9" * 10 + '"'}, "If-Match"),
        ({"Idempotency-Key": ""}, "key"),
        ({"Idempotency-Key": "k" * 65}, "key"),
    ],
)
def test_a_save_without_a_usable_version_or_key_is_refused(
    desk: Client, case: Assignment, headers: dict[str, str], field: str
) -> None:
    before = rows()
    answer = put(desk, case, GOOD, **headers)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert rows() == before


@pytest.mark.parametrize("version", ["0", '"0"'])
def test_a_version_may_come_with_or_without_quotes(
    desk: Client, case: Assignment, version: str
) -> None:
    assert put(desk, case, GOOD, **{"If-Match": version}).json()["version"] == 1


def test_a_key_of_another_draft_is_refused_and_of_the_same_one_answered_again(
    desk: Client, case: Assignment
) -> None:
    first = put(desk, case, GOOD, **{"Idempotency-Key": "once"})
    before = rows()
    again = put(desk, case, GOOD, **{"Idempotency-Key": "once"})
    assert (again.status_code, again.json()["version"]) == (200, first.json()["version"])
    other = put(
        desk, case, draft(answers("benign", 1)), **{"Idempotency-Key": "once", "If-Match": '"1"'}
    )
    assert other.status_code == 422
    assert "used for another draft" in other.json()["detail"]
    assert rows() == before


def test_a_case_that_is_not_submitted_cannot_be_reopened(desk: Client, case: Assignment) -> None:
    before = rows()
    assert post(desk, case, "reopen", REASON).status_code in {409, 422, 423}
    assert rows() == before


def test_a_submission_whose_answer_was_lost_finds_its_work_done(
    desk: Client, case: Assignment
) -> None:
    submitted(desk, case)
    before = rows()
    again = reading.submit(case, version=1, actor=make_user("expert1"), now=NOW)
    assert again.state == "submitted"
    assert rows() == before


def test_nothing_is_saved_over_a_submitted_read(desk: Client, case: Assignment) -> None:
    submitted(desk, case)
    before = rows()
    answer = put(desk, case, GOOD, **{"If-Match": '"1"', "Idempotency-Key": "late"})
    assert answer.status_code == 423
    assert "reopen it with a reason" in answer.json()["detail"]
    assert rows() == before


@pytest.mark.parametrize("version", [0, 2, 99, -1, 10**12])
def test_a_version_that_is_not_the_saved_one_is_not_submitted(
    desk: Client, case: Assignment, version: int
) -> None:
    assert put(desk, case, GOOD).status_code == 200
    before = rows()
    answer = post(desk, case, "submit", {"version": version})
    assert (answer.status_code, answer.json()["version"]) == (409, 1)
    assert rows() == before


@pytest.mark.parametrize(
    "changes", [{"call": None}, {"confidence": None}, {"confidence": 6}, {"call": "malignant"}]
)
def test_a_draft_that_is_not_complete_is_kept_but_not_submitted(
    desk: Client, case: Assignment, changes: dict[str, Any]
) -> None:
    unfinished = {**GOOD, "answers": {**GOOD["answers"], **changes}}
    saved = put(desk, case, unfinished)
    assert saved.status_code == 200
    assert saved.json()["problems"]["answers"]
    before = rows()
    answer = post(desk, case, "submit", {"version": 1})
    assert answer.status_code == 422
    assert set(answer.json()["problems"]["answers"]) >= set(saved.json()["problems"]["answers"])
    assert rows() == before
