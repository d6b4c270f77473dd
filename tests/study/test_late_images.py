"""A cohort is locked while its images come: nothing grows under lesions that are being read, nothing is half there."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from portal.archive import ingest
from portal.archive.ingest import import_paths
from portal.archive.models import Exam, Import, Instance, Series
from portal.errors import Conflict
from portal.study.life import checklist
from portal.study.models import Lesion, Study
from portal.study.readiness import NAMED
from tests.archive.builders import report, slices
from tests.cohort import make_lesion, make_patient, make_study, make_user
from tests.study.builders import carry_to

pytestmark = pytest.mark.django_db
HELD = {"state": "held", "reason_code": "geometry"}
LOCKED = "The cohort of bone is locked; the images wait on your shelf."


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setattr(ingest, "BATCH", 2)
    return make_study(is_synthetic=True, state="SCREENING")


def lock_after(study: Study, n: int, paths: list[Path], *, actor: str = "coordinator") -> Import:
    """Import while the cohort is locked by somebody else once `n` files are in."""

    def meanwhile(done: int, _all: int) -> None:
        if done == n:
            carry_to(study, "READING")

    return import_paths(
        paths, door=Import.Door.COMMAND, actor=make_user(actor) if actor else None, study_key=study.code,
        on_progress=meanwhile,
    )  # fmt: skip


def test_what_comes_after_the_lock_waits_on_the_shelf(study, tmp_path):
    row = lock_after(study, 4, slices(tmp_path / "a", n=6))
    own, shelf = Exam.objects.get(study_key="bone"), Exam.objects.get(study_key="")
    counted = [Instance.objects.filter(series__exam=exam).count() for exam in (own, shelf)]
    assert (counted, shelf.importer) == ([4, 2], make_user("coordinator"))
    row.refresh_from_db()
    assert (row.warning, row.study_key) == (LOCKED, "bone")
    assert report(row) == ["ready"] * 6


def test_the_ranks_of_a_locked_cohort_stand_still(study, tmp_path):
    """Slices below the ones that are there would move the rank of every one."""
    above = slices(tmp_path / "above", n=4, first=4)
    below = slices(tmp_path / "below", n=4)
    lock_after(study, 4, [*above, *below])
    series = Series.objects.get(exam__study_key="bone")
    assert list(series.instances.order_by("rank").values_list("rank", flat=True)) == [1, 2, 3, 4]
    assert series.geometry["origin_mm"][2] == pytest.approx(3.0)


def test_a_cohort_locked_between_the_door_and_the_first_batch_is_asked_for_too(study, tmp_path):
    """The door has seen an open study; it is asked again where images are written."""
    paths = slices(tmp_path / "a", n=2)
    carry_to(study, "READING")
    row = import_paths(
        paths, door=Import.Door.STOW, actor=make_user("coordinator"), study_key="bone"
    )
    assert (row.warning, row.study_key) == (LOCKED, "")
    assert list(Exam.objects.values_list("study_key", flat=True)) == [""]


def test_without_anybody_who_has_a_shelf_the_rest_is_not_taken(study, tmp_path):
    with pytest.raises(Conflict, match="is locked"):
        lock_after(study, 2, slices(tmp_path / "a", n=6), actor="")
    assert Instance.objects.count() == 2


def missing(study: Study) -> dict[str, str]:
    return {c.code: c.hint for c in checklist(study) if not c.is_met}


@pytest.mark.parametrize("slot", ["ct_series", "spect_series"])
def test_a_held_series_of_an_included_lesion_holds_reading_back(study, slot):
    lesion = make_lesion(make_patient(study, "P1"))
    assert "series" not in missing(study)
    Series.objects.filter(pk=getattr(lesion, slot).pk).update(**HELD)
    assert "P1/1 (an image series of it is held)" in missing(study)["series"]


def test_images_that_lie_on_each_other_no_more_hold_reading_back(study):
    lesion = make_lesion(make_patient(study, "P1"))
    Series.objects.filter(pk=lesion.ct_series.pk).update(frame_of_reference_uid="2.25.5")
    assert "do not share a frame of reference" in missing(study)["series"]


def test_only_included_lesions_count_and_the_first_are_named(study):
    patient = make_patient(study, "P1")
    Series.objects.filter(pk=make_lesion(patient, included=False).ct_series.pk).update(**HELD)
    assert "series" not in missing(study)
    for number in range(NAMED + 2):
        make_lesion(make_patient(study, f"Q{number}"))
    Series.objects.filter(pk__in=Lesion.objects.included().values("ct_series")).update(**HELD)
    assert missing(study)["series"].endswith("and 2 more.")


@pytest.mark.parametrize(
    ("ago", "has_ended", "holds"),
    [(0, False, True), (50, False, True), (70, False, False), (0, True, False)],
)
def test_an_import_under_way_holds_reading_back_one_that_was_broken_off_does_not_for_ever(
    study, ago, has_ended, holds
):
    start = timezone.now() - timedelta(minutes=ago)
    Import.objects.create(
        door="browser", study_key="bone", started_at=start, ended_at=start if has_ended else None
    )
    Import.objects.create(door="browser", study_key="knee", started_at=start)
    assert ("series" in missing(study)) is holds
