"""What is stored never changes because of what comes later: studies, shelves and patients stay apart."""

import pytest

from portal.archive.filing import file_exam, release
from portal.archive.ingest import import_paths
from portal.archive.models import Exam, ImportFile, Instance, Series
from portal.archive.pixels import volume
from portal.archive.settle import settle
from portal.archive.verify import damaged
from portal.errors import Conflict
from tests.archive.builders import change, fingerprint, look, person, report, slices, take
from tests.cohort import NOW, make_user

pytestmark = pytest.mark.django_db
WHY = "seen fused on the CT, all is well"


@pytest.fixture
def stored(tmp_path) -> Series:
    take(*slices(tmp_path / "first"), study_key="bone")
    return Series.objects.get()


@pytest.mark.parametrize("other", ["", "lung"])
def test_more_of_a_known_exam_for_another_study_or_the_shelf_leaves_the_study_alone(
    tmp_path, stored, other
):
    before = fingerprint(stored)
    assert report(take(*slices(tmp_path / "b", first=4), study_key=other)) == ["ready"] * 4
    assert fingerprint(stored) == before
    new = Exam.objects.exclude(pk=stored.exam_id).get()
    assert (new.study_key, new.mapped_uid) == (other, stored.exam.mapped_uid)
    assert new.uid != stored.exam.uid
    assert new.series.get().n_frames == 4


def test_more_of_a_known_exam_of_the_same_study_joins_its_series(tmp_path, stored):
    take(*slices(tmp_path / "b", first=4), study_key="bone")
    stored.refresh_from_db()
    assert (Exam.objects.count(), stored.n_frames, stored.state) == (1, 8, "ready")
    assert volume(stored).pixels[:, 0, 0].tolist() == [10 * k for k in range(8)]


def test_two_importers_shelves_do_not_grow_each_other(tmp_path):
    one, two = make_user("one"), make_user("two")
    take_as = {"door": "command", "study_key": ""}
    from_one = slices(tmp_path / "a")
    import_paths(from_one, actor=one, **take_as)
    import_paths(slices(tmp_path / "b", first=4), actor=two, **take_as)
    assert sorted(e.importer_id for e in Exam.objects.all()) == sorted([one.pk, two.pk])
    assert set(Series.objects.values_list("n_frames", flat=True)) == {4}


def test_a_third_home_of_one_exam_gets_a_third_uid(tmp_path):
    for k, study in enumerate(("a", "b", "")):
        take(*slices(tmp_path / str(k), first=4 * k), study_key=study)
    assert len(set(Exam.objects.values_list("uid", flat=True))) == 3
    assert len(set(Series.objects.values_list("uid", flat=True))) == 3
    assert len(set(Exam.objects.values_list("mapped_uid", flat=True))) == 1


def test_the_same_file_for_another_study_is_already_here_and_says_where_to_ask(tmp_path, stored):
    row = take(*slices(tmp_path / "b"), study_key="lung")
    assert report(row) == ["already here"] * 4
    assert "another study" in row.files.first().sentence
    assert take(*slices(tmp_path / "c"), study_key="bone").files.first().sentence == ""


def test_another_patients_images_under_a_known_exam_are_held_apart(tmp_path, stored):
    before = fingerprint(stored)
    row = take(*slices(tmp_path / "b", first=4, who=person("OTHER")), study_key="bone")
    assert report(row) == ["patient_conflict"] * 4
    assert {f.outcome for f in row.files.all()} == {ImportFile.Outcome.HELD}
    assert fingerprint(stored) == before
    new = Series.objects.exclude(pk=stored.pk).get()
    assert (new.state, new.n_frames, new.exam.has_conflict) == ("held", 4, True)
    assert new.exam.subject != stored.exam.subject


def test_another_birth_date_is_another_patient(tmp_path, stored):
    paths = slices(tmp_path / "b", n=1, first=4)
    change(paths[0], lambda ds: setattr(ds, "PatientBirthDate", "19510203"))
    assert report(take(*paths, study_key="bone")) == ["patient_conflict"]


def test_a_released_conflict_never_mixes_two_patients_in_one_volume(tmp_path, stored):
    take(*slices(tmp_path / "b", first=4, who=person("OTHER")), study_key="bone")
    new = Series.objects.exclude(pk=stored.pk).get()
    release(new, reason=WHY, actor=make_user("chief"), study="bone")
    assert new.state == "ready"
    assert volume(new).pixels[:, 0, 0].tolist() == [40, 50, 60, 70]
    assert volume(stored).pixels[:, 0, 0].tolist() == [0, 10, 20, 30]


def test_filing_a_second_patient_under_a_known_exam_holds_it(tmp_path, stored):
    take(*slices(tmp_path / "b", first=4, who=person("OTHER")))
    new = Exam.objects.get(study_key="")
    assert new.series.get().state == "ready"
    file_exam(new, study_key="bone", expects_synthetic=True, actor=make_user("chief"), now=NOW)
    assert new.series.get().reason_code == "patient_conflict"


def test_synthetic_and_real_images_never_share_an_exam(tmp_path, stored):
    paths = slices(tmp_path / "b", first=4)
    for path in paths:
        change(path, lambda ds: delattr(ds, "SyntheticData"))
    take(*paths, study_key="bone")
    assert sorted(Exam.objects.values_list("is_synthetic", flat=True)) == [False, True]


def test_one_image_in_the_way_of_a_batch_costs_that_image_only(tmp_path, settings):
    paths = slices(tmp_path / "a", n=5)
    change(paths[2], lambda ds: delattr(ds, "SyntheticData"))
    row = take(*paths, study_key="bone", expects_synthetic=True)
    assert report(row) == ["ready", "ready", "synthetic", "ready", "ready"]
    folders = {p.name for p in settings.ARCHIVE_DIR.glob("*/*") if p.is_dir()}
    assert Series.objects.get().folder in folders
    assert Instance.objects.count() == 4
    assert damaged().uids == ()


def test_the_same_image_twice_in_one_batch_is_stored_once(tmp_path):
    paths = slices(tmp_path / "a", n=3)
    other = slices(tmp_path / "b", n=1)
    change(other[0], lambda ds: setattr(ds, "PixelData", b"\1\0" * 30))
    row = take(paths[0], paths[0], other[0], *paths[1:], study_key="bone")
    assert report(row) == ["ready", "already here", "conflict", "ready", "ready"]
    one = Series.objects.get()
    assert volume(one).pixels[:, 0, 0].tolist() == [0, 10, 20]
    assert damaged().uids == ()


PIXELS = {
    "sign": lambda ds: setattr(ds, "PixelRepresentation", 1),
    "size": lambda ds: (setattr(ds, "Rows", 5), setattr(ds, "Columns", 6)),
    "rescale": lambda ds: setattr(ds, "RescaleSlope", 2),
    "intercept": lambda ds: setattr(ds, "RescaleIntercept", 0),
    "photometric": lambda ds: setattr(ds, "PhotometricInterpretation", "MONOCHROME1"),
}


@pytest.mark.parametrize("what", PIXELS)
def test_slices_whose_pixels_differ_are_never_one_ready_volume(tmp_path, what):
    paths = slices(tmp_path)
    change(paths[2], PIXELS[what])
    take(*paths)
    series = Series.objects.get()
    assert (series.state, series.reason_code, series.is_volume) == ("held", "pixel_encoding", False)
    assert "differ in" in series.sentence
    with pytest.raises(Conflict):
        release(series, reason=WHY, actor=make_user("chief"), study="bone", seen=look(series))


HEADERS = {
    "slope": lambda ds: setattr(ds, "RescaleSlope", 2),
    "intercept": lambda ds: setattr(ds, "RescaleIntercept", 0),
    "exam": lambda ds: setattr(ds, "StudyInstanceUID", "2.25.701"),
    "series": lambda ds: setattr(ds, "SeriesInstanceUID", "2.25.72"),
    "frame of reference": lambda ds: setattr(ds, "FrameOfReferenceUID", "2.25.8"),
    "place": lambda ds: setattr(ds, "ImagePositionPatient", ["-5", "-6", "9"]),
    "patient": lambda ds: setattr(ds, "PatientID", "OTHER"),
    "thickness": lambda ds: setattr(ds, "SliceThickness", "9"),
    "sign": lambda ds: setattr(ds, "PixelRepresentation", 1),
}


@pytest.mark.parametrize("what", HEADERS)
def test_a_known_image_with_another_header_is_a_conflict(tmp_path, stored, what):
    before = fingerprint(stored)
    paths = slices(tmp_path / "b", n=1)
    change(paths[0], HEADERS[what])
    assert report(take(*paths, study_key="bone")) == ["conflict"]
    assert (fingerprint(stored), Instance.objects.count()) == (before, 4)


@pytest.mark.parametrize("keyword", ["StudyDescription", "OperatorsName", "ImageComments"])
def test_what_the_archive_view_drops_makes_no_conflict(tmp_path, stored, keyword):
    paths = slices(tmp_path / "b", n=1)
    change(paths[0], lambda ds: setattr(ds, keyword, "changed"))
    assert report(take(*paths, study_key="bone")) == ["already here"]


def test_repeated_positions_make_no_volume_and_cannot_be_released(tmp_path):
    paths = slices(tmp_path)
    twin = "2.25.71.99"
    change(paths[3], lambda ds: setattr(ds, "ImagePositionPatient", ["-5", "-6", "-2"]))
    change(paths[3], lambda ds: setattr(ds, "SOPInstanceUID", twin))
    take(*paths)
    series = Series.objects.get()
    assert (series.reason_code, series.geometry) == ("geometry_to_confirm", {})
    assert "on top of each other" in series.sentence
    with pytest.raises(Conflict, match="no volume"):
        release(series, reason=WHY, actor=make_user("chief"), study="bone", seen=look(series))


def gap(tmp_path) -> Series:
    paths = slices(tmp_path / "gap", n=5)
    take(*paths[:2], *paths[3:], study_key="bone")
    return Series.objects.get()


def test_a_release_lasts_while_the_slices_stay_where_they_were(tmp_path):
    series = gap(tmp_path)
    release(series, reason=WHY, actor=make_user("chief"), study="bone", seen=look(series))
    take(*slices(tmp_path / "again", n=2), study_key="bone")
    settle(series)
    series.refresh_from_db()
    assert (series.state, series.is_volume) == ("ready", True)


def test_a_release_ends_when_another_slice_comes(tmp_path):
    series = gap(tmp_path)
    release(series, reason=WHY, actor=make_user("chief"), study="bone", seen=look(series))
    take(*slices(tmp_path / "more", n=1, first=7), study_key="bone")
    series.refresh_from_db()
    assert (series.state, series.reason_code) == ("held", "geometry_to_confirm")


def test_the_missing_slice_settles_a_held_series(tmp_path):
    series = gap(tmp_path)
    assert series.state == "held"
    take(*slices(tmp_path / "missing", n=1, first=2), study_key="bone")
    series.refresh_from_db()
    assert (series.state, series.n_frames) == ("ready", 5)
