"""The demo's last line: counts of what is stored, AUCs of what was evaluated, and where there is none the reason."""

import json

import pytest

from portal.analysis.models import Evaluation, FeatureSet, FeatureVector, Look, ModelRun
from portal.demo.options import Options
from portal.demo.summary import NAMES, aucs, digest_of, kappa_of, short, summary
from portal.study.models import State, Study
from tests.cohort import NOW, make_lesion, make_patient, make_study, make_user
from tests.study.builders import alternating_strata, carry_to, make_cohort, make_locked_split

pytestmark = pytest.mark.django_db
OPTIONS = Options(patients=8, seed=5)
ONE_CLASS = "This part needs lesions of both classes that every model scored and every expert read."
VALUES = {"auc": 0.75, "low": 0.6, "high": 0.9}


@pytest.fixture
def study() -> Study:
    return make_study("demo")


def evaluation(study: Study, part: str, figures: dict, *, number: int = 1) -> Evaluation:
    carry_to(study, State.UNBLINDED)
    look, _ = Look.objects.get_or_create(
        study=study, number=number, what="evaluation", user=make_user("analyst"), at=NOW
    )
    return Evaluation.objects.create(
        study=study, part=part, inputs_digest=f"{number}{part}", look=look, figures=figures,
        digest=f"{part}{number}", created_at=NOW,
    )  # fmt: skip


def figures(**models: dict) -> dict:
    return {"auc": {"models": models, "experts": {"calls": {**VALUES, "method": "logit"}}}}


def agreed(kappa: float) -> dict:
    return {**figures(), "agreement": {"pairs": [{"calls": {"value": kappa}}]}}


def told(study: Study) -> dict:
    return summary(study, OPTIONS, seconds=1.26)


# --- before anything ----------------------------------------------------------------------------


def test_of_an_empty_study_everything_is_none_or_null_with_its_reason(study):
    found = told(study)
    counts = ("patients", "lesions", "rois", "vectors", "failed_vectors", "predictions")
    assert [found[k] for k in counts] == [0] * 6
    assert (found["study"], found["seed"], found["seconds"]) == ("demo", 5, 1.3)
    assert found["kappa"] is None
    for part in ("train", "validation"):
        assert set(found[part]) == {*NAMES, "experts"}
        assert {row["auc"] for row in found[part].values()} == {None}
        assert {found[part][n]["reason"] for n in NAMES} == {"not trained"}
        assert found[part]["experts"]["reason"] == "no model run could be locked"


def test_it_is_one_json_object_without_nan(study):
    text = json.dumps(told(study), allow_nan=False)
    assert json.loads(text)["digest"] == told(study)["digest"]


def test_only_included_lesions_and_their_patients_count(study):
    with_two, with_none, other = (make_patient(study) for _ in range(3))
    make_lesion(with_two)
    make_lesion(with_two, number=2)
    make_lesion(with_none, included=False)
    make_lesion(make_patient(make_study("bone", cast=False)))
    make_lesion(other, number=1)
    found = told(study)
    assert (found["patients"], found["lesions"]) == (2, 3)


# --- AUCs and reasons ---------------------------------------------------------------------------


def test_auc_and_limits_of_each_model_and_of_the_experts_calls(study):
    row = evaluation(
        study, "train", figures(ct={**VALUES, "n": 9}, combined={**VALUES, "auc": 0.8})
    )
    found = aucs(study, row)
    assert found["ct"] == VALUES
    assert found["combined"] == {**VALUES, "auc": 0.8}
    assert found["spect"] == {"auc": None, "reason": "not trained"}
    assert found["experts"] == VALUES


def test_a_part_without_figures_gives_its_reason_for_everybody(study):
    found = aucs(study, evaluation(study, "validation", {"reason": ONE_CLASS}))
    assert found["experts"] == {"auc": None, "reason": ONE_CLASS}
    assert {found[n]["auc"] for n in NAMES} == {None}


def test_without_expert_reads_their_auc_is_null_with_the_reason(study):
    row = evaluation(study, "train", {"auc": {"models": {}, "experts": {}}})
    assert aucs(study, row)["experts"] == {"auc": None, "reason": "no expert read"}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, {"auc": None, "reason": "why"}),
        (VALUES, VALUES),
        ({**VALUES, "method": "DeLong", "n": 3}, VALUES),
        ({"auc": 1.0, "low": 1.0, "high": 1.0}, {"auc": 1.0, "low": 1.0, "high": 1.0}),
        ({"auc": 0.0, "low": 0.0, "high": 0.3}, {"auc": 0.0, "low": 0.0, "high": 0.3}),
    ],
)
def test_a_value_is_cut_to_auc_and_limits(value, found):
    assert short(value, "why") == found


def ended(study: Study, *failures: tuple[str, str]) -> None:
    """Runs of these kinds that ended with these reasons, in this order."""
    carry_to(study, State.SCREENING)
    patients = make_cohort(study, 10)
    split = make_locked_split(study, alternating_strata(patients))
    features = FeatureSet.objects.create(
        study=study, parameters={}, extractor_version="1", digest="f", created_at=NOW
    )
    for n, (kind, failure) in enumerate(failures):
        ModelRun.objects.create(
            study=study, kind=kind, name=f"{kind} {n}", split=split, feature_set=features, seed=n,
            truth_digest="t", failure=failure, state="failed" if failure else "queued",
            created_by=make_user("analyst"), created_at=NOW,
        )  # fmt: skip


def test_a_model_that_could_not_be_fitted_says_why_and_the_others_keep_theirs(study):
    ended(study, ("ct", "No feature varies."), ("spect", ""))
    found = aucs(study, None)
    assert {n: found[n]["reason"] for n in NAMES} == {
        "ct": "No feature varies.",
        "spect": "no model run could be locked",
        "combined": "not trained",
    }
    assert found["experts"]["reason"] == "no model run could be locked"


def test_the_newest_run_of_a_kind_gives_the_reason(study):
    ended(study, ("ct", "the first"), ("ct", "the second"))
    assert aucs(study, None)["ct"]["reason"] == "the second"


def test_a_reason_of_its_own_comes_before_that_of_the_part(study):
    ended(study, ("ct", "No feature varies."))
    found = aucs(study, evaluation(study, "train", {"reason": ONE_CLASS}))
    assert (found["ct"]["reason"], found["experts"]["reason"]) == ("No feature varies.", ONE_CLASS)


# --- kappa --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-0.2, 0.0, 0.61, 1.0])
def test_kappa_is_the_training_parts(study, value):
    rows = {
        "train": evaluation(study, "train", agreed(value)),
        "validation": evaluation(study, "validation", agreed(0.5)),
    }
    assert kappa_of(rows) == value


@pytest.mark.parametrize("body", [{}, {"agreement": {}}, {"agreement": {"pairs": []}}, {"reason": ONE_CLASS}])  # fmt: skip
def test_without_a_pair_of_experts_kappa_is_null(study, body):
    assert kappa_of({"train": evaluation(study, "train", body)}) is None


def test_kappa_is_never_taken_from_the_validation_part(study):
    assert kappa_of({"validation": evaluation(study, "validation", agreed(0.5))}) is None


# --- the digest ---------------------------------------------------------------------------------


def test_the_digest_follows_every_figure_and_not_their_order(study):
    first = evaluation(study, "train", figures())
    second = evaluation(study, "validation", figures())
    both = digest_of(study, {"train": first, "validation": second})
    assert digest_of(study, {"validation": second, "train": first}) == both
    assert digest_of(study, {"train": first}) != both
    second.digest = "another"
    assert digest_of(study, {"train": first, "validation": second}) != both


def test_the_digest_is_of_what_came_out_and_not_of_how_long_it_took(study):
    found = {summary(study, OPTIONS, seconds=s)["digest"] for s in (1.0, 99.0)}
    assert len(found) == 1


def test_another_studys_rows_change_nothing(study):
    before = told(study)
    other = make_study("bone", cast=False)
    evaluation(other, "train", agreed(0.9))
    assert told(study) == before
    assert FeatureVector.objects.count() == FeatureSet.objects.count() == 0
