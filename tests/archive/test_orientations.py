"""Slices of several orientations in one series: the largest group is the volume, the others are left out (5.2)."""

import pytest

from portal.archive.filing import release
from portal.archive.models import Series
from portal.archive.pixels import volume
from portal.errors import Conflict
from tests.archive.builders import change, look, slices, take
from tests.cohort import make_user

pytestmark = pytest.mark.django_db
SAGITTAL = [0, 1, 0, 0, 0, -1]
WHY = "seen fused on the CT, all is well"


def turn(ds) -> None:
    ds.ImageOrientationPatient = SAGITTAL


def files(folder, turned: list[int], *, n: int = 6) -> list:
    """Slices of one series, some of them turned, in the order of their numbers."""
    paths = slices(folder, n=n)
    for number in turned:
        change(paths[number], turn)
    return paths


def parts() -> dict[int, tuple[str, str]]:
    """State and reason of each series by the number of its images."""
    return {s.n_frames: (s.state, s.reason_code) for s in Series.objects.all()}


@pytest.mark.parametrize("turned", [[0, 1], [4, 5], [0, 5]])
def test_the_largest_group_is_the_volume_whichever_comes_first(tmp_path, turned):
    row = take(*files(tmp_path, turned))
    assert {f.outcome for f in row.files.all()} <= {"ready", "held"}
    assert parts() == {4: ("held", "geometry_to_confirm"), 2: ("held", "geometry")}
    (largest,) = Series.objects.filter(n_frames=4)
    assert largest.sentence.startswith("The slices have several orientations; 2 of 6 were left out")
    assert largest.geometry["row_direction"] == [1, 0, 0]


def test_after_a_coordinators_look_the_largest_group_is_ready_and_holds_its_own_slices_only(
    tmp_path,
):
    take(*files(tmp_path, [4, 5]))
    largest = Series.objects.get(n_frames=4)
    release(largest, reason=WHY, actor=make_user("coordinator"), study="bone", seen=look(largest))
    found = volume(Series.objects.get(pk=largest.pk))
    assert found.pixels[:, 0, 0].tolist() == [0, 10, 20, 30]
    with pytest.raises(Conflict):
        release(
            Series.objects.get(n_frames=2), reason=WHY, actor=make_user("coordinator"), study="bone"
        )


def test_more_slices_of_the_other_orientation_ask_again_and_may_turn_the_balance(tmp_path):
    paths = files(tmp_path, [3, 4, 5, 6, 7], n=8)
    take(*paths[:5])
    assert parts() == {3: ("held", "geometry_to_confirm"), 2: ("held", "geometry")}
    first = Series.objects.get(n_frames=3)
    release(first, reason=WHY, actor=make_user("coordinator"), study="bone", seen=look(first))
    take(*paths[5:])
    assert parts() == {3: ("held", "geometry"), 5: ("held", "geometry_to_confirm")}


def test_one_orientation_stays_one_ready_series_though_its_header_rounds(tmp_path):
    paths = slices(tmp_path, n=3)
    change(paths[1], lambda ds: setattr(ds, "ImageOrientationPatient", [1, 0.00004, 0, 0, 1, 0]))
    take(*paths)
    assert parts() == {3: ("ready", "")}


@pytest.mark.parametrize("rounded", [[1], [0, 3], [1, 2, 4]])
def test_slices_of_rounded_and_of_exact_orientation_lie_side_by_side_in_one_pack(tmp_path, rounded):
    """Both find the series' row by another way; neither may write over what the other has stored."""
    paths = slices(tmp_path, n=5)
    for number in rounded:
        change(paths[number], lambda ds: setattr(ds, "ImageOrientationPatient", [1, 0.00004, 0, 0, 1, 0]))  # fmt: skip
    take(*paths)
    found = volume(Series.objects.get())
    assert [float(plane.min()) for plane in found.pixels] == [0, 10, 20, 30, 40]
    assert (found.pixels == found.pixels[:, :1, :1]).all()


def test_both_groups_are_the_senders_one_series_when_they_are_asked_for(tmp_path):
    take(*files(tmp_path, [4, 5]))
    assert len(set(Series.objects.values_list("sender_uid", flat=True))) == 1
    assert len(set(Series.objects.values_list("uid", flat=True))) == 2


def test_a_gap_in_the_largest_group_is_named_with_it_and_one_release_covers_both(tmp_path):
    paths = files(tmp_path, [5, 6], n=7)
    take(*[p for k, p in enumerate(paths) if k != 3])
    largest = Series.objects.get(n_frames=4)
    assert "several orientations" in largest.sentence
    assert "Slices are missing between" in largest.sentence
    release(largest, reason=WHY, actor=make_user("coordinator"), study="bone", seen=look(largest))
    assert Series.objects.get(pk=largest.pk).state == "ready"
