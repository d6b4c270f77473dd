"""Signed distances, occupancy and noise by hand, and the level table of the cohort's description."""

import numpy as np
import pytest

from radiomics.phantom.levels import CENTRE_WEIGHTS, CENTRES, LEVELS, is_thoracic, size_of
from radiomics.phantom.pictures import CT_ORIGIN, CT_SPACING, SPECT_SPACING, plane_of
from radiomics.phantom.shapes import (
    Box,
    X,
    Y,
    Z,
    blend,
    ellipse,
    ellipsoid,
    fade,
    occ,
    single,
    smooth_noise,
    span,
)

HERE = (slice(0, 1), slice(0, 1), slice(0, 1))


@pytest.mark.parametrize(
    ("d", "h", "share"),
    [
        (0.0, 1.0, 0.5),
        (-0.5, 1.0, 1.0),
        (0.5, 1.0, 0.0),
        (0.25, 1.0, 0.25),
        (-0.25, 2.5, 0.6),
        (1.0, 2.5, 0.1),
        (-40.0, 1.0, 1.0),
        (40.0, 1.0, 0.0),
    ],
)
def test_occupancy_falls_from_one_to_nought_over_the_edge_width(
    d: float, h: float, share: float
) -> None:
    assert occ(single([d]), h)[0] == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize(
    ("depth", "value"), [(-5.0, 1.0), (1.0, 1.0), (1.45, 0.5), (1.9, 0.0), (9.0, 0.0)]
)
def test_a_cortex_is_full_over_its_thickness_and_then_fades(depth: float, value: float) -> None:
    assert fade(single([depth]), 1.0, 0.9)[0] == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("x", "y", "distance"),
    [(3.0, 4.0, 0.0), (3.0, 6.0, 2.0), (3.0, 2.0, -2.0), (8.0, 2.0, 0.0), (-2.0, 2.0, 0.0)],
)
def test_the_distance_to_an_ellipse(x: float, y: float, distance: float) -> None:
    """Centre (3, 2), half-axes 5 and 2: exact on the outline and along the shorter axis."""
    assert ellipse(single([x]), single([y]), 3, 2, 5, 2)[0] == pytest.approx(distance, abs=1e-5)


@pytest.mark.parametrize(
    ("u", "v", "w", "distance"),
    [(4, 0, 0, 0), (0, 3, 0, 0), (0, 0, 2, 0), (0, 0, 0, -2), (0, 0, 5, 3)],
)
def test_the_distance_to_an_ellipsoid(u: float, v: float, w: float, distance: float) -> None:
    box = Box(HERE, *(single([[[c]]]) for c in (u, v, w)))
    assert ellipsoid(box, (0, 0, 0), (4, 3, 2)).item() == pytest.approx(distance, abs=1e-5)


@pytest.mark.parametrize(("share", "after"), [(0.0, 100.0), (0.25, 125.0), (1.0, 200.0)])
def test_blending_replaces_a_share(share: float, after: float) -> None:
    target = single([100.0])
    blend(target, single([share]), 200.0)
    assert target[0] == after


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [(1.5, 3.5, [2, 3]), (2.0, 4.0, [2, 3]), (-9, 0.5, [0]), (9, 12, []), (3, 1, [])],
)
def test_a_span_takes_the_nodes_from_low_up_to_high(
    low: float, high: float, found: list[int]
) -> None:
    assert list(range(6))[span(single(range(6)), low, high)] == found


@pytest.mark.parametrize("sigma", [(0.0, 0.0, 0.0), (1.2, 0.8, 0.8), (1.8, 4.2, 4.2)])
def test_noise_has_mean_nought_and_unit_spread(sigma: tuple[float, float, float]) -> None:
    noise = smooth_noise(np.random.default_rng(1), (16, 40, 40), sigma)
    assert noise.mean() == pytest.approx(0.0, abs=1e-4)
    assert noise.std() == pytest.approx(1.0, abs=1e-4)


def test_smoothed_noise_is_correlated_as_far_as_its_sigma_says() -> None:
    """White noise smoothed by a Gaussian has the correlation exp(-d^2 / 4 sigma^2) at distance d."""
    noise = smooth_noise(np.random.default_rng(2), (400, 400), (3.0, 3.0)).astype(np.float64)
    for d in (1, 3, 5):
        found = (noise[:, d:] * noise[:, :-d]).mean()
        assert found == pytest.approx(np.exp(-(d**2) / 36), abs=0.03)


def test_the_grid_is_the_one_of_the_description() -> None:
    """256 pixels of .9766 mm around x = 0, y from -142 mm; 40 slices of 2.5 mm and 8 more each way."""
    assert pytest.approx(0.9766, abs=1e-4) == X[1] - X[0]
    assert X[127] + X[128] == pytest.approx(0, abs=1e-4)
    assert Y[0] == -142
    assert (Z[0], Z[-1]) == (-68.75, 68.75)
    assert Z[8] == CT_ORIGIN[2] == -19.5 * 2.5
    assert Z[47] == -CT_ORIGIN[2]


@pytest.mark.parametrize(
    ("level", "width", "depth", "height", "disc"),
    [
        ("T5", 28, 24, 18.5, 4), ("T6", 29, 26, 19, 4), ("T7", 30, 28, 19.5, 4), ("T8", 31, 29, 20, 4.2),
        ("T9", 32, 30, 21, 4.5), ("T10", 34, 31, 22, 4.8), ("T11", 37, 31, 23, 5.2), ("T12", 40, 31, 24, 6),
        ("L1", 42, 31, 25.5, 7), ("L2", 44, 32, 26.5, 8), ("L3", 46, 33, 27, 9), ("L4", 48, 34, 27, 10),
        ("L5", 50, 34, 27, 9),
    ],
)  # fmt: skip
def test_the_level_table(
    level: str, width: float, depth: float, height: float, disc: float
) -> None:
    size = size_of(level)
    assert (size.width, size.depth, size.height, size.disc) == (width, depth, height, disc)
    assert is_thoracic(level) == (level in ("T5", "T6", "T7", "T8", "T9", "T10", "T11"))


def test_centre_levels_have_the_weights_of_the_description() -> None:
    wanted = {"T6": 0.6, "T7": 0.7, "T8": 0.9, "T9": 0.9, "T10": 1, "T11": 1.1, "T12": 1.6, "L1": 1.8, "L2": 1.6, "L3": 1.5, "L4": 1.5}  # fmt: skip
    assert dict(zip(CENTRES, CENTRE_WEIGHTS, strict=True)) == wanted
    # a second lesion lies one level up or down: the ends are never a centre
    assert set(LEVELS) - set(CENTRES) == {"T5", "L5"}


@pytest.mark.parametrize(
    ("z", "plane"),
    [(1.2, 1.25), (-0.1, -1.25), (2.6, 3.75), (-999, -48.75), (999, 48.75)],
)
def test_an_outline_is_drawn_on_the_nearest_slice_of_the_scan(z: float, plane: float) -> None:
    assert plane_of(z, CT_ORIGIN, CT_SPACING, 40) == pytest.approx(plane)


def test_spect_frames_lie_4_42_mm_apart() -> None:
    origin = (0.0, 0.0, -15.5 * 4.42)
    planes = {plane_of(z, origin, SPECT_SPACING, 32) for z in np.linspace(-80, 80, 999)}
    assert len(planes) == 32
    assert np.allclose(np.diff(sorted(planes)), 4.42)
