"""A run with its fitted steps, its repeat, its subset, and what its card says."""

import math

import numpy as np
import pytest

from portal.analysis import card, feature_sets, fitting, perturbing, training
from portal.analysis.batches import batches_of
from portal.analysis.models import FeatureSet, FeatureVector, ModelRun, Perturbation, Prediction
from portal.analysis.scoring import Scorer
from portal.analysis.table import PREFIX, build, parts, primary_vectors
from portal.audit.models import AuditEvent
from portal.errors import Conflict, Invalid
from portal.jobs import work
from portal.jobs.models import Job
from portal.study.models import Lesion, Site, Split, State
from radiomics.features import CATALOGUE
from radiomics.harmonisation import Combat
from radiomics.robustness import KINDS, Summary
from tests.analysis.builders import FAST, changed_set, do_all, extracted, outlined, trained
from tests.cohort import NOW, make_member, make_study, make_user
from tests.study.builders import carry_to
from tests.truth.builders import make_standard

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(study) -> ModelRun:
    return trained(study)


def in_part(study, part: str) -> list[int]:
    found = parts(Split.objects.get(study=study))
    return sorted(lesion for lesion, where in found.items() if where == part)


def give_sites(study, *, b_from: int) -> None:
    """Lesions in order of their key: the first `b_from` at site a, the others at site b."""
    sites = [Site.objects.create(study=study, code=code, name=code) for code in "ab"]
    for i, lesion in enumerate(Lesion.objects.of_study(study).order_by("pk")):
        lesion.patient.site = sites[i >= b_from]
        lesion.patient.save()


def repeated(run: ModelRun) -> Job:
    job = training.repeat(run, actor=make_user("analyst"))
    work.run(job.pk)
    job.refresh_from_db()
    return job


@pytest.mark.promise("R11")
def test_a_finished_run_is_repeated_from_its_row_to_the_same_bytes(run):
    before = ModelRun.objects.filter(pk=run.pk).values().get()
    job = repeated(run)
    assert (job.state, job.error_text) == ("done", "")
    assert ModelRun.objects.filter(pk=run.pk).values().get() == before
    _, again = fitting.fit(run)
    assert training.digest_of(run, again) == run.digest


def test_a_repeat_is_one_act(run):
    training.repeat(run, actor=make_user("analyst"))
    assert AuditEvent.objects.filter(verb="run.repeat", obj=f"run:{run.code}").count() == 1


def test_a_repeat_that_gives_other_bytes_fails_with_its_reason(run):
    ModelRun.objects.filter(pk=run.pk).update(digest="0" * 64)
    job = repeated(run)
    assert job.state == "failed"
    assert job.error_text == f"The repeat of run {run.code} gave another digest; its inputs are the same."  # fmt: skip


def test_a_repeat_after_a_label_changed_says_so(study, run):
    lesion = Lesion.objects.get(pk=in_part(study, "train")[0])
    make_standard(lesion, "benign", reason="a later biopsy says otherwise")
    job = repeated(run)
    assert job.state == "failed"
    assert "reference standards were changed since" in job.error_text


@pytest.mark.parametrize("state", ["queued", "failed"])
def test_only_a_finished_run_is_repeated(run, state):
    run.state = state
    with pytest.raises(Conflict, match=f"this one is {state}"):
        training.repeat(run, actor=make_user("analyst"))


def test_progress_is_told_stage_by_stage(run):
    told: list[int] = []
    fitting.fit(run, told=told.append)
    assert told == [1, 2, 3]


def test_a_named_subset_uses_its_columns_alone(study):
    run = trained(study, "subset", name="histogram", families=["histogram"], modalities=["CT"])
    assert (run.state, run.failure) == ("fitted", "")
    assert len(run.model["names"]) <= 9
    assert run.result["per_modality"]["CT"]["wanted"] == 9
    assert run.result["per_modality"]["CT"]["nominal"] == 279
    assert set(run.result["unusable"]) <= {f"CT_{e.name}" for e in CATALOGUE if e.family == "histogram"}  # fmt: skip


def test_a_subset_is_predicted_like_any_other(study):
    run = trained(study, "subset", name="means", features=["CT_Variance", "SP_Variance"])
    training.lock(run, actor=make_user("analyst"), now=NOW)
    rows = Prediction.objects.filter(run=run, kind="validation")
    assert rows.count() == len(in_part(study, "validation"))


def test_a_subset_needs_a_name(study):
    with pytest.raises(Invalid, match="Give the subset a name"):
        trained(study, "subset", families=["histogram"])


def test_the_columns_are_counted_per_modality(study):
    run = trained(study, "combined")
    for row in card.counts(run):
        named = [n for n in run.result["unusable"] if n.startswith({"CT": "CT_", "SPECT": "SP_"}[row["modality"]])]  # fmt: skip
        assert row["nominal"] == row["wanted"] == 279
        assert row["usable"] == 279 - len(named)


def test_a_feature_set_or_split_of_another_study_is_refused(study):
    other = make_study("knee", state="READING")
    split = Split.objects.get(study=study)
    with pytest.raises(Conflict, match="of its own study"):
        training.create_run(
            other, "ct", split=split, feature_set=extracted(study), seed=1,
            actor=make_user("analyst"), now=NOW,
        )  # fmt: skip


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_no_table_holds_is_refused(study, seed):
    with pytest.raises(Invalid, match="The seed is a whole number"):
        trained(study, seed=seed)
    assert not ModelRun.objects.exists()


def test_practice_drawings_are_no_first_drawings(study):
    before = {lesion: row.pk for lesion, row in primary_vectors(extracted(study), "CT").items()}
    make_member(study, "a-beginner", "delineator")
    do_all(study, "a-beginner", "outline", outlined(radius_mm=5.0), kind="training")
    chosen = extracted(study)
    assert FeatureVector.objects.filter(feature_set=chosen).count() > 2 * len(before)
    assert {x: row.pk for x, row in primary_vectors(chosen, "CT").items()} == before


def test_harmonisation_over_sites_goes_with_the_model(study):
    give_sites(study, b_from=20)
    run = trained(study, harmonise="site", n_outer=5)
    assert (run.state, run.failure) == ("fitted", "")
    stored = Combat.from_dict(run.model["harmonised"]["CT"]["combat"])
    assert stored.batches == ("a",)


def test_a_site_of_too_few_training_lesions_ends_the_run_by_name(study):
    give_sites(study, b_from=17)
    run = trained(study, harmonise="site")
    assert run.state == "failed"
    assert run.failure.startswith("batch ")
    assert run.failure.endswith("at least 10 are needed")


def test_a_training_lesion_without_a_site_ends_the_run_with_what_to_do(study):
    run = trained(study, harmonise="site")
    assert run.state == "failed"
    assert "training lesions have no site recorded for CT" in run.failure


def test_a_validation_lesion_of_an_unseen_site_is_not_scored(study):
    give_sites(study, b_from=20)
    stranger = Lesion.objects.get(pk=in_part(study, "validation")[0])
    stranger.patient.site = Site.objects.get(study=study, code="b")
    stranger.patient.save()
    run = training.lock(
        trained(study, harmonise="site", n_outer=5), actor=make_user("analyst"), now=NOW
    )
    row = Prediction.objects.get(run=run, kind="validation", lesion=stranger)
    assert row.probability is None
    assert row.not_scored == "batch b did not occur in training; its lesions are not scored"
    assert Prediction.objects.filter(run=run, kind="validation", probability=None).count() == 1


def test_scanner_and_site_are_told_apart(study):
    give_sites(study, b_from=20)
    ids = in_part(study, "train")[:1]
    assert batches_of(ids, "site", ("CT", "SPECT")) == {ids[0]: {"CT": "a", "SPECT": "a"}}
    lesion = Lesion.objects.select_related("ct_series").get(pk=ids[0])
    lesion.ct_series.acquisition = {"vendor": "GE", "model": "NM/CT 670"}
    lesion.ct_series.save()
    assert batches_of(ids, "scanner", ("CT",)) == {ids[0]: {"CT": "GE NM/CT 670"}}


def test_a_fold_too_small_for_the_harmonisation_is_named_as_such(study):
    give_sites(study, b_from=20)
    run = trained(study, harmonise="site", n_outer=3)
    assert run.state == "failed"
    assert run.failure.startswith("In a fold of the nested cross-validation: batch a has ")


def test_the_icc_filter_needs_second_drawings(study):
    run = trained(study, icc_threshold=0.75)
    assert run.state == "failed"
    assert run.failure.startswith("fewer than 10 training lesions are drawn twice")


@pytest.fixture
def twice(study):
    """All lesions drawn by a second delineator, a little smaller."""
    do_all(study, "delineator2", "outline", outlined(radius_mm=9.0))
    extracted(study)
    return study


def test_the_icc_filter_is_listed_feature_by_feature_and_held(twice):
    run = trained(twice, icc_threshold=0.6, n_outer=5)
    assert (run.state, run.failure) == ("fitted", "")
    listed = run.result["icc"]
    assert set(listed) == set(run.model["names"])
    passing = {name for name, row in listed.items() if row["passes"]}
    assert set(run.model["kept"]) <= passing
    for row in listed.values():
        value = row["comparisons"][0]["value"]
        assert row["passes"] == (value is not None and value >= 0.6)
        assert row["comparisons"][0]["n"] == len(in_part(twice, "train"))


@pytest.mark.promise("B7")
def test_second_drawings_of_validation_lesions_change_no_byte_of_the_filter(twice):
    before = trained(twice, icc_threshold=0.6, n_outer=5)
    held_out, rng = set(in_part(twice, "validation")), np.random.default_rng(4)

    def noise(row, lesion):
        if lesion in held_out:
            row.values = rng.normal(size=279).tolist()

    changed_set(twice, noise)
    after = trained(twice, icc_threshold=0.6, n_outer=5)
    assert (after.model, after.result) == (before.model, before.result)


def test_the_reader_icc_stands_beside_each_selected_feature_without_the_filter_too(twice):
    run = trained(twice)
    rows = [term for term in card.terms(run) if term.name != "(Intercept)"]
    assert {term.name for term in rows} == set(run.model["selected"])
    for term in rows:
        assert term.icc == run.result["icc"][term.name]["comparisons"][0]["value"]
        assert term.icc_pairs == len(in_part(twice, "train"))
    low = [t.name for t in rows if t.icc is not None and t.icc < 0.75]
    sentences = [w for w in card.warnings_of(run) if "reader ICC" in w]
    assert [s.split()[0] for s in sentences] == low


def test_ranges_hold_every_training_value(study, run):
    table = build(study, run.feature_set, "ct")
    for name, (low, high) in run.result["ranges"].items():
        values = table.rows(in_part(study, "train"))[:, table.names.index(name)]
        assert (values.min(), values.max()) == (low, high)


def test_a_value_beyond_the_training_range_is_flagged_by_name(run):
    name, (_, high) = next(iter(run.result["ranges"].items()))
    scorer = Scorer(run)
    middle = {n: sum(run.result["ranges"][n]) / 2 for n in run.model["selected"]}
    assert scorer.outcome(middle, {}).outside == ()
    assert scorer.outcome({**middle, name: high * 1.01 + 1}, {}).outside == (name,)


def test_an_undefined_value_is_never_imputed(run):
    name = run.model["selected"][0]
    values = dict.fromkeys(run.model["selected"], 0.0)
    found = Scorer(run).outcome({**values, name: math.nan}, {})
    assert (found.probability, found.not_scored) == (None, f"{name} is undefined for this lesion")


def test_stability_is_the_share_of_resamples_that_choose_the_feature(study):
    run = trained(study, n_boot=6)
    shares = run.result["stability"]
    assert set(shares) == set(run.model["selected"])
    assert all(math.isclose(v * 6, round(v * 6), abs_tol=1e-9) or 0 <= v <= 1 for v in shares.values())  # fmt: skip
    assert card.terms(run)[1].stability == shares[card.terms(run)[1].name]


def test_without_a_bootstrap_nothing_is_said_of_stability(run):
    assert run.result["stability"] == {}
    assert card.terms(run)[1].stability is None


def test_both_lambdas_are_on_the_card_and_the_used_one_is_marked(study, run):
    first, second = card.lambdas(run)
    cv = run.model["cv"]
    assert first["deviance"] == min(cv["cvm"])
    assert second["value"] >= first["value"]
    assert (first["is_used"], second["is_used"]) == (True, False)
    assert first["value"] == run.model["lambda"]
    assert [x["is_used"] for x in card.lambdas(trained(study, rule="1se"))] == [False, True]


def test_the_certificate_is_the_worst_violation_on_the_path(run):
    assert card.kkt(run) == max(run.model["path"]["kkt"])
    assert card.kkt(run) < 1e-6


def test_the_formula_computed_by_hand_gives_the_stored_probability(study, run):
    table = build(study, run.feature_set, "ct")
    lesion = in_part(study, "train")[0]
    values = dict(zip(table.names, table.rows([lesion])[0], strict=True))
    text = card.formula(run).removeprefix("log odds = ").replace("−", "-").replace("·", "*")
    for name in sorted(run.model["selected"], key=len, reverse=True):
        text = text.replace(f"({name} ", f"({float(values[name])!r} ")
    log_odds = eval(text, {"__builtins__": {}})  # noqa: S307  our own arithmetic, read back
    stored = Prediction.objects.get(run=run, kind="apparent", lesion_id=lesion).probability
    # the text carries six digits of means and scales, four of coefficients
    assert 1 / (1 + math.exp(-log_odds)) == pytest.approx(stored, abs=0.02)


def test_the_nomogram_gives_the_stored_probability(study, run):
    found = card.nomogram_of(run)
    assert found is not None
    table = build(study, run.feature_set, "ct")
    for lesion in in_part(study, "train")[:4]:
        values = dict(zip(table.names, table.rows([lesion])[0], strict=True))
        total = sum(axis.points(values[axis.name]) for axis in found.axes)
        stored = Prediction.objects.get(run=run, kind="apparent", lesion_id=lesion).probability
        assert found.probability(total) == pytest.approx(stored, abs=1e-9)


def test_the_warnings_are_sentences_and_say_each_thing_once(run):
    sentences = card.warnings_of(run)
    assert "The threshold was chosen on the training predictions." in sentences
    assert len(sentences) == len(set(sentences))
    assert all(s.endswith(".") and " " in s for s in sentences)


def test_the_share_out_of_range_waits_for_the_unblinding(study, run):
    training.lock(run, actor=make_user("analyst"), now=NOW)
    assert card.out_of_range(run) == {}
    carry_to(study, State.UNBLINDED)
    run = ModelRun.objects.select_related("study", "split", "feature_set").get(pk=run.pk)
    table = build(study, run.feature_set, "ct")
    X = table.rows(in_part(study, "validation"))
    for name, share in card.out_of_range(run).items():
        low, high = run.result["ranges"][name]
        values = X[:, table.names.index(name)]
        assert share == pytest.approx(((values < low) | (values > high)).mean())


def test_a_run_takes_vectors_of_one_feature_set_only(study):
    """Two sets in one study: the run's own vectors are used, whatever the other holds."""
    first = trained(study)
    old = first.feature_set

    def spoil(row, _lesion):
        row.values = [0.0] * 279

    changed_set(study, spoil)
    table = build(study, old, "ct")
    assert FeatureSet.objects.filter(study=study).count() == 2
    assert FeatureVector.objects.filter(feature_set=old).exists()
    assert not (table.X == 0).all()
    training.lock(first, actor=make_user("analyst"), now=NOW)
    assert Prediction.objects.filter(run=first, kind="validation", probability__isnull=False).exists()  # fmt: skip


def test_fast_parameters_are_real_ones(study):
    assert set(FAST) <= set(trained(study).parameters)


def perturbed(study, *, worst: str) -> None:
    """A row for each wanted ROI in which one kind of perturbation moves the features more than the others do."""
    chosen = feature_sets.current(study)
    rng = np.random.default_rng(1)
    rows = []
    for roi in perturbing.wanted(chosen).values():
        mean = rng.normal(size=279)
        squares = {kind: np.full(279, n * (4.0 if kind == worst else 0.01)) for kind, n in KINDS.items()}  # fmt: skip
        said = {k: perturbing.as_json(Summary(np.zeros(279, dtype=np.int64), mean, s)) for k, s in squares.items()}  # fmt: skip
        rows.append(Perturbation(feature_set=chosen, roi=roi, summaries=said, digest="x", created_at=NOW))  # fmt: skip
    perturbing.store(rows)


@pytest.mark.parametrize("worst", ["noise", "area"])
def test_the_card_names_the_perturbation_that_moves_each_chosen_feature_most(study, run, client, worst):  # fmt: skip
    assert {t.perturbed for t in card.terms(run)} == {None}
    perturbed(study, worst=worst)
    every = {}
    for modality, s in perturbing.robustness(study, run.feature_set):
        every.setdefault(PREFIX[modality] + s.feature, []).append(s)
    terms = [t for t in card.terms(run) if t.name != "(Intercept)"]
    assert terms
    for term in terms:
        assert term.perturbed.kind == worst
        assert term.perturbed.value == min(s.value for s in every[term.name])
    client.force_login(make_user("analyst"))
    page = client.get(f"/studies/bone/runs/{run.code}/").content.decode()
    assert f"({worst}, n {terms[0].perturbed.n})" in page
