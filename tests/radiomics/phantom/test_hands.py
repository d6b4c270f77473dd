"""Simulated people and lesion outlines: the formulas of the description, measured on simple objects."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from radiomics.phantom.anatomy import Anatomy, Curve, Vertebra
from radiomics.phantom.draws import FloatArray
from radiomics.phantom.lesion import SHAPES, Draw, Field
from radiomics.phantom.outlines import (
    BIAS,
    area_centroid,
    dice,
    displaced,
    drawn_outline,
    evenly,
    normals,
    polar_radius,
    wobble,
)
from radiomics.phantom.people import (
    case_difficulty,
    expert_answers,
    flat_lesions,
    on_plane,
    one_read,
    shared_difficulty,
    standardised,
)
from radiomics.phantom.plan import make_plan
from radiomics.phantom.roi import true_region
from radiomics.phantom.shapes import X, Y, Z, single
from radiomics.phantom.vertebra import Body, body_of
from radiomics.region import self_intersects

PLAN = make_plan(seed=2022)
VERT = Vertebra(10, 0.0, 46.0, 33.0, 27.0, 9.0, 0.0, 0.0)
STRAIGHT = Anatomy((VERT,), Curve(0.0, 0.0, 0.0), 150.0, False, 10, "M", 60)
BOX = STRAIGHT.box(VERT, 40, 40)
SQUARE = np.array([[0.0, 0], [4, 0], [4, 2], [0, 2]])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def polygon(radius: float, n: int = 72) -> FloatArray:
    theta = np.arange(n) / n * 2 * np.pi
    return np.column_stack([radius * np.cos(theta), radius * np.sin(theta), np.zeros(n)])


# experts


def test_two_readers_are_both_wrong_as_often_as_their_kappa_needs() -> None:
    """P(both wrong) = .155 - (1 - .814)/4 = .1085 at thresholds of accuracy .845."""
    limit = norm.ppf(0.155)
    rho = shared_difficulty()
    both = multivariate_normal(cov=[[1, rho], [rho, 1]]).cdf([limit, limit])
    assert both == pytest.approx(0.155 - 0.186 / 4, abs=1e-4)


@pytest.mark.parametrize(
    ("z", "call"), [(2.0, "metastasis"), (1e-6, "metastasis"), (-1e-6, "benign"), (-2.0, "benign")]
)
def test_the_call_is_the_sign_of_the_evidence(z: float, call: str) -> None:
    assert one_read(rng(), z, 0, reopen=False, changes=False).call == call


@pytest.mark.parametrize(("z", "confidence"), [(0.0, 1), (0.35, 2), (0.62, 3), (0.95, 4), (3.0, 5)])
def test_confidence_grows_with_the_evidence_on_both_sides(z: float, confidence: int) -> None:
    """1 + floor(s/20), s = 100 (2 Phi(1.1|z|) - 1) plus noise of SD 5: the most frequent answer."""
    for sign in (1, -1):
        found = [one_read(rng(k), sign * z, 0, reopen=False, changes=False).confidence for k in range(60)]  # fmt: skip
        assert np.bincount(found).argmax() == confidence


@pytest.mark.parametrize(
    ("z", "position", "median"),
    [(2.0, 0, 38.0), (0.0, 0, 38 * math.exp(0.45)), (2.0, 200, 38 * math.exp(-0.3))],
)
def test_reads_take_longer_in_doubt_and_less_with_practice(
    z: float, position: int, median: float
) -> None:
    found = [one_read(rng(k), z, position, reopen=False, changes=False).seconds for k in range(400)]
    assert np.median(found) == pytest.approx(median, rel=0.06)


def test_a_changed_call_is_the_other_one() -> None:
    read = one_read(rng(), 1.0, 0, reopen=True, changes=True)
    assert (read.call, read.changed_call) == ("metastasis", "benign")


def test_case_difficulty_is_standardised_in_each_class_and_falls_on_atypical_ones() -> None:
    lesions = flat_lesions(PLAN)
    c = case_difficulty(PLAN, lesions)
    classes = np.array([le.image_class for le in lesions])
    odd = np.array([le.is_atypical for le in lesions])
    for name, sign in (("metastasis", 1), ("benign", -1)):
        own = classes == name
        assert c[own].mean() == pytest.approx(0, abs=1e-9)
        assert c[own].std() == pytest.approx(1, abs=1e-9)
        # an atypical lesion looks like the other class
        assert sign * (c[own & odd].mean() - c[own & ~odd].mean()) < 0


@pytest.mark.parametrize("n", [0, 1, 5])
def test_what_does_not_vary_is_standardised_to_nought(n: int) -> None:
    assert standardised(np.full(n, 3.0)).tolist() == [0.0] * n


def test_both_experts_read_all_lesions_in_an_order_of_their_own() -> None:
    one, two = (list(expert_answers(PLAN, k)) for k in (0, 1))
    assert one != two
    assert sorted(one) == sorted(two) == sorted((le.patient, le.slot) for le in flat_lesions(PLAN))


# outlines


def test_the_centroid_of_a_rectangle_whatever_its_direction_and_place() -> None:
    for xy in (SQUARE, SQUARE[::-1], np.roll(SQUARE, 1, axis=0)):
        assert area_centroid(xy) == pytest.approx([2.0, 1.0])
        assert area_centroid(xy + [10, -7]) == pytest.approx([12.0, -6.0])


def test_an_outline_without_area_has_its_mean_vertex_as_centroid() -> None:
    assert area_centroid(np.array([[0.0, 0], [2, 0], [4, 0]])) == pytest.approx([2.0, 0.0])


@pytest.mark.parametrize(
    ("shift", "overlap"), [(0.0, 1.0), (1.0, 0.75), (2.0, 0.5), (4.0, 0.0), (9.0, 0.0)]
)
def test_dice_of_shifted_rectangles(shift: float, overlap: float) -> None:
    """4 wide, moved by s: 2 (4 - s) 2 / 16."""
    found = dice(SQUARE, SQUARE + [shift, 0], step=0.05)
    assert found == pytest.approx(overlap, abs=0.03)


@settings(max_examples=25, deadline=None)
@given(st.floats(3, 15), st.integers(8, 60))
def test_even_points_keep_the_outline_s_length_and_start(radius: float, n: int) -> None:
    outline = polygon(radius, 200)[:, :2]
    found = evenly(outline, n)
    assert found.shape == (n, 2)
    np.testing.assert_allclose(found[0], outline[0])
    np.testing.assert_allclose(np.hypot(*found.T), radius, rtol=0.001)


def test_normals_of_a_square_with_even_points_have_unit_length() -> None:
    np.testing.assert_allclose(np.hypot(*normals(evenly(SQUARE, 36)).T), 1)


def test_the_polar_radius_of_a_circle_is_its_radius() -> None:
    theta = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    found = polar_radius(polygon(9.0)[:, :2] + [5, 5], np.array([5.0, 5.0]), theta)
    np.testing.assert_allclose(found, 9.0)


def test_a_wobble_has_the_variance_of_its_harmonics() -> None:
    """a, b ~ N(0, s^2/h): s^2 (1 + 1/2 + 1/3 + 1/4 + 1/5) in every direction."""
    theta = np.array([0.3, 2.0])
    found = np.array([wobble(theta, rng(k), 0.035) for k in range(3000)])
    expected = 0.035**2 * (1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5)
    np.testing.assert_allclose(found.var(axis=0), expected, rtol=0.1)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=4 * math.sqrt(expected / 3000))


@pytest.mark.parametrize("reader", [0, 1])
def test_each_delineator_has_a_bias_in_size(reader: int) -> None:
    sizes = []
    for k in range(150):
        drawn = drawn_outline(polygon(9.0), reader, rng(k), rng(5000 + k))
        sizes.append(np.hypot(*(drawn - drawn.mean(axis=0)).T).mean() / 9.0)
    assert np.mean(sizes) == pytest.approx(BIAS[reader], abs=0.012)


def test_no_drawn_radius_is_below_two_millimetres() -> None:
    for k in range(20):
        drawn = drawn_outline(polygon(1.0), 1, rng(k), rng(100 + k))
        assert np.hypot(*(drawn - area_centroid(drawn)).T).min() > 1.5


def test_a_moved_outline_does_not_cross_itself() -> None:
    thin = evenly(np.array([[0.0, 0], [30, 0], [30, 3], [0, 3]]), 36)
    for k in range(10):
        moved = displaced(thin, rng(k).normal(0, 4, 36))
        assert not self_intersects(moved)
        assert moved.shape == (36, 2)


def test_an_outline_that_is_not_moved_stays() -> None:
    points = evenly(SQUARE * 5, 36)
    np.testing.assert_array_equal(displaced(points, np.zeros(36)), points)


def test_a_drawing_lies_on_one_slice_of_its_series() -> None:
    found = on_plane(SQUARE, 3.0, (0.0, 0.0, -10.0), (1.0, 1.0, 2.5), 9)
    assert found.shape == (4, 3)
    assert set(found[:, 2]) == {2.5}
    np.testing.assert_array_equal(found[:, :2], SQUARE)


# lesion geometry and the true region


def body() -> Body:
    return body_of(BOX, VERT, 0.0)


def draw(**changes: object) -> Draw:
    given_ = {"size": 1.0, "side": 1, "upper": True, "place": (0.5, 0.5, 0.5), "scale": 1.0}
    return Draw(**{**given_, **changes})  # type: ignore[arg-type]


def inside(shape: str, **changes: object) -> np.ndarray:
    distance = SHAPES[shape](BOX, VERT, body(), draw(**changes))
    return np.broadcast_to(distance, BOX.shape) < 0


def centre(mask: np.ndarray) -> tuple[float, float, float]:
    weights = mask / mask.sum()
    return tuple(float((np.broadcast_to(c, BOX.shape) * weights).sum()) for c in (BOX.u, BOX.v, BOX.w))  # type: ignore[return-value]  # fmt: skip


def volume_mm3(mask: np.ndarray) -> float:
    return float(mask.sum()) * 0.9766**2 * 2.5


@pytest.mark.parametrize("side", [1, -1])
def test_a_nodule_has_its_place_and_size(side: int) -> None:
    """R 11.5, axes 1.05 : 1 : .85, in the middle of its ranges: u = .20 W, v = -.09 D, w = 0."""
    mask = inside("focal", side=side)
    assert centre(mask) == pytest.approx((side * 0.20 * 46, -0.09 * 33, 0.0), abs=0.6)
    assert volume_mm3(mask) == pytest.approx(4 / 3 * np.pi * 11.5**3 * 1.05 * 0.85, rel=0.04)


@pytest.mark.parametrize(("place", "u"), [((0.0, 0.5, 0.5), 0.12), ((1.0, 0.5, 0.5), 0.28)])
def test_a_nodule_lies_between_12_and_28_per_cent_of_the_width(
    place: tuple[float, float, float], u: float
) -> None:
    assert centre(inside("focal", place=place))[0] == pytest.approx(u * 46, abs=0.5)


def test_a_nodule_with_pedicle_reaches_into_it() -> None:
    mask = inside("focal_pedicle")
    joined = (np.abs(BOX.u - 0.36 * 46) < 2) & (np.abs(BOX.v - 19.5) < 2) & (np.abs(BOX.w - 4) < 2)
    assert mask[np.broadcast_to(joined, BOX.shape)].all()
    assert not inside("focal")[np.broadcast_to(joined, BOX.shape)].all()


@pytest.mark.parametrize(("upper", "sign"), [(True, 1), (False, -1)])
def test_an_end_plate_band_lies_at_its_plate(upper: bool, sign: int) -> None:
    mask = inside("end_plate", upper=upper) & (np.broadcast_to(body().wall, BOX.shape) < 0)
    band = mask & (np.broadcast_to(np.abs(BOX.w), BOX.shape) < 13.5)
    assert sign * centre(band)[2] > 7


@pytest.mark.parametrize(("size", "thick"), [(0.6, 4.0), (1.0, 6.0), (1.6, 9.0)])
def test_an_end_plate_band_is_four_to_nine_millimetres_thick(size: float, thick: float) -> None:
    """On the axis of the body the plate lies 1.6 mm below the rim."""
    distance = SHAPES["end_plate"](BOX, VERT, body(), draw(size=size, place=(0.0, 0.5, 0.5)))
    column = np.broadcast_to(distance, BOX.shape)[:, np.argmin(np.abs(BOX.v[0, :, 0])), np.argmin(np.abs(BOX.u[0, 0]))]  # fmt: skip
    depth = np.interp(0.0, -column, 13.5 - 1.6 - Z[BOX.where[0]])  # where it ends
    assert depth == pytest.approx(thick, abs=0.3)


@pytest.mark.parametrize(("first", "sign"), [(0.0, -1), (0.69, -1), (0.71, 1), (0.99, 1)])
def test_the_lower_facet_joint_is_taken_in_seven_of_ten(first: float, sign: int) -> None:
    assert sign * centre(inside("facet", place=(first, 0.5, 0.5)))[2] > 5


def test_a_disc_infection_lies_on_both_sides_of_the_disc_above() -> None:
    mask = inside("disc")
    assert centre(mask)[2] == pytest.approx((27 + 9) / 2, abs=1.0)
    heights = np.broadcast_to(BOX.w, BOX.shape)[mask]
    assert 26 - 2 * 2.5 < np.ptp(heights) <= 26  # 9 mm of disc and 8.5 mm on each side, in slices


def test_enlarging_a_lesion_by_fifteen_per_cent_enlarges_its_volume_by_half() -> None:
    plain, larger = (volume_mm3(inside("focal", scale=s)) for s in (1.0, 1.15))
    assert larger / plain == pytest.approx(1.15**3, rel=0.05)


def ball(radius: float, z_mm: float = 1.25) -> Field:
    d = np.sqrt(BOX.u**2 + BOX.v**2 + (BOX.w - z_mm) ** 2) - radius
    share = single(np.clip(0.5 - d / 2, 0, 1))
    return Field(BOX, share, np.zeros_like(share), single(d))


@pytest.mark.parametrize("radius", [7.0, 10.0, 14.0])
def test_the_true_region_of_a_ball_is_its_great_circle(radius: float) -> None:
    found = true_region(ball(radius))
    assert found is not None
    assert found.longest_diameter_mm == pytest.approx(2 * radius, abs=1.2)
    assert found.centroid_mm == pytest.approx([0.0, 0.0, 1.25], abs=0.3)
    assert set(found.outline_mm[:, 2]) == {1.25}


def test_the_true_region_is_the_largest_part_of_its_slice() -> None:
    one = ball(9.0)
    far = np.sqrt((BOX.u - 25) ** 2 + BOX.v**2 + (BOX.w - 1.25) ** 2) - 4
    both = np.maximum(one.mask, single(np.clip(0.5 - far / 2, 0, 1)))
    found = true_region(Field(BOX, both, one.growth, one.distance))
    assert found is not None
    assert found.centroid_mm[0] == pytest.approx(0, abs=0.3)


def test_nothing_drawn_has_no_region() -> None:
    empty = np.zeros(BOX.shape, dtype=np.float32)
    assert true_region(Field(BOX, empty, empty, empty)) is None


def test_a_lesion_beyond_the_ct_has_no_region() -> None:
    """The canvas has 8 slices more on each side than the scan."""
    high = Anatomy((Vertebra(10, 60.0, 46, 33, 27, 9, 0.0, 0.0),), STRAIGHT.curve, 150.0, False, 10, "M", 60)  # fmt: skip
    box = high.box(high.vertebrae[0], 6, 6)
    mask = np.ones(box.shape, dtype=np.float32)
    assert Z[box.where[0]].min() > 48.75
    assert true_region(Field(box, mask, 0 * mask, mask)) is None


def test_boxes_stay_inside_the_grid() -> None:
    for axis, where in zip((Z, Y, X), BOX.where, strict=True):
        assert 0 <= where.start < where.stop <= axis.size
