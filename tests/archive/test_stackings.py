"""Every reading of a doubtful RECON TOMO header (5.3): where its frames then lie, worked out by hand."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.archive.geometry import Frame, Tomo, stack_of_nm
from portal.archive.stackings import stackings
from tests.archive.test_geometry import AXIAL, orientations, tomo

ORIGIN = (-10.0, -20.0, 100.0)


def doubtful(n: int = 4, spacing: float = 2.0, **more) -> Tomo:
    found = stack_of_nm(tomo(n, spacing, position=ORIGIN, **more), n)
    assert found.problem == "geometry_to_confirm"
    assert found.tomo is not None
    return found.tomo


def places(one: Tomo, n: int = 4) -> dict[str, list[float]]:
    """Per stacking the height of each frame, in the order of the file."""
    found = {}
    for option in stackings(one, n):
        heights = [0.0] * n
        for position, frame in zip(option.stack.positions, option.stack.order, strict=True):
            heights[frame] = position[2]
        found[option.code] = heights
    return found


def test_numbers_from_the_last_to_the_first_have_three_readings():
    assert places(doubtful(SliceVector=[4, 3, 2, 1])) == {
        "slice1": [106, 104, 102, 100],
        "frame1": [100, 98, 96, 94],
        "frames": [100, 102, 104, 106],
    }


def test_numbers_out_of_order_are_sorted_by():
    assert places(doubtful(SliceVector=[2, 4, 1, 3])) == {
        "slice1": [102, 106, 100, 104],
        "frame1": [100, 104, 98, 102],
        "frames": [100, 102, 104, 106],
    }


def test_a_negative_spacing_turns_every_reading():
    found = places(doubtful(spacing=-2.0, SliceVector=[4, 3, 2, 1]))
    assert found["slice1"] == [94, 96, 98, 100]
    assert found["frames"] == [100, 98, 96, 94]


@pytest.mark.parametrize("numbers", [[1, 2, 2, 3], [1, 2, 3], [1, 2, 3, 5], [7, 7, 7, 7]])
def test_numbers_that_name_no_whole_stack_leave_the_order_of_the_file(numbers):
    assert places(doubtful(SliceVector=numbers)) == {"frames": [100, 102, 104, 106]}


def test_numbers_from_nought_are_moved_by_one_slice_or_not():
    """By the number the first frame lies one step below slice 1; else it has the header's position, as in the file."""
    assert places(doubtful(SliceVector=[0, 1, 2, 3])) == {
        "slice1": [98, 100, 102, 104],
        "frame1": [100, 102, 104, 106],
    }


@pytest.mark.parametrize("spacing", ["0", None])
def test_without_a_distance_the_thickness_is_taken_both_ways(spacing):
    one = doubtful(spacing=spacing, SliceThickness="5")
    assert places(one) == {"frames+": [100, 105, 110, 115], "frames-": [100, 95, 90, 85]}
    assert [option.words for option in stackings(one, 4)] == [
        "5 mm apart (the thickness of the slices), from the feet to the head.",
        "5 mm apart (the thickness of the slices), from the head to the feet.",
    ]


def test_without_a_thickness_the_spacing_of_the_pixels_is_taken():
    one = doubtful(spacing=None, SliceThickness="0", pixel_spacing=[4.5, 4.5])
    assert places(one)["frames+"] == [100, 104.5, 109, 113.5]
    assert "the spacing of the pixels" in stackings(one, 4)[0].words


def test_directions_are_named_from_the_patients_side():
    sagittal = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
    words = [o.words for o in stackings(doubtful(spacing=None, orientation=sagittal), 4)]
    assert ["from the left to the right" in words[0], "from the right to the left" in words[1]] == [True, True]  # fmt: skip


def test_neither_distance_nor_numbers_give_every_pair_once():
    both = ["frame1+", "frame1-", "frames+", "frames-", "slice1+", "slice1-"]
    assert sorted(places(doubtful(spacing=None, SliceVector=[2, 4, 1, 3]))) == both
    # numbered from the last to the first, the first frame downwards is the order of the file upwards
    assert sorted(places(doubtful(spacing=None, SliceVector=[4, 3, 2, 1]))) == [
        "frame1+", "frame1-", "slice1+", "slice1-",
    ]  # fmt: skip


@given(
    numbered=st.permutations(range(1, 8)), spacing=st.sampled_from([-3.0, 0.0, 2.5]), orientation=orientations()
)  # fmt: skip
def test_every_stacking_is_an_even_grid_of_all_frames_that_ascends(numbered, spacing, orientation):
    frame = Frame(ORIGIN, orientation, (4.0, 4.0))
    one = Tomo(frame, spacing, tuple(numbered), 3.5)
    normal = np.cross(orientation[:3], orientation[3:])
    for option in stackings(Tomo.from_json(json.loads(json.dumps(one.to_json()))), 7):
        assert sorted(option.stack.order) == list(range(7))
        steps = np.diff(np.asarray(option.stack.positions) @ normal)
        assert steps == pytest.approx(np.full(6, abs(spacing) or 3.5), abs=1e-9)
        assert option.stack.values["slice_spacing_mm"] == (abs(spacing) or 3.5)


def test_what_a_header_says_without_doubt_has_no_stackings_kept():
    assert stack_of_nm(tomo(4, 2.0), 4).tomo is None
    assert stack_of_nm(tomo(4, None), 4).tomo.frame.orientation == AXIAL
