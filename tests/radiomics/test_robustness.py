"""The 44 perturbations one by one, and the ICC over them, by hand and against the agreement module."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from radiomics.features import NAMES, extract
from radiomics.features.preparation import grid_around, prepare, region_on, sample, turn_about
from radiomics.image import Slice
from radiomics.region import hausdorff_mm, polygon_area_mm2, polygon_centroid_mm
from radiomics.robustness import (
    AREA_CHANGES,
    KINDS,
    N_VARIANTS,
    Summary,
    displaced,
    measure,
    noise_sd,
    one_way,
    stability,
    summaries,
    variants,
    with_area,
)
from radiomics.stats.agreement import icc

FEW = settings(max_examples=20, deadline=None)
SQUARE = np.array([[0.0, 0, 5], [10, 0, 5], [10, 10, 5], [0, 10, 5]])


def image(pixels=None, spacing=(1.3, 0.9), size=60) -> Slice:
    if pixels is None:
        pixels = 100 + 40 * gaussian_filter(np.random.default_rng(1).normal(size=(size, size)), 1)
    corner = (-0.5 * spacing[1] * size, -0.5 * spacing[0] * size, 5.0)
    return Slice(pixels, corner, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), spacing)


def ring(radius: float, n: int = 36, centre=(1.0, 2.0)) -> np.ndarray:
    t = 2 * np.pi * np.arange(n) / n
    return np.stack([centre[0] + radius * np.cos(t), centre[1] + radius * np.sin(t), np.full(n, 5.0)], axis=1)  # fmt: skip


def of_kind(kind: str, picture=None, polygon=None, seed: int = 0):
    rng = np.random.default_rng(seed)
    every = variants(picture or image(), ring(9.0) if polygon is None else polygon, grid_mm=1.0, rng=rng)  # fmt: skip
    return [v for v in every if v.kind == kind]


def prepared(variant, **more):
    options = {"low": 0, "high": 255, "values": "native", "turn_degrees": variant.turn_degrees}
    return prepare(variant.image, variant.polygon_mm, **{**options, **more})


def test_there_are_44_perturbations_of_five_kinds():
    assert dict(KINDS) == {"shift": 16, "rotation": 4, "area": 4, "contour": 10, "noise": 10}
    assert N_VARIANTS == 44
    found = list(variants(image(), ring(9.0), grid_mm=1.0, rng=np.random.default_rng(0)))
    assert len(found) == 44
    for kind, many in KINDS.items():
        assert [v.number for v in found if v.kind == kind] == list(range(many))


def test_the_first_shift_is_the_roi_as_it_is():
    first = prepared(of_kind("shift")[0])
    plain = prepare(image(), ring(9.0), values="native", low=0, high=255)
    assert first.digest_sha256 == plain.digest_sha256


def test_a_shift_moves_the_nodes_by_its_quarters_over_the_image():
    """A ramp of 1 per mm along the rows tells where each node lies."""
    ramp = image()
    rows = ramp.to_patient([[r, 0] for r in range(60)])[:, 1]
    ramp = image(np.repeat(rows[:, None], 60, axis=1))
    for variant in of_kind("shift", ramp):
        found = prepared(variant)
        fractions = np.unique((found.image[found.mask] % 1).round(9) % 1)
        assert fractions.tolist() == pytest.approx([(variant.number // 4) / 4])


def test_a_shift_by_a_whole_step_would_be_no_shift():
    moved = ring(9.0) + [3.0, -2.0, 0.0]
    one = prepare(image(), ring(9.0), values="native", low=0, high=255)
    picture = image()
    corner = tuple(np.asarray(picture.position_mm) + [3.0, -2.0, 0.0])
    other = Slice(picture.pixels, corner, picture.row_direction, picture.column_direction, picture.spacing_mm)  # fmt: skip
    two = prepare(other, moved, values="native", low=0, high=255)
    assert np.array_equal(one.mask, two.mask)
    assert two.image[two.mask] == pytest.approx(one.image[one.mask])


def test_a_turned_grid_keeps_the_centroid_and_the_distances():
    turn = turn_about(image(), ring(9.0), 10.0)
    assert turn.centre_mm == pytest.approx((2.0, 1.0))
    points = np.random.default_rng(3).normal(size=(9, 2)) * 10
    there = turn.to_grid(points)
    assert turn.from_grid(there) == pytest.approx(points)
    assert np.linalg.norm(there - turn.centre_mm, axis=1) == pytest.approx(np.linalg.norm(points - turn.centre_mm, axis=1))  # fmt: skip
    assert turn.to_grid(np.array([turn.centre_mm])) == pytest.approx(np.array([turn.centre_mm]))
    assert turn_about(image(), ring(9.0), 0.0) is None


def test_a_right_angle_turns_a_square_into_itself():
    turn = turn_about(image(), SQUARE, 90.0)
    assert turn.to_grid(np.array([[6.0, 5.0]]))[0] == pytest.approx([5.0, 4.0])
    one = grid_around(image(), SQUARE + 0.3, 1.0)
    two = grid_around(image(), SQUARE + 0.3, 1.0, turn=turn_about(image(), SQUARE + 0.3, 90.0))
    assert region_on(image(), SQUARE + 0.3, one).sum() == region_on(image(), SQUARE + 0.3, two).sum()  # fmt: skip


@pytest.mark.parametrize("degrees", [-10.0, -5.0, 5.0, 10.0, 37.0])
def test_a_turned_grid_samples_the_image_where_its_nodes_lie(degrees):
    """On a plane of intensity, bilinear values are exact: each node's value is its place."""
    picture = image()
    r, c = np.meshgrid(np.arange(60), np.arange(60), indexing="ij")
    xyz = picture.to_patient(np.stack([r.ravel(), c.ravel()], axis=1))
    picture = image((2 * xyz[:, 0] + 3 * xyz[:, 1]).reshape(60, 60))
    turn = turn_about(picture, ring(9.0), degrees)
    grid = grid_around(picture, ring(9.0), 1.0, turn=turn)
    rows, columns = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    nodes = np.stack([grid.first_row + rows.ravel(), grid.first_column + columns.ravel()], axis=1)
    yx = turn.from_grid(nodes.astype(float))
    wanted = (2 * yx[:, 1] + 3 * yx[:, 0]).reshape(grid.shape)
    assert sample(picture, grid) == pytest.approx(wanted)
    mask = region_on(picture, ring(9.0), grid)
    away = np.hypot(yx[:, 1] - 1.0, yx[:, 0] - 2.0).reshape(grid.shape)
    assert away[mask].max() <= 9.0
    assert mask[away < 9.0 * math.cos(math.pi / 36) - 1e-9].all()


def test_turning_a_constant_image_changes_no_grey_level():
    for variant in of_kind("rotation", image(np.full((60, 60), 7.0))):
        found = prepared(variant)
        assert set(found.image[found.mask].tolist()) == {7.0}


@pytest.mark.parametrize("polygon", [SQUARE, ring(6.0), ring(3.0, 8), SQUARE[::-1], SQUARE * [1, 0.3, 1]])  # fmt: skip
@pytest.mark.parametrize("change", AREA_CHANGES)
def test_the_area_is_changed_by_its_share(polygon, change):
    found = with_area(polygon, 1 + change)
    assert polygon_area_mm2(found) == pytest.approx((1 + change) * polygon_area_mm2(polygon))
    assert found[:, 2] == pytest.approx(polygon[:, 2])


def test_a_square_is_offset_by_hand():
    """10 x 10 less 19 per cent is 9 x 9: every side moves in by half a millimetre."""
    found = with_area(SQUARE, 0.81)
    wanted = np.array([[0.5, 0.5, 5], [9.5, 0.5, 5], [9.5, 9.5, 5], [0.5, 9.5, 5]])
    assert found == pytest.approx(wanted)


def test_an_offset_is_no_scaling_about_the_centre():
    """A bar of 20 x 2: all sides move equally, so that its breadth shrinks by a greater share than its length."""
    bar = SQUARE * [2.0, 0.2, 1.0]
    found = np.ptp(with_area(bar, 0.85), axis=0)
    assert found[0] / 20 > found[1] / 2
    assert 20 - found[0] == pytest.approx(2 - found[1])


@FEW
@given(st.floats(0, 2 * math.pi), st.floats(0, 1), st.sampled_from(AREA_CHANGES))
def test_an_area_change_does_not_depend_on_the_plane(a, b, change):
    turn = np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
    polygon = ring(7.0, 20)
    assert with_area(polygon @ (turn @ tilt), 1 + change) == pytest.approx(with_area(polygon, 1 + change) @ (turn @ tilt), abs=1e-6)  # fmt: skip


def test_contours_move_by_half_a_pixel_smoothly_and_stay_in_their_plane():
    rng = np.random.default_rng(5)
    moved = [displaced(ring(15.0, 400), sd_mm=0.7, rng=rng) for _ in range(120)]
    still = displaced(ring(15.0, 400), sd_mm=0.0, rng=rng)
    moves = np.stack(moved)[:, :, :2] - still[:, :2]
    assert moves.std() == pytest.approx(0.7, rel=0.06)
    assert moves.std(axis=0) == pytest.approx(np.full(moves.shape[1:], 0.7), rel=0.35)
    steps = np.linalg.norm(np.diff(moves, axis=1), axis=2)
    # at most the fifth harmonic: per 0.24 mm of a boundary of 94 mm less than a tenth of the displacement
    assert steps.max() < 0.5
    assert {z for m in moved for z in m[:, 2].round(9).tolist()} == {5.0}
    assert np.abs(moves.mean(axis=1)).max() < 1e-6


def test_the_size_of_a_contours_move_is_half_the_native_pixel():
    fine = [hausdorff_mm(ring(9.0), v.polygon_mm) for v in of_kind("contour", image(spacing=(0.5, 0.5), size=120))]  # fmt: skip
    coarse = [hausdorff_mm(ring(9.0), v.polygon_mm) for v in of_kind("contour", image(spacing=(4.0, 4.0)))]  # fmt: skip
    assert np.mean(coarse) / np.mean(fine) == pytest.approx(8, rel=0.3)


@pytest.mark.parametrize("sd", [5.0, 30.0])
def test_the_noise_of_an_image_is_estimated_from_it(sd):
    rng = np.random.default_rng(2)
    ramp = np.add.outer(np.arange(80.0), 2 * np.arange(80.0))
    ramp[:, 50:] += 1000  # an edge does not count
    noisy = image(ramp + rng.normal(0, sd, ramp.shape), spacing=(1.0, 1.0), size=80)
    assert noise_sd(noisy, ring(9.0)) == pytest.approx(sd, rel=0.1)


def test_a_smooth_image_has_no_noise_and_neither_has_a_tiny_one():
    ramp = np.add.outer(np.arange(60.0), np.arange(60.0))
    assert noise_sd(image(ramp), ring(9.0)) == 0.0
    assert noise_sd(Slice(np.ones((2, 2)), (0.0, 0.0, 5.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1.0, 1.0)), ring(1.0)) == 0.0  # fmt: skip


def test_noise_changes_pixels_and_no_outline():
    picture = image()
    found = of_kind("noise", picture)
    sd = noise_sd(picture, ring(9.0))
    for variant in found:
        assert np.array_equal(variant.polygon_mm, ring(9.0))
        assert np.std(variant.image.pixels - picture.pixels) == pytest.approx(sd, rel=0.1)
    assert not np.array_equal(found[0].image.pixels, found[1].image.pixels)


def test_the_same_seed_gives_the_same_features_and_another_seed_others():
    options = {"grid_mm": 1.0, "values": "native", "low": 0, "high": 255}
    one, two, three = (
        measure(image(), ring(6.0), **options, rng=np.random.default_rng(s)) for s in (1, 1, 2)
    )
    assert one.shape == (44, 279)
    assert np.array_equal(one, two, equal_nan=True)
    assert np.array_equal(one[:24], three[:24], equal_nan=True)
    assert not np.array_equal(one[24:], three[24:], equal_nan=True)
    plain = prepare(image(), ring(6.0), values="native", low=0, high=255)
    assert np.array_equal(one[0], list(extract(plain.image, plain.mask).values()), equal_nan=True)


def test_the_arguments_stay_as_they_were():
    picture, polygon = image(), ring(6.0)
    pixels, before = picture.pixels.copy(), polygon.copy()
    measure(picture, polygon, grid_mm=1.0, values="native", low=0, high=1, rng=np.random.default_rng(0))  # fmt: skip
    assert np.array_equal(picture.pixels, pixels)
    assert np.array_equal(polygon, before)


def test_a_variant_that_covers_no_node_is_undefined_and_the_roi_itself_must_not_be():
    options = {"grid_mm": 1.0, "values": "native", "low": 0, "high": 255}
    small = ring(0.3, 12, centre=(0.0, 0.0))
    found = measure(image(), small, **options, rng=np.random.default_rng(0))
    assert np.isfinite(found[0, 0])
    assert np.isnan(found[2]).all()  # the grid half a step aside
    with pytest.raises(ValueError, match="covers no node"):
        measure(image(), ring(0.3, 12, centre=(0.5, 0.5)), **options, rng=np.random.default_rng(0))


def table_of(n: int, *, spread: float, seed: int = 4) -> np.ndarray:
    """Lesions (n, 44, 279) whose variants scatter about a value of their own."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 1, 279)) + spread * rng.normal(size=(n, 44, 279))


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_icc_is_that_of_the_agreement_module(kind):
    tables = table_of(14, spread=0.5)
    start = sum(many for k, many in list(KINDS.items())[: list(KINDS).index(kind)])
    found = stability(kind, [summaries(t)[kind] for t in tables])
    for column in (0, 100, 278):
        wanted = icc(tables[:, start : start + KINDS[kind], column]).icc1
        assert found[column].feature == NAMES[column]
        assert (found[column].value, found[column].low, found[column].high) == pytest.approx((wanted.value, wanted.low, wanted.high))  # fmt: skip


def test_the_icc_by_hand():
    """Two measurements of ten lesions: 0 and 2, then 2 and 4, in turn. Between 10/9 x 2, within 2: (20/9 - 2)/(20/9 + 2)."""
    means = np.array([1.0, 3.0] * 5)
    k = KINDS["rotation"]
    squares = np.full(10, 2.0 * (k - 1))  # mean square within 2
    found = one_way(("x", "rotation", 10, 0.0), means, squares)
    between = k * 10 / 9
    assert found.value == pytest.approx((between - 2) / (between + (k - 1) * 2))
    assert found.low < found.value < found.high


def test_a_lesion_with_an_undefined_variant_is_left_out_and_counted():
    tables = table_of(12, spread=0.3)
    tables[0, 17, 5] = np.nan
    tables[1, 16:18, 5] = np.nan
    found = stability("rotation", [summaries(t)["rotation"] for t in tables])[5]
    assert found.n == 10
    assert found.undefined_share == pytest.approx(3 / 48)
    wanted = icc(tables[2:, 16:20, 5]).icc1
    assert found.value == pytest.approx(wanted.value)


def test_too_few_lesions_and_equal_values_have_a_reason_instead():
    few = stability("area", [summaries(t)["area"] for t in table_of(9, spread=0.1)])[0]
    assert (few.value, few.reason) == (None, "fewer than 10 complete lesions")
    constant = stability("area", [summaries(np.full((44, 279), 0.1))["area"]] * 12)[0]
    assert (constant.value, constant.reason) == (None, "constant")


def test_variants_that_never_differ_agree_perfectly():
    tables = np.repeat(np.random.default_rng(0).normal(size=(11, 1, 279)), 44, axis=1)
    found = stability("noise", [summaries(t)["noise"] for t in tables])[3]
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(("kind", "lesions"), [("blur", [1]), ("area", [])])
def test_an_unknown_kind_and_no_lesions_are_refused(kind, lesions):
    empty = Summary(np.zeros(279, dtype=int), np.zeros(279), np.zeros(279))
    with pytest.raises(ValueError, match="kind must be one of"):
        stability(kind, [empty for _ in lesions])


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 4), st.floats(-50, 50))
def test_the_icc_does_not_depend_on_units_or_on_the_order_of_lesions(seed, a, b):
    tables = table_of(10, spread=0.4, seed=seed)
    one = stability("area", [summaries(t)["area"] for t in tables])
    two = stability("area", [summaries(a * t + b)["area"] for t in tables[::-1]])
    for column in (0, 50):
        assert two[column].value == pytest.approx(one[column].value, rel=1e-6, abs=1e-9)


def test_the_centroid_hardly_moves_when_only_the_area_changes():
    for variant in of_kind("area"):
        away = polygon_centroid_mm(variant.polygon_mm) - polygon_centroid_mm(ring(9.0))
        assert np.linalg.norm(away) < 1e-6
