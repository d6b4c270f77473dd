"""The study's REST door: the same verbs, rights and refusals as the pages, for programs."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from portal.accounts.models import ApiToken
from portal.accounts.tokens import issue
from portal.audit.models import AuditEvent
from portal.study import life
from portal.study.models import Lesion, Patient, Screening, Split, Study
from portal.study.screening import add_default_criteria
from portal.truth.models import ReferenceStandard
from portal.truth.truth_import import template_csv as truth_template
from tests.cohort import (
    NOW,
    make_exam,
    make_lesion,
    make_patient,
    make_series,
    make_study,
    make_user,
)
from tests.study.builders import cohort_csv, coordinator, lesion_row, make_cohort
from tests.study.test_pages import sign_in
from tests.truth.builders import give_standards

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.study.urls")]
API = "/api/v1/studies/"
BONE = f"{API}bone/"
READABLE = (
    "", "protocol/", "checklist/", "members/", "patients/", "lesions/", "criteria/", "screening/",
    "screening/flow/", "reference-standards/", "splits/",
)  # fmt: skip


def with_token(name: str) -> Client:
    token = issue(make_user(name), label="test", days=1)
    return Client(headers={"authorization": f"Token {token.text}"})


def send(client: Client, path: str, body: object = None, *, method: str = "post", status: int = 201) -> dict:  # type: ignore[type-arg] # fmt: skip
    response = getattr(client, method)(path, body or {}, content_type="application/json")
    assert response.status_code == status, response.content.decode()[:500]
    answer: dict = response.json()  # type: ignore[type-arg]
    return answer


@pytest.mark.parametrize("path", READABLE)
def test_the_coordinator_reads_every_resource_with_a_token(path: str) -> None:
    make_study(state="SCREENING")
    assert with_token("coordinator").get(BONE + path).status_code == 200


@pytest.mark.promise("B6")
@pytest.mark.parametrize("path", READABLE[1:])
@pytest.mark.parametrize("name", ["expert1", "delineator1", "outsider"])
def test_readers_and_outsiders_find_nothing(path: str, name: str) -> None:
    make_study(state="SCREENING")
    assert with_token(name).get(BONE + path).status_code == 404
    assert with_token(name).post(BONE + path, {}, content_type="application/json").status_code in {404, 405}  # fmt: skip


@pytest.mark.parametrize("path", ["reference-standards/", "splits/", "checklist/"])
@pytest.mark.parametrize("name", ["analyst", "monitor"])
def test_truth_and_split_are_not_for_analysts_and_monitors(path: str, name: str) -> None:
    make_study()
    assert with_token(name).get(BONE + path).status_code == 404


@pytest.mark.parametrize("path", READABLE)
def test_without_sign_in_nothing_is_said(path: str) -> None:
    make_study()
    response = Client().get(BONE + path)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Token"


def test_an_expired_or_revoked_token_opens_nothing() -> None:
    make_study()
    client = with_token("coordinator")
    ApiToken.objects.update(revoked_at=timezone.now())
    assert client.get(BONE).status_code == 401
    ApiToken.objects.update(revoked_at=None, created_at=NOW, expires_at=NOW + timedelta(days=1))
    assert client.get(BONE).status_code == 401


def test_a_session_needs_the_csrf_token_to_write() -> None:
    make_study()
    client = Client(enforce_csrf_checks=True)
    client.force_login(coordinator(), backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(BONE).status_code == 200
    response = client.post(f"{BONE}patients/", {"subject": "P1"}, content_type="application/json")
    assert response.status_code == 403
    assert not Patient.objects.exists()


def test_every_view_declares_its_rule() -> None:
    for urls in ("portal.study.urls", "portal.truth.urls"):
        for pattern in get_resolver(urls).url_patterns:
            assert getattr(pattern.callback, "rule", None), pattern  # type: ignore[union-attr]


def test_studies_are_listed_and_created() -> None:
    make_study()
    client = with_token("coordinator")
    assert send(client, API, {"code": "two", "name": "Second"})["state"] == "DRAFT"
    found = client.get(API).json()
    assert [s["code"] for s in found["results"]] == ["bone", "two"]


def test_a_reader_creates_no_study() -> None:
    make_study()
    send(with_token("expert1"), API, {"code": "two", "name": "Second"}, status=403)
    assert Study.objects.count() == 1


def test_a_study_says_whether_it_is_synthetic() -> None:
    make_study()
    assert with_token("coordinator").get(BONE).json()["synthetic"] is False


def test_a_cohort_is_built_by_program() -> None:
    study = make_study(state="SCREENING")
    add_default_criteria(study, actor=coordinator(), now=NOW)
    exam = make_exam(study, "P1")
    ct, spect = make_series(exam, "CT"), make_series(exam, "SPECT")
    client = with_token("coordinator")
    patient = send(client, f"{BONE}patients/", {"subject": "P1", "sex": "F"})
    fields = {
        "patient": patient["code"],
        "number": 1,
        "level": "L3",
        "x_mm": 1,
        "y_mm": 2,
        "z_mm": 3,
    }
    lesion = send(client, f"{BONE}lesions/", fields)
    address = f"{BONE}lesions/{lesion['code']}/"
    chosen = {"ct_series_uid": ct.uid, "spect_series_uid": spect.uid}
    assert (
        send(client, f"{address}series/", chosen, method="put", status=200)["ct_series_uid"]
        == ct.uid
    )
    decision = {"patient": patient["code"], "decision": "included"}
    send(client, f"{BONE}screening/", decision)
    assert send(client, f"{address}include/", status=200)["slot"] == 1
    flow = client.get(f"{BONE}screening/flow/").json()
    assert flow["adds_up"] is True
    assert flow["lesions"]["included"] == 1


def test_a_registration_is_confirmed_by_program() -> None:
    lesion = make_lesion(make_patient(make_study(state="SCREENING")), included=False)
    client = with_token("coordinator")
    answer = send(client, f"{BONE}lesions/{lesion.code}/registration/", status=200)
    assert answer["registration_confirmed_at"] is not None


def test_refusals_are_sentences_with_their_field() -> None:
    make_patient(make_study(), "P1")
    answer = send(with_token("coordinator"), f"{BONE}patients/", {"subject": "P1"}, status=409)
    assert answer == {"detail": "Subject P1 is registered already.", "field": "subject"}


@pytest.mark.parametrize(
    "body", [{}, {"subject": ""}, {"subject": "P1", "age_years": 200}, {"subject": "P1", "sex": "x"}, []]
)  # fmt: skip
def test_a_faulty_body_is_400_and_writes_nothing(body: object) -> None:
    make_study()
    client = with_token("coordinator")
    response = client.post(f"{BONE}patients/", body, content_type="application/json")
    assert response.status_code == 400
    assert not Patient.objects.exists()


def test_ids_states_and_owners_are_never_taken_from_a_body() -> None:
    make_study()
    extra = {"subject": "P1", "id": 77, "code": "mine", "study": 5, "created_at": "2000-01-01"}
    answer = send(with_token("coordinator"), f"{BONE}patients/", extra)
    assert answer["code"] != "mine"
    assert Patient.objects.get().pk != 77


def test_objects_of_another_study_answer_404() -> None:
    make_study(state="SCREENING")
    foreign = make_lesion(make_patient(make_study("other")), included=False)
    client = with_token("coordinator")
    for path in (f"patients/{foreign.patient.code}/", f"lesions/{foreign.code}/"):
        assert client.get(BONE + path).status_code == 404
    for path in ("include/", "registration/"):
        send(client, f"{BONE}lesions/{foreign.code}/{path}", status=404)
    body = {"lesion": foreign.code, "diagnosis": "benign", "method": "pathology"}
    send(client, f"{BONE}reference-standards/", body, status=404)
    assert not ReferenceStandard.objects.exists()


def test_a_series_of_another_study_is_not_found() -> None:
    lesion = make_lesion(make_patient(make_study(state="SCREENING")), included=False)
    foreign = make_series(make_exam(make_study("other", cast=False), "X"))
    body = {"ct_series_uid": foreign.uid}
    send(with_token("coordinator"), f"{BONE}lesions/{lesion.code}/series/", body, method="put", status=404)  # fmt: skip


def test_lists_are_paged_filtered_and_sorted() -> None:
    study = make_study(state="SCREENING")
    make_cohort(study, 12)
    client = with_token("coordinator")
    page = client.get(f"{BONE}patients/?limit=5&sort=-subject").json()
    assert page["count"] == 12
    assert [p["subject"] for p in page["results"]] == ["S011", "S010", "S009", "S008", "S007"]
    assert client.get(f"{BONE}patients/?q=S01").json()["count"] == 2
    assert client.get(f"{BONE}lesions/?state=not_included").json()["count"] == 0


def test_the_protocol_is_written_and_the_step_taken() -> None:
    study = make_study()
    add_default_criteria(study, actor=coordinator(), now=NOW)
    client = with_token("coordinator")
    assert "protocol" in str(client.get(f"{BONE}checklist/").json())
    body = {"protocol": "As published", "analysis_plan": {"alpha": 0.05}}
    send(client, f"{BONE}protocol/", body, method="put", status=200)
    assert client.get(f"{BONE}protocol/").json() == body


def test_a_step_that_is_not_ready_is_409_with_what_is_missing() -> None:
    make_study()
    body = {"to": "SCREENING", "reason": "go"}
    answer = send(with_token("coordinator"), f"{BONE}advance/", body, status=409)
    assert {"criteria", "protocol", "analysis_plan"} <= set(answer["missing"])


def test_a_step_that_is_ready_is_taken_by_one_act(monkeypatch) -> None:
    monkeypatch.setattr(life, "CONTRIBUTIONS", {state: [] for state in life.STATE_ORDER})
    study = make_study()
    Study.objects.filter(pk=study.pk).update(protocol="As published", analysis_plan={"text": "AUC"})
    add_default_criteria(study, actor=coordinator(), now=NOW)
    before = AuditEvent.objects.count()
    body = {"to": "SCREENING", "reason": "protocol signed"}
    answer = send(with_token("coordinator"), f"{BONE}advance/", body, status=200)
    assert (answer["state"], AuditEvent.objects.count()) == ("SCREENING", before + 1)


@pytest.mark.promise("A4")
@pytest.mark.parametrize(("state", "to"), [("SCREENING", "READING"), ("READS_LOCKED", "UNBLINDED")])
def test_a_program_cannot_sign(state: str, to: str) -> None:
    make_study(state=state)
    send(with_token("coordinator"), f"{BONE}advance/", {"to": to, "reason": "go"}, status=403)


def test_members_are_added_with_the_same_refusals() -> None:
    make_study()
    make_user("carla")
    client = with_token("coordinator")
    send(client, f"{BONE}members/", {"username": "carla", "role": "expert"})
    send(client, f"{BONE}members/", {"username": "carla", "role": "expert"}, status=409)
    send(client, f"{BONE}members/", {"username": "ghost", "role": "expert"}, status=422)
    send(client, f"{BONE}members/", {"username": "coordinator", "role": "expert"}, status=403)


def test_criteria_and_decisions_go_through_their_verbs() -> None:
    study = make_study(state="SCREENING")
    patient = make_patient(study)
    client = with_token("coordinator")
    fields = {"code": "age", "text": "Adults", "kind": "include", "level": "patient"}
    send(client, f"{BONE}criteria/", fields)
    body = {"patient": patient.code, "decision": "excluded", "criterion": "age"}
    send(client, f"{BONE}screening/", body)
    send(client, f"{BONE}screening/", {"decision": "included"}, status=422)
    assert Screening.objects.get().criterion is not None
    assert client.get(f"{BONE}screening/?decision=excluded").json()["count"] == 1


def test_a_cohort_file_is_a_dry_run_unless_told_otherwise() -> None:
    make_study()
    client, text = with_token("coordinator"), cohort_csv(lesion_row())
    assert send(client, f"{BONE}cohort/", {"csv": text}, status=200)["is_written"] is False
    assert not Patient.objects.exists()
    body = {"csv": text, "dry_run": False}
    assert send(client, f"{BONE}cohort/", body, status=200)["is_written"] is True
    assert Lesion.objects.count() == 1


def test_a_faulty_cohort_file_is_422_with_every_problem() -> None:
    make_study()
    body = {"csv": cohort_csv(lesion_row(sex="x"), lesion_row("P2", level="Z")), "dry_run": False}
    answer = send(with_token("coordinator"), f"{BONE}cohort/", body, status=422)
    assert [(p["row"], p["column"]) for p in answer["problems"]] == [(2, "sex"), (3, "level")]
    assert not Patient.objects.exists()


def test_standards_are_entered_revised_and_listed() -> None:
    lesion = make_lesion(make_patient(make_study(state="SCREENING")))
    client = with_token("coordinator")
    body = {"lesion": lesion.code, "diagnosis": "metastasis", "method": "pathology"}
    assert send(client, f"{BONE}reference-standards/", body)["revision"] == 1
    changed = {**body, "diagnosis": "benign"}
    send(client, f"{BONE}reference-standards/", changed, status=422)
    assert (
        send(client, f"{BONE}reference-standards/", {**changed, "reason": "biopsy"})["revision"]
        == 2
    )
    rows = client.get(f"{BONE}reference-standards/?state=benign").json()["results"]
    assert [(r["lesion"], r["diagnosis"]) for r in rows] == [(lesion.code, "benign")]


def test_a_standards_file_is_checked_and_written() -> None:
    study = make_study(state="SCREENING")
    for subject in ("P001", "P002"):
        make_lesion(make_patient(study, subject))
    client, body = with_token("coordinator"), {"csv": truth_template(), "dry_run": False}
    send(client, f"{BONE}reference-standards/csv/", body, status=200)
    assert ReferenceStandard.objects.count() == 2
    bad = {"csv": truth_template().replace("P001", "P9"), "dry_run": False}
    send(client, f"{BONE}reference-standards/csv/", bad, status=422)


def test_a_split_is_previewed_saved_and_locked() -> None:
    study = make_study(state="SCREENING")
    make_cohort(study, 20)
    give_standards(study)
    client, body = with_token("coordinator"), {"ratio": 0.7, "seed": 3}
    preview = send(client, f"{BONE}splits/preview/", body, status=200)
    assert preview["train"] == {"patients": 14, "lesions": 14}
    assert not Split.objects.exists()
    saved = send(client, f"{BONE}splits/", body)
    assert sorted(saved["parts"].values()).count("train") == 14
    locked = send(client, f"{BONE}splits/1/lock/", status=200)
    assert len(locked["digest"]) == 64
    send(client, f"{BONE}splits/1/lock/", status=423)
    send(client, f"{BONE}splits/7/lock/", status=404)


@pytest.mark.promise("A1")
def test_each_write_is_one_audit_row_in_the_tokens_owners_name() -> None:
    make_study()
    send(with_token("coordinator"), f"{BONE}patients/", {"subject": "P1"})
    row = AuditEvent.objects.get()
    assert (row.actor, row.role) == (f"u:{coordinator().pk}", "coordinator")


def test_the_schema_describes_every_resource() -> None:
    schema = SchemaGenerator(urlconf="tests.study.urls").get_schema(request=None, public=True)
    for path in ("patients/", "lesions/", "splits/", "reference-standards/", "screening/flow/"):
        assert f"{API}{{study}}/{path}" in schema["paths"]
    patient = schema["components"]["schemas"]["PatientOut"]["properties"]
    assert set(patient) == {"code", "subject", "sex", "age_years", "primary_tumour", "created_at"}


def test_pages_and_programs_share_one_session() -> None:
    make_study()
    assert sign_in("coordinator").get(BONE).json()["code"] == "bone"
