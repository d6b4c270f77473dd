"""The analysts' REST door: who finds which address in which state, what it says, what it refuses."""

import json

import pytest
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from portal.accounts.tokens import issue
from portal.analysis import training
from portal.analysis.models import FeatureSet, FeatureVector, Look, ModelRun
from portal.audit.models import AuditEvent
from portal.jobs.models import Job
from portal.study.models import Lesion, State
from tests.analysis.builders import do_all, do_jobs, right_but_for, trained
from tests.cohort import NOW, make_study, make_user
from tests.study.builders import carry_to

pytestmark = pytest.mark.django_db
BONE = "/api/v1/studies/bone/"
KNEE = "/api/v1/studies/knee/"  # an empty study beside the one that is built once
FAST = {"n_folds": 5, "n_boot": 0, "n_outer": 3}
WHY = {"reason": "the planned analysis"}
STATES = ("DRAFT", "SCREENING", "READING", "READS_LOCKED", "UNBLINDED")
READABLE = ("feature-sets/", "extraction/", "feature-vectors/", "runs/", "looks/")
WRITABLE = ("feature-sets/", "extraction/", "runs/", "evaluations/")
ON_A_RUN = ("lock/", "repeat/", "predict/")


def client_of(name: str) -> Client:
    token = issue(make_user(name), label="test", days=1)
    return Client(headers={"authorization": f"Token {token.text}"})


def post(client: Client, path: str, body: object = None, *, root: str = BONE):
    return client.post(root + path, json.dumps(body or {}), content_type="application/json")


@pytest.fixture
def analyst() -> Client:
    return client_of("analyst")


@pytest.mark.promise("B5")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", ["expert1", "delineator1", "monitor", "outsider"])
def test_for_anybody_else_nothing_is_there_in_any_state(name: str, state: str) -> None:
    make_study(state=state)
    client = client_of(name)
    assert {client.get(BONE + path).status_code for path in (*READABLE, "evaluations/")} == {404}
    assert {post(client, path, WHY).status_code for path in WRITABLE} == {404}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", ["coordinator", "analyst"])
def test_analysts_and_coordinators_read_every_list_in_every_state(name: str, state: str) -> None:
    make_study(state=state)
    client = client_of(name)
    assert {client.get(BONE + path).status_code for path in READABLE} == {200}


@pytest.mark.promise("B10")
@pytest.mark.parametrize(("state", "status"), [(s, 200 if s == "UNBLINDED" else 409) for s in STATES])  # fmt: skip
def test_evaluations_open_with_the_unblinding(state: str, status: int, analyst: Client) -> None:
    make_study(state=state)
    assert analyst.get(BONE + "evaluations/").status_code == status
    if status == 409:
        assert post(analyst, "evaluations/", WHY).json()["detail"].startswith("The study is not unblinded")  # fmt: skip
        assert not Look.objects.exists()


@pytest.mark.parametrize("path", [*READABLE, "evaluations/"])
def test_without_a_token_nothing_is_said(path: str) -> None:
    make_study()
    assert Client().get(BONE + path).status_code == 401


@pytest.mark.promise("B6")
@pytest.mark.parametrize("name", ["expert1", "delineator1", "monitor", "outsider"])
def test_a_run_is_not_there_for_anybody_else(study, name: str) -> None:
    run = trained(study)
    client = client_of(name)
    for path in ("", "predictions/"):
        assert client.get(f"{BONE}runs/{run.code}/{path}").status_code == 404
    for path in ON_A_RUN:
        assert post(client, f"runs/{run.code}/{path}", {"lesion": "x"}).status_code == 404


@pytest.mark.promise("B6")
def test_a_run_of_another_study_is_not_there(study, analyst: Client) -> None:
    run = trained(study)
    make_study("knee")
    assert analyst.get(f"/api/v1/studies/knee/runs/{run.code}/").status_code == 404


def test_a_feature_set_is_chosen_and_the_same_one_again_changes_nothing(analyst: Client) -> None:
    make_study("knee", state="READING")
    first = post(analyst, "feature-sets/", {"parameters": {"grid_mm": 2.0}}, root=KNEE)
    assert first.status_code == 201
    assert first.json()["parameters"]["grid_mm"] == 2.0
    assert (
        post(analyst, "feature-sets/", {"parameters": {"grid_mm": 2.0}}, root=KNEE).json()
        == first.json()
    )
    assert AuditEvent.objects.filter(verb="feature_set.use", study="knee").count() == 1
    assert [row["is_current"] for row in analyst.get(KNEE + "feature-sets/").json()] == [True]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"parameters": {"grid": 1}}, "Unknown feature parameter grid"),
        ({"parameters": {"grid_mm": 50}}, "between 0.25 and 5 mm"),
        ({"parameters": {"values": "raw"}}, "Values are window8 or native."),
    ],
)
def test_an_impossible_feature_set_is_refused_in_one_sentence(analyst: Client, body: object, sentence: str) -> None:  # fmt: skip
    make_study("knee", state="READING")
    response = post(analyst, "feature-sets/", body, root=KNEE)
    assert response.status_code == 422
    assert sentence in response.json()["detail"]
    assert not FeatureSet.objects.filter(study__code="knee").exists()


def test_the_extraction_tells_how_far_it_is(study, analyst: Client) -> None:
    body = analyst.get(BONE + "extraction/").json()
    assert (body["vectors"], body["failed"], body["pending"], body["jobs"]) == (40, 0, 0, [])
    post(analyst, "feature-sets/", {"parameters": {"grid_mm": 3.0}})
    started = post(analyst, "extraction/")
    assert started.status_code == 202
    assert started.json()["pending"] == 40
    assert {job["state"] for job in started.json()["jobs"]} == {"queued"}
    do_jobs(list(Job.objects.filter(kind="extract", state="queued")))
    assert analyst.get(BONE + "extraction/").json()["vectors"] == 40


def test_a_second_start_queues_nothing_twice(study, analyst: Client) -> None:
    post(analyst, "feature-sets/", {"parameters": {"grid_mm": 3.0}})
    first, second = post(analyst, "extraction/").json(), post(analyst, "extraction/").json()
    assert first["jobs"] == second["jobs"]


def test_vectors_are_paged_and_filtered(study, analyst: Client) -> None:
    body = analyst.get(BONE + "feature-vectors/?limit=3&modality=CT").json()
    assert (body["count"], len(body["results"])) == (20, 3)
    row = body["results"][0]
    stored = FeatureVector.objects.get(digest=row["digest"], roi__read__assignment__lesion__code=row["lesion"])  # fmt: skip
    assert row["values"] == stored.values
    assert (row["modality"], row["delineator"], row["occasion"]) == ("CT", "delineator1", 1)
    assert {r["modality"] for r in analyst.get(BONE + "feature-vectors/?modality=SPECT").json()["results"]} == {"SPECT"}  # fmt: skip


def test_a_run_is_created_fitted_read_locked_and_repeated(study, analyst: Client) -> None:
    made = post(analyst, "runs/", {"kind": "ct", "seed": 5, "parameters": FAST})
    assert made.status_code == 201
    code = made.json()["code"]
    assert made.json()["state"] == "queued"
    do_jobs(list(Job.objects.filter(kind="train", state="queued")))
    body = analyst.get(f"{BONE}runs/{code}/").json()
    assert (body["state"], body["seed"], body["kind"]) == ("fitted", 5, "ct")
    assert body["formula"].startswith("log odds = ")
    assert {a["name"] for a in body["nomogram"]["axes"]} == set(body["model"]["selected"])
    assert "Not a medical device" in body["intended_use"]
    assert post(analyst, f"runs/{code}/lock/").json()["state"] == "locked"
    assert post(analyst, f"runs/{code}/lock/").status_code == 409
    again = post(analyst, f"runs/{code}/repeat/")
    assert again.status_code == 202
    do_jobs([Job.objects.get(pk=again.json()["id"])])
    assert Job.objects.get(pk=again.json()["id"]).state == "done"
    verbs = list(AuditEvent.objects.filter(obj=f"run:{code}").order_by("seq").values_list("verb", flat=True))  # fmt: skip
    assert verbs == ["run.create", "run.fit", "run.lock", "run.repeat"]


def test_runs_are_listed_without_their_models(study, analyst: Client) -> None:
    trained(study)
    trained(study, "spect")
    body = analyst.get(BONE + "runs/?kind=spect").json()
    assert [row["kind"] for row in body["results"]] == ["spect"]
    assert "model" not in body["results"][0]
    assert analyst.get(BONE + "runs/?state=failed").json()["count"] == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "ct"}, 400),
        ({"seed": 1}, 400),
        ({"kind": "ct", "seed": -1}, 400),
        ({"kind": "ct", "seed": "x"}, 400),
        ({"kind": "ct", "seed": 2**63}, 400),
        ({"kind": "ct", "seed": 1, "parameters": []}, 400),
        ({"kind": "pet", "seed": 1}, 422),
        ({"kind": "ct", "seed": 1, "parameters": {"cut": 1}}, 422),
        ({"kind": "ct", "seed": 1, "parameters": {"cutoff": "x"}}, 422),
        ({"kind": "ct", "seed": 1, "parameters": {"features": ["CT_Mean"]}}, 422),
        ({"kind": "subset", "seed": 1, "parameters": {"features": ["CT_Mean"]}}, 422),
        ({"kind": "subset", "seed": 1, "name": "s", "parameters": {"features": ["Mean"]}}, 422),
        ({"kind": "ct", "seed": 1, "name": "n" * 81}, 400),
    ],
)
def test_bad_input_makes_no_run(study, analyst: Client, body: object, status: int) -> None:
    assert post(analyst, "runs/", body).status_code == status
    assert not ModelRun.objects.exists()


@pytest.mark.parametrize("text", ["{", "[]", '"run"', "null", "{}"])
def test_no_body_whatever_is_a_server_error(analyst: Client, text: str) -> None:
    make_study("knee", state="READING")
    for path in WRITABLE[2:]:
        response = analyst.post(KNEE + path, text, content_type="application/json")
        assert 400 <= response.status_code < 500


def test_a_run_needs_a_split_and_features(analyst: Client) -> None:
    make_study("knee", state="READING")
    response = post(analyst, "runs/", {"kind": "ct", "seed": 1}, root=KNEE)
    assert (response.status_code, response.json()["detail"]) == (
        422, "Lock a split and extract features before a model is trained.",
    )  # fmt: skip


@pytest.mark.parametrize("state", ["READS_LOCKED", "UNBLINDED"])
def test_no_run_is_created_after_the_reads_are_locked(study, analyst: Client, state: str) -> None:
    carry_to(study, state)
    assert post(analyst, "runs/", {"kind": "ct", "seed": 1}).status_code == 409


@pytest.mark.promise("B10")
def test_validation_predictions_are_hidden_until_the_unblinding(study, analyst: Client) -> None:
    run = training.lock(trained(study), actor=make_user("analyst"), now=NOW)
    address = f"{BONE}runs/{run.code}/predictions/"
    for state in (State.READING, State.READS_LOCKED):
        carry_to(study, state)
        kinds = {row["kind"] for row in analyst.get(address).json()["results"]}
        assert kinds == {"apparent", "out_of_fold"}
        assert analyst.get(f"{address}?kind=validation").json()["count"] == 0
    carry_to(study, State.UNBLINDED)
    rows = analyst.get(f"{address}?kind=validation").json()["results"]
    codes = dict(Lesion.objects.of_study(study).values_list("code", "pk"))
    assert len(rows) == len({row["lesion"] for row in rows}) > 0
    assert all(row["lesion"] in codes and 0 <= row["probability"] <= 1 for row in rows)


def test_an_evaluation_counts_its_look_and_the_ledger_shows_it(study, analyst: Client) -> None:
    do_all(study, "expert1", "read", right_but_for(4))
    training.lock(trained(study), actor=make_user("analyst"), now=NOW)
    carry_to(study, State.UNBLINDED)
    assert post(analyst, "evaluations/", {"reason": "short"}).status_code == 400
    made = post(analyst, "evaluations/", WHY)
    assert made.status_code == 201
    assert {row["part"] for row in made.json()} == {"train", "validation"}
    assert analyst.get(BONE + "evaluations/").json() == made.json()
    ledger = analyst.get(BONE + "looks/").json()
    assert [(row["number"], row["reason"], row["user"]) for row in ledger] == [(1, WHY["reason"], "analyst")]  # fmt: skip


@pytest.fixture(scope="module")
def schema() -> dict:  # type: ignore[type-arg]
    GENERATOR_STATS.reset()
    found: dict = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[type-arg]
    return found


def test_the_schema_is_valid_openapi_and_made_without_a_warning(schema) -> None:
    validate_schema(schema)
    assert not GENERATOR_STATS


@pytest.mark.parametrize(
    "path",
    ["feature-sets/", "extraction/", "feature-vectors/", "runs/", "runs/{code}/", "runs/{code}/lock/",
     "runs/{code}/repeat/", "runs/{code}/predictions/", "runs/{code}/predict/", "evaluations/", "looks/"],
)  # fmt: skip
def test_the_schema_describes_every_resource(schema, path: str) -> None:
    assert "/api/v1/studies/{study}/" + path in schema["paths"]


@pytest.mark.promise("B5")
def test_readers_get_the_very_schema_that_analysts_get() -> None:
    make_study("knee")
    documents = {client_of(name).get("/api/schema/").content for name in ("analyst", "expert1", "outsider")}  # fmt: skip
    assert len(documents) == 1
