"""A locked run scores a lesion with ROIs: the stored number again, flagged, audited, and refused where it must be."""

import json
from collections.abc import Iterator

import pytest
from django.db import transaction
from django.test import Client

from portal.analysis import predicting, training
from portal.analysis.models import FeatureVector, ModelRun, Prediction
from portal.analysis.table import parts
from portal.audit.models import AuditEvent, AuditPayload
from portal.errors import Conflict, NotFound
from portal.study.models import Lesion, Membership, Split, State, Study
from readers.models import Read
from tests.analysis.builders import do_all, make_outlined_study, outlined, trained
from tests.cohort import NOW, make_lesion, make_patient, make_study, make_user
from tests.study.builders import carry_to
from tests.study.test_pages import sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def locked(built: int, django_db_blocker) -> Iterator[int]:
    """A locked run that all tests of the module use; its key."""
    with django_db_blocker.unblock(), transaction.atomic():
        run = trained(Study.objects.get(pk=built))
        yield training.lock(run, actor=make_user("analyst"), now=NOW).pk
        transaction.set_rollback(True)


@pytest.fixture
def run(locked: int, db: None) -> ModelRun:
    return ModelRun.objects.get(pk=locked)


@pytest.fixture
def analyst() -> Client:
    return sign_in("analyst")


def lesion_in(study, part: str) -> Lesion:
    found = parts(Split.objects.get(study=study))
    key = min(lesion for lesion, where in found.items() if where == part)
    return Lesion.objects.select_related("patient__study").get(pk=key)


def predict(run: ModelRun, lesion: Lesion) -> predicting.Scored:
    return predicting.predict(run, lesion, role="analyst")


def n_acts() -> int:
    return AuditEvent.objects.filter(verb="run.predict").count()


@pytest.mark.parametrize("kind", ["ct", "spect", "combined"])
def test_a_training_lesion_gets_its_apparent_number_and_is_called_apparent(study, kind: str):
    run = training.lock(trained(study, kind), actor=make_user("analyst"), now=NOW)
    lesion = lesion_in(study, "train")
    found = predict(run, lesion)
    stored = Prediction.objects.get(run=run, kind="apparent", lesion=lesion).probability
    assert found.outcome.probability == pytest.approx(stored, abs=1e-12)
    assert (found.is_apparent, found.outcome.outside) == (True, ())


def test_the_unblinded_validation_lesion_gets_its_stored_number(study, run):
    lesion = lesion_in(study, "validation")
    carry_to(study, State.UNBLINDED)
    lesion.refresh_from_db()
    found = predict(run, Lesion.objects.select_related("patient__study").get(pk=lesion.pk))
    stored = Prediction.objects.get(run=run, kind="validation", lesion=lesion).probability
    assert found.outcome.probability == pytest.approx(stored, abs=1e-12)
    assert not found.is_apparent


@pytest.mark.promise("B10")
@pytest.mark.parametrize("state", [State.READING, State.READS_LOCKED])
def test_a_sealed_validation_lesion_is_refused_and_leaves_no_number(study, run, state):
    carry_to(study, state)
    with pytest.raises(Conflict, match="validation part are scored once their study is unblinded"):
        predict(run, lesion_in(study, "validation"))
    assert n_acts() == 0


@pytest.mark.promise("B10")
def test_another_lesion_of_a_validation_patient_is_refused_too(study, run):
    held_out = lesion_in(study, "validation")
    sibling = make_lesion(held_out.patient, number=9, included=False)
    with pytest.raises(Conflict, match="validation part"):
        predict(run, sibling)


@pytest.mark.parametrize("state", ["queued", "fitted", "failed"])
def test_only_a_locked_run_scores(study, run, state):
    run.state = state
    with pytest.raises(Conflict, match=f"this one is {state}"):
        predict(run, lesion_in(study, "train"))


@pytest.mark.parametrize(("ours", "theirs", "sentence"), [
    (True, False, "fitted on synthetic lesions and never scores real ones"),
    (False, True, "fitted on real lesions and never scores synthetic ones"),
])  # fmt: skip
def test_synthetic_and_real_never_score_each_other(study, run, ours, theirs, sentence):
    knee = make_study("knee", state="READING", is_synthetic=theirs)
    run.study.is_synthetic = ours
    with pytest.raises(Conflict, match=sentence):
        predict(run, make_lesion(make_patient(knee)))
    assert n_acts() == 0


def test_a_new_lesion_of_another_study_is_scored_from_its_rois(study, run):
    """External use: no vector is stored for it, so the features are computed as the run's set says."""
    knee = make_outlined_study(6, code="knee", seed=8)
    do_all(knee, "delineator1", "outline", outlined())
    carry_to(knee, State.UNBLINDED)
    for lesion in Lesion.objects.filter(patient__study=knee).select_related("patient__study")[:2]:
        found = predict(run, lesion)
        assert 0 <= (found.outcome.probability or 0) <= 1
        assert not found.is_apparent
    assert not FeatureVector.objects.filter(feature_set__study=knee).exists()


def test_the_same_lesion_gets_the_same_number_stored_vector_or_not(study, run):
    lesion = lesion_in(study, "train")
    roi = predicting.first_roi(lesion, "CT")
    stored, _ = predicting.values_of(run, lesion, "CT")
    computed = predicting.extraction.compute(roi, run.feature_set)
    assert computed.values == stored


def test_a_lesion_without_a_locked_roi_says_what_to_do(study, run):
    bare = make_lesion(make_patient(study, "S900"), included=False)
    with pytest.raises(Conflict, match="no locked CT ROI; outline it first"):
        predict(run, bare)


def test_a_draft_roi_is_no_roi(study, run):
    lesion = lesion_in(study, "train")
    assert predicting.rois_of(lesion).exists()
    assert not predicting.rois_of(lesion).filter(read__state=Read.State.DRAFT).exists()


def test_each_answer_is_one_act_with_its_number(study, run):
    lesion = lesion_in(study, "train")
    found = predict(run, lesion)
    assert n_acts() == 1
    event = AuditEvent.objects.get(verb="run.predict")
    assert (event.obj, event.study, event.role) == (f"run:{run.code}", "bone", "analyst")
    body = json.loads(AuditPayload.objects.get(event=event).body)
    assert body["new"]["lesion"] == lesion.code
    assert float(body["new"]["probability"]) == pytest.approx(found.outcome.probability)


def test_scoring_stores_no_prediction(study, run):
    before = Prediction.objects.count()
    predict(run, lesion_in(study, "train"))
    assert Prediction.objects.count() == before


@pytest.mark.promise("B6")
@pytest.mark.parametrize("name", ["expert1", "delineator1", "monitor", "outsider"])
def test_a_lesion_is_found_by_those_who_analyse_its_study(study, name: str):
    code = lesion_in(study, "train").code
    assert predicting.lesion_for(make_user("analyst"), code).code == code
    with pytest.raises(NotFound, match="no such lesion"):
        predicting.lesion_for(make_user(name), code)


@pytest.mark.parametrize("right", ["can_analyse", "can_coordinate"])
def test_one_of_the_two_rights_is_enough_to_find_a_lesion(study, right: str):
    code, person = lesion_in(study, "train").code, make_user("analyst")
    rights = {"can_analyse": False, "can_coordinate": False, right: True}
    Membership.objects.filter(user=person, study=study).update(**rights)
    assert predicting.lesion_for(person, code).code == code


def test_without_either_right_no_lesion_is_found(study):
    code, person = lesion_in(study, "train").code, make_user("analyst")
    Membership.objects.filter(user=person, study=study).update(
        can_analyse=False, can_coordinate=False
    )
    with pytest.raises(NotFound, match="analyse or coordinate"):
        predicting.lesion_for(person, code)


def test_who_left_the_study_finds_no_lesion_of_it(study):
    code = lesion_in(study, "train").code
    Membership.objects.filter(user=make_user("analyst")).delete()
    with pytest.raises(NotFound):
        predicting.lesion_for(make_user("analyst"), code)


def test_the_page_shows_number_flag_and_research_use(study, run, analyst: Client):
    address = f"/studies/bone/runs/{run.code}/predict/"
    assert "Research use only" in analyst.get(address).content.decode()
    page = analyst.post(address, {"lesion": lesion_in(study, "train").code}).content.decode()
    assert "Probability of metastasis" in page
    assert "Apparent: this patient helped to fit the model" in page
    assert "inside the range of the training lesions" in page


@pytest.mark.parametrize("text", ["", "nothing", "<script>", "x" * 200])
def test_the_page_refuses_an_unknown_lesion_in_words(run, analyst: Client, text: str):
    response = analyst.post(f"/studies/bone/runs/{run.code}/predict/", {"lesion": text})
    assert response.status_code == 422
    assert predicting.NO_SUCH_LESION in response.content.decode()
    assert "<script>" not in response.content.decode().replace("<script src", "")
    assert n_acts() == 0


def test_the_page_refuses_a_sealed_lesion_in_words(study, run, analyst: Client):
    response = analyst.post(f"/studies/bone/runs/{run.code}/predict/", {"lesion": lesion_in(study, "validation").code})  # fmt: skip
    assert response.status_code == 422
    assert "once their study is unblinded" in response.content.decode()


def test_the_page_of_a_fitted_run_says_to_lock_it_first(study, analyst: Client):
    run = trained(study)
    assert "Lock it on its page first" in analyst.get(f"/studies/bone/runs/{run.code}/predict/").content.decode()  # fmt: skip


@pytest.mark.promise("B5")
@pytest.mark.parametrize("name", ["expert1", "delineator1", "monitor", "outsider"])
def test_the_page_does_not_exist_for_anybody_else(run, name: str):
    address = f"/studies/bone/runs/{run.code}/"
    client = sign_in(name)
    assert client.get(f"{address}predict/").status_code == 404
    assert client.post(f"{address}predict/", {"lesion": "x"}).status_code == 404
    assert client.post(f"{address}repeat/").status_code == 404


def test_the_api_answers_with_values_and_flags(study, run, analyst: Client):
    lesion = lesion_in(study, "train")
    answer = analyst.post(
        f"/api/v1/studies/bone/runs/{run.code}/predict/",
        json.dumps({"lesion": lesion.code}), content_type="application/json",
    )  # fmt: skip
    body = answer.json()
    assert answer.status_code == 200
    assert body["lesion"] == lesion.code
    assert (body["is_apparent"], body["out_of_range"]) == (True, [])
    assert body["use"] == "research use only"
    assert set(body["values"]) == set(run.model["selected"])


@pytest.mark.parametrize(("lesion", "status"), [("nothing", 404), ("", 400), ("a b", 400), (None, 400), ("x" * 99, 400)])  # fmt: skip
def test_the_api_refuses_what_is_no_lesion(run, analyst: Client, lesion: object, status: int):
    answer = analyst.post(
        f"/api/v1/studies/bone/runs/{run.code}/predict/",
        json.dumps({"lesion": lesion}), content_type="application/json",
    )  # fmt: skip
    assert answer.status_code == status
    assert n_acts() == 0
