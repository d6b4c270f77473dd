"""Where slices lie (5.2, 5.3): any orientation, both signs of the spacing, and what is no volume."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.sequence import Sequence

from portal.archive.geometry import (
    STEP_TOLERANCE_MM,
    Frame,
    Stack,
    is_sound,
    normal_of,
    numbers,
    plane,
    stack_of_nm,
    stack_of_slices,
)

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CONFIRM = " Look at it fused on the CT and confirm it."
NOWHERE = "The file does not say where its slices lie in the patient."
coordinates = st.floats(-500, 500).map(lambda v: round(v, 3))
spacings = st.floats(0.5, 12).map(lambda v: round(v, 4))


@st.composite
def orientations(draw) -> tuple[float, ...]:
    """Two unit vectors at right angles, from a random rotation (a unit quaternion)."""
    q = np.array([draw(st.floats(-1, 1)) for _ in range(4)])
    assume(np.linalg.norm(q) > 0.1)
    w, x, y, z = q / np.linalg.norm(q)
    rotation = np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip
    return (*rotation[:, 0].tolist(), *rotation[:, 1].tolist())


def cross(o: tuple[float, ...]) -> np.ndarray:
    """The normal written out, not by numpy's cross product."""
    return np.array([o[1] * o[5] - o[2] * o[4], o[2] * o[3] - o[0] * o[5], o[0] * o[4] - o[1] * o[3]])  # fmt: skip


def slices_at(places, orientation=AXIAL, origin=(0.0, 0.0, 0.0), spacing=(0.9, 0.8)) -> list[Frame]:
    """Slices at these distances along their normal."""
    n = cross(orientation)
    return [Frame(tuple((np.asarray(origin) + d * n).tolist()), orientation, spacing) for d in places]  # fmt: skip


def tomo(n: int, spacing: object, *, position=(-272.13778, -283.93778, 278.33778), orientation=AXIAL, **more) -> Dataset:  # fmt: skip
    """The geometry of an NM RECON TOMO header."""
    ds, detector = Dataset(), Dataset()
    if position is not None:
        detector.ImagePositionPatient = list(position)
    if orientation is not None:
        detector.ImageOrientationPatient = list(orientation)
    ds.DetectorInformationSequence = Sequence([detector])
    ds.PixelSpacing, ds.SliceThickness = more.pop("pixel_spacing", [8.83612, 8.83612]), 8.83612
    if spacing is not None:
        ds.SpacingBetweenSlices = spacing
    if more.pop("vector", "given") == "given":
        ds.SliceVector = list(range(1, n + 1))
    for keyword, value in more.items():
        setattr(ds, keyword, value)
    return ds


# 5.3 of the specification, the Xeleris twin
def test_a_negative_spacing_reverses_the_frames():
    stack = stack_of_nm(tomo(64, -8.83612), 64)
    assert stack.order == tuple(range(63, -1, -1))
    assert stack.slice_spacing == 8.83612
    assert stack.positions[0] == pytest.approx((-272.13778, -283.93778, -278.33778), abs=1e-4)
    assert stack.positions[-1] == pytest.approx((-272.13778, -283.93778, 278.33778), abs=1e-4)
    assert stack.problem == ""


def test_a_positive_spacing_keeps_the_order_and_goes_on_upwards():
    stack = stack_of_nm(tomo(64, 8.83612), 64)
    assert stack.order == tuple(range(64))
    assert stack.positions[0][2] == pytest.approx(278.33778, abs=1e-4)
    assert stack.positions[-1][2] == pytest.approx(835.01334, abs=1e-4)


def test_the_pair_of_both_signs_lies_in_the_same_place():
    """24 slices of 4.41806 mm; the numbers of `pair_nm_neg` and `pair_nm_pos` in the specification."""
    n, s = 24, 101.614 / 23
    minus = stack_of_nm(tomo(n, -s, position=(0, 0, 50.8)), n)
    plus = stack_of_nm(tomo(n, s, position=(0, 0, -50.8)), n)
    assert minus.positions[0][2] == pytest.approx(-50.814, abs=1e-4)
    assert minus.positions[-1][2] == pytest.approx(50.8, abs=1e-4)
    assert plus.positions[0][2] == pytest.approx(-50.8, abs=1e-4)
    assert plus.positions[-1][2] == pytest.approx(50.814, abs=1e-4)


@given(
    n=st.integers(1, 40),
    spacing=spacings,
    is_reversed=st.booleans(),
    origin=st.tuples(coordinates, coordinates, coordinates),
    orientation=orientations(),
)
def test_every_source_frame_keeps_its_place_in_the_patient(
    n, spacing, is_reversed, origin, orientation
):
    """p_k = IPP + (k-1) s n for the source frame k, wherever it comes to lie in the canonical order."""
    signed = -spacing if is_reversed else spacing
    stack = stack_of_nm(tomo(n, signed, position=origin, orientation=orientation), n)
    normal = cross(orientation)
    assert sorted(stack.order) == list(range(n))
    for place, source in zip(stack.positions, stack.order, strict=True):
        assert place == pytest.approx(np.asarray(origin) + source * signed * normal, abs=1e-4)


@given(
    n=st.integers(2, 40), spacing=spacings, is_reversed=st.booleans(), orientation=orientations()
)
def test_canonical_slices_ascend_along_the_normal_by_a_positive_spacing(
    n, spacing, is_reversed, orientation
):
    signed = -spacing if is_reversed else spacing
    stack = stack_of_nm(tomo(n, signed, orientation=orientation), n)
    along = np.asarray(stack.positions) @ cross(orientation)
    assert np.diff(along) == pytest.approx(np.full(n - 1, spacing), abs=1e-4)
    assert stack.slice_spacing == spacing == stack.values["slice_spacing_mm"]


@given(n=st.integers(2, 30), spacing=spacings, orientation=orientations())
def test_the_two_stackings_of_one_volume_have_one_geometry(n, spacing, orientation):
    """Written from the bottom upwards, or from the top downwards with the sign turned."""
    bottom = (10.0, -20.0, 30.0)
    top = np.asarray(bottom) + (n - 1) * spacing * cross(orientation)
    up = stack_of_nm(tomo(n, spacing, position=bottom, orientation=orientation), n)
    down = stack_of_nm(tomo(n, -spacing, position=top.tolist(), orientation=orientation), n)
    assert np.asarray(down.positions) == pytest.approx(np.asarray(up.positions), abs=1e-4)
    assert down.order == up.order[::-1]


@pytest.mark.parametrize(
    ("more", "problem", "sentence"),
    [
        ({"vector": None}, "", ""),  # without a slice vector the frames are the slices
        ({"SliceVector": [1, 2, 3, 4]}, "", ""),
        ({"SliceVector": [4, 3, 2, 1]}, "geometry_to_confirm",
         f"The slices are numbered in an unusual order.{CONFIRM}"),
        ({"SliceVector": [1, 2, 2, 3]}, "geometry_to_confirm",
         f"The slices are numbered in an unusual order.{CONFIRM}"),
        ({"SliceVector": [1, 2, 3]}, "geometry_to_confirm",
         f"The slices are numbered in an unusual order.{CONFIRM}"),
        ({"SliceVector": [0, 1, 2, 3]}, "geometry_to_confirm",
         f"The slices are numbered in an unusual order.{CONFIRM}"),
        ({"SpacingBetweenSlices": "0"}, "geometry_to_confirm", f"The distance between slices is missing.{CONFIRM}"),
        ({"SpacingBetweenSlices": None}, "geometry_to_confirm", f"The distance between slices is missing.{CONFIRM}"),
        ({"DetectorInformationSequence": Sequence([])}, "geometry", NOWHERE),
        ({"position": None}, "geometry", NOWHERE),
        ({"orientation": None}, "geometry", NOWHERE),
        ({"orientation": (1.0, 0, 0, 1.0, 0, 0)}, "geometry", NOWHERE),
        ({"orientation": (2.0, 0, 0, 0, 1.0, 0)}, "geometry", NOWHERE),
        ({"pixel_spacing": [0, 4.4]}, "geometry", NOWHERE),
        ({"pixel_spacing": [4.4, -4.4]}, "geometry", NOWHERE),
    ],
)  # fmt: skip
def test_what_an_nm_header_must_say_of_its_slices(more, problem, sentence):
    stack = stack_of_nm(tomo(4, 4.4, **more), 4)
    assert (stack.problem, stack.sentence) == (problem, sentence)
    assert bool(stack.values) == (problem == "")


def test_an_nm_object_without_detectors_has_no_place():
    ds = tomo(4, 4.4)
    del ds.DetectorInformationSequence
    assert stack_of_nm(ds, 4).problem == "geometry"


def test_only_the_first_detector_places_the_slices():
    ds, second = tomo(3, 4.0, position=(0, 0, 0)), Dataset()
    second.ImagePositionPatient, second.ImageOrientationPatient = [9, 9, 9], [0, 1, 0, 0, 0, 1]
    ds.DetectorInformationSequence = Sequence([ds.DetectorInformationSequence[0], second])
    assert stack_of_nm(ds, 3).positions == ((0, 0, 0), (0, 0, 4), (0, 0, 8))


@given(
    n=st.integers(2, 40),
    step=spacings,
    orientation=orientations(),
    seed=st.integers(0, 2**32 - 1),
)
def test_slices_in_any_order_are_sorted_along_their_normal(n, step, orientation, seed):
    ordered = slices_at(np.arange(n) * step, orientation, (12.0, -7.0, 3.0))
    mixed = np.random.default_rng(seed).permutation(n)
    stack = stack_of_slices([ordered[i] for i in mixed], "2.5")
    assert [int(mixed[i]) for i in stack.order] == list(range(n))
    assert (stack.problem, stack.slice_spacing) == ("", pytest.approx(step, abs=1e-6))
    assert np.asarray(stack.positions) == pytest.approx(np.array([f.position for f in ordered]))
    assert stack.values["origin_mm"] == pytest.approx(list(ordered[0].position))


@given(n=st.integers(2, 20), orientation=orientations())
def test_the_order_does_not_depend_on_which_way_the_scanner_went(n, orientation):
    ordered = slices_at(np.arange(n) * 3.0, orientation)
    up, down = stack_of_slices(ordered, None), stack_of_slices(ordered[::-1], None)
    assert up.positions == down.positions
    assert up.order == tuple(n - 1 - i for i in down.order)


def test_a_sagittal_stack_ascends_along_its_own_normal_and_not_along_z():
    """r = +y, c = -z, so n = r x c = -x: the first slice is the leftmost."""
    orientation = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
    frames = [Frame((x, 0.0, 0.0), orientation, (1.0, 1.0)) for x in (-4.0, 0.0, 4.0)]
    assert normal_of(frames[0]).tolist() == [-1.0, 0.0, 0.0]
    assert [p[0] for p in stack_of_slices(frames, None).positions] == [4.0, 0.0, -4.0]


def test_the_uneven_steps_of_a_real_pet_are_regular():
    """GE alternates 3.19, 3.27 and 3.29 mm; the median is the spacing."""
    steps = [3.27, 3.29, 3.19, 3.27, 3.27, 3.29, 3.27]
    stack = stack_of_slices(slices_at(np.cumsum([0.0, *steps])), None)
    assert (stack.problem, stack.slice_spacing) == ("", pytest.approx(3.27))


@given(odd=st.floats(-1.0, 1.0).filter(lambda v: abs(abs(v) - STEP_TOLERANCE_MM) > 1e-6))
def test_a_step_is_regular_within_a_tenth_of_a_millimetre_of_the_median(odd):
    places = np.cumsum([0.0, 2.5, 2.5, 2.5 + odd, 2.5, 2.5])
    stack = stack_of_slices(slices_at(places), None)
    assert (stack.problem == "") == (abs(odd) <= STEP_TOLERANCE_MM)


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ([4], f"Slices are missing between z = 7.5 and 12.5 mm.{CONFIRM}"),
        ([4, 5, 6], f"Slices are missing between z = 7.5 and 17.5 mm.{CONFIRM}"),
        (
            [2, 7],
            f"Slices are missing between z = 2.5 and 7.5 mm.{CONFIRM}",
        ),  # the first gap is named
    ],
)
def test_a_gap_is_named_by_where_it_lies(missing, sentence):
    places = [2.5 * k for k in range(10) if k not in missing]
    stack = stack_of_slices(slices_at(places), None)
    assert (stack.problem, stack.sentence) == ("geometry_to_confirm", sentence)
    assert stack.values["slice_spacing_mm"] == 2.5  # a person may still confirm it


@pytest.mark.parametrize("apart", [0.0, 0.0005, -0.0005])
def test_two_slices_in_one_place_make_no_volume(apart):
    stack = stack_of_slices(slices_at([0.0, 2.5, 5.0, 5.0 + apart, 7.5]), None)
    assert (stack.problem, stack.values) == ("geometry_to_confirm", {})
    assert stack.sentence == "Slices lie on top of each other, which makes no volume; ask for one of each place."  # fmt: skip


@pytest.mark.parametrize(("degrees", "is_tilted"), [(0.0, False), (0.9, False), (1.1, True), (12.0, True), (-12.0, True)])  # fmt: skip
def test_a_stack_travels_along_its_normal_within_one_degree(degrees, is_tilted):
    """A gantry tilt written as it often is: slices upright, their positions moving sideways."""
    shear = math.tan(math.radians(degrees))
    frames = [Frame((0.0, 3.0 * k * shear, 3.0 * k), AXIAL, (1.0, 1.0)) for k in range(8)]
    stack = stack_of_slices(frames, None)
    assert stack.sentence == (f"The stack is tilted against its slices.{CONFIRM}" if is_tilted else "")  # fmt: skip


def test_several_orientations_are_no_volume():
    frames = slices_at([0.0, 2.5, 5.0]) + slices_at([0.0, 2.5], (0.0, 1.0, 0.0, 0.0, 0.0, -1.0))
    stack = stack_of_slices(frames, None)
    assert (stack.problem, stack.values) == ("geometry_to_confirm", {})
    assert stack.sentence == f"The slices have several orientations.{CONFIRM}"


def test_one_slice_is_a_volume_of_one():
    stack = stack_of_slices(slices_at([7.0]), "3")
    assert (stack.order, stack.slice_spacing, stack.problem) == ((0,), 1.0, "")
    assert stack.values["thickness_mm"] == 3.0


@pytest.mark.parametrize(
    ("orientation", "spacing", "is_volume"),
    [
        (AXIAL, (0.9, 0.8), True),
        ((1.0009, 0, 0, 0, 1, 0), (1, 1), True),
        ((1.0011, 0, 0, 0, 1, 0), (1, 1), False),
        ((0.9989, 0, 0, 0, 1, 0), (1, 1), False),
        ((1, 0, 0, 0, 1.0011, 0), (1, 1), False),
        ((1, 0, 0, 0.0009, 1, 0), (1, 1), True),
        ((1, 0, 0, 0.0011, 1, 0), (1, 1), False),
        ((0, 0, 0, 0, 1, 0), (1, 1), False),
        ((1, 0, 0, 1, 0, 0), (1, 1), False),
        (AXIAL, (0, 1), False),
        (AXIAL, (1, 0), False),
        (AXIAL, (-1, 1), False),
    ],
)
def test_directions_are_of_unit_length_and_upright_to_a_thousandth(orientation, spacing, is_volume):
    frame = Frame((0, 0, 0), orientation, spacing)
    assert is_sound(frame) is is_volume
    assert (stack_of_slices([frame], None).problem == "") is is_volume


@pytest.mark.parametrize(
    ("values", "count", "found"),
    [
        (["1", "2.5"], 2, (1.0, 2.5)), ((1, 2, 3), 3, (1.0, 2.0, 3.0)), (["1", "2"], 3, None), ([], 2, None),
        (None, 2, None), (["1", ""], 2, None), (["1", "x"], 2, None), (["1", "nan"], 2, None), (["1", "inf"], 2, None),
        (7, 1, None), ([None], 1, None),
    ],
)  # fmt: skip
def test_a_place_is_read_whole_and_finite_or_not_at_all(values, count, found):
    assert numbers(values, count) == found


@pytest.mark.parametrize("missing", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])  # fmt: skip
def test_a_slice_without_position_orientation_or_spacing_has_no_place(missing):
    ds = Dataset()
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [1, 2, 3], list(AXIAL)
    ds.PixelSpacing = [0.9, 0.8]
    assert plane(ds) == Frame((1.0, 2.0, 3.0), AXIAL, (0.9, 0.8))
    delattr(ds, missing)
    assert plane(ds) is None


@given(n=st.integers(1, 12), spacing=spacings)
def test_what_is_stored_is_what_the_stack_says(n, spacing):
    stack: Stack = stack_of_nm(tomo(n, -spacing, pixel_spacing=[1.5, 2.5]), n)
    assert stack.values["spacing_mm"] == [1.5, 2.5]  # rows first
    assert stack.values["row_direction"] == [1, 0, 0]
    assert stack.values["column_direction"] == [0, 1, 0]
    assert stack.values["positions_mm"] == [list(p) for p in stack.positions]
    assert stack.values["origin_mm"] == stack.values["positions_mm"][0]
    assert stack.values["thickness_mm"] == 8.83612
