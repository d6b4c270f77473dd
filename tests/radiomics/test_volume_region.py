"""Regions in three dimensions: outlines and masks of each other, the share of a maximum within a sphere."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import label
from skimage.segmentation import flood

from radiomics.image import Volume
from radiomics.region import polygon_area_mm2, self_intersects, validate_outline
from radiomics.volume_region import (
    Section,
    Sphere,
    contour,
    mask_of,
    outer,
    same_outlines,
    sections_of,
    threshold_region,
    within_sphere,
)

FEW = settings(max_examples=60, deadline=None)
TURNED = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
PLAIN = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


def volume(pixels, *, spacing=(2.0, 3.0), step=4.0, origin=(-5.0, 7.0, 11.0), axes=PLAIN) -> Volume:
    normal = np.cross(*axes)
    positions = np.asarray(origin) + np.arange(len(pixels))[:, None] * step * normal
    return Volume(np.asarray(pixels, dtype=float), origin, *axes, spacing, step, positions)


def middle_of(scan: Volume, krc) -> tuple[float, float, float]:
    return tuple(scan.to_patient([krc])[0].tolist())


@st.composite
def pieces(draw):
    """One random piece without holes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(1, 9)), draw(st.integers(1, 9)))
    plane = rng.random(shape) < draw(st.sampled_from([0.3, 0.6, 0.9]))
    plane[rng.integers(shape[0]), rng.integers(shape[1])] = True
    return outer(plane)


def test_the_contour_of_one_pixel_is_its_four_corners():
    assert contour(np.array([[True]])).tolist() == [[-0.5, -0.5], [-0.5, 0.5], [0.5, 0.5], [0.5, -0.5]]  # fmt: skip


def test_the_contour_of_an_l_has_six_corners():
    plane = np.array([[True, False], [True, True]])
    assert contour(plane).tolist() == [[-0.5, -0.5], [-0.5, 0.5], [0.5, 0.5], [0.5, 1.5], [1.5, 1.5], [1.5, -0.5]]  # fmt: skip


@FEW
@given(pieces())
def test_a_contour_never_touches_itself_and_encloses_its_pixels(plane):
    corners = contour(plane)
    assert len(np.unique(corners, axis=0)) == len(corners)
    assert not self_intersects(corners)
    flat = np.column_stack([corners, np.zeros(len(corners))])
    assert polygon_area_mm2(flat) == pytest.approx(plane.sum())


@FEW
@given(pieces(), st.sampled_from([PLAIN, TURNED]))
def test_rasterising_a_contour_gives_the_piece_back(plane, axes):
    scan = volume(np.zeros((3, *plane.shape)), axes=axes)
    sections = sections_of(np.stack([plane * False, plane, plane * False]), scan)
    assert [s.index for s in sections] == [1]
    assert np.array_equal(mask_of(sections, scan)[1], plane)
    assert validate_outline(sections[0].vertices_mm, scan.slice(1)) == ()


def test_pieces_that_touch_at_a_corner_around_a_hole_have_a_simple_outline():
    """The ring's gap is closed diagonally only: without filling, its outline would meet that corner twice."""
    ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], dtype=bool)
    assert outer(ring)[1, 1]
    assert not self_intersects(contour(outer(ring)))


def test_of_several_pieces_the_largest_is_outlined_and_holes_are_filled():
    plane = np.zeros((8, 8), dtype=bool)
    plane[0:5, 0:5] = True
    plane[2, 2] = False
    plane[6:8, 6:8] = True
    wanted = np.zeros((8, 8), dtype=bool)
    wanted[0:5, 0:5] = True
    assert np.array_equal(outer(plane), wanted)


def test_a_sphere_holds_the_voxels_within_its_radius_in_millimetres():
    scan = volume(np.zeros((5, 5, 5)))
    inside = within_sphere(scan, Sphere(middle_of(scan, (2, 2, 2)), 4.0))
    wanted = np.zeros((5, 5, 5), dtype=bool)
    for k, r, c in itertools.product(range(5), repeat=3):
        wanted[k, r, c] = math.hypot((k - 2) * 4.0, (r - 2) * 2.0, (c - 2) * 3.0) <= 4.0
    assert np.array_equal(inside, wanted)


@pytest.mark.parametrize("axes", [PLAIN, TURNED])
def test_a_sphere_is_that_of_the_distances_in_the_patient(axes):
    scan = volume(np.zeros((4, 6, 5)), axes=axes)
    sphere = Sphere(middle_of(scan, (1.2, 2.7, 3.1)), 7.5)
    places = np.argwhere(np.ones(scan.pixels.shape, dtype=bool))
    distance = np.linalg.norm(scan.to_patient(places) - np.asarray(sphere.centre_mm), axis=1)
    wanted = (distance <= 7.5).reshape(scan.pixels.shape)
    assert np.array_equal(within_sphere(scan, sphere), wanted)


def test_slices_at_uneven_positions_are_measured_where_they_lie():
    scan = volume(np.zeros((3, 1, 1)), step=4.0)
    moved = scan.positions_mm.copy()
    moved[2, 2] += 3.0
    uneven = Volume(scan.pixels, scan.origin_mm, *PLAIN, scan.spacing_mm, 4.0, moved)
    sphere = Sphere(tuple(moved[1].tolist()), 5.0)
    assert within_sphere(uneven, sphere).ravel().tolist() == [True, True, False]


def blob(peak=(2, 4, 4)) -> np.ndarray:
    pixels = np.zeros((5, 9, 9))
    pixels[peak] = 100.0
    return ndimage.gaussian_filter(pixels, 1.2) + 0.01


@pytest.mark.parametrize("fraction", [0.1, 0.42, 0.7, 1.0])
def test_a_region_is_the_flooded_share_of_the_maximum(fraction):
    pixels = blob() + blob((3, 7, 7)) * 0.8
    scan = volume(pixels, spacing=(2.0, 2.0), step=2.0)
    sphere = Sphere(middle_of(scan, (2, 4, 4)), 30.0, fraction)
    found = threshold_region(scan, sphere)
    top = np.unravel_index(pixels.argmax(), pixels.shape)
    wanted = flood((pixels >= fraction * pixels.max()).astype(np.uint8), top, connectivity=1)
    assert np.array_equal(found.component, wanted)
    assert found.maximum == pixels.max()
    assert found.threshold == fraction * pixels.max()
    assert np.array_equal(found.outlined, mask_of(found.sections, scan))


def test_the_whole_maximum_alone_is_one_voxel():
    scan = volume(blob())
    found = threshold_region(scan, Sphere(middle_of(scan, (2, 4, 4)), 10.0, 1.0))
    assert np.argwhere(found.component).tolist() == [[2, 4, 4]]
    assert len(found.sections) == 1


def test_a_hotter_neighbour_outside_the_sphere_does_not_count():
    pixels = blob()
    pixels[0, 0, 0] = 1e6
    scan = volume(pixels)
    found = threshold_region(scan, Sphere(middle_of(scan, (2, 4, 4)), 8.0))
    assert found.maximum == blob().max()
    assert not found.component[0, 0, 0]


def test_a_second_spot_in_the_sphere_that_does_not_touch_the_first_is_left_out():
    pixels = np.zeros((3, 5, 9))
    pixels[1, 2, 2], pixels[1, 2, 6] = 10.0, 9.0
    scan = volume(pixels, spacing=(1.0, 1.0), step=1.0)
    found = threshold_region(scan, Sphere(middle_of(scan, (1, 2, 4)), 5.0))
    assert np.argwhere(found.outlined).tolist() == [[1, 2, 2]]


def test_voxels_that_touch_at_an_edge_only_are_apart():
    pixels = np.zeros((1, 3, 3))
    pixels[0, 0, 0], pixels[0, 1, 1] = 10.0, 9.0
    scan = volume(pixels)
    assert threshold_region(scan, Sphere(middle_of(scan, (0, 1, 1)), 9.0)).component.sum() == 1


def test_of_two_equal_maxima_the_first_counts():
    pixels = np.zeros((1, 1, 5))
    pixels[0, 0, 1] = pixels[0, 0, 3] = 7.0
    scan = volume(pixels)
    found = threshold_region(scan, Sphere(middle_of(scan, (0, 0, 2)), 9.0))
    assert np.argwhere(found.component).tolist() == [[0, 0, 1]]


def test_the_outlined_region_differs_from_the_component_only_by_pieces_and_holes():
    pixels = np.full((1, 7, 7), 10.0)
    pixels[0, 3, 3] = 1.0
    scan = volume(pixels, spacing=(1.0, 1.0))
    found = threshold_region(scan, Sphere(middle_of(scan, (0, 3, 3)), 20.0))
    assert found.component.sum() == 48
    assert found.outlined.sum() == 49


@FEW
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 1.0), st.floats(2.0, 25.0))
def test_every_region_is_one_piece_that_holds_the_maximum_and_stays_in_the_sphere(
    seed, fraction, radius
):
    pixels = np.random.default_rng(seed).gamma(1.0, 10.0, (4, 7, 6))
    scan = volume(pixels)
    sphere = Sphere(middle_of(scan, (1.5, 3.0, 2.5)), radius, fraction)
    if not within_sphere(scan, sphere).any():
        return
    found = threshold_region(scan, sphere)
    inside = within_sphere(scan, sphere)
    assert found.component[np.unravel_index(np.where(inside, pixels, -1).argmax(), pixels.shape)]
    assert not (found.component & ~inside).any()
    assert label(found.component, connectivity=1).max() == 1
    assert pixels[found.component].min() >= found.threshold
    for section in found.sections:
        assert validate_outline(section.vertices_mm, scan.slice(section.index)) == ()


@FEW
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.5), st.floats(1.01, 2.0))
def test_a_higher_share_never_enlarges_the_region_and_units_do_not_matter(seed, low, more):
    pixels = np.random.default_rng(seed).gamma(2.0, 10.0, (3, 6, 6))
    scan, other = volume(pixels), volume(pixels * 4.0)
    at = middle_of(scan, (1, 2, 3))
    wide = threshold_region(scan, Sphere(at, 15.0, low)).component
    narrow = threshold_region(scan, Sphere(at, 15.0, low * more)).component
    assert not (narrow & ~wide).any()
    assert np.array_equal(threshold_region(other, Sphere(at, 15.0, low)).component, wide)


def test_a_hot_ball_in_a_cold_surround_keeps_its_size_at_42_per_cent():
    """Erdi et al. 1995: blurred by a third of its diameter, the isocontour of 42 % lies on the ball's surface."""
    axis = np.arange(-20, 21)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    ball = z**2 + y**2 + x**2 <= 9**2
    scan = volume(ndimage.gaussian_filter(ball * 100.0, 2.5), spacing=(1.0, 1.0), step=1.0)
    found = threshold_region(scan, Sphere(middle_of(scan, (20, 20, 20)), 18.0))
    assert found.outlined.sum() == pytest.approx(ball.sum(), rel=0.1)


@pytest.mark.parametrize(
    ("given_", "sentence"),
    [
        ({"radius_mm": 0.0}, "radius_mm must lie above 0"),
        ({"radius_mm": -1.0}, "radius_mm must lie above 0"),
        ({"radius_mm": 101.0}, "at most 100"),
        ({"radius_mm": math.nan}, "radius_mm"),
        ({"fraction": 0.0}, "fraction must lie above 0"),
        ({"fraction": 1.0001}, "at most 1"),
        ({"fraction": math.nan}, "fraction"),
        ({"centre_mm": (0.0, math.inf, 0.0)}, "3 finite numbers"),
        ({"centre_mm": (0.0, 0.0)}, "3 finite numbers"),
    ],
)
def test_an_impossible_sphere_is_refused(given_, sentence):
    with pytest.raises(ValueError, match=sentence):
        Sphere(**{"centre_mm": (0.0, 0.0, 0.0), "radius_mm": 5.0, **given_})


def test_a_sphere_that_holds_nothing_of_use_is_refused():
    scan = volume(np.zeros((3, 3, 3)))
    with pytest.raises(ValueError, match="no voxel"):
        threshold_region(scan, Sphere((500.0, 0.0, 0.0), 5.0))
    with pytest.raises(ValueError, match="above 0"):
        threshold_region(scan, Sphere(middle_of(scan, (1, 1, 1)), 9.0))
    broken = volume(np.full((3, 3, 3), np.nan))
    with pytest.raises(ValueError, match="not finite"):
        threshold_region(broken, Sphere(middle_of(scan, (1, 1, 1)), 9.0))


def square(scan: Volume, k: int, *, off: float = 0.0) -> Section:
    corners = scan.slice(k).to_patient([[0.5, 0.5], [0.5, 2.5], [2.5, 2.5], [2.5, 0.5]])
    return Section(k, corners + off * scan.normal)


def test_outlines_on_several_slices_make_a_mask_by_hand():
    scan = volume(np.zeros((4, 4, 4)))
    mask = mask_of([square(scan, 1), square(scan, 3)], scan)
    assert mask.sum(axis=(1, 2)).tolist() == [0, 4, 0, 4]
    assert mask[1, 1:3, 1:3].all()


def test_two_outlines_on_a_slice_and_slices_that_are_not_there_are_refused():
    scan = volume(np.zeros((4, 4, 4)))
    with pytest.raises(ValueError, match="different slices 0 to 3, got 1"):
        mask_of([square(scan, 1), square(scan, 1)], scan)
    with pytest.raises(ValueError, match="got 4"):
        mask_of([Section(4, square(scan, 1).vertices_mm)], scan)
    with pytest.raises(ValueError, match="off its plane"):
        mask_of([square(scan, 1, off=0.02)], scan)


def test_outlines_are_the_same_within_the_tolerance_only():
    scan = volume(np.zeros((4, 4, 4)))
    one = [square(scan, 1), square(scan, 2)]
    near = [square(scan, 2), square(scan, 1, off=0.009)]
    assert same_outlines(one, near, tolerance_mm=0.01)
    assert not same_outlines(one, [square(scan, 1), square(scan, 2, off=0.02)], tolerance_mm=0.01)
    assert not same_outlines(one, one[:1], tolerance_mm=0.01)
    turned = [Section(1, np.roll(one[0].vertices_mm, 1, axis=0)), one[1]]
    assert not same_outlines(one, turned, tolerance_mm=0.01)
