"""Features come from locked ROIs only, once each, the same whenever and by whomever they are computed."""

from functools import partial

import pytest

from portal.analysis import extraction, feature_sets
from portal.analysis.models import FeatureVector
from portal.archive import packs
from portal.errors import Conflict, Invalid
from portal.jobs.models import Job
from portal.study.models import Study
from radiomics.features import CATALOGUE
from readers.amending import reopen
from readers.models import Assignment, Read, Roi
from tests.analysis.builders import (
    do_all,
    do_jobs,
    extracted,
    make_outlined_study,
    outlined,
    vectors,
)
from tests.cohort import NOW, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def drawn() -> Study:
    """Three lesions outlined by one delineator and signed: six ROIs."""
    study = make_outlined_study(3)
    do_all(study, "delineator1", "outline", outlined())
    return study


def use(study: Study, **parameters):
    return feature_sets.use(study, parameters, actor=make_user("analyst"), now=NOW)


def test_every_locked_roi_of_both_modalities_gets_279_values(drawn):
    chosen = extracted(drawn)
    rows = FeatureVector.objects.filter(feature_set=chosen)
    assert rows.count() == Roi.objects.count() == 6
    assert {len(row.values) for row in rows} == {len(CATALOGUE)} == {279}
    assert [row.failure for row in rows] == [""] * 6


def test_an_undefined_value_is_none_with_a_reason_and_nothing_else_is(drawn):
    for row in FeatureVector.objects.filter(feature_set=extracted(drawn)):
        missing = {e.name for e, v in zip(CATALOGUE, row.values, strict=True) if v is None}
        assert missing == set(row.reasons)


def test_the_provenance_names_pixels_outline_and_window(drawn):
    chosen = extracted(drawn)
    for row in FeatureVector.objects.filter(feature_set=chosen).select_related(
        "roi__series", "roi__read"
    ):
        said = row.provenance
        assert said["series"] == row.roi.series.uid
        assert said["sop_instance_uid"] == row.roi.sop_instance_uid
        assert (said["frame"], said["read_revision"]) == (row.roi.frame, row.roi.read.revision)
        window = (-500.0, 1300.0) if row.roi.modality == "CT" else (0.0, 4000.0)
        assert (said["low"], said["high"]) == window
        assert said["n_pixels"] > 0


def test_a_circle_of_10_mm_on_a_1_mm_grid_has_the_area_of_its_24_gon(drawn):
    area = 24 / 2 * 10**2 * 0.258819  # n/2 r^2 sin(2 pi / n)
    for row in FeatureVector.objects.filter(feature_set=extracted(drawn), roi__modality="CT"):
        assert row.provenance["n_pixels"] == pytest.approx(area, rel=0.02)


def test_what_is_only_submitted_is_not_extracted():
    study = make_outlined_study(2)
    do_all(study, "delineator1", "outline", outlined(), close=False)
    assert Roi.objects.count() == 4
    assert extraction.pending(use(study)).count() == 0
    assert extraction.start(use(study), user=None, shards=2) == []


def test_a_draft_is_not_extracted():
    study = make_outlined_study(2)
    assert extraction.pending(use(study)).count() == 0


def test_starting_again_queues_nothing_and_changes_nothing(drawn):
    chosen = extracted(drawn)
    before = vectors(chosen)
    assert extraction.start(chosen, user=None, shards=2) == []
    assert vectors(chosen) == before


def test_starting_twice_before_the_work_is_done_gives_the_same_jobs(drawn):
    chosen = use(drawn)
    first = extraction.start(chosen, user=None, shards=2)
    again = extraction.start(chosen, user=None, shards=2)
    assert [j.pk for j in first] == [j.pk for j in again]
    assert Job.objects.count() == 2


@pytest.mark.promise("R11")
@pytest.mark.parametrize("shards", [1, 2, 3])
def test_any_number_of_shards_gives_the_same_vectors(drawn, shards):
    chosen = use(drawn)
    do_jobs(extraction.start(chosen, user=None, shards=shards))
    fresh = {roi.pk: extraction.compute(roi, chosen) for roi in Roi.objects.all()}
    made = {pk: extraction.vector(Roi.objects.get(pk=pk), chosen, c, now=NOW).digest for pk, c in fresh.items()}  # fmt: skip
    assert vectors(chosen) == made


@pytest.mark.promise("R4")
def test_work_that_stopped_half_way_goes_on_with_what_is_left(drawn, monkeypatch):
    chosen = use(drawn)
    (job,) = extraction.start(chosen, user=None, shards=1)
    computed = []
    real = extraction.compute

    def dies_at_the_third(roi, feature_set):
        computed.append(roi.pk)
        if len(computed) == 3:
            raise OSError("the machine went away")
        return real(roi, feature_set)

    monkeypatch.setattr(extraction, "BATCH", 2)
    monkeypatch.setattr(extraction, "compute", dies_at_the_third)
    with pytest.raises(OSError, match="went away"):
        do_jobs([job])
    half = vectors(chosen)
    assert len(half) == 2
    monkeypatch.setattr(extraction, "compute", real)
    Job.objects.update(state=Job.State.QUEUED, attempts=0, not_before=NOW)
    do_jobs([job])
    assert len(vectors(chosen)) == 6
    assert half.items() <= vectors(chosen).items()


@pytest.mark.promise("R11")
def test_a_vector_that_comes_out_differently_is_refused_and_the_stored_one_kept(drawn):
    chosen = extracted(drawn)
    roi = Roi.objects.first()
    before = FeatureVector.objects.get(feature_set=chosen, roi=roi)
    other = extraction.Computed(values=[0.0] * 279)
    with pytest.raises(Conflict, match="not reproducible"):
        extraction.store([extraction.vector(roi, chosen, other, now=NOW)])
    assert FeatureVector.objects.get(feature_set=chosen, roi=roi).digest == before.digest


def test_pixels_that_cannot_be_read_are_a_failure_on_the_row_not_a_crash(drawn):
    roi = Roi.objects.filter(modality="CT").first()
    (packs.folder_of(roi.series.folder) / packs.NATIVE).unlink()
    chosen = use(drawn)
    jobs = extraction.start(chosen, user=None, shards=1)
    do_jobs(jobs)
    failed = FeatureVector.objects.filter(feature_set=chosen).exclude(failure="")
    assert [row.roi_id for row in failed] == [roi.pk]
    assert failed[0].values == []
    assert failed[0].failure == extraction.NO_PIXELS


def test_other_parameters_are_another_set_and_leave_the_first_alone(drawn):
    first = extracted(drawn)
    before = vectors(first)
    second = extracted(drawn, grid_mm=2.0)
    assert first.pk != second.pk
    assert set(vectors(second)) == set(before)
    assert not set(vectors(second).values()) & set(before.values())
    assert vectors(first) == before
    assert feature_sets.current(drawn) == second


def test_the_same_parameters_are_the_same_set_however_they_are_given(drawn):
    first = use(drawn)
    assert use(drawn, grid_mm=1.0, values="window8") == first
    use(drawn, grid_mm=2.0)
    assert use(drawn) == first


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"grid": 1}, "Unknown feature parameter grid; known are grid_mm"),
        ({"grid_mm": 0.1}, "between 0.25 and 5 mm"),
        ({"grid_mm": 6}, "between 0.25 and 5 mm"),
        ({"values": "raw"}, "window8 or native"),
        ({"ct_window_hu": [1300, -500]}, "lower end must lie below"),
        ({"ct_window_hu": [100, 100]}, "lower end must lie below"),
    ],
)
def test_an_impossible_parameter_is_refused_and_no_set_is_made(drawn, parameters, sentence):
    with pytest.raises(Invalid, match=sentence):
        use(drawn, **parameters)
    assert feature_sets.current(drawn) is None


def test_a_new_revision_leaves_the_old_vector_and_asks_for_a_new_one(drawn):
    chosen = extracted(drawn)
    before = vectors(chosen)
    case = Assignment.objects.order_by("pk").first()
    reopen(case, reason_code="slip", reason="the outline slipped", actor=make_user("coordinator"), now=NOW)  # fmt: skip
    assert Read.objects.filter(assignment=case).count() == 2
    assert extraction.pending(chosen).count() == 0
    assert vectors(chosen) == before


def test_a_job_of_another_study_takes_only_its_own_rois(drawn):
    other = make_outlined_study(1, code="knee", seed=9)
    do_all(other, "delineator1", "outline", outlined())
    extracted(other)
    assert FeatureVector.objects.count() == 2
    assert extraction.pending(use(drawn)).count() == 6


def test_mostly_saturated_rois_are_warned_of(drawn):
    chosen = use(drawn, ct_window_hu=[0.0, 400.0])
    do_jobs(extraction.start(chosen, user=None, shards=1))
    warned = FeatureVector.objects.filter(feature_set=chosen, roi__modality="CT")
    shares = [row.provenance["saturated_share"] for row in warned]
    assert max(shares) > extraction.SATURATED_FROM
    for row, share in zip(warned, shares, strict=True):
        says = any("ends of the window" in sentence for sentence in row.warnings)
        assert says == (share > extraction.SATURATED_FROM)


def test_progress_reaches_the_whole(drawn):
    jobs = extraction.start(use(drawn), user=None, shards=2)
    do_jobs(jobs)
    for job in Job.objects.filter(pk__in=[j.pk for j in jobs]):
        assert (job.state, job.done) == ("done", job.total)


def test_the_page_starts_the_work_and_leaves_one_act(drawn, client):
    client.force_login(make_user("analyst"), backend="django.contrib.auth.backends.ModelBackend")
    start = partial(client.post, "/studies/bone/features/extract/")
    assert start().status_code == 302
    assert Job.objects.filter(kind=extraction.KIND).count() == 2
    page = client.get("/studies/bone/features/").content.decode()
    assert "6" in page
