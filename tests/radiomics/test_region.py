"""Outlines: masks by hand, areas, problem codes, distances, preparation on the common grid."""

import math

import numpy as np
import pytest

from radiomics.features.preparation import prepare
from radiomics.image import Slice, Volume, bilinear
from radiomics.region import (
    centroid_shift_mm,
    clean_vertices,
    hausdorff_mm,
    largest_component,
    largest_cross_section,
    outline_dice,
    polygon_area_mm2,
    polygon_centroid_mm,
    project_to_plane,
    rasterise,
    validate_outline,
)

SQUARE = np.array([[0.0, 0, 5], [10, 0, 5], [10, 10, 5], [0, 10, 5]])


def image(spacing=(1.0, 1.0), shape=(40, 40), z=5.0, position=(-10.0, -10.0)) -> Slice:
    rng = np.random.default_rng(1)
    pixels = rng.normal(100, 20, shape)
    return Slice(pixels, (*position, z), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), spacing)


def ring(radius: float, n: int = 24, centre=(0.0, 0.0, 5.0)) -> np.ndarray:
    angles = 2 * np.pi * np.arange(n) / n
    return np.stack(
        [
            centre[0] + radius * np.cos(angles),
            centre[1] + radius * np.sin(angles),
            np.full(n, centre[2]),
        ],
        axis=1,
    )


def test_a_square_holds_its_top_and_left_edges_only():
    mask = rasterise([[1, 1], [1, 3], [3, 3], [3, 1]], (5, 5))
    wanted = np.zeros((5, 5), dtype=bool)
    wanted[1:3, 1:3] = True
    assert np.array_equal(mask, wanted)


def test_a_bow_tie_is_filled_by_the_even_odd_rule():
    mask = rasterise([[0, 0], [4, 4], [0, 4], [4, 0]], (5, 5))
    assert mask[1].tolist() == [True, False, False, True, False]
    assert mask[2].tolist() == [True, True, True, True, False]


def test_a_24_gon_has_its_exact_area():
    assert polygon_area_mm2(ring(18.0)) == pytest.approx(1006.29, abs=0.01)


def test_the_centroid_of_a_square_is_its_middle():
    assert polygon_centroid_mm(SQUARE).tolist() == pytest.approx([5, 5, 5])


def test_area_does_not_depend_on_the_plane():
    tilt = np.array(
        [[1, 0, 0], [0, math.cos(0.3), -math.sin(0.3)], [0, math.sin(0.3), math.cos(0.3)]]
    )
    assert polygon_area_mm2(SQUARE @ tilt.T) == pytest.approx(100.0)


def test_a_repeated_closing_vertex_and_near_ones_are_dropped():
    noisy = np.vstack([SQUARE, [[10.0, 10.004, 5]], SQUARE[:1]])[[0, 1, 2, 4, 3, 5]]
    assert clean_vertices(noisy).tolist() == SQUARE.tolist()


@pytest.mark.parametrize(
    ("vertices", "codes"),
    [
        (SQUARE, ()),
        (SQUARE[:2], ("too_few_points",)),
        (np.vstack([SQUARE[:2], SQUARE[:1]]), ("too_few_points",)),
        (np.full((4, 3), np.nan), ("too_few_points",)),
        (SQUARE[[0, 2, 1, 3]], ("self_intersection",)),
        (SQUARE + [0, 0, 0.02], ("off_plane",)),
        (SQUARE + [0, 0, 0.009], ()),
        (SQUARE + [25, 0, 0], ("outside_image",)),
        (SQUARE * [0.03, 0.03, 1] + [0.2, 0.2, 0], ("too_small",)),
        (ring(5, 2001), ("too_few_points",)),
    ],
)
def test_problems_of_an_outline_are_named(vertices, codes):
    assert validate_outline(vertices, image()) == codes


def test_two_thousand_vertices_are_checked():
    assert validate_outline(ring(8, 700), image()) == ()


def test_an_edge_folding_back_over_its_neighbour_is_a_self_intersection():
    folded = np.array([[0.0, 0, 5], [8, 0, 5], [4, 0, 5], [4, 6, 5]])
    assert validate_outline(folded, image()) == ("self_intersection",)


def test_projection_moves_along_the_normal_only():
    assert project_to_plane(SQUARE + [0, 0, 0.004], image()).tolist() == SQUARE.tolist()


def test_hausdorff_and_shift_of_two_squares():
    moved = SQUARE + [3.0, 0, 0]
    assert hausdorff_mm(SQUARE, moved) == pytest.approx(3.0, abs=1e-9)
    assert centroid_shift_mm(SQUARE, moved) == pytest.approx(3.0)


def test_dice_of_outlines_is_one_for_itself_and_half_for_half_overlap():
    assert outline_dice(SQUARE, SQUARE) == 1.0
    assert outline_dice(SQUARE, SQUARE + [5.0, 0, 0]) == pytest.approx(0.5, abs=0.02)


def test_the_largest_component_and_cross_section_are_found():
    mask = np.zeros((3, 6, 6), dtype=bool)
    mask[1, 1:4, 1:4] = True
    mask[2, 5, 5] = True
    assert largest_cross_section(mask).index == 1
    assert largest_component(mask).sum() == 9
    with pytest.raises(ValueError, match="at least one voxel"):
        largest_cross_section(np.zeros((2, 2, 2), dtype=bool))


def test_pixels_and_patient_points_convert_back_and_forth():
    tilted = Slice(
        np.zeros((8, 9)), (3.0, -4.0, 7.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (2.0, 0.5)
    )
    rc = np.array([[0.0, 0.0], [3.0, 5.0], [-0.5, 8.25]])
    assert tilted.to_pixel(tilted.to_patient(rc)) == pytest.approx(rc)
    assert tilted.to_patient([[3.0, 5.0]])[0].tolist() == [3.0, -1.5, 1.0]


def test_the_nearest_slice_takes_the_lower_index_on_a_tie():
    positions = np.array([[0.0, 0, z] for z in (0.0, 2.0, 4.0)])
    volume = Volume(
        np.zeros((3, 2, 2)),
        (0.0, 0.0, 0.0),
        (1.0, 0.0, 0.0),
        (0.0, 1.0, 0.0),
        (1.0, 1.0),
        2.0,
        positions,
    )
    assert volume.nearest_slice((9.0, 9.0, 3.0)) == 1
    assert volume.nearest_slice((0.0, 0.0, 3.1)) == 2
    with pytest.raises(IndexError):
        volume.slice(3)


def test_bilinear_values_by_hand_and_at_the_edge():
    pixels = np.array([[0.0, 10.0], [20.0, 30.0]])
    found = bilinear(pixels, np.array([0.5, -3.0, 1.0]), np.array([0.5, 0.25, 9.0]))
    assert found.tolist() == [15.0, 2.5, 30.0]


def test_the_grid_does_not_depend_on_crop_or_outline():
    small, large = ring(6.0), ring(9.0)
    picture = image(spacing=(0.9, 1.3))
    one = prepare(picture, small, low=0, high=255)
    two = prepare(picture, large, low=0, high=255)
    assert set(one.image[one.mask]) <= set(two.image[two.mask])


def test_a_copied_outline_gives_the_same_mask_on_another_modality():
    ct, spect = (
        image(spacing=(0.9766, 0.9766)),
        image(spacing=(4.42, 4.42), position=(-60.0, -61.7)),
    )
    outline = ring(7.3, centre=(1.37, 2.11, 5.0))
    one, two = prepare(ct, outline, low=0, high=255), prepare(spect, outline, low=0, high=255)
    assert np.array_equal(one.mask, two.mask)


def test_native_values_skip_the_window_and_saturation_is_counted():
    native = prepare(image(), ring(6.0), values="native", low=0, high=1)
    assert native.saturated_share == 0.0
    assert native.image.max() > 1
    assert prepare(image(), ring(6.0), low=99, high=101).saturated_share > 0.9


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"low": 5, "high": 5}, "high > low"),
        ({"values": "other"}, "values must be"),
        ({"grid_mm": 0.0}, "grid_mm"),
        ({"grid_mm": math.nan}, "grid_mm"),
    ],
)
def test_bad_preparation_is_refused(change, says):
    arguments = {"low": 0, "high": 255, **change}
    with pytest.raises(ValueError, match=says):
        prepare(image(), ring(6.0), **arguments)


def test_an_outline_that_covers_no_node_is_refused():
    with pytest.raises(ValueError, match="covers no node"):
        prepare(image(), SQUARE * [0.03, 0.03, 1] + [0.2, 0.2, 0], low=0, high=255)
