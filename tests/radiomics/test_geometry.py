"""Images in patient space, outlines on them and the common grid, against independent second ways and invariants."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates
from scipy.spatial.distance import directed_hausdorff
from skimage.draw import polygon2mask
from skimage.measure import label, points_in_poly

from radiomics.features.preparation import (
    content_digest,
    grid_around,
    in_plane,
    prepare,
    region_on,
    sample,
)
from radiomics.image import Slice, Volume, bilinear, vector
from radiomics.normalise import quantise, window8
from radiomics.region import (
    boundary,
    centroid_shift_mm,
    clean_vertices,
    hausdorff_mm,
    largest_component,
    largest_cross_section,
    outline_dice,
    plane_axes,
    polygon_area_mm2,
    polygon_centroid_mm,
    project_to_plane,
    rasterise,
    self_intersects,
    validate_outline,
)

FEW = settings(max_examples=15, deadline=None)


def turned(a: float, b: float, c: float) -> np.ndarray:
    """A rotation of space by three angles."""

    def about(axis: int, t: float) -> np.ndarray:
        m = np.eye(3)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        m[i, i] = m[j, j] = math.cos(t)
        m[i, j], m[j, i] = -math.sin(t), math.sin(t)
        return m

    return about(0, a) @ about(1, b) @ about(2, c)


ANGLES = st.tuples(*[st.floats(-3.1, 3.1)] * 3)


def oblique(angles, *, spacing=(1.5, 0.7), shape=(30, 40), seed: int = 0) -> Slice:
    m = turned(*angles)
    pixels = np.random.default_rng(seed).normal(size=shape)
    return Slice(pixels, (3.0, -8.0, 5.0), tuple(m[0]), tuple(m[1]), spacing)


def star(seed: int, n: int = 12, radius: float = 8.0, at=(15.0, 15.0)) -> np.ndarray:
    """A polygon (n, 2) as (row, column) that never meets itself: one vertex per angle about a point."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.uniform(0, 2 * np.pi, n))
    t = 2 * np.pi * np.arange(n) / n + 0.2 * t / t.max()
    r = radius * rng.uniform(0.4, 1.0, n)
    return np.stack([at[0] + r * np.sin(t), at[1] + r * np.cos(t)], axis=1)


@FEW
@given(ANGLES, st.integers(0, 2**32 - 1))
def test_pixels_go_to_the_patient_and_back_on_any_plane(angles, seed):
    picture = oblique(angles)
    rc = np.random.default_rng(seed).uniform(-5, 45, (7, 2))
    xyz = picture.to_patient(rc)
    assert picture.to_pixel(xyz) == pytest.approx(rc, abs=1e-9)
    assert picture.distance_mm(xyz) == pytest.approx(np.zeros(7), abs=1e-9)
    assert picture.distance_mm(xyz + 2.5 * picture.normal) == pytest.approx(np.full(7, 2.5))
    assert project_to_plane(xyz - 4 * picture.normal, picture) == pytest.approx(xyz)


@FEW
@given(ANGLES, st.integers(0, 2**32 - 1))
def test_voxels_go_to_the_patient_and_back_in_any_volume(angles, seed):
    m = turned(*angles)
    normal = np.cross(m[0], m[1])
    positions = np.array([1.0, 2.0, 3.0]) + np.arange(5)[:, None] * 2.5 * normal
    scan = Volume(np.zeros((5, 6, 7)), (1.0, 2.0, 3.0), tuple(m[0]), tuple(m[1]), (1.5, 0.7), 2.5, positions)  # fmt: skip
    krc = np.random.default_rng(seed).uniform(-1, 8, (6, 3))
    assert scan.to_pixel(scan.to_patient(krc)) == pytest.approx(krc, abs=1e-9)
    on_slice = scan.slice(3).to_patient([[2.0, 4.0]])
    assert scan.to_patient([[3.0, 2.0, 4.0]]) == pytest.approx(on_slice)
    assert scan.nearest_slice(scan.to_patient([[2.2, 0, 0]])[0]) == 2


@pytest.mark.parametrize("values", [(1.0, 2.0), (1.0, 2.0, math.nan), [[1.0, 2.0, 3.0]], (1.0, math.inf, 0.0)])  # fmt: skip
def test_what_is_no_point_is_refused(values):
    with pytest.raises(ValueError, match="3 finite numbers"):
        vector(values)


@FEW
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6))
def test_bilinear_values_are_scipys_of_order_one(seed, rows, columns):
    rng = np.random.default_rng(seed)
    pixels = rng.normal(size=(rows, columns))
    r, c = rng.uniform(-2, rows + 2, 20), rng.uniform(-2, columns + 2, 20)
    wanted = map_coordinates(pixels, [r, c], order=1, mode="nearest")
    assert bilinear(pixels, r, c) == pytest.approx(wanted)


@FEW
@given(st.integers(0, 2**32 - 1))
def test_a_mask_is_scikit_images_away_from_the_edges(seed):
    """Random vertices never pass through a pixel centre, so the rule for edges does not matter."""
    polygon = star(seed)
    wanted = polygon2mask((30, 30), polygon)
    assert np.array_equal(rasterise(polygon, (30, 30)), wanted)


@FEW
@given(st.integers(0, 2**32 - 1), st.integers(-4, 4), st.integers(-4, 4))
def test_a_mask_moves_with_its_polygon_and_knows_no_beginning(seed, down, right):
    polygon = np.round(star(seed) * 2) / 2  # halves and wholes: edges pass through centres
    mask = rasterise(polygon, (30, 30))
    moved = rasterise(polygon + [down, right], (30, 30))
    assert np.array_equal(np.roll(mask, (down, right), axis=(0, 1)), moved)
    assert np.array_equal(rasterise(np.roll(polygon, 3, axis=0), (30, 30)), mask)
    assert np.array_equal(rasterise(polygon[::-1], (30, 30)), mask)


@FEW
@given(st.integers(0, 2**32 - 1))
def test_polygons_that_share_an_edge_share_no_pixel_and_leave_none_out(seed):
    """Half-open edges: a tiling of a rectangle by a random cut covers every centre once."""
    cut = np.random.default_rng(seed).integers(1, 10, 2)
    left = [[0, 0], [0, cut[0]], [10, cut[1]], [10, 0]]
    right = [[0, cut[0]], [0, 10], [10, 10], [10, cut[1]]]
    both = rasterise(left, (10, 10)).astype(int) + rasterise(right, (10, 10))
    assert (both == 1).all()


@FEW
@given(st.integers(0, 2**32 - 1))
def test_a_mask_has_the_pixels_that_lie_in_the_polygon_one_by_one(seed):
    polygon = star(seed, n=7, radius=5.0, at=(6.0, 6.0))
    mask = rasterise(polygon, (13, 13))
    points = np.array(list(itertools.product(range(13), repeat=2)), dtype=float)
    assert np.array_equal(mask.ravel(), points_in_poly(points, polygon))


@FEW
@given(ANGLES, st.integers(0, 2**32 - 1))
def test_area_and_centroid_turn_with_the_polygon(angles, seed):
    flat = star(seed)
    xyz = np.column_stack([flat, np.zeros(len(flat))])
    m = turned(*angles)
    assert polygon_area_mm2(xyz @ m.T + 7.0) == pytest.approx(polygon_area_mm2(xyz))
    assert polygon_centroid_mm(xyz @ m.T + 7.0) == pytest.approx(m @ polygon_centroid_mm(xyz) + 7.0)


@FEW
@given(st.integers(0, 2**32 - 1))
def test_area_and_centroid_are_those_of_a_fine_mask(seed):
    flat = star(seed)
    fine = rasterise(flat * 10, (300, 300))
    xyz = np.column_stack([flat, np.zeros(len(flat))])
    assert polygon_area_mm2(xyz) == pytest.approx(fine.sum() / 100, rel=0.02)
    middle = np.argwhere(fine).mean(axis=0) / 10
    assert polygon_centroid_mm(xyz)[:2] == pytest.approx(middle, abs=0.1)


def test_a_polygon_without_area_has_its_vertices_mean_as_centroid():
    assert polygon_centroid_mm([[0.0, 0, 0], [2, 0, 0], [4, 0, 0]]).tolist() == [2, 0, 0]
    first, second = plane_axes(np.array([[0.0, 0, 0], [2, 0, 0], [4, 0, 0]]))
    assert first @ second == pytest.approx(0)


@FEW
@given(st.integers(0, 2**32 - 1), st.integers(0, 11), st.integers(0, 11))
def test_exchanging_two_vertices_of_a_star_is_seen_as_it_crosses(seed, i, j):
    polygon = star(seed)
    assert not self_intersects(polygon)
    polygon[[i, j]] = polygon[[j, i]]
    assert self_intersects(polygon) == crosses(polygon)


def crosses(polygon: np.ndarray) -> bool:
    """Whether two edges that share no vertex cross, by the signs of four triangles."""

    def turn(p, q, r) -> float:
        return float((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))

    n = len(polygon)
    for i, j in itertools.combinations(range(n), 2):
        if j - i in (1, n - 1):
            continue
        a, b, c, d = polygon[i], polygon[(i + 1) % n], polygon[j], polygon[(j + 1) % n]
        if turn(a, b, c) * turn(a, b, d) < 0 and turn(c, d, a) * turn(c, d, b) < 0:
            return True
    return False


@FEW
@given(ANGLES, st.integers(0, 2**32 - 1))
def test_a_good_outline_is_good_on_any_plane(angles, seed):
    picture = oblique(angles)
    assert validate_outline(picture.to_patient(star(seed)), picture) == ()
    assert "off_plane" in validate_outline(picture.to_patient(star(seed)) + 0.02 * picture.normal, picture)  # fmt: skip


@FEW
@given(st.integers(0, 2**32 - 1))
def test_cleaning_twice_is_cleaning_once_and_keeps_the_shape(seed):
    flat = star(seed)
    xyz = np.column_stack([flat, np.zeros(len(flat))])
    doubled = np.repeat(xyz, 2, axis=0) + np.tile([[0.0, 0, 0], [0.003, 0, 0]], (len(xyz), 1))
    once = clean_vertices(np.vstack([doubled, doubled[:1]]))
    assert once.tolist() == clean_vertices(once).tolist() == xyz.tolist()


@FEW
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_distances_of_outlines_are_symmetric_and_scipys(one, two):
    a, b = (np.column_stack([star(s), np.zeros(12)]) for s in (one, two))
    found = hausdorff_mm(a, b)
    assert found == hausdorff_mm(b, a)
    points = boundary(a, 0.1), boundary(b, 0.1)
    wanted = max(directed_hausdorff(*points)[0], directed_hausdorff(*points[::-1])[0])
    assert found == pytest.approx(wanted)
    assert outline_dice(a, b) == pytest.approx(outline_dice(b, a), abs=0.01)
    assert centroid_shift_mm(a, b) == pytest.approx(centroid_shift_mm(b, a))
    assert hausdorff_mm(a, a) == centroid_shift_mm(a, a) == 0


def test_a_boundary_is_sampled_at_most_the_step_apart_and_holds_the_vertices():
    square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    points = boundary(square, 0.3)
    assert len(points) == 4 * 4
    assert np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1).max() <= 0.3
    assert all((points == v).all(axis=1).any() for v in square)


@FEW
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 3]))
def test_the_largest_component_is_scikit_images(seed, dimensions):
    mask = np.random.default_rng(seed).random((7,) * dimensions) < 0.35
    labels = label(mask, connectivity=1)
    sizes = np.bincount(labels.ravel())[1:]
    found = largest_component(mask)
    assert found.sum() == (sizes.max() if sizes.size else 0)
    assert not (found & ~mask).any()
    if dimensions == 3 and mask.any():
        assert largest_cross_section(mask).n_pixels == mask.sum(axis=(1, 2)).max()


@FEW
@given(
    st.integers(0, 2**32 - 1), st.sampled_from([4, 6, 8]), st.floats(0.1, 50), st.floats(-100, 100)
)
def test_grey_levels_do_not_depend_on_units_and_rise_with_the_values(seed, bits, a, b):
    x = np.random.default_rng(seed).integers(0, 500, 60).astype(float)
    x[:2] = 0.0, 499.0
    levels = quantise(x, mean=x.mean(), sd=x.std(), bits=bits)
    y = a * x + b
    assert np.array_equal(quantise(y, mean=y.mean(), sd=y.std(), bits=bits), levels)
    assert (np.diff(levels[np.argsort(x)]) >= 0).all()
    assert levels.min() >= 0
    assert levels.max() <= 2**bits - 1


@FEW
@given(st.integers(0, 2**32 - 1), st.floats(-500, 0), st.floats(1, 500))
def test_the_window_is_monotone_whole_and_within_eight_bits(seed, low, high):
    x = np.sort(np.random.default_rng(seed).normal(0, 400, 50))
    found = window8(x, low=low, high=high)
    assert (np.diff(found) >= 0).all()
    assert np.array_equal(found, np.rint(found))
    assert (found[x <= low] == 0).all()
    assert (found[x >= high] == 255).all()
    inside = (x > low) & (x < high)
    exact = (x[inside] - low) / (high - low) * 255
    assert np.abs(found[inside] - exact).max(initial=0) <= 0.5 + 1e-9


@pytest.mark.parametrize(
    ("low", "high"), [(1.0, 1.0), (2.0, 1.0), (math.nan, 1.0), (0.0, math.inf)]
)
def test_a_window_without_width_is_refused(low, high):
    with pytest.raises(ValueError, match="high > low"):
        window8(np.zeros(3), low=low, high=high)


@FEW
@given(ANGLES, st.floats(0.4, 3.0), st.integers(0, 2**32 - 1))
def test_the_nodes_lie_at_whole_multiples_of_the_step_on_any_plane(angles, step, seed):
    picture = oblique(angles)
    polygon = picture.to_patient(star(seed))
    grid = grid_around(picture, polygon, step)
    low, high = in_plane(picture, polygon).min(axis=0), in_plane(picture, polygon).max(axis=0)
    first = np.array([grid.first_row, grid.first_column]) * step
    last = first + (np.array(grid.shape) - 1) * step
    assert (first <= low).all()
    assert (first > low - 2 * step - 1e-9).all()
    assert (last >= high).all()
    mask = region_on(picture, polygon, grid)
    assert not mask[0].any()
    assert not mask[:, -1].any()
    assert mask.sum() * step**2 == pytest.approx(polygon_area_mm2(polygon), rel=0.5, abs=6 * step**2)  # fmt: skip


@FEW
@given(ANGLES, st.floats(0.5, 2.0), st.integers(0, 2**32 - 1))
def test_the_grid_samples_the_slice_at_its_nodes_on_any_plane(angles, step, seed):
    picture = oblique(angles)
    grid = grid_around(picture, picture.to_patient(star(seed)), step)
    r, c = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    u, v = (grid.first_row + r) * step, (grid.first_column + c) * step
    out = np.asarray(picture.position_mm) @ picture.normal * picture.normal
    xyz = u[..., None] * picture.column_direction + v[..., None] * picture.row_direction + out
    rc = picture.to_pixel(xyz.reshape(-1, 3))
    wanted = map_coordinates(picture.pixels, rc.T, order=1, mode="nearest").reshape(grid.shape)
    assert sample(picture, grid) == pytest.approx(wanted, abs=1e-9)


@FEW
@given(st.integers(0, 2**32 - 1), st.integers(-9, 9), st.integers(-9, 9))
def test_moving_patient_and_outline_by_whole_steps_changes_nothing(seed, dx, dy):
    picture = oblique((0.0, 0.0, 0.0))
    polygon = picture.to_patient(star(seed))
    by = np.array([dx, dy, 0.0])
    moved = Slice(picture.pixels, tuple(np.asarray(picture.position_mm) + by), picture.row_direction, picture.column_direction, picture.spacing_mm)  # fmt: skip
    one = prepare(picture, polygon, values="native", low=0, high=1)
    two = prepare(moved, polygon + by, values="native", low=0, high=1)
    assert one.n_pixels == two.n_pixels
    assert two.image[two.mask] == pytest.approx(one.image[one.mask], abs=1e-9)


def test_the_content_digest_knows_shape_type_and_bytes_of_the_box_only():
    rng = np.random.default_rng(1)
    values, mask = rng.normal(size=(6, 7)), np.zeros((6, 7), dtype=bool)
    mask[2:4, 3:5] = True
    first = content_digest(values, mask)
    outside = values.copy()
    outside[0, 0] += 1
    assert content_digest(outside, mask) == first
    assert content_digest(np.pad(values, 3), np.pad(mask, 3)) == first
    inside = values.copy()
    inside[2, 3] = np.nextafter(inside[2, 3], np.inf)
    assert content_digest(inside, mask) != first
    assert content_digest(values.astype(np.float32).astype(np.float64), mask) != first


@pytest.mark.parametrize(("spacing", "many"), [((0.3, 0.9), 1), ((0.5, 0.5), 0), ((2.0, 2.0), 0)])
def test_a_native_spacing_finer_than_half_the_grid_is_a_warning(spacing, many):
    picture = oblique((0.0, 0.0, 0.0), spacing=spacing, shape=(60, 60))
    polygon = picture.to_patient(star(3, radius=12.0, at=(30.0, 30.0)))
    assert len(prepare(picture, polygon, low=-1, high=1).warnings) == many


@pytest.mark.parametrize("polygon", [np.zeros((2, 3)), np.zeros((5, 2)), np.full((4, 3), np.nan)])
def test_what_is_no_polygon_is_refused_before_preparation(polygon):
    with pytest.raises(ValueError, match="at least 3 finite points"):
        prepare(oblique((0.0, 0.0, 0.0)), polygon, low=0, high=1)
