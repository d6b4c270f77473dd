"""Every figure of the comparison is what `radiomics.stats` says of the same rows, and exists only after unblinding."""

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from django.db import IntegrityError, transaction

from portal.analysis import comparison, training
from portal.analysis.cases import gather
from portal.analysis.comparison import evaluate
from portal.analysis.models import Evaluation, Look, ModelRun, Prediction
from portal.audit.models import AuditEvent
from portal.errors import Conflict
from portal.study.models import Split, State, Study
from portal.truth.models import ReferenceStandard
from radiomics.stats.agreement import icc, kappa
from radiomics.stats.calibration import calibration
from radiomics.stats.confusion import confusion, mcnemar
from radiomics.stats.decision import decision_curve
from radiomics.stats.groups import adjust_p
from radiomics.stats.mrmc import compare_with_readers, obuchowski_rockette
from radiomics.stats.roc import auc_interval, compare_auc, roc_curve, youden
from readers.models import Read
from tests.analysis.builders import do_all, right_but_for, trained
from tests.cohort import NOW, make_study, make_user
from tests.study.builders import carry_to

KINDS = ("ct", "spect", "combined")
PARTS = ("train", "validation")


@pytest.fixture(scope="module")
def compared(built: int, django_db_blocker) -> Iterator[int]:
    """The outlined study with three locked runs and two experts' locked reads, unblinded."""
    with django_db_blocker.unblock(), transaction.atomic():
        study = Study.objects.get(pk=built)
        for name, every in (("expert1", 5), ("expert2", 3)):
            do_all(study, name, "read", right_but_for(every))
        for kind in KINDS:
            training.lock(trained(study, kind), actor=make_user("analyst"), now=NOW)
        carry_to(study, State.UNBLINDED)
        yield built
        transaction.set_rollback(True)


@pytest.fixture
def study(compared: int, db) -> Study:
    return Study.objects.get(pk=compared)


def look(study: Study, reason: str = "planned analysis"):
    return evaluate(study, actor=make_user("analyst"), now=NOW, reason=reason)


@pytest.fixture(scope="module")
def figures(compared: int, django_db_blocker):
    """Computed once; the look and its rows are rolled back, so that each test counts its own."""
    with django_db_blocker.unblock(), transaction.atomic():
        found = {p: row.figures for p, row in look(Study.objects.get(pk=compared)).items()}
        transaction.set_rollback(True)
    return found


@pytest.fixture(scope="module")
def arrays(compared: int, django_db_blocker):
    with django_db_blocker.unblock():
        study = Study.objects.get(pk=compared)
        return {part: gather(study, part) for part in PARTS}


def same(found: object, wanted: object) -> bool:
    return json.dumps(found, sort_keys=True) == json.dumps(wanted, sort_keys=True)


@pytest.mark.parametrize("part", PARTS)
def test_labels_and_groups_are_the_current_reference_standards(study, arrays, part):
    found = arrays[part]
    truth = dict(
        ReferenceStandard.objects.filter(is_current=True).values_list("lesion_id", "diagnosis")
    )
    assert [truth[i] == "metastasis" for i in found.lesion_ids] == (found.y == 1).tolist()
    assert len(found.groups) == len(found.y) == len(found.labels)


def test_the_two_parts_share_no_patient_and_are_the_whole(arrays):
    train, held_out = (set(arrays[p].lesion_ids) for p in PARTS)
    assert not train & held_out
    assert len(train | held_out) == 20
    assert not set(arrays["train"].groups) & set(arrays["validation"].groups)


@pytest.mark.parametrize(("part", "kind"), [("train", "apparent"), ("validation", "validation")])
@pytest.mark.parametrize("model", KINDS)
def test_the_probabilities_are_those_of_the_locked_run(study, arrays, part, kind, model):
    run = ModelRun.objects.get(study=study, kind=model)
    stored = dict(Prediction.objects.filter(run=run, kind=kind).values_list("lesion_id", "probability"))  # fmt: skip
    assert arrays[part].probability[model].tolist() == [stored[i] for i in arrays[part].lesion_ids]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("model", KINDS)
def test_a_models_auc_and_every_interval_are_those_of_the_statistics(figures, arrays, part, model):
    found, rows = figures[part]["auc"]["models"][model], arrays[part]
    for method in ("logit_delong", "delong", "binomial"):
        wanted = auc_interval(rows.y, rows.probability[model], method=method, groups=rows.groups)
        assert same(found["methods"][method], wanted.to_dict())
    assert found["auc"] == found["methods"]["logit_delong"]["auc"]


@pytest.mark.parametrize("part", PARTS)
def test_the_experts_auc_is_the_mean_of_the_readers_calls(figures, arrays, part):
    rows = arrays[part]
    each = [auc_interval(rows.y, r.calls.astype(float), method="delong").auc for r in rows.readers]
    assert len(each) == 2
    assert figures[part]["auc"]["experts"]["calls"]["auc"] == pytest.approx(
        np.mean(each), abs=1e-12
    )


@pytest.mark.parametrize("part", PARTS)
def test_the_calls_are_those_of_the_locked_current_reads(arrays, part):
    rows = arrays[part]
    for name, reader in zip(("expert1", "expert2"), rows.readers, strict=True):
        reads = Read.objects.filter(
            assignment__session__reader__username=name, is_current=True, state="locked"
        )
        said = dict(reads.values_list("assignment__lesion_id", "call"))
        assert reader.calls.tolist() == [int(said[i] == "metastasis") for i in rows.lesion_ids]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("model", KINDS)
def test_confusion_calibration_and_net_benefit_are_those_of_the_statistics(figures, arrays, part, model):  # fmt: skip
    shown, rows = figures[part], arrays[part]
    p, threshold = rows.probability[model], rows.thresholds[model]
    rates = confusion(rows.y, p >= threshold, groups=rows.groups).to_dict()
    assert same(shown["confusion"]["models"][model], {**rates, "threshold": threshold})
    assert same(shown["confusion"]["youden_here"][model], youden(rows.y, p).to_dict())
    assert same(shown["calibration"][model], calibration(rows.y, p).to_dict())
    assert same(shown["decision"]["models"][model], decision_curve(rows.y, p).to_dict())
    for reader in rows.readers:
        test = mcnemar(rows.y, p >= threshold, reader.calls).to_dict()
        assert same(shown["confusion"]["mcnemar"][model][reader.name], test)


def test_the_threshold_is_the_one_fixed_on_train(study, figures):
    for kind in KINDS:
        fixed = ModelRun.objects.get(study=study, kind=kind).model["threshold"]
        for part in PARTS:
            assert figures[part]["confusion"]["models"][kind]["threshold"] == fixed


@pytest.mark.parametrize("part", PARTS)
def test_all_pairs_are_compared_once_and_adjusted_as_one_family(figures, arrays, part):
    shown, rows = figures[part]["comparisons"], arrays[part]
    assert shown["family"] == len(shown["pairs"]) == 10  # three models and two readers
    named = {"CT": "ct", "SPECT": "spect", "Combined": "combined"}
    score = {label: rows.probability[kind] for label, kind in named.items()}
    score |= {r.name: r.calls.astype(np.float64) for r in rows.readers}
    for pair in shown["pairs"]:
        wanted = compare_auc(
            rows.y, score[pair["first"]], score[pair["second"]], groups=rows.groups
        )
        assert same({k: v for k, v in pair.items() if k in wanted.to_dict()}, wanted.to_dict())
    raw = [np.nan if p["p_value"] is None else p["p_value"] for p in shown["pairs"]]
    holm = [None if np.isnan(h) else h for h in adjust_p(raw)]
    assert [p["p_holm"] for p in shown["pairs"]] == pytest.approx(holm, nan_ok=True)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("model", KINDS)
def test_a_model_is_compared_with_the_readers_of_this_study(figures, arrays, part, model):
    rows = arrays[part]
    calls = np.asarray([r.calls for r in rows.readers], dtype=float)
    wanted = compare_with_readers(rows.y, rows.probability[model], calls, readers="fixed", groups=None)  # fmt: skip
    assert same(figures[part]["comparisons"]["with_readers"][model], wanted.to_dict())


@pytest.mark.parametrize("part", PARTS)
def test_agreement_is_kappa_of_the_calls_weighted_kappa_and_icc_of_the_scores(figures, arrays, part):  # fmt: skip
    one, two = arrays[part].readers
    shown = figures[part]["agreement"]
    assert same(shown["pairs"][0]["calls"], kappa(one.calls, two.calls).to_dict())
    assert same(shown["pairs"][0]["scores"], kappa(one.scores, two.scores, weights="linear").to_dict())  # fmt: skip
    assert same(shown["icc_scores"], icc(np.asarray([one.scores, two.scores]).T).to_dict())
    assert "fleiss" not in shown


@pytest.mark.parametrize("part", PARTS)
def test_the_reader_average_is_obuchowski_and_rockettes(figures, arrays, part):
    rows = arrays[part]
    wanted = obuchowski_rockette(
        rows.y, np.asarray([[r.scores for r in rows.readers]]),
        covariance="delong", design="fixed_readers", groups=None,
    )  # fmt: skip
    assert same(figures[part]["mrmc"], wanted.to_dict())


@pytest.mark.parametrize("part", PARTS)
def test_the_curve_has_the_points_of_the_roc_and_ends_in_both_corners(figures, arrays, part):
    rows = arrays[part]
    for kind in KINDS:
        points = figures[part]["roc"]["models"][kind]
        roc = roc_curve(rows.y, rows.probability[kind])
        assert [p[1] for p in points] == pytest.approx(roc.sensitivity, abs=1e-6)
        assert [p[0] for p in points] == pytest.approx(1 - np.asarray(roc.specificity), abs=1e-6)
        assert sorted((points[0], points[-1])) == [[0.0, 0.0], [1.0, 1.0]]


def test_the_operating_point_of_a_reader_lies_where_his_rates_are(figures, arrays):
    for part in PARTS:
        for reader in arrays[part].readers:
            point = figures[part]["roc"]["operating_points"][reader.name]
            y, calls = arrays[part].y == 1, reader.calls == 1
            assert point["y"] == pytest.approx((calls & y).sum() / y.sum())
            assert point["x"] == pytest.approx((calls & ~y).sum() / (~y).sum())


def test_nested_figures_exist_for_train_only(figures):
    assert set(figures["train"]["auc"]["nested"]) == set(KINDS)
    assert figures["validation"]["auc"]["nested"] == {}


def test_the_failures_are_the_lesions_everybody_got_wrong(figures, arrays):
    for part in PARTS:
        rows = arrays[part]
        wrong = np.ones(len(rows.y), dtype=bool)
        for kind in KINDS:
            wrong &= (rows.probability[kind] >= rows.thresholds[kind]) != (rows.y == 1)
        for reader in rows.readers:
            wrong &= reader.calls != rows.y
        assert [f["lesion"] for f in figures[part]["failures"]] == [
            label for label, bad in zip(rows.labels, wrong, strict=True) if bad
        ]


def test_the_figures_are_strict_json(figures):
    text = json.dumps(figures, allow_nan=False)
    assert json.loads(text) == figures


def test_reading_times_are_medians_of_the_readers_seconds(figures, arrays):
    for reader in arrays["train"].readers:
        known = reader.seconds[~np.isnan(reader.seconds)]
        shown = figures["train"]["times"][reader.name]
        assert shown["n"] == known.size
        assert shown["median"] == (pytest.approx(np.median(known)) if known.size else None)


@pytest.mark.promise("B10")
@pytest.mark.parametrize("state", ["DRAFT", "SCREENING", "READING", "READS_LOCKED"])
def test_before_unblinding_nothing_is_evaluated_and_no_look_is_counted(db, state):
    other = make_study("knee", state=state)
    with pytest.raises(Conflict, match="not unblinded"):
        look(other)
    assert not Evaluation.objects.filter(study=other).exists()
    assert comparison.n_looks(other) == 0


def test_every_look_is_counted_and_names_who_and_why(study):
    look(study, "planned analysis")
    look(study, "a reviewer asked")
    rows = list(Look.objects.filter(study=study).order_by("number"))
    assert [(r.number, r.reason) for r in rows] == [
        (1, "planned analysis"),
        (2, "a reviewer asked"),
    ]
    assert comparison.n_looks(study) == 2
    acts = AuditEvent.objects.filter(verb="evaluation.compute", study=study.code)
    assert acts.count() == 2


def asked(study: Study, key: str, **inputs: dict[str, str]) -> Evaluation:
    """A look at the inputs `key`, whose figures are stored if they are new."""
    who = make_user("analyst")
    look = comparison.take_a_look(study, "evaluation", actor=who, now=NOW, reason="", **inputs)
    fields = {"look": look, "figures": {}, "digest": key * 64, "created_at": NOW}
    return Evaluation.objects.get_or_create(
        study=study, part="validation", inputs_digest=key, defaults=fields
    )[0]


def test_the_comparison_shown_is_the_one_asked_for_last_though_its_row_is_older(db):
    """A, then B, then A again: the third look found A's row, and A is what is shown."""
    study = make_study("knee", state="UNBLINDED")
    for key in "ABA":
        found = asked(study, key, inputs={"validation": key})
        assert comparison.latest(study) == {"validation": found}
    assert (found.inputs_digest, found.look.number, comparison.n_looks(study)) == ("A", 1, 3)


def test_after_looks_that_noted_no_inputs_the_newest_row_is_shown(db):
    study = make_study("knee", state="UNBLINDED")
    for key in "ABA":
        asked(study, key)
    assert comparison.latest(study)["validation"].inputs_digest == "B"


def test_looking_again_at_the_same_inputs_gives_the_same_row(study):
    first, again = look(study), look(study)
    inputs = {part: gather(study, part).inputs_digest for part in PARTS}
    assert list(Look.objects.filter(study=study).values_list("inputs", flat=True)) == [inputs] * 2
    assert {p: r.pk for p, r in first.items()} == {p: r.pk for p, r in again.items()}


@pytest.mark.promise("R11")
def test_figures_that_come_out_differently_are_refused(study, monkeypatch):
    before = look(study)["train"].digest
    monkeypatch.setattr(comparison, "all_figures", lambda _part: {"auc": 0.5})
    with pytest.raises(Conflict, match="not reproducible"):
        look(study)
    assert Evaluation.objects.get(study=study, part="train").digest == before
    assert comparison.n_looks(study) == 1


@pytest.mark.parametrize("table", [Look, Evaluation])
def test_looks_and_evaluations_are_never_deleted(study, table):
    look(study)
    with pytest.raises(IntegrityError), transaction.atomic():
        table.objects.filter(study=study).delete()


def test_a_lesion_one_expert_could_not_judge_is_dropped_by_name_for_all(study, monkeypatch, arrays):
    real = comparison.gather.__globals__["expert_reads"]
    gone = arrays["validation"].lesion_ids[0]

    def without_one(of):
        found = real(of)
        next(iter(found.values())).pop(gone)
        return found

    monkeypatch.setitem(comparison.gather.__globals__, "expert_reads", without_one)
    rows = gather(study, "validation")
    assert gone not in rows.lesion_ids
    assert list(rows.dropped.values()) == [f"no call by {rows.readers[0].name}"]
    assert len(rows.y) == len(arrays["validation"].y) - 1


def test_a_part_of_one_class_says_so_instead_of_figures(study, monkeypatch):
    rows = gather(study, "validation")
    only = type(rows)(**{**vars(rows), "y": np.ones_like(rows.y)})
    assert "both classes" in comparison.figures_or_reason(only)["reason"]


def test_a_class_of_one_patient_with_several_lesions_says_so_instead_of_figures(study):
    rows = gather(study, "validation")
    one = np.where(rows.y == 1, "the one patient", rows.groups)
    part = replace(rows, groups=one)
    assert "at least two patients" in comparison.figures_or_reason(part)["reason"]


def test_without_a_locked_run_there_is_nothing_to_compare(db):
    other = make_study("knee", state="UNBLINDED")
    with pytest.raises(Conflict, match="No model run is locked"):
        look(other)


def test_runs_of_different_splits_are_not_compared(study):
    old = Split.objects.get(study=study)
    runs = {k: ModelRun.objects.get(study=study, kind=k) for k in KINDS}
    runs["ct"].split = Split(pk=old.pk + 1000, study=study)
    with pytest.raises(Conflict, match="different splits"):
        comparison.gather.__globals__["split_of"](runs)


def test_the_newest_locked_run_of_a_kind_is_the_one_compared(study):
    found = comparison.gather.__globals__["locked_runs"](study)
    assert {k: r.pk for k, r in found.items()} == {
        k: ModelRun.objects.filter(study=study, kind=k, state="locked").latest("pk").pk for k in KINDS
    }  # fmt: skip
