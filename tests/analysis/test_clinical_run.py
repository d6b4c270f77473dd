"""The run kind clinical + radiomics, from the form to its predictions, card and comparison."""

import json
import re
from collections.abc import Iterator

import numpy as np
import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from scipy.special import expit

from portal.accounts.tokens import issue
from portal.analysis import card, clinical, comparison, training
from portal.analysis.cases import gather
from portal.analysis.figures import all_figures
from portal.analysis.models import ModelRun, Prediction
from portal.analysis.predicting import predict
from portal.analysis.results import Fitted
from portal.dashboard.layout import table_of
from portal.dashboard.plots import Scene
from portal.dashboard.tables import Beside, auc
from portal.errors import Invalid
from portal.jobs import work
from portal.jobs.models import Job
from portal.study.models import Lesion, Patient, State, Study
from radiomics.clinical import uptake_ratio
from radiomics.combined import SCORE, CombinedModel
from radiomics.model import RadiomicsModel
from radiomics.nomogram import nomogram
from tests.analysis.builders import FAST, do_all, right_but_for, trained
from tests.analysis.test_commands import train
from tests.cohort import NOW, make_lesion, make_user
from tests.study.builders import carry_to

pytestmark = pytest.mark.django_db
TUMOURS = ("lung", "breast", "prostate")
RUNS = "/studies/bone/runs/"
QUICK = {"n_folds": 3, "n_outer": 3}


def describe(study: Study) -> None:
    """Age, sex and primary tumour of every patient, so that each varies within both classes."""
    for i, patient in enumerate(Patient.objects.filter(study=study).order_by("pk")):
        patient.age_years, patient.sex = 50 + (i * 7) % 23, "MF"[i % 2]
        patient.primary_tumour = TUMOURS[i % 3]
        patient.save()


@pytest.fixture(scope="module")
def described(built: int, django_db_blocker) -> Iterator[int]:
    """The outlined study with described patients, two experts' reads and one fitted clinical run."""
    with django_db_blocker.unblock(), transaction.atomic():
        study = Study.objects.get(pk=built)
        describe(study)
        do_all(study, "expert1", "read", right_but_for(5))
        trained(study, "clinical", **QUICK)
        yield built
        transaction.set_rollback(True)


@pytest.fixture
def study(described: int, db) -> Study:
    return Study.objects.get(pk=described)


@pytest.fixture
def run(study) -> ModelRun:
    return ModelRun.objects.get(study=study, kind="clinical")


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(make_user("analyst"))
    return client


def rest() -> Client:
    token = issue(make_user("analyst"), label="test", days=1)
    return Client(headers={"authorization": f"Token {token.text}"})


def in_train(run: ModelRun) -> list[int]:
    return sorted(run.rows.values_list("lesion_id", flat=True))


def a_patient(run: ModelRun, part: str = "train") -> Patient:
    inside = set(in_train(run))
    everyone = Lesion.objects.of_study(run.study).order_by("pk")
    return next(x.patient for x in everyone if (x.pk in inside) is (part == "train"))


def rebuilt(run: ModelRun) -> CombinedModel:
    return CombinedModel.from_dict({**run.model["clinical"], "radiomics": run.model})


def test_the_form_trains_one_as_a_job_with_its_clinical_part_stored(study, client):
    page = client.get(RUNS).content.decode()
    assert '<option value="clinical">Clinical + radiomics</option>' in page
    answer = client.post(RUNS + "start/", {"kind": "clinical", "seed": "8"})
    assert answer.status_code == 302
    made = ModelRun.objects.order_by("-pk")[0]
    assert (made.kind, made.state) == ("clinical", "queued")
    assert (
        Job.objects.filter(kind=training.KIND, arguments__run=made.pk, state="queued").count() == 1
    )


def test_rest_queues_one(study):
    body = json.dumps({"kind": "clinical", "seed": 8, "parameters": FAST})
    answer = rest().post("/api/v1/studies/bone/runs/", body, content_type="application/json")
    assert (answer.status_code, answer.json()["kind"], answer.json()["state"]) == (201, "clinical", "queued")  # fmt: skip


def test_it_stores_the_last_fit_beside_the_radiomics_part(run):
    assert (run.state, run.failure) == ("fitted", "")
    terms = run.model["clinical"]["fit"]["terms"]
    assert terms[0] == "(Intercept)"
    assert {"age_years", "sex_male", "uptake_ratio"} <= set(terms)
    assert all(np.isfinite(run.model["clinical"]["fit"]["coef"]))
    assert RadiomicsModel.from_dict(run.model).selected_ == tuple(run.model["selected"])
    assert run.model["threshold"] == run.model["clinical"]["threshold"]


def test_the_clinical_columns_are_those_of_the_patients(run):
    ids = in_train(run)
    rows = clinical.training_rows(run.feature_set, ids)
    for lesion, row in zip(Lesion.objects.in_bulk(ids).values(), rows, strict=True):
        p = lesion.patient
        assert (row.age_years, row.male, row.tumour) == (p.age_years, float(p.sex == "M"), p.primary_tumour)  # fmt: skip
        assert row.uptake_ratio > 0


def test_the_uptake_ratio_is_taken_from_the_slice_and_outline_of_the_spect_roi(run):
    vector = next(iter(clinical.primary_vectors(run.feature_set, "SPECT").values()))
    placed = clinical.slice_of(vector.roi.series, vector.roi.sop_instance_uid, vector.roi.frame)
    image = placed.slice
    # second way: pixel centres inside the polygon by winding angle
    corners = image.to_pixel(np.asarray(vector.roi.vertices_mm))
    mask = np.zeros(image.shape, dtype=bool)
    for place in np.ndindex(*image.shape):
        a = corners - np.array(place)
        b = np.roll(a, -1, axis=0)
        turn = np.arctan2(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], (a * b).sum(axis=1)).sum()
        mask[place] = abs(turn) > np.pi
    assert clinical.uptake_of(vector.roi) == uptake_ratio(np.asarray(image.pixels, float), mask)


def test_out_of_fold_and_apparent_predictions_are_stored_per_training_lesion(run):
    for kind in ("apparent", "out_of_fold"):
        rows = Prediction.objects.filter(run=run, kind=kind)
        assert sorted(rows.values_list("lesion_id", flat=True)) == in_train(run)
    model = rebuilt(run)
    fit = model.fit_
    assert fit.terms[-1] != SCORE
    assert len(fit.coef) == len(fit.terms)
    assert run.result["nested"]["auc_mean"] is not None


def test_a_repeat_gives_the_same_bytes(run):
    job = training.repeat(run, actor=make_user("analyst"))
    work.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error_text) == ("done", "")


def test_a_repeat_after_a_clinical_value_changed_says_so(run):
    patient = a_patient(run)
    Patient.objects.filter(pk=patient.pk).update(age_years=patient.age_years + 9)
    now = clinical.rows_digest(clinical.training_rows(run.feature_set, in_train(run)))
    other = {**run.model, "clinical": {**run.model["clinical"], "rows_digest": now}}
    fitted = Fitted(other, run.result, np.empty(0), np.empty(0))
    assert training.why_other(run, fitted) == "clinical values were changed since"
    fitted = Fitted(run.model, run.result, np.empty(0), np.empty(0))
    assert training.why_other(run, fitted) == "its inputs are the same"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"age_years": None}, "age is not recorded"),
        ({"sex": ""}, "sex is not recorded as F or M"),
        ({"sex": "O"}, "sex is not recorded as F or M"),
        ({"primary_tumour": "  "}, "primary tumour is not recorded"),
    ],
)
def test_a_missing_value_of_a_training_patient_refuses_the_run_in_one_sentence(study, run, change, sentence):  # fmt: skip
    patient = a_patient(run)
    Patient.objects.filter(pk=patient.pk).update(**change)
    n_runs, n_jobs = ModelRun.objects.count(), Job.objects.count()
    with pytest.raises(Invalid, match=rf"1 lack one, the first is {patient.subject}/1: {sentence}\.$"):  # fmt: skip
        training.create_run(
            study, "clinical", split=run.split, feature_set=run.feature_set, seed=1,
            actor=make_user("analyst"), now=NOW,
        )  # fmt: skip
    assert (ModelRun.objects.count(), Job.objects.count()) == (n_runs, n_jobs)


def test_a_missing_value_does_not_stop_a_model_of_radiomics_alone(study, run):
    Patient.objects.filter(study=study).update(age_years=None)
    made = training.create_run(
        study, "ct", split=run.split, feature_set=run.feature_set, seed=1,
        actor=make_user("analyst"), now=NOW,
    )  # fmt: skip
    assert made.state == "queued"


def test_a_value_that_goes_missing_before_the_job_ends_the_run_with_its_sentence(study, run):
    made = training.create_run(
        study, "clinical", split=run.split, feature_set=run.feature_set, seed=1,
        actor=make_user("analyst"), now=NOW,
    )  # fmt: skip
    Patient.objects.filter(pk=a_patient(run).pk).update(age_years=None)
    work.run(Job.objects.get(kind=training.KIND, arguments__run=made.pk).pk)
    made.refresh_from_db()
    assert made.state == "failed"
    assert made.failure.endswith("age is not recorded.")


def test_locked_it_predicts_validation_and_says_why_where_it_cannot(run):
    without, strange = [x.patient for x in Lesion.objects.exclude(pk__in=in_train(run)).order_by("pk")[:2]]  # fmt: skip
    Patient.objects.filter(pk=without.pk).update(age_years=None)
    Patient.objects.filter(pk=strange.pk).update(primary_tumour="thyroid")
    training.lock(run, actor=make_user("analyst"), now=NOW)
    rows = Prediction.objects.filter(run=run, kind="validation")
    assert set(rows.values_list("lesion_id", flat=True)).isdisjoint(in_train(run))
    lacking = rows.get(lesion__patient=without)
    assert (lacking.probability, lacking.not_scored) == (None, "age is not recorded")
    assert all(0 < p < 1 for p in rows.exclude(pk=lacking.pk).values_list("probability", flat=True))


def test_the_probability_follows_from_the_stored_numbers_by_hand(run):
    training.lock(run, actor=make_user("analyst"), now=NOW)
    lesion = Lesion.objects.get(pk=in_train(run)[0])
    scored = predict(run, lesion, role="analyst")
    model, fit = run.model, run.model["clinical"]["fit"]
    place = {name: j for j, name in enumerate(model["kept"])}
    score = model["intercept"] + sum(
        b * (scored.outcome.values[n] - model["mean"][place[n]]) / model["scale"][place[n]]
        for n, b in zip(model["selected"], model["coef"], strict=True)
    )
    values = {**scored.outcome.values, "(Intercept)": 1.0, SCORE: score}
    eta = sum(b * values[term] for term, b in zip(fit["terms"], fit["coef"], strict=True))
    assert scored.outcome.probability == pytest.approx(expit(eta), abs=1e-12)
    assert scored.is_apparent


def test_the_database_refuses_a_validation_prediction_for_a_patient_of_the_fit(run):
    """For the lesion itself and for another lesion of its patient; as “apparent” it stands there already."""
    training.lock(run, actor=make_user("analyst"), now=NOW)
    fitted = Lesion.objects.get(pk=in_train(run)[0])
    other = make_lesion(fitted.patient, number=2, included=False)
    before = Prediction.objects.filter(run=run).count()
    for lesion in (fitted, other):
        with pytest.raises(IntegrityError, match="is apparent"), transaction.atomic():
            Prediction.objects.create(run=run, lesion=lesion, kind="validation", probability=0.5)
    assert Prediction.objects.filter(run=run).count() == before
    assert Prediction.objects.filter(run=run, lesion=fitted, kind="apparent").count() == 1


def test_a_tumour_that_no_training_lesion_had_is_called_out_of_range(run):
    training.lock(run, actor=make_user("analyst"), now=NOW)
    lesion = Lesion.objects.get(pk=in_train(run)[0])
    lesion.patient.primary_tumour = "Thyroid"
    lesion.patient.save()
    assert "primary_tumour: thyroid" in predict(run, lesion, role="analyst").outcome.outside


def test_the_run_page_shows_both_formulas_the_last_fit_and_its_nomogram(run, client):
    page = client.get(f"{RUNS}{run.code}/").content.decode()
    assert "Formula of the radiomics score" in page
    assert "Formula of the model" in page
    assert "Radiomics score and clinical columns: log odds of metastasis per unit" in page
    nomogram_part = page[page.index("<h2>Nomogram</h2>") :]
    for term in run.model["clinical"]["fit"]["terms"][1:]:
        assert f">{term}</text>" in nomogram_part
    assert "lasso-path.svg" in page
    assert "cv.svg" in page
    for key in ("lasso-path", "cv"):
        drawn = client.get(f"{RUNS}{run.code}/{key}.svg")
        assert drawn.status_code == 200
        assert b"Clinical + radiomics" in drawn.content


def test_the_card_s_nomogram_spans_the_training_range_of_each_column(run):
    found = card.nomogram_of(run)
    ages = [row.age_years for row in clinical.training_rows(run.feature_set, in_train(run))]
    axis = next(a for a in found.axes if a.name == "age_years")
    assert (axis.low, axis.high) == (min(ages), max(ages))
    fit = run.model["clinical"]["fit"]
    flat = {"mean": np.zeros(len(fit["coef"]) - 1), "scale": np.ones(len(fit["coef"]) - 1)}
    limits = {key: run.model["clinical"][key] for key in ("low", "high")}
    assert found == nomogram(fit["terms"][1:], fit["coef"][1:], fit["coef"][0], **flat, **limits)


def test_rest_says_the_formula_and_the_nomogram_of_the_whole(run):
    said = rest().get(f"/api/v1/studies/bone/runs/{run.code}/").json()
    assert re.match(r"radiomics score: log odds = .*; log odds = .* · age_years", said["formula"])
    assert [a["name"] for a in said["nomogram"]["axes"]] == run.model["clinical"]["fit"]["terms"][
        1:
    ]


def test_the_command_trains_one_only_when_it_is_asked_for(study):
    train("--kinds", "clinical")
    assert ModelRun.objects.filter(kind="clinical").count() == 2
    train()
    assert ModelRun.objects.filter(kind="clinical").count() == 2


def test_once_unblinded_it_stands_in_the_comparison_and_the_exports(study, run, client):
    training.lock(run, actor=make_user("analyst"), now=NOW)
    carry_to(study, State.UNBLINDED)
    rows = comparison.evaluate(
        study, actor=make_user("analyst"), now=NOW, reason="planned analysis"
    )
    figures = rows["validation"].figures
    assert list(figures["auc"]["models"]) == ["clinical"]
    assert "left_out" not in figures
    pair = figures["comparisons"]["pairs"][0]
    assert pair["first"] == "Clinical + radiomics"
    assert figures["features"]["clinical"]["last_fit"][0]["term"] == "(Intercept)"
    table = table_of(rows["validation"], 1, "coefficients")
    assert any(row[0].startswith("Clinical + radiomics, score and") and row[1] == "age_years" for row in table.rows)  # fmt: skip
    page = client.get("/studies/bone/dashboard/")
    assert page.status_code == 200
    assert "Clinical + radiomics" in page.content.decode()
    export = client.get("/studies/bone/exports/predictions.csv").content.decode()
    assert ",clinical,validation," in export


def test_a_lesion_without_clinical_values_costs_the_other_models_no_lesion(study, run):
    training.lock(trained(study, "ct", **QUICK), actor=make_user("analyst"), now=NOW)
    Patient.objects.filter(pk=a_patient(run, "validation").pk).update(age_years=None)
    training.lock(run, actor=make_user("analyst"), now=NOW)
    carry_to(study, State.UNBLINDED)
    n = Prediction.objects.filter(run__kind="ct", kind="validation").count()
    part = gather(study, "validation")
    assert list(part.probability) == ["ct"]
    assert len(part.y) == n
    assert not part.dropped
    assert part.left_out["clinical"].startswith(f"The Clinical + radiomics model is not compared: 1 of these {n} lesions")  # fmt: skip
    assert set(gather(study, "train").probability) == {"ct", "clinical"}
    table = auc(all_figures(part), Scene("validation", 1, False), Beside({}, False))
    assert part.left_out["clinical"] in table.notes
