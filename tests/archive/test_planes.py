"""Planes through slices that are uneven, tilted, turned or few: the values of a known field at known places."""

import numpy as np
import pytest

from portal.archive.planes import PLANES, Stacked, sheet


def field(points: np.ndarray) -> np.ndarray:
    """Linear, so that interpolation between slices is exact."""
    return 100 + 2 * points[..., 0] - 3 * points[..., 1] + 5 * points[..., 2]


def stack(heights, *, shear: float = 0.0, r=(1.0, 0, 0), c=(0, 1.0, 0), shape=(20, 24)) -> Stacked:
    """Slices of the field at these distances along their normal; with a shear each is moved along its columns."""
    r, c = np.asarray(r, dtype=float), np.asarray(c, dtype=float)
    n = np.cross(r, c)
    positions = [np.array([-20.0, -15.0, 3.0]) + h * n + shear * h * c for h in heights]
    spacing = [1.5, 1.25]
    rows, columns = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")

    def frame(k: int) -> np.ndarray:
        return field(positions[k] + rows[..., None] * spacing[0] * c + columns[..., None] * spacing[1] * r)  # fmt: skip

    geometry = {
        "positions_mm": [p.tolist() for p in positions], "row_direction": r.tolist(), "column_direction": c.tolist(),
        "spacing_mm": spacing, "slice_spacing_mm": float(np.median(np.diff(heights))) if len(heights) > 1 else 2.0,
    }  # fmt: skip
    return Stacked(geometry, shape, frame)


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize(
    "one",
    [
        stack(np.arange(12) * 2.0),
        stack(np.cumsum([0, 2.0, 2.1, 1.9, 2.05, 2.0, 1.95])),
        stack(np.arange(12) * 2.0, r=(0, 1.0, 0), c=(0, 0, -1.0)),
        stack(np.arange(12) * 2.0, r=(1.0, 0, 0), c=(0, 0.8, 0.6)),
    ],
    ids=["even", "uneven", "sagittal", "turned"],
)
def test_a_plane_shows_the_value_at_each_place(one, plane):
    shown = sheet(plane, one.corners().mean(axis=0), one.corners(), 64)
    found = shown.of(one)
    is_inside = np.isfinite(found)
    assert is_inside.mean() > 0.4
    reach = (
        2 * 1.5 + 3 * 1.5 + 5 * 2
    )  # at the edges, up to half a pixel and half a slice, the last value is kept
    assert np.abs(found - field(shown.points))[is_inside].max() <= reach
    inner = np.abs(shown.points - one.corners().mean(axis=0)).max(axis=-1) < 6
    assert found[inner] == pytest.approx(field(shown.points)[inner], abs=1e-6)


def test_tilted_slices_are_read_each_at_its_own_place():
    """A gantry tilt: the field at a point between two slices is between what each has there, not one beside it."""
    one = stack(np.arange(10) * 2.0, shear=0.3)
    points = np.array([[-10.0, 0.0, 8.0], [-8.5, 1.0, 13.3]])
    assert one.at(points) == pytest.approx(field(points), abs=1e-9)


def test_a_gap_shows_nothing_beyond_half_a_slice():
    one = stack(np.array([0, 2, 4, 10, 12, 14.0]))
    heights = np.array([4.0, 4.9, 5.1, 7.0, 8.9, 9.1, 10.0]) + 3.0
    found = one.at(np.array([[-10.0, 0.0, z] for z in heights]))
    assert np.isnan(found).tolist() == [False, False, True, True, True, False, False]
    assert found[[1, 5]] == pytest.approx(field(np.array([[-10.0, 0, 7.0], [-10.0, 0, 13.0]])))


def test_beyond_the_ends_and_beside_the_image_there_is_nothing():
    one = stack(np.arange(4) * 2.0)
    points = np.array([[-10, 0, 3 - 0.9], [-10, 0, 3 - 1.1], [-10, 0, 9.9], [-10, 0, 10.1], [-20.7, 0, 5], [9.5, 0, 5], [-10, -15.8, 5]])  # fmt: skip
    assert np.isnan(one.at(points)).tolist() == [False, True, False, True, True, True, True]


def test_one_slice_is_as_thick_as_its_spacing():
    one = stack(np.array([0.0]))
    assert np.isnan(one.at(np.array([[-10, 0, 3.9], [-10, 0, 4.1]]))).tolist() == [False, True]


def test_a_cross_lies_on_the_pixel_of_its_point():
    one = stack(np.arange(12) * 2.0)
    point = (-3.0, 2.0, 11.0)
    for plane in PLANES:
        shown = sheet(plane, point, one.corners(), 200)
        row, column = shown.pixel_of(point)
        assert np.abs(shown.points[row, column] - point).max() <= shown.pixel_mm / 2 + 1e-9


def test_only_the_slices_of_the_plane_are_read():
    asked: list[int] = []
    one = stack(np.arange(50) * 2.0)
    watched = Stacked(one.geometry, one.shape, lambda k: asked.append(k) or one.frame(k))
    sheet("axial", (0, 0, 23.5), one.corners(), 64).of(watched)
    assert sorted(set(asked)) == [10, 11]
