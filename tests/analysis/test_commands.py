"""`extract`, `train` and `evaluate` say what they did, and end well only when it was done."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from portal.analysis import training
from portal.analysis.models import Evaluation, FeatureVector, ModelRun
from portal.audit.models import AuditEvent
from portal.jobs.models import Job
from portal.study.models import State, Study
from tests.analysis.builders import do_all, make_outlined_study, outlined, right_but_for, trained
from tests.cohort import NOW, make_study, make_user
from tests.study.builders import carry_to

pytestmark = pytest.mark.django_db
FAST = json.dumps({"n_folds": 5, "n_boot": 0, "n_outer": 3})


def call(name: str, *arguments: str) -> Any:
    out = io.StringIO()
    call_command(name, *arguments, "--json", stdout=out)
    return json.loads(out.getvalue().splitlines()[-1])


def train(*more: str) -> Any:
    return call("train", "bone", "--user", "analyst", "--seed", "5", "--parameters", FAST, *more)


def test_extract_here_computes_what_is_pending_and_then_nothing() -> None:
    knee = make_outlined_study(2, code="knee")
    do_all(knee, "delineator1", "outline", outlined())
    first = call("extract", "knee", "--here")
    assert (first["pending"], first["failed"]) == (0, 0)
    assert FeatureVector.objects.filter(feature_set__study=knee).count() == 4
    assert call("extract", "knee", "--here") == {**first, "jobs": 0}


def test_extract_queues_jobs_for_the_workers(settings: Any) -> None:
    settings.WORKERS = 2
    knee = make_outlined_study(2, code="knee")
    do_all(knee, "delineator1", "outline", outlined())
    assert call("extract", "knee")["jobs"] == 2
    assert not FeatureVector.objects.filter(feature_set__study=knee).exists()


@pytest.mark.parametrize("name", ["extract", "train", "evaluate"])
def test_an_unknown_study_is_an_error(name: str) -> None:
    more = {"train": ["--user", "x", "--seed", "1"], "evaluate": ["--user", "x", "--reason", "y"]}
    with pytest.raises(CommandError, match="There is no"):
        call(name, "nowhere", *more.get(name, []))


def test_train_here_fits_and_names_the_digest(study: Any) -> None:
    answer = train("--kinds", "ct", "--here")
    run = ModelRun.objects.get(study=study)
    assert answer["runs"] == [run.code]
    assert answer["states"][0] | {"state": "fitted"} == answer["states"][0]
    assert answer["states"][0]["digest"] == run.digest


def test_train_without_here_queues_the_three_models(study: Any) -> None:
    answer = train()
    assert [row["kind"] for row in answer["states"]] == ["ct", "spect", "combined"]
    assert {row["state"] for row in answer["states"]} == {"queued"}


def test_a_run_that_cannot_be_fitted_is_an_error_with_its_reason(study: Any) -> None:
    impossible = json.dumps({"icc_threshold": 0.75})
    with pytest.raises(CommandError, match="ct could not be fitted: fewer than 10 training lesions are drawn twice"):  # fmt: skip
        train("--kinds", "ct", "--here", "--parameters", impossible)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--parameters", "{"], "is no JSON"),
        (["--parameters", "[1]"], "must be a JSON object"),
        (["--parameters", '{"cut": 1}'], "Unknown run parameter cut"),
        (["--parameters", '{"cutoff": 2}'], "cutoff must be"),
        (["--kinds", "subset"], "needs modalities"),
        (["--seed", "-1"], "The seed is a whole number"),
        (["--user", "nobody"], "no such study or user"),
        (["--user", "expert1"], "expert1 does not analyse study bone"),
        (["--user", "outsider"], "outsider does not analyse study bone"),
    ],
)
def test_bad_input_trains_nothing(study: Any, arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        train(*arguments)
    assert not ModelRun.objects.exists()


def test_train_needs_a_split_and_features() -> None:
    make_study("knee", state="READING")
    with pytest.raises(CommandError, match="Lock a split and extract features"):
        call("train", "knee", "--user", "analyst", "--seed", "1")


@pytest.mark.parametrize(
    ("user", "reason", "sentence"),
    [
        ("analyst", "short", "at least 10 characters"),
        ("expert1", "the planned analysis", "does not analyse"),
        ("analyst", "the planned analysis", "not unblinded"),
    ],
)
def test_evaluate_is_refused_without_reason_right_or_unblinding(study: Any, user: str, reason: str, sentence: str) -> None:  # fmt: skip
    with pytest.raises(CommandError, match=sentence):
        call("evaluate", "bone", "--user", user, "--reason", reason)
    assert not Evaluation.objects.exists()


def test_evaluate_counts_one_look(study: Any) -> None:
    do_all(study, "expert1", "read", right_but_for(4))
    training.lock(trained(study), actor=make_user("analyst"), now=NOW)
    carry_to(study, State.UNBLINDED)
    answer = call("evaluate", "bone", "--user", "analyst", "--reason", "the planned analysis")
    assert answer["looks"] == 1
    assert set(answer["digests"]) == {"train", "validation"}
    assert AuditEvent.objects.filter(verb="evaluation.compute").count() == 1


@pytest.mark.parametrize("kinds", [["ct", "subset"], ["ct", "spect", "combined", "subset"]])
def test_a_refused_kind_after_good_ones_leaves_no_run_and_no_job(study: Study, kinds: list[str]) -> None:  # fmt: skip
    before, n_jobs = AuditEvent.objects.count(), Job.objects.count()
    with pytest.raises(CommandError, match="needs modalities"):
        train("--kinds", *kinds)
    assert not ModelRun.objects.exists()
    assert (AuditEvent.objects.count(), Job.objects.count()) == (before, n_jobs)
