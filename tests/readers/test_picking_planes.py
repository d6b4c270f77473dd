"""The pictures on which a lesion is picked: tilted slices, nearest slices, sizes and crosses, without a database."""

import math

import numpy as np
import pytest
from django.http import QueryDict

from portal.archive.models import Series
from portal.errors import Invalid
from portal.study.models import Lesion
from radiomics.image import Slice, Volume
from readers.picking import (
    GAP_PX,
    LEAST_WIDTH,
    LINE,
    Axial,
    Coronal,
    Sheet,
    as_point,
    coronal_sheet,
    nearest,
    point_of,
    series_for,
    sized,
    stepped,
    usable,
)

X, Y = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
TILT = math.radians(20)
TILTED = (0.0, math.cos(TILT), math.sin(TILT))


def flat(rows: int = 4, columns: int = 8) -> Sheet:
    """Pixels of 1 mm, with its corner in the patient's origin."""
    plane = Axial(Slice(np.zeros((rows, columns)), (0.0, 0.0, 0.0), X, Y, (1.0, 1.0)))
    return sized(plane, np.zeros((rows, columns, 3), dtype=np.uint8), 1.0)


def volume_at(z: list[float]) -> Volume:
    pixels = np.zeros((len(z), 3, 4))
    places = np.array([[0.0, 0.0, one] for one in z])
    return Volume(pixels, (0.0, 0.0, z[0]), X, Y, (2.0, 3.0), 4.0, places)


def series_at(z: list[float], **more) -> Series:
    """A series of axial slices at these heights, ready and a volume unless told otherwise."""
    geometry = {
        "row_direction": X, "column_direction": Y, "positions_mm": [[0.0, 0.0, one] for one in z],
    }  # fmt: skip
    return Series(**{"geometry": geometry, "is_volume": True, "role": "CT", **more})


@pytest.mark.parametrize("rc", [(0.0, 0.0), (1.5, 0.25), (3.0, 7.0), (-2.0, 9.0)])
def test_on_a_tilted_slice_a_pixel_is_found_again_and_lies_where_its_vectors_say(rc):
    plane = Axial(Slice(np.zeros((4, 8)), (-5.0, 6.0, 70.0), X, TILTED, (2.0, 1.5)))
    x, y, z = plane.to_patient(rc)
    down = 2.0 * rc[0]
    expected = (-5 + 1.5 * rc[1], 6 + down * math.cos(TILT), 70 + down * math.sin(TILT))
    assert (x, y, z) == pytest.approx(expected, abs=6e-4)
    assert plane.to_pixel((x, y, z)) == pytest.approx(rc, abs=1e-3)


def test_a_point_is_kept_to_the_micrometre():
    assert as_point([1.00049, -2.0006, 3]) == (1.0, -2.001, 3.0)
    with pytest.raises(ValueError, match="unpack"):
        as_point([1.0, 2.0])


@pytest.mark.parametrize("depth", [0.0, 1.0, 2.5])
def test_the_coronal_picture_moves_a_point_in_its_plane_alone(depth):
    plane = Coronal(volume_at([10.0, 14.0, 18.0]), depth)
    for row, z in ((0.0, 18.0), (1.0, 14.0), (2.0, 10.0)):
        assert plane.to_patient((row, 2.0)) == (6.0, 2.0 * depth, z)
        assert plane.to_pixel((6.0, 123.0, z)) == pytest.approx((row, 2.0))


def test_the_coronal_picture_shows_the_largest_value_of_each_column_with_the_head_up():
    image = volume_at([0.0, 4.0, 8.0])
    image.pixels[0, 1, 2] = 100.0
    shown = coronal_sheet(image, (0.0, 2.0, 0.0), (0.0, 100.0))
    dark = np.argwhere((shown.pixels == 0).all(axis=2)).tolist()
    assert dark == [[2, 2]]  # inverted: the hottest is black; the lowest slice is the last row
    assert shown.plane.to_patient((2.0, 2.0)) == (6.0, 2.0, 0.0)
    # 4 columns of 3 mm and 3 rows of 4 mm
    assert shown.width / shown.height == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("rows", "columns", "aspect", "width", "height"),
    [
        (4, 8, 1.0, 424, 212),
        (8, 8, 0.5, 424, 212),
        (1, 420, 1.0, 420, 1),
        (2, 421, 1.0, 421, 2),
        (512, 512, 1.0, 512, 512),
        (1, 1000, 0.001, 1000, 1),  # never without height
    ],
)
def test_a_picture_is_wide_enough_and_each_pixel_has_its_shape(rows, columns, aspect, width, height):  # fmt: skip
    plane = Axial(Slice(np.zeros((1, 1)), (0.0, 0.0, 0.0), X, Y, (1.0, 1.0)))
    shown = sized(plane, np.zeros((rows, columns, 3), dtype=np.uint8), aspect)
    assert (shown.width, shown.height) == (width, height)
    assert shown.width >= LEAST_WIDTH
    assert shown.width % columns == 0


def lit(shown: Sheet, point: tuple[float, float, float]) -> np.ndarray:
    return (shown.drawn(point) == LINE).all(axis=2)


def test_a_cross_leaves_the_point_itself_open():
    shown = flat()
    cross = lit(shown, (3.0, 1.0, 0.0))
    x, y = int(3.5 * 53), int(1.5 * 53)
    assert not cross[y - GAP_PX : y + GAP_PX + 1, x - GAP_PX : x + GAP_PX + 1].any()
    assert cross[y, x + GAP_PX + 1]
    assert cross[y - GAP_PX - 1, x]
    assert cross.sum() == shown.width + shown.height - 2 * (2 * GAP_PX + 1)


@pytest.mark.parametrize(
    ("point", "across", "down"),
    [((-50.0, 1.0, 0.0), True, False), ((3.0, 50.0, 0.0), False, True), ((-50.0, 50.0, 0.0), False, False)],
)  # fmt: skip
def test_a_point_outside_the_picture_draws_only_the_line_that_crosses_it(point, across, down):
    cross = lit(flat(), point)
    assert bool(cross.all(axis=1).any()) is across
    assert bool(cross.all(axis=0).any()) is down
    assert bool(cross.any()) is (across or down)


def test_drawing_leaves_the_picture_itself_as_it_was():
    shown = flat()
    shown.drawn((3.0, 1.0, 0.0))
    assert not shown.pixels.any()


@pytest.mark.parametrize(
    ("z", "index"), [(-100, 0), (0, 0), (1.9, 0), (2.1, 1), (7, 2), (8, 2), (11.9, 3), (500, 3)]
)
def test_the_nearest_slice_is_by_height_however_far_aside_the_point_lies(z, index):
    assert nearest(series_at([0.0, 4.0, 8.0, 12.0]), (300.0, -200.0, z)) == index


def test_on_tilted_slices_the_nearest_is_measured_along_their_normal():
    normal = np.cross(X, TILTED)
    series = series_at([0.0])
    positions = [(4.0 * k * normal).tolist() for k in range(5)]
    series.geometry |= {"column_direction": TILTED, "positions_mm": positions}
    far_down = 4.0 * 3 * normal + 90.0 * np.asarray(TILTED)
    assert nearest(series, as_point(far_down)) == 3


@pytest.mark.parametrize(
    ("more", "is_usable"),
    [({}, True), ({"state": "held"}, False), ({"is_volume": False}, False)],
)
def test_only_a_ready_volume_is_picked_in(more, is_usable):
    series = series_at([0.0, 4.0], **more)
    assert usable(series) is (series if is_usable else None)
    assert usable(None) is None


def test_no_projection_is_made_of_uneven_slices():
    one = lesion_of([0.0, 2.0], [0.0, 4.0, 12.0])
    one.spect_series.volume_reason = "Slices are missing between z = 4.0 and 12.0 mm."
    found = [series_for(one, pane) for pane in ("CT", "SPECT", "CORONAL")]
    assert found == [one.ct_series, one.spect_series, None]


def lesion_of(ct: list[float], spect: list[float]) -> Lesion:
    place = {"x_mm": 1.0, "y_mm": 2.0, "z_mm": 4.0}
    return Lesion(ct_series=series_at(ct), spect_series=series_at(spect, role="SPECT"), **place)


def test_each_pane_has_its_own_series_and_the_projection_that_of_the_spect():
    one = lesion_of([0.0, 2.0], [0.0, 4.0])
    found = [series_for(one, pane) for pane in ("CT", "SPECT", "CORONAL")]
    assert found[0] is one.ct_series
    assert found[1] is found[2] is one.spect_series


@pytest.mark.parametrize(
    ("step", "z"),
    [
        ("CT 1", 6.0), ("CT -1", 2.0), ("CT 5", 10.0), ("CT -5", 0.0), ("SPECT 1", 9.0), ("SPECT -1", 4.0), ("", 4.0),
    ],
)  # fmt: skip
def test_a_step_is_one_of_the_series_it_names_and_ends_at_its_last_slice(step, z):
    one = lesion_of([0.0, 2.0, 4.0, 6.0, 8.0, 10.0], [4.0, 9.0])
    query = QueryDict(mutable=True)
    query["step"] = step
    assert stepped(one, (1.0, 2.0, 4.0), query) == (1.0, 2.0, z)
    assert point_of(one, query) == (1.0, 2.0, z)


@pytest.mark.parametrize("step", ["CORONAL 1", "CT 2", "CT", "1", "CT 1 1", "ct 1"])
def test_a_step_that_is_no_button_of_the_page_is_refused(step):
    query = QueryDict(mutable=True)
    query["step"] = step
    with pytest.raises(Invalid, match="step is one of"):
        stepped(lesion_of([0.0, 2.0], [0.0, 2.0]), (0.0, 0.0, 0.0), query)


def test_a_point_that_is_named_in_part_keeps_the_rest_of_the_lesions_position():
    one = lesion_of([0.0, 2.0], [0.0, 2.0])
    assert point_of(one, QueryDict("y=-7.5")) == (1.0, -7.5, 4.0)
    assert point_of(one, QueryDict("x=0&z=0")) == (0.0, 2.0, 0.0)


@pytest.mark.parametrize("asked", ["x=10001", "y=nan", "z=inf", "x=left", "CT.x=-1&CT.y=0"])
def test_a_number_that_can_be_no_place_is_refused(asked):
    with pytest.raises(Invalid, match="lies between"):
        point_of(lesion_of([0.0, 2.0], [0.0, 2.0]), QueryDict(asked))
