"""A run freezes its inputs, is fitted on `train` alone, and speaks of the validation part once it is locked."""

import math

import numpy as np
import pytest
from django.db import IntegrityError, transaction

from portal.analysis import training
from portal.analysis.models import FitRow, ModelRun, Prediction
from portal.analysis.table import build, parts, primary_vectors
from portal.audit.models import AuditEvent
from portal.errors import Conflict, Invalid
from portal.jobs.models import Job
from portal.study.models import Lesion, Split, State
from portal.truth.models import ReferenceStandard
from radiomics.features import CATALOGUE
from radiomics.model import RadiomicsModel
from tests.analysis.builders import (
    FAST,
    changed_set,
    do_all,
    extracted,
    make_outlined_study,
    outlined,
    trained,
)
from tests.cohort import NOW, make_lesion, make_patient, make_user
from tests.study.builders import carry_to
from tests.truth.builders import make_standard

pytestmark = pytest.mark.django_db


def part_of(study) -> dict[int, str]:
    return parts(Split.objects.get(study=study))


def in_part(study, part: str) -> set[int]:
    return {lesion for lesion, where in part_of(study).items() if where == part}


def create(study, **more):
    given = {
        "split": Split.objects.get(study=study),
        "feature_set": extracted(study),
        "seed": 1,
        "actor": make_user("analyst"),
        "now": NOW,
        **more,
    }
    return training.create_run(study, "ct", **given)


def test_a_fitted_run_holds_model_performance_and_predictions_of_train(study):
    run = trained(study)
    assert (run.state, run.failure) == ("fitted", "")
    train = in_part(study, "train")
    assert set(FitRow.objects.filter(run=run).values_list("lesion_id", flat=True)) == train
    for kind in ("apparent", "out_of_fold"):
        rows = Prediction.objects.filter(run=run, kind=kind)
        assert set(rows.values_list("lesion_id", flat=True)) == train
    assert not Prediction.objects.filter(kind="validation").exists()


@pytest.mark.parametrize(
    "figure",
    ["n_folds", "nominal", "usable", "apparent_auc", "nested", "out_of_fold_calibration", "flags",
     "unusable", "without"],
)  # fmt: skip
def test_the_result_carries_each_figure_of_training(study, figure):
    assert figure in trained(study).result


def test_the_stored_model_gives_the_stored_probabilities_again(study):
    run = trained(study)
    model = RadiomicsModel.from_dict(run.model)
    table = build(study, run.feature_set, run.kind)
    ids = sorted(in_part(study, "train"))
    columns = [table.names.index(name) for name in model.names_]
    p = model.predict_proba(table.rows(ids)[:, columns])[:, 1]
    stored = dict(Prediction.objects.filter(run=run, kind="apparent").values_list("lesion_id", "probability"))  # fmt: skip
    assert [stored[i] for i in ids] == pytest.approx(p.tolist(), abs=1e-12)


def test_texture_that_follows_the_diagnosis_is_found(study):
    run = trained(study)
    assert run.result["apparent_auc"]["auc"] > 0.9
    assert 0 < len(RadiomicsModel.from_dict(run.model).selected_) < 20


@pytest.mark.promise("R11")
def test_the_same_inputs_give_the_same_bytes(study):
    first, second = trained(study), trained(study)
    assert first.pk != second.pk
    assert (first.model, first.result, first.digest) == (second.model, second.result, second.digest)


def test_another_seed_is_another_document(study):
    assert trained(study, seed=1).digest != trained(study, seed=2).digest


@pytest.mark.promise("B7")
def test_validation_labels_and_vectors_turned_to_noise_change_no_byte_of_the_model(study):
    before = trained(study)
    held_out, rng = in_part(study, "validation"), np.random.default_rng(0)
    flip = {"metastasis": "benign", "benign": "metastasis"}
    for lesion in Lesion.objects.filter(pk__in=held_out):
        was = ReferenceStandard.objects.get(lesion=lesion, is_current=True).diagnosis
        make_standard(lesion, flip[was], reason="turned into its opposite")

    def noise(row, lesion):
        if lesion in held_out:
            row.values = rng.normal(size=279).tolist()

    changed_set(study, noise)
    after = trained(study)
    assert after.truth_digest != before.truth_digest
    assert (after.model, after.result) == (before.model, before.result)


def test_the_combined_run_has_the_columns_of_both_modalities(study):
    names = {entry.name for entry in CATALOGUE}
    table = build(study, extracted(study), "combined")
    assert len(table.names) == 2 * 279
    assert {name.removeprefix("CT_") for name in table.names[:279]} == names
    assert {name.removeprefix("SP_") for name in table.names[279:]} == names
    assert table.blocks == ("CT",) * 279 + ("SPECT",) * 279
    assert trained(study, "combined").state == "fitted"


@pytest.mark.parametrize("kind", ["ct", "spect"])
def test_a_run_of_one_modality_has_its_columns_alone(study, kind):
    run = trained(study, kind)
    prefix = {"ct": "CT_", "spect": "SP_"}[kind]
    assert all(name.startswith(prefix) for name in run.model["names"])


def test_the_first_delineators_drawing_counts_whatever_comes_later(study):
    chosen = extracted(study)
    before = {lesion: row.pk for lesion, row in primary_vectors(chosen, "CT").items()}
    do_all(study, "delineator2", "outline", outlined(radius_mm=8.0))
    extracted(study)
    assert {lesion: row.pk for lesion, row in primary_vectors(chosen, "CT").items()} == before


def test_a_lesion_without_a_usable_vector_is_named_and_left_out(study):
    bad = min(in_part(study, "train"))

    def fail(row, lesion):
        if lesion == bad and row.roi.modality == "CT":
            row.failure, row.values = "The ROI holds no pixel.", []

    changed_set(study, fail)
    run = trained(study)
    assert run.result["without"] == {str(bad): "CT: The ROI holds no pixel."}
    assert not FitRow.objects.filter(run=run, lesion_id=bad).exists()


@pytest.mark.parametrize(("value", "reason"), [(None, "undefined"), (1.5, "constant")])
def test_a_column_undefined_or_constant_in_training_is_left_out_with_its_reason(study, value, reason):  # fmt: skip
    train = sorted(in_part(study, "train"))

    def spoil(row, lesion):
        if lesion == train[0] or (value is not None and lesion in train):
            row.values = [value, *row.values[1:]]

    changed_set(study, spoil)
    run = trained(study)
    name = f"CT_{CATALOGUE[0].name}"
    lesions_named = [train[0]] if value is None else []
    assert run.result["unusable"][name] == {"reason": reason, "lesions": lesions_named}
    assert name not in run.model["names"]


def test_locking_predicts_the_validation_part_and_no_other(study):
    run = training.lock(trained(study), actor=make_user("analyst"), now=NOW)
    rows = Prediction.objects.filter(run=run, kind="validation")
    assert set(rows.values_list("lesion_id", flat=True)) == in_part(study, "validation")
    assert all(0 <= row.probability <= 1 for row in rows)
    assert AuditEvent.objects.filter(verb="run.lock", obj=f"run:{run.code}").count() == 1


def test_a_validation_lesion_with_an_undefined_selected_feature_says_so_instead_of_a_number(study):
    selected = RadiomicsModel.from_dict(trained(study).model).selected_[0]
    place = [e.name for e in CATALOGUE].index(selected.removeprefix("CT_"))
    bad = min(in_part(study, "validation"))

    def forget(row, lesion):
        if lesion == bad and row.roi.modality == "CT":
            row.values = [None if k == place else v for k, v in enumerate(row.values)]

    changed_set(study, forget)
    run = training.lock(trained(study), actor=make_user("analyst"), now=NOW)
    assert selected in RadiomicsModel.from_dict(run.model).selected_
    found = Prediction.objects.get(run=run, lesion_id=bad, kind="validation")
    assert (found.probability, found.not_scored) == (None, f"{selected} is undefined for this lesion")  # fmt: skip


def test_an_undefined_feature_that_the_model_does_not_use_changes_no_prediction(study):
    run = trained(study)
    model = RadiomicsModel.from_dict(run.model)
    unused = next(name for name in model.names_ if name not in model.selected_)
    lesion = min(in_part(study, "validation"))
    table = build(study, run.feature_set, run.kind)
    before = training.score(run, table, [lesion])
    table.X[table.lesion_ids.index(lesion), table.names.index(unused)] = math.nan
    assert training.score(run, table, [lesion]) == before


@pytest.mark.parametrize("state", ["queued", "failed", "locked"])
def test_only_a_fitted_run_is_locked(study, state):
    run = trained(study)
    run.state = state
    with pytest.raises(Conflict, match=f"this one is {state}"):
        training.lock(run, actor=make_user("analyst"), now=NOW)


def test_a_locked_run_is_frozen_in_the_database(study):
    run = training.lock(trained(study), actor=make_user("analyst"), now=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelRun.objects.filter(pk=run.pk).update(seed=99)
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelRun.objects.filter(pk=run.pk).delete()


def test_the_database_refuses_a_fit_row_outside_train(study):
    run = trained(study)
    with pytest.raises(IntegrityError), transaction.atomic():
        FitRow.objects.create(run=run, lesion_id=min(in_part(study, "validation")))


def test_the_database_refuses_a_validation_prediction_for_a_patient_of_the_fit(study):
    run = training.lock(trained(study), actor=make_user("analyst"), now=NOW)
    fitted = Lesion.objects.get(pk=min(in_part(study, "train")))
    other = make_lesion(fitted.patient, number=2, included=False)
    for lesion in (fitted, other):
        with pytest.raises(IntegrityError, match="is apparent"), transaction.atomic():
            Prediction.objects.create(run=run, lesion=lesion, kind="validation", probability=0.5)


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_the_database_refuses_what_is_no_probability(study, p):
    run = trained(study)
    with pytest.raises(IntegrityError), transaction.atomic():
        Prediction.objects.create(
            run=run, lesion_id=min(in_part(study, "validation")), kind="validation", probability=p
        )


def test_a_prediction_without_a_number_must_say_why(study):
    run = trained(study)
    with pytest.raises(IntegrityError), transaction.atomic():
        Prediction.objects.create(run=run, lesion_id=min(in_part(study, "validation")), kind="validation")  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [({"cut": 0.9}, "Unknown run parameter cut"), ({"fold": 3}, "Unknown run parameter fold")],
)
def test_an_unknown_parameter_makes_no_run(study, parameters, sentence):
    with pytest.raises(Invalid, match=sentence):
        create(study, parameters=parameters)
    assert not ModelRun.objects.exists()


@pytest.mark.parametrize("state", [State.READS_LOCKED, State.UNBLINDED])
def test_after_the_reads_are_locked_no_run_is_begun(study, state):
    carry_to(study, state)
    with pytest.raises(Conflict, match="while the study is in READING"):
        create(study)


def test_an_unlocked_split_trains_nothing(study):
    split = Split.objects.get(study=study)
    split.locked_at = None
    with pytest.raises(Conflict, match="Lock the split"):
        create(study, split=split)


def test_too_few_patients_of_a_class_end_the_run_with_its_reason():
    small = make_outlined_study(5, code="knee")
    do_all(small, "delineator1", "outline", outlined())
    run = trained(small)
    assert run.state == "failed"
    assert "at least 3 patients with and without metastasis" in run.failure
    assert Job.objects.get(kind=training.KIND).state == "done"


def test_a_study_without_features_ends_the_run_with_its_reason():
    bare = make_outlined_study(6, code="knee")
    run = trained(bare)
    assert (run.state, run.failure) == (
        "failed", "No lesion of the training part has both a reference standard and features.",
    )  # fmt: skip


def test_a_lesion_that_is_not_included_never_enters(study):
    outside = make_lesion(make_patient(study, "S999"), included=False)
    run = trained(study)
    assert not FitRow.objects.filter(run=run, lesion=outside).exists()
    assert outside.pk not in build(study, run.feature_set, "ct").lesion_ids


def test_the_job_of_a_fitted_run_does_nothing_when_it_comes_again(study):
    run = trained(study)
    before = (run.digest, run.fitted_at)
    training.work(Job.objects.filter(kind=training.KIND).latest("pk"))
    run.refresh_from_db()
    assert (run.digest, run.fitted_at) == before


def test_creating_fitting_and_locking_leave_one_act_each(study):
    run = training.lock(trained(study, **FAST), actor=make_user("analyst"), now=NOW)
    acts = AuditEvent.objects.filter(obj=f"run:{run.code}").order_by("seq")
    assert [act.verb for act in acts] == ["run.create", "run.fit", "run.lock"]
