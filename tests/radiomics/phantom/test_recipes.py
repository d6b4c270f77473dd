"""Which lesion is drawn how: the tables of the cohort's description, number by number."""

from collections import Counter

import numpy as np
import pytest

from radiomics.phantom import recipes
from radiomics.phantom.lesion import (
    MARGIN,
    REPLACED,
    SHAPES,
    Draw,
    choices,
    sized,
    tbr_of,
    texture,
)
from radiomics.phantom.plan import make_plan
from radiomics.phantom.recipes import draw_shapes, draw_types, latents, strata, unusual
from radiomics.phantom.records import BENIGN, METASTASIS, LesionPlan

MANY = 400


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def plain(**changes: object) -> LesionPlan:
    given = {"t_ct": 0.0, "t_sp": 0.0, "shape": "focal", "ct_type": "lytic", **changes}
    lesion = make_plan(seed=1, n_patients=8).patients[0].lesions[0]
    return LesionPlan(**{**lesion.__dict__, **given})


@pytest.mark.parametrize(
    ("primary", "lytic", "blastic", "mixed"),
    [
        ("prostate", 0.05, 0.80, 0.15),
        ("breast", 0.35, 0.35, 0.30),
        ("lung", 0.42, 0.26, 0.32),
        ("renal", 0.85, 0.05, 0.10),
        ("thyroid", 0.85, 0.05, 0.10),
        ("hepatocellular", 0.80, 0.05, 0.15),
        ("colon", 0.45, 0.25, 0.30),
        ("stomach", 0.45, 0.25, 0.30),
        ("ureteral", 0.45, 0.25, 0.30),
    ],
)
def test_the_ct_types_of_metastases_follow_their_primary(
    primary: str, lytic: float, blastic: float, mixed: float
) -> None:
    found = Counter(draw_types(rng(), [METASTASIS] * MANY, [primary] * MANY, 0.0))
    for name, share in (("lytic", lytic), ("blastic", blastic), ("mixed", mixed)):
        assert abs(found[name] - share * MANY) <= 1


@pytest.mark.parametrize("primary", ["prostate", "lung", "colon"])
def test_the_ct_types_of_benign_lesions_do_not_ask_for_the_primary(primary: str) -> None:
    found = Counter(draw_types(rng(), [BENIGN] * MANY, [primary] * MANY, 0.0))
    for name, share in (("sclerotic", 0.58), ("erosive", 0.24), ("mixed", 0.18)):
        assert abs(found[name] - share * MANY) <= 1


def test_primaries_are_strata_of_their_own() -> None:
    """With 100 of each, every primary meets its own shares; one pooled draw would not."""
    primaries = ["prostate", "renal"] * 100
    types = draw_types(rng(3), [METASTASIS] * 200, primaries, 0.0)
    found = Counter(zip(primaries, types, strict=True))
    assert abs(found["prostate", "blastic"] - 80) <= 1
    assert abs(found["renal", "lytic"] - 85) <= 1


@pytest.mark.parametrize(("difficulty", "share"), [(1.0, 0.0), (0.5, 0.25), (0.0, 0.5)])
def test_flipped_lesions_get_the_types_of_the_other_class(difficulty: float, share: float) -> None:
    types = draw_types(rng(), [METASTASIS] * MANY, ["lung"] * MANY, 0.5 * (1 - difficulty))
    drawn_as_benign = sum(t in ("sclerotic", "erosive") for t in types)
    # of the flipped ones 18 % are mixed, which metastases can be too
    assert drawn_as_benign == pytest.approx(share * MANY * 0.82, abs=2)


@pytest.mark.parametrize(
    ("odd", "shares"),
    [
        (False, {"focal_pedicle": 0.62, "focal": 0.30, "diffuse": 0.08}),
        (True, {"wedge": 0.40, "end_plate": 0.25, "focal": 0.35}),
    ],
)
def test_the_shapes_of_metastases(odd: bool, shares: dict[str, float]) -> None:
    found = Counter(draw_shapes(rng(), [METASTASIS] * MANY, [METASTASIS] * MANY, [odd] * MANY))
    assert set(found) == set(shares)
    for name, share in shares.items():
        assert abs(found[name] - share * MANY) <= 1


@pytest.mark.parametrize(
    ("kind", "odd", "shape"),
    [
        ("degenerative", False, "end_plate"),
        ("fracture", False, "wedge"),
        ("osteoarthritis", False, "facet"),
        ("tuberculosis", False, "disc"),
        ("degenerative", True, "focal"),
        ("osteoarthritis", True, "focal"),
    ],
)
def test_the_shapes_of_benign_lesions(kind: str, odd: bool, shape: str) -> None:
    assert draw_shapes(rng(), [BENIGN], [kind], [odd]) == [shape]


@pytest.mark.parametrize("kind", ["fracture", "tuberculosis"])
def test_fractures_and_tuberculoses_keep_their_shape(kind: str) -> None:
    assert not any(unusual(rng(), [BENIGN] * 50, [kind] * 50, 1.0))


@pytest.mark.parametrize(("difficulty", "share"), [(1.0, 0.28), (0.5, 0.39), (0.0, 0.50)])
def test_harder_cohorts_have_more_atypical_metastases(difficulty: float, share: float) -> None:
    plan = make_plan(seed=3, difficulty=difficulty)
    own = [le for p in plan.patients for le in p.lesions if le.image_class == METASTASIS]
    assert sum(le.is_atypical for le in own) == pytest.approx(share * 115, abs=1)


@pytest.mark.parametrize("n", [1, 2, 7, 115])
def test_latents_are_the_normal_scores_of_their_class(n: int) -> None:
    """The quantiles at (i - 1/2)/n, so their mean is exactly half the separation."""
    values = latents(rng(), [METASTASIS] * n + [BENIGN] * n, 2.0)
    assert values[:n].mean() == pytest.approx(1.0, abs=1e-12)
    assert values[n:].mean() == pytest.approx(-1.0, abs=1e-12)
    np.testing.assert_allclose(np.sort(values[:n]) - 1.0, np.sort(values[n:]) + 1.0, atol=1e-12)


def test_the_two_latents_of_a_lesion_are_independent() -> None:
    """Over seeds: the correlation within a class is nought on average (SD of one is 1/sqrt(114))."""
    found = []
    for seed in range(1, 13):
        own = [le for p in make_plan(seed=seed).patients for le in p.lesions if le.truth == METASTASIS]  # fmt: skip
        found.append(np.corrcoef([le.t_ct for le in own], [le.t_sp for le in own])[0, 1])
    assert abs(np.mean(found)) < 3 / np.sqrt(114 * 12)


def test_strata_keep_every_place_once_in_sorted_order() -> None:
    found = strata([("b",), ("a",), ("b",), ("c",)])
    assert list(found.items()) == [(("a",), [1]), (("b",), [0, 2]), (("c",), [3])]


def test_a_null_cohort_draws_each_recipe_by_the_image_class() -> None:
    plan = make_plan(seed=4, null=True)
    for lesion in (le for p in plan.patients for le in p.lesions):
        if lesion.image_class == BENIGN:
            assert lesion.ct_type in recipes.BENIGN_TYPES
        else:
            assert lesion.ct_type in recipes.METASTASIS_TYPES


def test_every_shape_has_a_geometry_and_a_margin() -> None:
    assert set(MARGIN) == set(SHAPES) == set(recipes.SHAPES)
    assert set(REPLACED) == {*recipes.BENIGN_TYPES, *recipes.METASTASIS_TYPES}


@pytest.mark.parametrize(
    ("shape", "low", "at_zero", "slope", "high"),
    [
        ("focal", 0.5, 1.6, 0.5, 3.2),
        ("focal_pedicle", 0.5, 1.6, 0.5, 3.2),
        ("diffuse", 1.5, 1.5, 0.0, 1.5),
        ("end_plate", 0.3, 1.2, 0.4, 2.6),
        ("wedge", 0.4, 1.3, 0.4, 2.6),
        ("facet", 0.3, 1.0, 0.35, 2.2),
        ("disc", 0.6, 1.7, 0.4, 3.0),
    ],
)
def test_the_margin_amplitudes(
    shape: str, low: float, at_zero: float, slope: float, high: float
) -> None:
    assert MARGIN[shape] == (at_zero, slope, low, high)


@pytest.mark.parametrize(
    ("ct_type", "share", "mean", "sd", "gain"),
    [
        ("lytic", 0.86, 75, 30, 1.0),
        ("erosive", 0.74, 85, 30, 1.1),
        ("blastic", 0.85, 440, 120, 1.5),
        ("mixed", 0.88, 290, 55, 1.9),
        ("sclerotic", 0.90, 235, 95, 1.15),
    ],
)
def test_the_values_of_the_ct_types(
    ct_type: str, share: float, mean: float, sd: float, gain: float
) -> None:
    assert REPLACED[ct_type] == (share, mean, sd, gain)


@pytest.mark.parametrize(
    ("base", "low", "high", "size", "scale", "wanted"),
    [
        (11.5, 7, 16, 1.0, 1.0, 11.5),
        (11.5, 7, 16, 0.6, 1.0, 7.0),
        (11.5, 7, 16, 1.5, 1.0, 16.0),
        (6, 4, 9, 1.0, 1.15, 6.9),
        # enlarging a lesion whose ROI was too small comes after the clipping
        (8.2, 6, 11, 1.5, 1.15, 12.65),
    ],
)
def test_sizes_are_clipped_before_they_are_enlarged(
    base: float, low: float, high: float, size: float, scale: float, wanted: float
) -> None:
    draw = Draw(size, 1, True, (0.5, 0.5, 0.5), scale)
    assert sized(base, low, high, draw) == pytest.approx(wanted)


def test_size_factors_are_normal_around_one_and_sides_are_even() -> None:
    draws = [choices(rng(seed)) for seed in range(600)]
    sizes = np.array([d.size for d in draws])
    assert sizes.mean() == pytest.approx(1.0, abs=3 * 0.13 / np.sqrt(600))
    assert sizes.std() == pytest.approx(0.13, abs=0.013)
    assert sizes.min() >= 0.6
    assert sizes.max() <= 1.5
    # 600 fair coins: SD 12.2
    assert abs(sum(d.side for d in draws)) < 4 * 24.5
    assert abs(sum(d.upper for d in draws) - 300) < 4 * 12.3


@pytest.mark.parametrize("t", [-1.0, 0.0, 1.5])
def test_uptake_ratios_are_log_normal_around_their_latent(t: float) -> None:
    lesion = plain(t_sp=t)
    logs = np.log([tbr_of(lesion, rng(seed)) for seed in range(500)])
    assert np.median(logs) == pytest.approx(np.log(2.55) + 0.36 * t, abs=0.05)


@pytest.mark.parametrize(("t", "limit"), [(-9.0, 1.35), (9.0, 14.0)])
def test_uptake_ratios_stay_within_their_limits(t: float, limit: float) -> None:
    assert tbr_of(plain(t_sp=t), rng()) == limit


@pytest.mark.parametrize("t", [-1.5, 0.0, 1.5])
def test_texture_amplitude_follows_the_latent(t: float) -> None:
    found = [np.log(texture(rng(seed), (2, 4, 4), t)[1]) for seed in range(300)]
    assert np.mean(found) == pytest.approx(np.log(48) + 0.60 * t, abs=4 * 0.25 / np.sqrt(300))
    assert np.std(found) == pytest.approx(0.25, abs=0.04)


def test_texture_has_unit_strength_whatever_its_latent() -> None:
    """.8 of a fine and .6 of a coarse unit noise: variances .64 and .36 add up to one."""
    spreads = [texture(rng(seed), (16, 48, 48), 0.0)[0].std() for seed in range(6)]
    assert np.mean(spreads) == pytest.approx(1.0, abs=0.1)


def test_texture_gets_finer_with_the_latent() -> None:
    def roughness(t: float) -> float:
        fields = [texture(rng(seed), (12, 40, 40), t)[0] for seed in range(4)]
        return float(np.mean([np.abs(np.diff(x, axis=2)).mean() for x in fields]))

    assert roughness(-3.0) < roughness(0.0) < roughness(3.0)
