"""A coordinator confirms where a held volume lies: only as it was seen, and then it lies there everywhere."""

import json
from datetime import time
from pathlib import Path

import numpy as np
import pydicom
import pytest

from portal.archive.confirming import NO_CT, options, partners, stacked
from portal.archive.filing import Seen, decide_kind, release
from portal.archive.models import Instance, Series
from portal.archive.pixels import volume
from portal.archive.writer import CtSeries, SpectSeries, write_ct, write_spect
from portal.audit.models import AuditEvent, AuditPayload
from portal.errors import Conflict, Invalid
from tests.archive.builders import change, look, person, pet, slices, take
from tests.cohort import make_user

pytestmark = pytest.mark.django_db
WHY = "seen fused on the CT, all is well"
HOT = (4.0, -6.0, 22.0)
N = 8


def ct(folder: Path) -> list[Path]:
    """A CT of 12 slices with a dense ball at the hot spot's place."""
    folder.mkdir(parents=True, exist_ok=True)
    z, y, x = np.meshgrid(np.arange(12) * 3.0, np.arange(24) * 2.0 - 24, np.arange(24) * 2.0 - 24, indexing="ij")  # fmt: skip
    ball = (x - HOT[0]) ** 2 + (y - HOT[1]) ** 2 + (z - HOT[2]) ** 2 <= 36
    hu = np.where(ball, 800, 40).astype(np.int16)
    uids = tuple(f"2.25.61.{k}" for k in range(12))
    one = CtSeries(person(), "2.25.61", uids, "2.25.9", hu, (-24.0, -24.0, 0.0), (2.0, 2.0), 3.0, time(9))  # fmt: skip
    return write_ct(folder, one, encoding="raw")


def spect(folder: Path) -> Path:
    """Eight slices 4 mm apart with one hot voxel at its place: frame 6 of the file, from 1."""
    folder.mkdir(parents=True, exist_ok=True)
    counts = np.zeros((N, 12, 12), dtype=np.uint16)
    counts[5, 4, 7] = 900  # (-24 + 7 * 4, -22 + 4 * 4, 2 + 5 * 4)
    one = SpectSeries(
        person(), "2.25.62", "2.25.621", "2.25.9", counts, (-24.0, -22.0, 2.0), (4.0, 4.0), 4.0, time(9), 700.0,
    )  # fmt: skip
    write_spect(folder, one, encoding="raw")
    return folder / "spect.dcm"


def shuffled(path: Path, numbers: list[int]) -> Path:
    """The frames in another order, with the slice numbers that tell it."""

    def edit(ds: pydicom.Dataset) -> None:
        frames = ds.pixel_array
        ds.PixelData = np.stack([frames[number - 1] for number in numbers]).tobytes()
        ds.SliceVector = numbers

    change(path, edit)
    return path


def held_spect() -> Series:
    found = Series.objects.get(role="SPECT")
    assert (found.state, found.reason_code, found.is_volume) == ("held", "geometry_to_confirm", False)  # fmt: skip
    return found


def hottest(series: Series) -> np.ndarray:
    """Where the hottest voxel of a series lies, as the workers see it."""
    image = volume(Series.objects.get(pk=series.pk))
    voxel = np.unravel_index(np.argmax(image.pixels), image.pixels.shape)
    return image.to_patient([voxel])[0]


MIXED = [3, 1, 6, 8, 2, 5, 4, 7]


def told(verb: str) -> dict[str, object]:
    """What the trail keeps of the one act of this kind."""
    return json.loads(AuditPayload.objects.get(event__verb=verb).body)


@pytest.mark.parametrize("numbers", [[8, 7, 6, 5, 4, 3, 2, 1], MIXED])
def test_the_chosen_stacking_puts_the_hot_spot_where_the_ct_has_it(tmp_path, numbers):
    take(*ct(tmp_path / "ct"), shuffled(spect(tmp_path / "nm"), numbers), study_key="bone")
    series, someone = held_spect(), make_user("coordinator")
    (beside,) = partners(series)
    seen = look(series, "slice1", beside)
    release(series, reason=WHY, actor=someone, study="bone", seen=seen)
    series.refresh_from_db()
    assert (series.state, series.is_volume, series.is_regular) == ("ready", True, True)
    assert hottest(series) == pytest.approx(HOT, abs=1e-6)
    new = told("series.release")["new"]
    assert new["seen_on"] == beside.uid
    assert new["stacking"] == "Sorted by their numbers, slice 1 at the position of the header."


def test_each_stacking_is_shown_where_it_would_lie(tmp_path):
    take(*ct(tmp_path / "ct"), shuffled(spect(tmp_path / "nm"), MIXED), study_key="bone")
    series = held_spect()
    hot = {}
    for option in options(series):
        shown = stacked(series, option)
        planes = [shown.frame(k).max() for k in range(N)]
        hot[option.code] = shown.positions[int(np.argmax(planes))][2]
    # frame 3 holds slice 6; the header's position is slice 1's, the first frame's (slice 3), or that of the file's order
    assert hot == {"slice1": 22.0, "frame1": 2 + 3 * 4.0, "frames": 2 + 2 * 4.0}


@pytest.mark.parametrize("code", ["slice1", "frame1", "frames"])
def test_what_is_shown_is_what_is_released(tmp_path, code):
    take(*ct(tmp_path / "ct"), shuffled(spect(tmp_path / "nm"), MIXED), study_key="bone")
    series = held_spect()
    (option,) = (o for o in options(series) if o.code == code)
    before = stacked(series, option)
    expected = [before.frame(k) for k in range(N)]
    seen = look(series, code, partners(series)[0])
    release(series, reason=WHY, actor=make_user("coordinator"), study="bone", seen=seen)
    after = volume(Series.objects.get(pk=series.pk))
    assert np.array_equal(after.pixels, np.stack(expected))
    assert after.positions_mm.tolist() == before.positions.tolist()


def test_vectors_and_digests_of_the_frames_go_with_them(tmp_path):
    path = shuffled(spect(tmp_path / "nm"), MIXED)
    change(path, lambda ds: setattr(ds, "RotationVector", [1, 1, 1, 1, 2, 2, 2, 2]))
    take(*ct(tmp_path / "ct"), path, study_key="bone")
    series = held_spect()
    before = Instance.objects.get(series=series)
    assert before.header["facts"]["emission"]["RotationVector"] == [1, 1, 1, 1, 2, 2, 2, 2]
    seen = look(series, "slice1", partners(series)[0])
    release(series, reason=WHY, actor=make_user("coordinator"), study="bone", seen=seen)
    after = Instance.objects.get(series=series)
    order = [MIXED.index(number) for number in range(1, N + 1)]
    assert after.header["facts"]["emission"]["RotationVector"] == [1 + (k > 3) for k in order]
    assert after.frame_digests == [before.frame_digests[k] for k in order]
    assert after.native_frames == [before.native_frames[k] for k in order]
    assert after.content_digest == before.content_digest


def test_a_file_without_a_distance_is_released_upwards_by_its_thickness(tmp_path):
    path = spect(tmp_path / "nm")
    change(path, lambda ds: delattr(ds, "SpacingBetweenSlices"))
    take(*ct(tmp_path / "ct"), path, study_key="bone")
    series = held_spect()
    assert [o.code for o in options(series)] == ["frames+", "frames-"]
    seen = look(series, "frames+", partners(series)[0])
    release(series, reason=WHY, actor=make_user("coordinator"), study="bone", seen=seen)
    assert hottest(series) == pytest.approx(HOT, abs=1e-6)


def test_a_release_lasts_and_the_file_is_known_again(tmp_path):
    path = shuffled(spect(tmp_path / "nm"), MIXED)
    take(*ct(tmp_path / "ct"), path, study_key="bone")
    series = held_spect()
    seen = look(series, "slice1", partners(series)[0])
    release(series, reason=WHY, actor=make_user("coordinator"), study="bone", seen=seen)
    assert take(path, study_key="bone").files.get().outcome == "already here"
    series.refresh_from_db()
    assert (series.state, series.is_volume) == ("ready", True)
    assert options(series) == []


@pytest.fixture
def waiting(tmp_path) -> Series:
    take(*ct(tmp_path / "ct"), shuffled(spect(tmp_path / "nm"), MIXED), study_key="bone")
    return held_spect()


def refuse(series: Series, seen: Seen | None, words: str) -> None:
    with pytest.raises(Conflict, match=words):
        release(series, reason=WHY, actor=make_user("coordinator"), study="bone", seen=seen)
    series.refresh_from_db()
    assert (series.state, series.geometry) == ("held", {})
    assert not AuditEvent.objects.filter(verb="series.release").exists()


def test_nothing_is_released_unseen(waiting):
    beside = partners(waiting)[0]
    refuse(waiting, None, "no volume")
    refuse(waiting, Seen("slice1", beside, ""), "Look at the series")
    other = look(waiting, "frames", beside)
    refuse(waiting, Seen("slice1", beside, other.mark), "Look at the series")
    refuse(waiting, Seen("upside down", beside, other.mark), "no volume")
    refuse(waiting, look(waiting, "slice1"), NO_CT)


def test_a_ct_that_has_changed_since_must_be_looked_at_again(waiting, tmp_path):
    seen = look(waiting, "slice1", partners(waiting)[0])
    more = slices(tmp_path / "more", n=1, series="2.25.61")
    into_thirteenth(more[0])
    take(*more, study_key="bone")
    changed = Seen(seen.stacking, partners(waiting)[0], seen.mark)
    refuse(waiting, changed, "Look at the series")


def into_thirteenth(path: Path) -> None:
    """The slice above the CT's last."""
    first = next(iter(sorted(path.parent.parent.glob("ct/*.dcm"))))
    ds = pydicom.dcmread(first)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "2.25.61.99"
    ds.ImagePositionPatient = [-24, -24, 36]
    ds.save_as(path)


def test_a_ct_is_shown_with_a_spect_and_released_without_one(tmp_path):
    paths = slices(tmp_path, n=5)
    take(*paths[:2], *paths[3:], study_key="bone")
    series = Series.objects.get()
    assert ([o.code for o in options(series)], partners(series)) == ([""], [])
    release(series, reason=WHY, actor=make_user("coordinator"), study="bone", seen=look(series))
    assert Series.objects.get().state == "ready"


def test_only_ready_volumes_of_the_same_patient_and_study_are_shown_beside(tmp_path):
    take(shuffled(spect(tmp_path / "nm"), MIXED), study_key="bone")
    series = held_spect()
    assert partners(series) == []
    take(*slices(tmp_path / "other", who=person("SYN0002", "2.25.701"), series="2.25.73"), study_key="bone")  # fmt: skip
    take(*slices(tmp_path / "knee", who=person(exam="2.25.702"), series="2.25.74"), study_key="knee")  # fmt: skip
    assert partners(series) == []
    take(*slices(tmp_path / "later", who=person(exam="2.25.703"), series="2.25.75"), study_key="bone")  # fmt: skip
    take(*ct(tmp_path / "ct"), study_key="bone")
    same, later = partners(series)
    assert (same.exam_id, later.exam.subject) == (series.exam_id, series.exam.subject)


def without_nuclide(path: Path) -> None:
    change(path, lambda ds: delattr(ds, "RadiopharmaceuticalInformationSequence"))


@pytest.mark.parametrize("label", ["SPECT", "PET"])
def test_a_coordinator_says_what_a_volume_of_unknown_nuclide_is(tmp_path, label):
    paths = pet(tmp_path)
    for path in paths:
        without_nuclide(path)
    take(*paths, study_key="bone")
    series, someone = Series.objects.get(), make_user("coordinator")
    assert (series.label, series.state) == ("PT", "ready")
    with pytest.raises(Invalid):
        decide_kind(series, "CT", actor=someone, study="bone")
    decide_kind(series, label, actor=someone, study="bone")
    assert Series.objects.get().label == label
    assert told("series.kind") == {"old": {"label": "PT"}, "new": {"label": label}, "reason": ""}
    with pytest.raises(Conflict):
        decide_kind(series, "PET", actor=someone, study="bone")


def test_what_the_header_names_is_not_decided_again(tmp_path):
    take(*pet(tmp_path), study_key="bone")
    with pytest.raises(Conflict):
        decide_kind(Series.objects.get(), "SPECT", actor=make_user("coordinator"), study="bone")
    assert Series.objects.get().label == "PET"


def test_two_who_look_at_once_do_not_stack_it_twice(waiting):
    """The second one's row was read before the first one's decision: the frames must not be sorted once more."""
    beside, someone = partners(waiting)[0], make_user("coordinator")
    late = Series.objects.get(pk=waiting.pk)
    seen = look(waiting, "slice1", beside), look(late, "slice1", beside)
    release(waiting, reason=WHY, actor=someone, study="bone", seen=seen[0])
    with pytest.raises(Conflict, match="Somebody has decided"):
        release(late, reason=WHY, actor=someone, study="bone", seen=seen[1])
    assert hottest(waiting) == pytest.approx(HOT, abs=1e-6)
    assert AuditEvent.objects.filter(verb="series.release").count() == 1


def test_two_who_say_what_it_is_at_once_are_told_apart(tmp_path):
    paths = pet(tmp_path)
    for path in paths:
        without_nuclide(path)
    take(*paths, study_key="bone")
    first, second = Series.objects.get(), Series.objects.get()
    decide_kind(first, "SPECT", actor=make_user("coordinator"), study="bone")
    with pytest.raises(Conflict):
        decide_kind(second, "PET", actor=make_user("coordinator"), study="bone")
    assert Series.objects.get().label == "SPECT"
