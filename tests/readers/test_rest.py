"""The reading room for programs: a whole session with a token but its signature, and a schema that is kept."""

import json
import uuid
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from portal.accounts.tokens import issue
from portal.management.commands import api_types
from readers.models import Assignment, Read, ReadingSession
from tests.cohort import NOW, PASSWORD, make_user
from tests.readers.builders import (
    answers,
    circle,
    draft,
    make_reading_study,
    plan,
    read_session,
    start,
)
from tests.truth.builders import give_standards

pytestmark = [pytest.mark.django_db]
API = "/api/v1/reading/"
JSON = "application/json"


@pytest.fixture(autouse=True)
def _no_failed_signatures():
    cache.clear()


@pytest.fixture
def study():
    return make_reading_study(n_lesions=2)


def program(name: str = "expert1") -> Client:
    token = issue(make_user(name), label="test", days=1)
    return Client(headers={"authorization": f"Token {token.text}"})


def person(name: str = "expert1") -> Client:
    client = Client()
    client.force_login(make_user(name))
    return client


def send(client: Client, path: str, body: object = None, *, method: str = "post", **headers: str):
    call = getattr(client, method)
    return call(API + path, json.dumps(body or {}), content_type=JSON, headers=headers)


def save(client: Client, code: str, document: object, *, version: int = 0):
    headers = {"If-Match": f'"{version}"', "Idempotency-Key": uuid.uuid4().hex}
    return send(client, f"cases/{code}/draft/", document, method="put", **headers)


def read_through(client: Client, session: ReadingSession) -> None:
    for case in session.assignments.order_by("position"):
        document = client.get(f"{API}cases/{case.code}/").json()
        assert document["case"]["code"] == case.code
        saved = save(client, case.code, draft(answers("metastasis", 4))).json()
        done = send(client, f"cases/{case.code}/submit/", {"version": saved["version"]})
        assert done.status_code == 200, done.content


def test_a_program_reads_a_session_from_the_worklist_to_the_last_case(study):
    (session,) = plan(study, "expert1")
    client = program()
    (due,) = client.get(API).json()
    assert (due["code"], due["state"], due["done"], due["count"]) == (session.code, "planned", 0, 2)
    opened = send(client, f"sessions/{session.code}/open/").json()
    first = session.assignments.get(position=1)
    assert opened["next"] == f"/reading/cases/{first.code}/"
    read_through(client, session)
    after = client.get(f"{API}sessions/{session.code}/").json()
    assert after["next"] is None
    assert len(after["submitted"]) == 2
    assert set(Read.objects.values_list("score", flat=True)) == {9}


def test_a_token_cannot_sign_and_a_signed_in_reader_can(study):
    session = start(study)
    read_through(program(), session)
    close = f"sessions/{session.code}/close/"
    refused = send(program(), close, {"password": PASSWORD})
    assert refused.status_code == 403
    assert "token" in refused.json()["detail"]
    page = f"/reading/sessions/{session.code}/close/"
    assert program().post(page, {"password": PASSWORD}).status_code == 403
    session.refresh_from_db()
    assert session.state == "open"
    signed = send(person(), close, {"password": PASSWORD})
    assert signed.status_code == 200
    assert signed.json()["state"] == "closed"


def test_a_wrong_password_signs_nothing(study):
    session = start(study)
    read_session(session, actor=make_user("expert1"))
    answer = send(person(), f"sessions/{session.code}/close/", {"password": "guess"})
    assert answer.status_code in {400, 422}
    assert not Read.objects.locked().exists()


def test_a_submitted_read_is_reopened_with_a_reason(study):
    session = start(study)
    read_session(session, actor=make_user("expert1"))
    case = session.assignments.get(position=1)
    short = send(program(), f"cases/{case.code}/reopen/", {"reason_code": "slip", "reason": "oops"})
    assert short.status_code in {400, 422}
    reason = {"reason_code": "slip", "reason": "I pressed the wrong key"}
    assert send(program(), f"cases/{case.code}/reopen/", reason).status_code == 200
    assert Read.objects.current().get(assignment=case).revision == 2


def test_a_stale_save_is_a_conflict_and_the_draft_is_what_it_was(study):
    case = start(study).assignments.get(position=1)
    client = program()
    client.get(f"{API}cases/{case.code}/")
    assert save(client, case.code, draft(answers("benign", 2))).status_code == 200
    assert save(client, case.code, draft(answers("metastasis", 5))).status_code == 409
    assert (
        client.get(f"{API}cases/{case.code}/draft/").json()["document"]["answers"]["call"]
        == "benign"
    )


def test_events_and_settings_pass_the_same_doors(study):
    case = start(study).assignments.get(position=1)
    client = program()
    event = {"seq": 0, "t_ms": 5, "kind": "first_image", "detail": {}}
    sent = send(client, f"cases/{case.code}/events/", {"page_load": "p", "events": [event]})
    assert sent.status_code == 204
    mine = {**client.get(f"{API}preferences/").json(), "backend": "cpu"}
    assert send(client, "preferences/", mine, method="put").json() == mine


@pytest.mark.promise("B6")
@pytest.mark.parametrize(
    "tail", ["", "draft/", "events/", "submit/", "reopen/"], ids=lambda t: t or "document"
)
def test_anothers_case_does_not_exist(study, tail):
    case = start(study).assignments.get(position=1)
    for name in ("expert2", "coordinator", "outsider"):
        client = program(name)
        assert client.get(f"{API}cases/{case.code}/{tail}").status_code in {404, 405}
        body = {
            "version": 0,
            "page_load": "p",
            "events": [],
            "reason_code": "slip",
            "reason": "x" * 10,
        }
        assert send(client, f"cases/{case.code}/{tail}", body).status_code in {404, 405}


@pytest.mark.promise("B6")
@pytest.mark.parametrize("tail", ["", "open/", "close/"])
def test_anothers_session_does_not_exist(study, tail):
    (session,) = plan(study, "expert1")
    client = person("expert2")
    assert client.get(f"{API}sessions/{session.code}/{tail}").status_code in {404, 405}
    answer = send(client, f"sessions/{session.code}/{tail}", {"password": PASSWORD})
    assert answer.status_code in {404, 405}


@pytest.mark.parametrize("path", ["", "preferences/", "sessions/x/", "cases/x/", "cases/x/draft/"])
def test_without_sign_in_nothing_is_said(path):
    answer = Client().get(API + path)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"


def test_a_session_without_the_forgery_token_is_refused(study):
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user("expert1"))
    (session,) = plan(study, "expert1")
    assert send(client, f"sessions/{session.code}/open/").status_code == 403


def test_no_answer_is_kept_by_a_cache(study):
    case = start(study).assignments.get(position=1)
    for path in ("", f"cases/{case.code}/", f"cases/{case.code}/draft/"):
        assert program().get(API + path)["Cache-Control"] == "no-store"


SCHEMA = None


def schema() -> dict[str, Any]:
    global SCHEMA
    SCHEMA = SCHEMA or SchemaGenerator().get_schema(request=None, public=True)
    return SCHEMA


def faults(value: Any, shape: dict[str, Any], path: str) -> list[str]:
    """Where a value is not what its schema says; fields that the schema does not name are faults, too."""
    if "$ref" in shape:
        shape = schema()["components"]["schemas"][shape["$ref"].rsplit("/", 1)[1]]
    if value is None:
        return [] if shape.get("nullable") or "oneOf" in shape else [f"{path}: null"]
    kinds = shape.get("allOf") or shape.get("oneOf")
    if kinds:
        tried = [faults(value, kind, path) for kind in kinds]
        return [] if [] in tried else tried[0]
    if "enum" in shape:
        return [] if value in shape["enum"] else [f"{path}: {value!r}"]
    if shape.get("type") == "array" and isinstance(value, list):
        long = not shape.get("minItems", 0) <= len(value) <= shape.get("maxItems", len(value))
        inner = [f for k, v in enumerate(value) for f in faults(v, shape["items"], f"{path}[{k}]")]
        return [f"{path}: {len(value)} items"] if long else inner
    if "properties" in shape:
        return object_faults(value, shape, path)
    if shape.get("type") == "object":
        rest = shape.get("additionalProperties") or {}
        return [f for k, v in value.items() for f in faults(v, rest, f"{path}.{k}")]
    known = {"array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    fits = isinstance(value, known.get(shape.get("type", ""), object))
    return [] if fits else [f"{path}: {value!r}"]


def object_faults(value: dict[str, Any], shape: dict[str, Any], path: str) -> list[str]:
    fields = shape["properties"]
    wrong = [f"{path}.{k}: not in the schema" for k in value if k not in fields]
    wrong += [f"{path}.{k}: missing" for k in shape.get("required", []) if k not in value]
    return wrong + [
        f for k in value if k in fields for f in faults(value[k], fields[k], f"{path}.{k}")
    ]


def component(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


@pytest.mark.parametrize(("task", "reader"), [("read", "expert1"), ("outline", "delineator1")])
def test_the_case_document_is_exactly_what_the_schema_says(study, task, reader):
    case = start(study, reader, task=task).assignments.get(position=1)
    client = program(reader)
    document = client.get(f"{API}cases/{case.code}/").json()
    assert faults(document, component("CaseDocument"), "case document") == []
    outlines = {"SPECT": circle(document, "SPECT")} if task == "outline" else {}
    said = answers() if task == "read" else {}
    saved = save(client, case.code, draft(said, **outlines)).json()
    assert faults(saved, component("SaveAnswer"), "answer") == []
    kept = client.get(f"{API}cases/{case.code}/draft/").json()
    assert faults(kept, component("SavedDraft"), "draft") == []
    assert (
        faults(client.get(f"{API}cases/{case.code}/").json(), component("CaseDocument"), "") == []
    )


def test_the_checker_of_the_schema_finds_a_field_too_many_and_one_too_few(study):
    case = start(study).assignments.get(position=1)
    document = program().get(f"{API}cases/{case.code}/").json()
    document["case"]["diagnosis"] = "x"
    del document["case"]["lesion"]["world"]
    found = faults(document, component("CaseDocument"), "d")
    assert found == ["d.case.lesion.world: missing", "d.case.diagnosis: not in the schema"] or set(found) == {
        "d.case.diagnosis: not in the schema", "d.case.lesion.world: missing",
    }  # fmt: skip


def test_worklist_and_session_are_what_the_schema_says(study):
    session = start(study)
    rows = program().get(API).json()
    assert [faults(row, component("DueSession"), "row") for row in rows] == [[]]
    shown = program().get(f"{API}sessions/{session.code}/").json()
    assert faults(shown, component("OwnSession"), "session") == []


@pytest.mark.promise("B1")
def test_the_schema_says_nothing_that_depends_on_a_study(study):
    client = person()
    before = client.get("/api/schema/").content
    give_standards(study)
    start(study, "expert2")
    assert client.get("/api/schema/").content == before
    for word in (study.code, study.name, Assignment.objects.first().code):
        assert word.encode() not in before


def test_the_desks_types_are_those_of_the_schema():
    committed = (api_types.settings.BASE_DIR / api_types.TARGET).read_text(encoding="utf-8")
    assert committed == api_types.types(), "run `npm run types` in frontend/"


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ({"type": "string", "nullable": True}, "string | null"),
        ({"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}, "[number, number, number]"),
        ({"type": "array", "items": {"type": "string", "nullable": True}}, "(string | null)[]"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "Record<string, number>"),
        ({"oneOf": [{"type": "string"}, {"type": "boolean"}]}, "string | boolean"),
        ({"enum": ["a", "b"]}, '"a" | "b"'),
        ({"type": "integer", "minimum": 1, "maximum": 1}, "1"),
        ({}, "unknown"),
        ({"$ref": "#/components/schemas/Colour"}, '"red"'),
        ({"$ref": "#/components/schemas/Box"}, "Box"),
        ({"allOf": [{"$ref": "#/components/schemas/Box"}], "nullable": True}, "Box | null"),
    ],
)  # fmt: skip
def test_a_schema_becomes_the_type_that_says_the_same(shape, text):
    components = {"Colour": {"enum": ["red"]}, "Box": {"properties": {"x": {"type": "number"}}}}
    assert api_types.Writer(components).kind(shape) == text


def test_a_field_that_may_be_missing_is_marked():
    box = {"properties": {"x": {"type": "number"}, "y": {"type": "number"}}, "required": ["x"]}
    assert (
        api_types.Writer({"Box": box})
        .text()
        .endswith("export interface Box {\n  x: number;\n  y?: number;\n}\n")
    )


def test_a_session_that_opens_later_says_when(study):
    plan(study, "expert1", not_before=NOW)
    (row,) = program().get(API).json()
    assert row["not_before"].startswith(NOW.strftime("%Y-%m-%d"))
