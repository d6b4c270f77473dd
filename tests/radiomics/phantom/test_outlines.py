import numpy as np
import pytest

from radiomics.phantom.draws import FloatArray
from radiomics.phantom.outlines import area_centroid, dice, drawn_outline, evenly, normals


def circle(radius: float, n: int = 80) -> FloatArray:
    theta = np.arange(n) / n * 2 * np.pi
    return np.column_stack([radius * np.cos(theta), radius * np.sin(theta), np.zeros(n)])


def crescent() -> FloatArray:
    theta = np.linspace(0, np.pi, 40)
    outer = np.column_stack([16 * np.cos(theta), 16 * np.sin(theta)])
    inner = np.column_stack([10 * np.cos(theta[::-1]), 10 * np.sin(theta[::-1])])
    xy = np.vstack([outer, inner])
    return np.column_stack([xy, np.zeros(len(xy))])


def test_dice_of_a_shape_with_itself_is_one_and_apart_zero() -> None:
    a = circle(10)[:, :2]
    assert dice(a, a) == 1
    assert dice(a, a + 50) == 0


def test_centroid_of_a_moved_circle_is_its_centre() -> None:
    assert area_centroid(circle(8)[:, :2] + [3, -4]) == pytest.approx([3, -4])


def test_normals_point_outwards_whatever_the_direction_of_the_outline() -> None:
    points = circle(10, 36)[:, :2]
    for way in (points, points[::-1]):
        assert np.all((normals(way) * way).sum(axis=1) > 0.9 * 10)


def test_even_points_are_equally_far_apart() -> None:
    points = evenly(circle(10)[:, :2], 36)
    gaps = np.hypot(*(np.roll(points, -1, axis=0) - points).T)
    assert np.ptp(gaps) < 0.05


@pytest.mark.parametrize("shape", [circle(9.0), crescent()])
def test_drawings_overlap_the_truth_as_human_ones_do(shape: FloatArray) -> None:
    overlap = []
    for k in range(20):
        habit, now = np.random.default_rng([1, k]), np.random.default_rng([2, k])
        drawn = drawn_outline(shape, k % 2, habit, now)
        assert drawn.shape == (36, 2)
        overlap.append(dice(drawn, shape[:, :2]))
    assert 0.75 < np.mean(overlap) < 0.97


def test_the_first_delineator_draws_larger_than_the_second() -> None:
    sizes: list[list[float]] = [[], []]
    for k in range(40):
        for reader in (0, 1):
            drawn = drawn_outline(
                circle(9.0),
                reader,
                np.random.default_rng([3, k, reader]),
                np.random.default_rng([4, k, reader]),
            )
            sizes[reader].append(np.hypot(*drawn.T).mean())
    assert np.mean(sizes[0]) > np.mean(sizes[1])
