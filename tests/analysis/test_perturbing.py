"""Robustness of features: training ROIs alone, once each, the same in any order, shown as ICCs."""

import json
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction

from portal.analysis import feature_sets, perturbing
from portal.analysis.extraction import prepare_roi
from portal.analysis.models import FeatureSet, Perturbation
from portal.analysis.reliability import training_lesions
from portal.archive import packs
from portal.archive.pixels import slice_of
from portal.audit.models import AuditEvent
from portal.errors import Conflict
from portal.jobs import work
from portal.jobs.models import Job
from portal.study.models import Study
from radiomics.features import extract
from radiomics.robustness import KINDS, measure, stability, summaries
from readers.amending import reopen
from readers.models import Roi
from tests.analysis.builders import do_all, make_outlined_study, outlined
from tests.cohort import NOW, make_user
from tests.study.test_pages import sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def drawn() -> FeatureSet:
    """Four outlined lesions, some of them in training; the study's feature set without vectors."""
    study = make_outlined_study(4, code="few")
    do_all(study, "delineator1", "outline", outlined())
    return feature_sets.use(study, actor=make_user("analyst"), now=NOW)


def stored(feature_set) -> dict[int, str]:
    rows = Perturbation.objects.filter(feature_set=feature_set)
    return dict(rows.values_list("roi_id", "digest"))


def test_one_roi_per_training_lesion_and_modality_is_wanted(drawn):
    do_all(drawn.study, "delineator2", "outline", outlined(radius_mm=8.0))
    train = training_lesions(drawn.study)
    found = perturbing.wanted(drawn)
    assert set(found) == {(lesion, m) for lesion in train for m in ("CT", "SPECT")}
    assert 0 < len(train) < 4
    for roi in found.values():
        assert roi.read.assignment.session.reader.username == "delineator1"


def test_an_open_session_gives_no_roi():
    study = make_outlined_study(4, code="few")
    do_all(study, "delineator1", "outline", outlined(), close=False)
    chosen = feature_sets.use(study, actor=make_user("analyst"), now=NOW)
    assert perturbing.pending(chosen) == []
    assert perturbing.start(chosen, user=None) is None


def test_the_job_stores_a_row_for_every_wanted_roi_and_then_nothing_is_left(drawn):
    job = perturbing.start(drawn, user=make_user("analyst"))
    wanted = {roi.pk for roi in perturbing.wanted(drawn).values()}
    assert job.total == len(wanted)
    work.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.done) == (Job.State.DONE, len(wanted))
    assert set(stored(drawn)) == wanted
    assert perturbing.pending(drawn) == []
    assert perturbing.start(drawn, user=None) is None
    row = Perturbation.objects.first()
    assert set(row.summaries) == set(KINDS)
    assert len(row.summaries["noise"]["mean"]) == 279
    json.dumps(row.summaries, allow_nan=False)


def test_starting_leaves_one_act(drawn):
    before = AuditEvent.objects.count()
    perturbing.start(drawn, user=make_user("analyst"))
    assert AuditEvent.objects.filter(verb="features.perturb").count() == 1
    assert AuditEvent.objects.count() == before + 1


def test_work_that_was_cut_short_goes_on_and_gives_the_same_rows(drawn):
    first, *_ = perturbing.pending(drawn)
    perturbing.store([perturbing.perturb(drawn, first)])
    kept = stored(drawn)
    work.run(perturbing.start(drawn, user=None).pk)
    whole = stored(drawn)
    assert kept.items() <= whole.items()
    last = max(whole)
    again = perturbing.perturb(drawn, Roi.objects.select_related("series").get(pk=last))
    assert again.digest == whole[last]


def test_a_row_is_what_radiomics_measures_on_the_rois_own_slice(drawn):
    roi = perturbing.pending(drawn)[0]
    options = {"grid_mm": 1.0, "values": "window8", "low": -500.0, "high": 1300.0}
    if roi.modality == "SPECT":
        options |= {"low": 0.0, "high": float(roi.series.values["maximum"])}
    rng = np.random.default_rng(perturbing.seed_of(drawn, roi))
    picture = slice_of(roi.series, roi.sop_instance_uid, roi.frame).slice
    table = measure(picture, roi.vertices_mm, **options, rng=rng)
    ready = prepare_roi(roi, drawn.parameters)
    assert np.array_equal(table[0], list(extract(ready.image, ready.mask).values()), equal_nan=True)
    found = perturbing.perturb(drawn, roi)
    for kind, wanted in summaries(table).items():
        mine = perturbing.from_json(found.summaries[kind])
        assert np.array_equal(mine.undefined, wanted.undefined)
        assert np.array_equal(mine.mean, wanted.mean, equal_nan=True)
        assert np.array_equal(mine.squares, wanted.squares, equal_nan=True)


def test_a_roi_without_pixels_names_its_reason_and_does_not_stop_the_rest(drawn):
    rois = perturbing.pending(drawn)
    for name in (packs.NATIVE, packs.STORED):
        (packs.folder_of(rois[0].series.folder) / name).unlink()
    row = perturbing.perturb(drawn, rois[0])
    assert "gone from the archive" in row.failure
    assert row.summaries == {}


def test_draws_differ_between_rois_and_between_feature_sets(drawn):
    rois = perturbing.pending(drawn)
    seeds = {tuple(perturbing.seed_of(drawn, roi)) for roi in rois}
    other = feature_sets.use(drawn.study, {"grid_mm": 2.0}, actor=make_user("analyst"), now=NOW)
    assert len({s[0] for s in seeds}) == 1
    assert perturbing.seed_of(other, rois[0])[0] not in {s[0] for s in seeds}


def test_the_database_takes_training_rows_only_and_changes_none(drawn):
    train = training_lesions(drawn.study)
    inside = Roi.objects.filter(read__assignment__lesion__in=train).first()
    outside = Roi.objects.exclude(read__assignment__lesion__in=train).first()
    fields = {"feature_set": drawn, "digest": "d", "created_at": NOW}
    with pytest.raises(DatabaseError, match="training part only"), transaction.atomic():
        Perturbation.objects.create(roi=outside, **fields)
    Perturbation.objects.create(roi=inside, **fields)
    with pytest.raises(DatabaseError), transaction.atomic():
        Perturbation.objects.filter(roi=inside).update(digest="e")
    with pytest.raises(DatabaseError), transaction.atomic():
        Perturbation.objects.all().delete()


def give_rows(study: Study) -> tuple[FeatureSet, dict[str, np.ndarray]]:
    """Rows of made-up tables (44, 279) for every wanted ROI; the tables by modality."""
    chosen = feature_sets.current(study)
    rng = np.random.default_rng(3)
    tables: dict[str, list[np.ndarray]] = {"CT": [], "SPECT": []}
    rows = []
    for roi in perturbing.pending(chosen):
        table = rng.normal(size=(1, 279)) + 0.3 * rng.normal(size=(44, 279))
        table[20, 7] = np.nan if len(tables["CT"]) == 1 else table[20, 7]
        tables[roi.modality].append(table)
        stored_as = {k: perturbing.as_json(s) for k, s in summaries(table).items()}
        rows.append(Perturbation(feature_set=chosen, roi=roi, summaries=stored_as, digest="d", created_at=NOW))  # fmt: skip
    perturbing.store(rows)
    return chosen, {m: np.stack(t) for m, t in tables.items()}


def test_the_iccs_are_those_of_the_stored_rows(study):
    chosen, tables = give_rows(study)
    found = list(perturbing.robustness(study, chosen))
    assert len(found) == 2 * 5 * 279
    for modality in ("CT", "SPECT"):
        for kind in KINDS:
            wanted = stability(kind, [summaries(t)[kind] for t in tables[modality]])
            mine = [s for m, s in found if m == modality and s.kind == kind]
            assert mine == wanted
    assert any(s.undefined_share > 0 for _, s in found)


def test_a_roi_drawn_anew_no_longer_counts(study):
    chosen, tables = give_rows(study)
    row = Perturbation.objects.filter(roi__modality="CT").first()
    case = row.roi.read.assignment
    boss = make_user("coordinator")
    reopen(case, reason_code="protocol", reason="drawn on the wrong level", actor=boss, now=NOW)
    found = next(s for m, s in perturbing.robustness(study, chosen) if m == "CT")
    assert found.n == len(tables["CT"]) - 1


def test_the_export_names_every_feature_and_kind(study):
    give_rows(study)
    client = sign_in("analyst")
    lines = (
        client.get(f"/studies/{study.code}/exports/robustness.csv").content.decode().splitlines()
    )
    assert lines[0] == ",".join(perturbing.COLUMNS)
    assert len(lines) == 1 + 2 * 5 * 279
    assert lines[1].startswith("CT,Mean,shift,")


def test_without_rows_or_features_the_export_is_empty(study):
    assert list(perturbing.rows(study)) == []
    other = make_outlined_study(1, code="other")
    assert list(perturbing.rows(other)) == []


def test_the_command_does_the_work_and_says_what_is_left(drawn):
    said = StringIO()
    call_command("perturb", drawn.study.code, "--here", "--json", stdout=said)
    assert json.loads(said.getvalue()) == {"jobs": 1, "pending": 0, "digest": drawn.digest}
    said = StringIO()
    call_command("perturb", drawn.study.code, stdout=said)
    assert said.getvalue().strip() == "0 ROIs are pending."


def test_the_command_refuses_what_is_not_there():
    with pytest.raises(CommandError, match="no study nowhere"):
        call_command("perturb", "nowhere")
    study = make_outlined_study(1, code="one")
    with pytest.raises(CommandError, match="Extract features"):
        call_command("perturb", study.code)
    with pytest.raises(Conflict):
        perturbing.require_set(None)
