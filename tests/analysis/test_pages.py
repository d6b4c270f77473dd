"""Features and runs in the browser, and the evaluation before it may be: who may, in which state, and one act per click."""

import pytest
from django.test import Client

from portal.analysis import training
from portal.analysis.models import Evaluation, ModelRun
from portal.audit.models import AuditEvent
from portal.jobs.models import Job
from tests.analysis.builders import do_jobs, trained
from tests.cohort import make_study
from tests.study.test_pages import sign_in

pytestmark = pytest.mark.django_db
ROOT = "/studies/bone/"
PAGES = ("features/", "runs/", "dashboard/", "exports/")
WHY = {"reason": "the planned analysis"}
WRITES = ("features/extract/", "runs/start/", "evaluate/")


@pytest.fixture
def analyst() -> Client:
    return sign_in("analyst")


def verbs() -> list[str]:
    return list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True))


@pytest.mark.promise("B5")
@pytest.mark.parametrize("name", ["expert1", "delineator1", "monitor", "outsider"])
@pytest.mark.parametrize("state", ["READING", "READS_LOCKED", "UNBLINDED"])
def test_pages_of_the_analysis_do_not_exist_for_anybody_else(name, state):
    make_study(state=state)
    client = sign_in(name)
    assert {client.get(ROOT + page).status_code for page in PAGES} == {404}
    assert {client.post(ROOT + page).status_code for page in WRITES} == {404}


@pytest.mark.parametrize("name", ["coordinator", "analyst"])
@pytest.mark.parametrize("state", ["DRAFT", "SCREENING", "READING", "READS_LOCKED"])
def test_empty_studies_have_pages_that_say_what_to_do(name, state):
    make_study(state=state)
    client = sign_in(name)
    for page in ("features/", "runs/"):
        response = client.get(ROOT + page)
        assert response.status_code == 200
        assert "Traceback" not in response.content.decode()


@pytest.mark.promise("B10")
@pytest.mark.parametrize("name", ["coordinator", "analyst"])
@pytest.mark.parametrize("state", ["READING", "READS_LOCKED"])
def test_before_unblinding_the_evaluation_is_refused_and_the_dashboard_has_no_figure(name, state):
    make_study(state=state)
    client = sign_in(name)
    assert client.post(ROOT + "evaluate/", WHY).status_code == 409
    page = client.get(ROOT + "dashboard/").content.decode()
    assert "data-source" not in page
    assert not Evaluation.objects.exists()


def test_a_run_needs_a_locked_split_and_features(analyst):
    make_study(state="READING")
    response = analyst.post(ROOT + "runs/start/", {"kind": "ct"})
    assert response.status_code == 422
    assert "Lock a split and extract features" in response.content.decode()


def test_a_run_is_started_by_one_click_and_one_act(study, analyst):
    before = len(verbs())
    response = analyst.post(ROOT + "runs/start/", {"kind": "spect", "seed": "11"})
    run = ModelRun.objects.get(study=study)
    assert (response.status_code, run.kind, run.seed, run.state) == (302, "spect", 11, "queued")
    assert verbs()[before:] == ["run.create"]
    assert "queued" in analyst.get(f"{ROOT}runs/{run.code}/").content.decode()


@pytest.mark.parametrize("kind", ["", "pet", "CT", "ct;drop"])
def test_an_unknown_kind_starts_nothing(study, analyst, kind):
    response = analyst.post(ROOT + "runs/start/", {"kind": kind})
    assert response.status_code == 422
    assert (
        "Choose CT, SPECT, combined, clinical + radiomics or a named subset."
        in response.content.decode()
    )
    assert not ModelRun.objects.exists()


def test_without_a_seed_one_is_drawn_and_kept(study, analyst):
    analyst.post(ROOT + "runs/start/", {"kind": "ct"})
    assert 0 <= ModelRun.objects.get().seed < 2**31


def test_the_model_card_shows_formula_performance_and_certificate(study, analyst):
    run = trained(study)
    page = analyst.get(f"{ROOT}runs/{run.code}/").content.decode()
    for term in run.model["selected"]:
        assert run.model["names"][term] in page if isinstance(term, int) else term in page
    assert "KKT" in page


def test_a_failed_run_shows_its_reason(study, analyst):
    run = trained(study)
    ModelRun.objects.filter(pk=run.pk).update(state="failed", failure="Too few patients.")
    assert "Too few patients." in analyst.get(f"{ROOT}runs/{run.code}/").content.decode()


def test_locking_is_one_act_and_a_second_click_is_refused(study, analyst):
    run = trained(study)
    before = len(verbs())
    assert analyst.post(f"{ROOT}runs/{run.code}/lock/").status_code == 302
    assert verbs()[before:] == ["run.lock"]
    assert analyst.post(f"{ROOT}runs/{run.code}/lock/").status_code == 409
    assert verbs()[before:] == ["run.lock"]


@pytest.mark.promise("B6")
def test_a_run_of_another_study_is_not_found(study, analyst):
    run = trained(study)
    make_study("knee", state="READING")
    assert analyst.get(f"/studies/knee/runs/{run.code}/").status_code == 404
    assert analyst.post(f"/studies/knee/runs/{run.code}/lock/").status_code == 404


def test_a_failed_job_is_queued_again_with_a_reason_by_one_act(study, analyst):
    trained(study)
    job = Job.objects.filter(kind=training.KIND).latest("pk")
    Job.objects.filter(pk=job.pk).update(state="failed", error_text="worker lost 3 times")
    address = f"{ROOT}jobs/{job.pk}/requeue/"
    assert analyst.post(address, {"reason": "short"}).status_code == 422
    before = len(verbs())
    assert analyst.post(address, {"reason": "the machine was rebooted"}).status_code == 302
    job.refresh_from_db()
    assert (job.state, job.attempts, verbs()[before:]) == ("queued", 0, ["job.requeue"])
    do_jobs([job])


@pytest.mark.parametrize("state", ["queued", "running", "done", "cancelled"])
def test_only_a_failed_job_is_queued_again(study, analyst, state):
    trained(study)
    job = Job.objects.filter(kind=training.KIND).latest("pk")
    Job.objects.filter(pk=job.pk).update(state=state)
    response = analyst.post(f"{ROOT}jobs/{job.pk}/requeue/", {"reason": "the machine was rebooted"})
    assert response.status_code == 409


@pytest.mark.promise("B6")
def test_a_job_of_another_study_is_not_queued_again(study, analyst):
    trained(study)
    make_study("knee")
    job = Job.objects.filter(kind=training.KIND).latest("pk")
    Job.objects.filter(pk=job.pk).update(state="failed")
    response = analyst.post(f"/studies/knee/jobs/{job.pk}/requeue/", {"reason": "the machine was rebooted"})  # fmt: skip
    assert response.status_code == 409
    job.refresh_from_db()
    assert job.state == "failed"
