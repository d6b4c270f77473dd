"""Which lesions cost which columns, counted by hand; and the pages of features and runs."""

import pytest
from django.test import Client

from portal.analysis import training
from portal.analysis.cases import locked_runs
from portal.analysis.costs import costs
from portal.analysis.models import FeatureSet, ModelRun
from portal.analysis.table import parts
from portal.jobs.models import Job
from portal.study.models import Lesion, Split
from radiomics.features import NAMES
from tests.analysis.builders import changed_set, extracted, trained
from tests.cohort import NOW, make_user
from tests.study.test_pages import sign_in, text_of

pytestmark = pytest.mark.django_db
ROOT = "/studies/bone/"


@pytest.fixture
def analyst() -> Client:
    return sign_in("analyst")


def undefined(study, by_lesion: dict[int, list[int]], *, modality: str = "CT") -> FeatureSet:
    """A set in which only the named lesions have undefined columns, by their places."""

    def change(row, lesion):
        row.reasons = {}
        row.values = [float(lesion % 7) if v is None else v for v in row.values]
        if row.roi.modality == modality:
            for place in by_lesion.get(lesion, []):
                row.values[place] = None
                row.reasons[NAMES[place]] = "too small"

    return changed_set(study, change)


def keys(study) -> list[int]:
    return list(Lesion.objects.of_study(study).order_by("pk").values_list("pk", flat=True))


def test_a_hand_counted_cost(study):
    a, b, *_ = keys(study)
    chosen = undefined(study, {a: [0, 1, 2], b: [2, 3]})
    ct, spect = costs(chosen)
    assert (ct.modality, ct.n_lesions, ct.nominal, ct.usable) == ("CT", 20, 279, 275)
    assert [(c.lesion.pk, c.undefined, c.alone) for c in ct.costs] == [
        (a, NAMES[:3], NAMES[:2]), (b, NAMES[2:4], NAMES[3:4]),
    ]  # fmt: skip
    assert (spect.modality, spect.usable, spect.costs) == ("SPECT", 279, ())


def test_a_column_lost_to_two_lesions_is_lost_to_neither_alone(study):
    a, b, *_ = keys(study)
    (ct, _) = costs(undefined(study, {a: [5], b: [5]}))
    assert ct.usable == 278
    assert [c.alone for c in ct.costs] == [(), ()]


def test_the_dearest_lesion_comes_first(study):
    a, b, c, *_ = keys(study)
    (ct, _) = costs(undefined(study, {a: [1], b: [2, 3], c: [1, 4, 5, 6]}))
    assert [x.lesion.pk for x in ct.costs] == [c, b, a]


def test_only_the_lesions_asked_for_are_counted(study):
    a, b, *rest = keys(study)
    chosen = undefined(study, {a: [0], b: [1]})
    (ct, _) = costs(chosen, {b, *rest})
    assert (ct.n_lesions, ct.usable) == (19, 278)


def test_the_usable_columns_are_those_of_the_run(study):
    train = [x for x, part in parts(Split.objects.get(study=study)).items() if part == "train"]
    undefined(study, {train[0]: [0, 7], train[1]: [7, 9]})
    run = trained(study)
    lost = [n for n, why in run.result["unusable"].items() if why["reason"] == "undefined"]
    (ct, _) = costs(run.feature_set, set(train))
    assert 279 - ct.usable == len(lost) == 3


def test_a_failed_roi_is_listed_with_its_sentence(study):
    bad = keys(study)[3]

    def fail(row, lesion):
        row.reasons = {}
        if lesion == bad and row.roi.modality == "SPECT":
            row.failure, row.values = "The ROI holds no pixel.", []

    (_, spect) = costs(changed_set(study, fail))
    assert [(c.lesion.pk, c.failure) for c in spect.costs] == [(bad, "The ROI holds no pixel.")]


def test_without_vectors_there_are_no_costs(study):
    row = FeatureSet.objects.create(study=study, parameters={}, extractor_version="x", digest="e", is_current=False, created_at=NOW)  # fmt: skip
    assert costs(row) == []


def test_the_features_page_names_the_lesion_and_its_columns(study, analyst):
    train = [x for x, part in parts(Split.objects.get(study=study)).items() if part == "train"]
    undefined(study, {train[0]: [0, 1]})
    page = text_of(analyst, ROOT + "features/")
    assert "CT: 279 nominal, 277 usable over 14 lesions" in page
    assert f"{NAMES[0]} and 1 more" in page
    assert str(Lesion.objects.get(pk=train[0])) in page


def test_vectors_are_filtered_and_a_failing_roi_shows_its_reason(study, analyst):
    bad = keys(study)[0]

    def fail(row, lesion):
        if lesion == bad and row.roi.modality == "CT":
            row.failure, row.values = "The ROI holds no pixel.", []

    changed_set(study, fail)
    page = text_of(analyst, ROOT + "features/?state=failed")
    assert "1 vectors" in page
    assert "The ROI holds no pixel." in page
    assert "20 vectors" in text_of(analyst, ROOT + "features/?modality=SPECT")
    assert "No vector matches." in text_of(analyst, ROOT + "features/?drawing=repeat")


@pytest.mark.parametrize("sort", ["lesion", "-pixels", "delineator", "modality", "-remarks", "values", "x;y"])  # fmt: skip
def test_vectors_are_sorted_by_known_names_and_survive_others(study, analyst, sort):
    assert "40 vectors" in text_of(analyst, f"{ROOT}features/?sort={sort}")


def test_the_runs_list_is_filtered_searched_and_leads_back(study, analyst):
    trained(study)
    trained(study, "subset", name="histogram of CT", families=["histogram"], modalities=["CT"])
    assert "2 runs" in text_of(analyst, ROOT + "runs/")
    assert "1 run," in text_of(analyst, ROOT + "runs/?kind=subset")
    assert "histogram of CT" in text_of(analyst, ROOT + "runs/?q=histogram")
    page = text_of(analyst, ROOT + "runs/?state=failed")
    assert "No run matches." in page
    assert 'href="?"' in page


@pytest.mark.parametrize("sort", ["run", "-name", "state", "nested_auc_(train)", "-nested_auc_(train)", "-made", "seed"])  # fmt: skip
def test_runs_are_sorted_by_known_names_and_survive_others(study, analyst, sort):
    trained(study)
    assert "1 run," in text_of(analyst, f"{ROOT}runs/?sort={sort}")


def test_a_failed_run_stands_in_the_list_with_its_reason(study, analyst):
    trained(study, icc_threshold=0.9)
    page = text_of(analyst, ROOT + "runs/")
    assert "fewer than 10 training lesions are drawn twice" in page


def test_a_subset_is_begun_from_the_form(study, analyst):
    form = {
        "kind": "subset",
        "name": "two",
        "seed": "3",
        "features": "CT_Mean, SP_Mean",
        "rule": "1se",
    }
    response = analyst.post(ROOT + "runs/start/", form)
    run = ModelRun.objects.get()
    assert response.status_code == 302
    assert (run.kind, run.name, run.parameters["rule"]) == ("subset", "two", "1se")
    assert run.parameters["features"] == ["CT_Mean", "SP_Mean"]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"seed": "-1"}, "The seed is a whole number"),
        ({"seed": "1.5"}, "The seed is a whole number"),
        ({"seed": "٣"}, "The seed is a whole number"),
        ({"seed": "9" * 20}, "The seed is a whole number"),
        ({"icc_threshold": "high"}, "icc_threshold must be"),
        ({"icc_threshold": "nan"}, "icc_threshold must be"),
        ({"harmonise": "vendor"}, "harmonise must be"),
        ({"rule": "best"}, "rule must be"),
        ({"kind": "subset"}, "needs modalities"),
        ({"kind": "subset", "features": "CT_Mean"}, "Give the subset a name"),
        ({"kind": "subset", "name": "x", "features": "Mean"}, "features must be"),
        ({"name": "n" * 81}, "at most 80 characters"),
    ],
)
def test_a_form_with_bad_input_begins_nothing_and_says_why(study, analyst, more, sentence):
    response = analyst.post(ROOT + "runs/start/", {"kind": "ct", **more})
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert not ModelRun.objects.exists()


def test_a_queued_run_follows_its_job(study, analyst):
    analyst.post(ROOT + "runs/start/", {"kind": "ct"})
    run, job = ModelRun.objects.get(), Job.objects.get(kind=training.KIND)
    address = f"{ROOT}runs/{run.code}/"
    assert "waits for a worker" in text_of(analyst, address)
    Job.objects.filter(pk=job.pk).update(state="running", done=2)
    page = text_of(analyst, address)
    assert "stage 2 of 4" in page
    assert 'hx-trigger="every 2s"' in page
    Job.objects.filter(pk=job.pk).update(state="failed", error_text="The worker was lost.")
    assert "The worker was lost." in text_of(analyst, address)


def test_the_card_says_how_it_was_made_and_what_it_is_for(study, analyst):
    run = trained(study, "combined")
    page = text_of(analyst, f"{ROOT}runs/{run.code}/")
    for said in (
        "lambda.min", "lambda.1se", "KKT certificate", "first drawing of the first delineator",
        "279 nominal", "Nomogram", "Probability of metastasis", "Not a medical device", "log odds = ",
    ):  # fmt: skip
        assert said in page
    assert page.count("279 nominal") == 2


def test_the_card_of_an_intercept_only_model_has_no_nomogram_and_no_crash(study, analyst):
    def flatten(row, lesion):
        row.values = [float((lesion * (7 + k)) % 11) for k in range(279)]

    changed_set(study, flatten)
    run = trained(study, cutoff=0.3, rule="1se")
    page = text_of(analyst, f"{ROOT}runs/{run.code}/")
    assert ("<h2>Nomogram</h2>" in page) == bool(run.model.get("selected"))


def test_a_repeat_is_begun_by_a_click_and_its_outcome_stands_on_the_card(study, analyst):
    run = trained(study)
    assert analyst.post(f"{ROOT}runs/{run.code}/repeat/").status_code == 302
    job = Job.objects.get(kind=training.REPEAT)
    assert "The repeat is queued" in text_of(analyst, f"{ROOT}runs/{run.code}/")
    Job.objects.filter(pk=job.pk).update(state="done", ended_at=NOW)
    assert "the same bytes" in text_of(analyst, f"{ROOT}runs/{run.code}/")


def test_the_lasso_path_is_drawn_by_lambda_and_feature(study, analyst):
    """At lambda.min the drawn coefficient is the stored one, feature by feature."""
    run = trained(study)
    drawn = analyst.get(f"{ROOT}runs/{run.code}/lasso-path.json").json()
    path, kept = run.model["path"], run.model["kept"]
    stored = {
        (kept[column], path["lambdas"][row]): value
        for row, column, value in zip(path["row"], path["col"], path["val"], strict=True)
    }
    assert {s["name"] for s in drawn["series"]} == set(run.model["selected"])
    for line in drawn["series"]:
        assert line["points"]
        for point in line["points"]:
            assert stored[line["name"], point["x"]] == point["y"]


def test_locked_runs_of_subsets_stand_outside_the_comparison(study):
    main = training.lock(trained(study), actor=make_user("analyst"), now=NOW)
    other = trained(study, "subset", name="h", families=["histogram"], modalities=["CT"])
    training.lock(other, actor=make_user("analyst"), now=NOW)
    assert locked_runs(study) == {"ct": main}


def test_extraction_again_costs_nothing(study):
    chosen = extracted(study)
    assert extracted(study) == chosen
    assert not Job.objects.filter(kind="extract", state="queued").exists()
