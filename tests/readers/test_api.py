"""The desk's addresses through the whole stack: middleware, fence, verbs, answers."""

import json
import uuid

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.audit.models import AuditEvent
from portal.study.models import Membership, Study
from readers.models import Assignment, Roi
from tests.cohort import PASSWORD, make_user
from tests.readers.builders import answers, circle, draft, make_reading_study, start

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.readers.urls")]


@pytest.fixture
def study():
    return make_reading_study()


@pytest.fixture
def session(study):
    return start(study)


@pytest.fixture
def case(session):
    return session.assignments.get(position=1)


@pytest.fixture
def desk(session):
    return signed_in("expert1")


def signed_in(name: str) -> Client:
    client = Client(headers={"accept": "application/json"})
    client.force_login(make_user(name))
    return client


def put(client, case, document, *, version=0, key=None):
    return client.put(
        f"/reading/cases/{case.code}/draft",
        json.dumps(document),
        content_type="application/json",
        headers={"If-Match": f'"{version}"', "Idempotency-Key": key or str(uuid.uuid4())},
    )


def post(client, case, verb, **body):
    return client.post(
        f"/reading/cases/{case.code}/{verb}", json.dumps(body), content_type="application/json"
    )


def document_of(client, case):
    return client.get(f"/reading/cases/{case.code}/document")


def test_the_case_document_has_exactly_the_agreed_keys(desk, case):
    answer = document_of(desk, case)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    document = answer.json()
    assert set(document) == {"schema", "case", "series"}
    assert set(document["case"]) == {
        "code", "position", "count", "task", "state", "questionnaire", "draft", "preferences",
        "lesion", "registration", "copy", "instructions", "aid", "owner", "urls", "csrf_token",
    }  # fmt: skip
    for series in document["series"]:
        assert set(series) == {
            "role", "title", "study_uid", "series_uid", "frame_of_reference_uid", "pixel",
            "rescale", "transfer_syntax_uid", "spacing_mm", "orientation", "slice_spacing_mm",
            "slice_thickness_mm", "presets", "volume_ok", "volume_reason", "images",
        }  # fmt: skip
    assert set(document["case"]["urls"]) == {
        "document", "draft", "events", "submit", "reopen", "home", "preferences",
    }  # fmt: skip


def test_the_whole_body_scan_is_split_into_two_single_images(desk, case):
    series = {s["role"]: s for s in document_of(desk, case).json()["series"]}
    for role, frame, title in (("WB-ANT", 1, "Anterior"), ("WB-POST", 2, "Posterior")):
        assert [i["frame"] for i in series[role]["images"]] == [frame]
        assert series[role]["title"] == title
        assert series[role]["images"][0]["position"] is None
        assert series[role]["orientation"] is None


def test_a_view_that_the_file_does_not_name_says_in_its_title_that_it_is_assumed(desk, case):
    scan = case.lesion.whole_body_series
    scan.acquisition = {"assumed_views": [False, True]}
    scan.save()
    titles = {s["role"]: s["title"] for s in document_of(desk, case).json()["series"]}
    assert (titles["WB-ANT"], titles["WB-POST"]) == ("Anterior", "Posterior (assumed)")
    scan.views = ["POST", "ANT"]
    scan.save()
    titles = {s["role"]: s["title"] for s in document_of(desk, case).json()["series"]}
    assert (titles["WB-ANT"], titles["WB-POST"]) == ("Anterior (assumed)", "Posterior")


def test_a_planar_image_of_unknown_pixel_size_is_drawn_all_the_same(desk, case):
    scan = case.lesion.whole_body_series
    scan.geometry = {}
    scan.save()
    views = {s["role"]: s for s in document_of(desk, case).json()["series"]}
    assert views["WB-ANT"]["spacing_mm"] == [1.0, 1.0]


def test_images_ascend_and_their_addresses_lie_under_the_case(desk, case):
    ct = document_of(desk, case).json()["series"][0]
    heights = [i["position"][2] for i in ct["images"]]
    assert heights == [25.0, 27.5, 30.0, 32.5, 35.0]
    root = f"/reading/cases/{case.code}/dicomweb/studies/{ct['study_uid']}/"
    assert all(i["url"].startswith(root) for i in ct["images"])


def test_ct_windows_are_the_protocols(desk, case):
    ct, spect, *_ = document_of(desk, case).json()["series"]
    assert ct["presets"] == [
        {"name": "bone", "lower": -300.0, "upper": 1200.0},
        {"name": "soft", "lower": -160.0, "upper": 240.0},
        {"name": "lung", "lower": -1350.0, "upper": 150.0},
        {"name": "dense", "lower": -800.0, "upper": 2200.0},
    ]
    assert [p["name"] for p in spect["presets"]] == ["volume", "lesion", "half", "full"]
    upper = {p["name"]: p["upper"] for p in spect["presets"]}
    assert upper["volume"] == 700.0
    assert upper["full"] == 900.0
    assert upper["half"] == upper["lesion"] / 2


@pytest.mark.promise("B2")
def test_no_uid_of_the_archive_reaches_the_browser(desk, case):
    body = document_of(desk, case).content.decode()
    lesion = case.lesion
    for series in (lesion.ct_series, lesion.spect_series, lesion.whole_body_series):
        hidden = [series.uid, series.exam.uid, *series.instances.values_list("uid", flat=True)]
        assert not [uid for uid in hidden if f'"{uid}"' in body or f"/{uid}/" in body]
    assert lesion.code not in body
    assert lesion.patient.subject not in body


def uids(document) -> set[str]:
    found = set()
    for series in document["series"]:
        found |= {series["study_uid"], series["series_uid"], series["frame_of_reference_uid"]}
        found |= {image["sop_instance_uid"] for image in series["images"]}
    return found - {None}


@pytest.mark.promise("B2")
def test_two_cases_of_one_lesion_share_no_uid(desk, case, study):
    twin = start(study, "expert2").assignments.get(lesion=case.lesion_id)
    Assignment.objects.filter(session=twin.session_id, position__lt=twin.position).update(
        state="missing", missing_reason="to come to the twin"
    )
    first = document_of(desk, case).json()
    second = document_of(signed_in("expert2"), twin).json()
    assert len(uids(first)) == 1 + 3 + 1 + 5 + 1 + 1
    assert not uids(first) & uids(second)


def test_a_save_answers_version_time_and_problems(desk, case):
    answer = put(desk, case, draft({}))
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"version", "saved_at", "problems"}
    assert body["version"] == 1
    assert body["problems"] == {
        "answers": {"call": "required", "confidence": "required"},
        "outlines": {"CT": [], "SPECT": []},
    }


def test_the_statuses_of_a_save(desk, case):
    assert put(desk, case, draft(), key="k").json()["version"] == 1
    assert put(desk, case, draft(), key="k").json()["version"] == 1
    stale = put(desk, case, draft(answers("metastasis")))
    assert (stale.status_code, stale.json()["version"]) == (409, 1)
    assert stale.json()["document"]["answers"] == answers()
    reused = put(desk, case, draft({}), key="k", version=1)
    assert (reused.status_code, reused.json()["field"]) == (422, "key")
    assert put(desk, case, {"answers": 1}, version=1).status_code == 422
    assert put(Client(), case, draft()).status_code == 401
    post(desk, case, "submit", version=1)
    closed = put(desk, case, draft(), version=1)
    assert (closed.status_code, closed.json()["state"]) == (423, "submitted")


@pytest.mark.parametrize("header", ["", "x", "-1", '"1', "1e3"])
def test_a_save_without_a_version_is_refused(desk, case, header):
    answer = desk.put(
        f"/reading/cases/{case.code}/draft",
        json.dumps(draft()),
        content_type="application/json",
        headers={"If-Match": header, "Idempotency-Key": "k"},
    )
    assert answer.status_code == 422


def test_nan_and_huge_numbers_are_refused(desk, case):
    for text in ("NaN", "Infinity", "1e308"):
        body = json.dumps(draft()).replace('"focus": null', f'"focus": [0, 0, {text}]')
        answer = desk.put(
            f"/reading/cases/{case.code}/draft",
            body,
            content_type="application/json",
            headers={"If-Match": "0", "Idempotency-Key": text},
        )
        assert answer.status_code == 422


def test_submitting_leads_to_the_next_case_and_at_last_home(desk, session):
    seen = []
    for position in (1, 2, 3):
        case = session.assignments.get(position=position)
        put(desk, case, draft())
        answer = post(desk, case, "submit", version=1).json()
        assert (answer["state"], answer["home"]) == ("submitted", "/reading/")
        seen.append(answer["next"])
    following = session.assignments.get(position=2).code
    assert seen[0] == f"/reading/cases/{following}/"
    assert seen[2] is None


def test_a_submission_with_problems_names_them(desk, case):
    put(desk, case, draft({"call": "benign"}))
    answer = post(desk, case, "submit", version=1)
    assert answer.status_code == 422
    assert answer.json()["problems"]["answers"] == {"confidence": "required"}


def test_events_are_taken_without_an_answer_body(desk, case):
    event = {"seq": 0, "t_ms": 3, "kind": "first_image", "detail": {"pane": "CT"}}
    answer = post(desk, case, "events", page_load=str(uuid.uuid4()), events=[event])
    assert (answer.status_code, answer.content) == (204, b"")
    assert case.events.get().kind == "first_image"


def test_a_submitted_case_is_reopened_with_a_reason(desk, case):
    put(desk, case, draft())
    post(desk, case, "submit", version=1)
    assert document_of(desk, case).status_code == 404
    answer = post(desk, case, "reopen", reason_code="slip", reason="wrong key pressed")
    assert answer.json() == {"version": 2}
    document = document_of(desk, case).json()
    assert document["case"]["state"] == "draft"
    assert document["case"]["draft"]["version"] == 2


def test_outlines_travel_under_the_cases_uids_and_are_stored_under_the_archives(study):
    session = start(study, "delineator1", task="outline")
    case = session.assignments.get(position=1)
    desk = signed_in("delineator1")
    document = document_of(desk, case).json()
    drawn = {role: circle(document, role) for role in ("CT", "SPECT")}
    saved = put(desk, case, draft({}, **drawn)).json()
    assert saved["problems"] == {"answers": {}, "outlines": {"CT": [], "SPECT": []}}
    assert post(desk, case, "submit", version=1).status_code == 200
    rois = {roi.modality: roi for roi in Roi.objects.all()}
    assert rois["CT"].series == case.lesion.ct_series
    assert case.lesion.ct_series.instances.filter(uid=rois["CT"].sop_instance_uid).exists()
    assert rois["SPECT"].frame == 4
    assert "area" not in json.dumps(saved)


@pytest.mark.promise("B6")
def test_foreign_unknown_and_waiting_cases_answer_the_same_404(study, session, desk):
    other = start(study, "expert2").assignments.get(position=1)
    waiting = session.assignments.get(position=2)
    answers = set()
    for code in (other.code, waiting.code, "0" * 24, "nothing"):
        for verb in ("document", ""):
            answer = desk.get(f"/reading/cases/{code}/{verb}")
            answers.add((verb, answer.status_code, answer.content))
    assert len(answers) == 2
    assert {status for _, status, _ in answers} == {404}


@pytest.mark.promise("B6")
@pytest.mark.parametrize(
    "name", ["expert2", "delineator1", "coordinator", "analyst", "monitor", "outsider"]
)
def test_no_other_person_reaches_a_case_by_any_address(session, case, name):
    client = signed_in(name)
    root = f"/reading/cases/{case.code}/"
    for verb in ("", "document", "picture.png?role=CT&slice=0", "dicomweb/studies"):
        assert client.get(root + verb).status_code == 404, verb
    assert put(client, case, draft()).status_code == 404
    for verb, body in (
        ("submit", {"version": 0}),
        ("events", {"page_load": "p", "events": []}),
        ("reopen", {"reason_code": "slip", "reason": "let me see it"}),
    ):
        assert post(client, case, verb, **body).status_code == 404, verb
    assert client.get(f"/reading/sessions/{session.code}/").status_code == 404


def test_a_withdrawn_membership_closes_the_door(study, desk, case):
    Membership.objects.filter(user=make_user("expert1")).update(can_read=False)
    assert document_of(desk, case).status_code == 404


def test_nothing_is_open_once_the_reads_are_locked(study, desk, case):
    Study.objects.filter(pk=study.pk).update(state="READS_LOCKED")
    assert document_of(desk, case).status_code == 404
    assert put(desk, case, draft()).status_code == 404


def test_other_methods_are_refused(desk, case):
    assert desk.delete(f"/reading/cases/{case.code}/draft").status_code == 405
    assert desk.get(f"/reading/cases/{case.code}/submit").status_code == 405


def test_an_unsafe_request_needs_the_csrf_token(session, case):
    strict = Client(enforce_csrf_checks=True, headers={"accept": "application/json"})
    strict.login(username="expert1", password=PASSWORD)
    assert put(strict, case, draft()).status_code == 403
    token = strict.get(f"/reading/cases/{case.code}/document").json()["case"]["csrf_token"]
    answer = strict.put(
        f"/reading/cases/{case.code}/draft",
        json.dumps(draft()),
        content_type="application/json",
        headers={"If-Match": '"0"', "Idempotency-Key": "k", "X-CSRFToken": token},
    )
    assert answer.status_code == 200


def test_a_save_costs_at_most_twelve_statements_with_session_and_audit(desk, case):
    put(desk, case, draft())
    with CaptureQueriesContext(connection) as seen:
        put(desk, case, draft(answers("metastasis")), version=1)
    work = [q["sql"] for q in seen if "SAVEPOINT" not in q["sql"]]
    assert len(work) <= 12


def test_each_mutation_is_audited_once(desk, case):
    before = AuditEvent.objects.count()
    put(desk, case, draft())
    post(desk, case, "submit", version=1)
    post(desk, case, "reopen", reason_code="slip", reason="wrong key pressed")
    verbs = AuditEvent.objects.filter(seq__gt=before).values_list("verb", flat=True)
    assert list(verbs) == ["read.save", "read.submit", "read.reopen"]


@pytest.mark.promise("B4")
def test_a_document_does_not_depend_on_other_readers(desk, case, study):
    def seen() -> dict:
        document = document_of(desk, case).json()
        document["case"].pop("csrf_token")
        return document

    before = seen()
    other = start(study, "expert2")
    first = other.assignments.get(position=1)
    client = signed_in("expert2")
    put(client, first, draft(answers("metastasis", 5)))
    post(client, first, "submit", version=1)
    assert seen() == before
