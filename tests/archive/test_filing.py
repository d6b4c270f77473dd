"""Filing an exam from the shelf while its sender is still sending: no half series passes for a whole one."""

from datetime import timedelta

import pytest
from django.utils import timezone

from portal.accounts.models import User
from portal.archive import shelving
from portal.archive.filing import file_exam, remove
from portal.archive.ingest import import_paths
from portal.archive.models import Exam, Import, Series
from portal.archive.settle import IN_TWO_EXAMS, settle
from portal.errors import Conflict
from tests.archive.builders import change, report, slices, take
from tests.cohort import NOW, make_study, make_user

pytestmark = pytest.mark.django_db
WHY = "filed before all of it had come"


@pytest.fixture
def boss() -> User:
    make_study("bone", is_synthetic=True)
    return make_user("coordinator")


def send(boss, *paths, **more) -> Import:
    return import_paths(paths, door=Import.Door.STOW, actor=boss, **more)


def file(exam: Exam, boss: User) -> Exam:
    return file_exam(exam, study_key="bone", expects_synthetic=True, actor=boss, now=NOW)


@pytest.fixture
def halves(boss, tmp_path) -> tuple[Series, Series]:
    """The first half was filed, the second came to the shelf after it and was filed as well."""
    for k in range(2):
        send(boss, *slices(tmp_path / str(k), n=4, first=4 * k))
        file(Exam.objects.get(study_key=""), boss)
    one, other = Series.objects.order_by("pk")
    return one, other


def states() -> list[tuple[str, str]]:
    return list(Series.objects.order_by("pk").values_list("state", "sentence"))


def test_both_halves_are_held_and_nobody_can_release_one(halves):
    assert states() == [("held", IN_TWO_EXAMS)] * 2
    assert {one.reason_code for one in halves} == {"geometry"}


def test_one_more_slice_changes_nothing_of_that(halves, boss, tmp_path):
    row = send(boss, *slices(tmp_path / "more", n=1, first=8), study_key="bone")
    assert report(row) == ["ready"]
    assert states() == [("held", IN_TWO_EXAMS)] * 2


def test_without_its_other_half_a_series_is_one_again(halves, boss):
    first, second = halves
    remove(second, reason=WHY, actor=boss, study="bone")
    settle(first)
    assert states() == [("ready", "")]


def test_sent_to_the_study_as_a_whole_it_is_a_volume(halves, boss, tmp_path):
    for half in halves:
        remove(half, reason=WHY, actor=boss, study="bone")
    send(boss, *slices(tmp_path / "all", n=8), study_key="bone")
    series = Series.objects.get()
    assert (series.state, series.is_volume, series.n_frames) == ("ready", True, 8)


def test_other_series_of_the_exam_may_follow(boss, tmp_path):
    send(boss, *slices(tmp_path / "a", n=4))
    file(Exam.objects.get(study_key=""), boss)
    send(boss, *slices(tmp_path / "b", n=4, series="2.25.72"))
    file(Exam.objects.get(study_key=""), boss)
    assert states() == [("ready", "")] * 2


def test_another_patients_exam_is_no_part_of_it(boss, tmp_path):
    send(boss, *slices(tmp_path / "a", n=4))
    file(Exam.objects.get(study_key=""), boss)
    others = slices(tmp_path / "b", n=4, first=4)
    for path in others:
        change(path, lambda ds: setattr(ds, "PatientBirthDate", "19510203"))
    send(boss, *others)
    file(Exam.objects.get(study_key=""), boss)
    assert list(Exam.objects.order_by("pk").values_list("has_other_part", flat=True)) == [False] * 2
    assert states()[0] == ("ready", "")


@pytest.mark.parametrize("minutes", [0, 50])
def test_an_exam_is_not_filed_while_its_importer_still_imports(boss, tmp_path, minutes):
    send(boss, *slices(tmp_path / "a", n=4))
    begun = timezone.now() - timedelta(minutes=minutes)
    running = Import.objects.create(door="browser", actor=boss, started_at=begun)
    exam = Exam.objects.get()
    with pytest.raises(Conflict, match="Images are still coming onto your shelf"):
        file(exam, boss)
    running.started_at = begun - shelving.LONGEST_IMPORT
    running.save()
    file(exam, boss)


def test_imports_of_others_or_into_studies_do_not_matter(boss, tmp_path):
    send(boss, *slices(tmp_path / "a", n=4))
    Import.objects.create(door="browser", actor=make_user("monitor"), started_at=timezone.now())
    Import.objects.create(door="browser", actor=boss, study_key="bone", started_at=timezone.now())
    assert file(Exam.objects.get(), boss).study_key == "bone"


def test_of_two_who_file_one_exam_the_second_is_told(boss, tmp_path):
    make_study("knee", is_synthetic=True)
    take(*slices(tmp_path / "a", n=4))
    mine, theirs = Exam.objects.get(), Exam.objects.get()
    file(mine, boss)
    with pytest.raises(Conflict, match="belongs to a study already"):
        file_exam(theirs, study_key="knee", expects_synthetic=True, actor=boss, now=NOW)
    assert Exam.objects.get().study_key == "bone"
