"""The parts of a vertebra at points whose place follows from its size; normal bone by what is measured in it."""

import numpy as np
import pytest

from radiomics.phantom.anatomy import Anatomy, Curve, Vertebra, anatomy_of, sizes, stacked
from radiomics.phantom.levels import LEVELS, number, size_of
from radiomics.phantom.plan import make_plan
from radiomics.phantom.shapes import Box, Volume, single
from radiomics.phantom.vertebra import (
    Canvas,
    body_of,
    canal,
    facet_place,
    lamina,
    outline_radius,
    paint_spine,
    pedicle,
    pillars,
    share_of,
    spinous,
    transverse,
)

# L3 of mean size: 46 x 33 x 27 mm, 9 mm of disc; T8: 31 x 29 x 20, 4.2
LUMBAR = Vertebra(number("L3"), 0.0, 46.0, 33.0, 27.0, 9.0, 0.0, 0.0)
THORACIC = Vertebra(number("T8"), 0.0, 31.0, 29.0, 20.0, 4.2, 0.0, 0.0)
PEOPLE = make_plan(seed=2022).patients


def at(*points: tuple[float, float, float]) -> Box:
    """A box of chosen points (u, v, w) along its last axis."""
    u, v, w = (single(c)[None, None, :] for c in zip(*points, strict=True))
    return Box((slice(0, 1), slice(0, 1), slice(0, len(points))), u, v, w)


def value(distance: Volume) -> float:
    return float(np.asarray(distance).ravel()[0])


@pytest.mark.parametrize("vert", [LUMBAR, THORACIC])
def test_the_body_is_as_wide_deep_and_high_as_its_level(vert: Vertebra) -> None:
    """At the plates the waist vanishes, so |u| = W/2 lies on the outline there."""
    edge = outline_radius(at((vert.width / 2, 0, vert.height / 2)), vert)
    assert value(edge) == pytest.approx(1.0, abs=0.07)
    body = body_of(at((vert.width / 2, 0, vert.height / 2)), vert, 0.0)
    assert value(body.top) == pytest.approx(0.0, abs=0.15)
    assert value(body.bottom) == pytest.approx(-vert.height, abs=0.15)


def test_the_waist_takes_seven_and_a_half_per_cent() -> None:
    plate, middle = (
        value(outline_radius(at((23.0, 0, w)), LUMBAR)) for w in (LUMBAR.height / 2, 0.0)
    )
    assert plate == pytest.approx(1.0, abs=1e-5)
    assert middle == pytest.approx(1 / 0.925, abs=1e-5)


def test_end_plates_are_hollow_by_1_6_mm_in_the_middle() -> None:
    body = body_of(at((0, 0, 13.5)), LUMBAR, 0.0)
    assert value(body.top) == pytest.approx(1.6, abs=1e-5)


@pytest.mark.parametrize(
    ("v_share", "lowered"), [(-0.5, 1.0), (0.0, 0.5), (0.5, 0.0), (0.9, 0.0), (-0.9, 1.0)]
)
def test_a_wedge_lowers_the_front_of_the_upper_plate(v_share: float, lowered: float) -> None:
    """By f H at the front edge (v = -D/2), half of it in the middle, not at all at the back."""
    point = at((0, v_share * LUMBAR.depth, 5.0))
    plain, wedged = (body_of(point, LUMBAR, f) for f in (0.0, 0.4))
    assert value(wedged.top) - value(plain.top) == pytest.approx(0.4 * 27 * lowered, abs=1e-4)
    assert value(wedged.bottom) == value(plain.bottom)


@pytest.mark.parametrize(("vert", "half_width"), [(LUMBAR, 12.0), (THORACIC, 10.5)])
def test_the_canal_lies_behind_the_body(vert: Vertebra, half_width: float) -> None:
    centre = 0.5 * vert.depth + 8
    edge = at(*((u, v, 0) for u, v in ((half_width, centre), (0, centre - 8.2), (0, centre + 8.2))))
    np.testing.assert_allclose(canal(edge, vert), 0, atol=1e-4)


def test_no_bone_lies_in_the_canal() -> None:
    centre = at((0, 0.5 * LUMBAR.depth + 8, 0))
    body = body_of(centre, LUMBAR, 0.0)
    assert value(share_of(body)) == 0


@pytest.mark.parametrize(
    ("vert", "part", "point"),
    [
        (LUMBAR, pedicle, (0.36 * 46, 0.5 * 33 + 5, 0.17 * 27)),
        (THORACIC, pedicle, (0.36 * 31, 0.5 * 29 + 5, 0.17 * 20)),
        (LUMBAR, lamina, (0.0, 16.5 + 10 + 11, -0.1 * 27)),
        (LUMBAR, spinous, (0.0, 16.5 + 10 + 9 + 13, -0.14 * 27 - 0.12 * 13)),
        (THORACIC, spinous, (0.0, 14.5 + 10 + 9 + 12, -0.14 * 20 - 0.62 * 12)),
        (LUMBAR, transverse, (0.36 * 46 + 21, 16.5 + 10 - 2 + 3, 0.12 * 27)),
        (THORACIC, transverse, (0.36 * 31 + 17, 14.5 + 10 - 2 + 11, 0.12 * 20)),
        (LUMBAR, pillars, (0.36 * 46 + 3.5, 16.5 + 10 + 4.5, 0.0)),
        (THORACIC, pillars, (0.36 * 31 + 1.0, 14.5 + 10 + 2.5, 0.0)),
    ],
)
def test_each_posterior_element_lies_in_its_place(
    vert: Vertebra, part: object, point: tuple[float, float, float]
) -> None:
    box = at(point, (point[0] + 25, point[1], point[2]))
    inside, beside = np.asarray(part(box, vert, np.abs(box.u))).ravel()  # type: ignore[operator]
    assert inside < -2
    assert beside > 0


@pytest.mark.parametrize(
    ("vert", "half_width"), [(LUMBAR, 4.6), (THORACIC, 3.3)]
)  # pedicle half-width in mm
def test_pedicles_have_their_width(vert: Vertebra, half_width: float) -> None:
    box = at((0.36 * vert.width + half_width, 0.5 * vert.depth + 5, 0.17 * vert.height))
    assert value(pedicle(box, vert, np.abs(box.u))) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(("vert", "length"), [(LUMBAR, 27.0), (THORACIC, 24.0)])
def test_spinous_processes_end_at_their_length(vert: Vertebra, length: float) -> None:
    start = vert.back + 9
    slope = 0.62 if vert.thoracic else 0.12
    tip = at((0, start + length, -0.14 * vert.height - slope * length))
    assert value(spinous(tip, vert, np.abs(tip.u))) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("vert", [LUMBAR, THORACIC])
def test_facet_pillars_reach_half_the_disc_and_1_5_mm_over(vert: Vertebra) -> None:
    reach = vert.height / 2 + vert.disc / 2 + 1.5
    at_u, v = facet_place(vert)
    upper = at((at_u + 3.2, v - 3.4, reach))
    lower = at((at_u - 3.0, v + 3.2, -reach))
    for box in (upper, lower):
        assert value(pillars(box, vert, np.abs(box.u))) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    ("level", "factor"), [("T5", 1.0), ("T12", 1.03), ("L3", 0.94), ("L5", 1.0)]
)
def test_sizes_scale_with_the_person(level: str, factor: float) -> None:
    size = size_of(level)
    wanted = [factor * x for x in (size.width, size.depth, size.height, size.disc)]
    assert sizes(number(level), factor) == pytest.approx(wanted)


def test_neighbouring_bodies_leave_the_height_of_their_disc() -> None:
    for centre in range(1, 12):
        places = sorted(stacked(centre, 1.0))
        for (upper, z_upper), (lower, z_lower) in zip(places, places[1:], strict=False):
            _, _, height, disc = sizes(upper, 1.0)
            gap = (z_upper - height / 2) - (z_lower + sizes(lower, 1.0)[2] / 2)
            assert gap == pytest.approx(disc)


def test_men_have_larger_vertebrae_than_women() -> None:
    widths: dict[str, list[float]] = {"M": [], "F": []}
    for person in PEOPLE:
        anatomy = anatomy_of(2022, person, {})
        factor = anatomy.at(anatomy.centre).width / size_of(LEVELS[anatomy.centre]).width
        widths[person.sex].append(factor)
    for sex, mean in (("M", 1.03), ("F", 0.94)):
        n = len(widths[sex])
        assert np.mean(widths[sex]) == pytest.approx(mean, abs=4 * 0.03 / np.sqrt(n))


def test_cancellous_bone_loses_two_units_a_year_and_stays_within_70_to_260() -> None:
    found = np.array([(p.age, anatomy_of(2022, p, {}).trabecular) for p in PEOPLE])
    assert found[:, 1].min() >= 70
    assert found[:, 1].max() <= 260
    middle = found[(found[:, 0] > 45) & (found[:, 0] < 75)]  # little is clipped here
    assert np.polyfit(middle[:, 0], middle[:, 1], 1)[0] == pytest.approx(-2.0, abs=0.9)


@pytest.mark.parametrize("z", [-90.0, -30.0, 0.0, 60.0])
def test_the_curve_of_the_spine_by_hand(z: float) -> None:
    curve, zeta = Curve(2.0, -1.0, 3.0), z / 60
    assert float(curve.x(single(z))) == pytest.approx(2 * zeta - (zeta**2 - 0.3), abs=1e-5)
    assert float(curve.y(single(z))) == pytest.approx(-3 * zeta**2, abs=1e-5)


def test_a_tilted_vertebra_rises_along_its_depth() -> None:
    still = Curve(0.0, 0.0, 0.0)
    tilted = Vertebra(10, 5.0, 46.0, 33.0, 27.0, 9.0, 0.1, 0.0)
    anatomy = Anatomy((tilted,), still, 150.0, False, 10, "M", 60)
    box = anatomy.box(tilted, 10, 10)
    z = np.broadcast_to(box.w, box.shape) + 5.0 + 0.1 * np.broadcast_to(box.v, box.shape)
    np.testing.assert_allclose(z.std(axis=(1, 2)), 0, atol=1e-4)


@pytest.fixture(scope="module")
def spine() -> tuple[Canvas, Anatomy]:
    person = next(p for p in PEOPLE if p.centre_level == "L2")
    anatomy = anatomy_of(2022, person, {})
    canvas = Canvas(*(np.zeros((56, 256, 256), dtype=np.float32) for _ in range(4)))
    rngs = [np.random.default_rng(k) for k in range(len(anatomy.vertebrae))]
    paint_spine(canvas, anatomy, rngs)
    return canvas, anatomy


def test_bone_shares_stay_between_nought_and_one(spine: tuple[Canvas, Anatomy]) -> None:
    for share in (spine[0].body, spine[0].posterior):
        assert share.min() >= 0
        assert share.max() <= 1


def test_the_core_of_a_body_has_the_person_s_density(spine: tuple[Canvas, Anatomy]) -> None:
    """Mean of the cancellous bone within 4 % (one vertebra's own factor is N(1, .04))."""
    canvas, anatomy = spine
    vert = anatomy.at(anatomy.centre)
    box = anatomy.box(vert, 5, 5, 12)
    core = (canvas.body[box.where] > 0.99) & (np.abs(box.v) < 6)
    found = float(canvas.hu[box.where][core].mean())
    assert found == pytest.approx(anatomy.trabecular, rel=0.15)


def test_the_cortex_is_denser_than_the_core(spine: tuple[Canvas, Anatomy]) -> None:
    canvas, anatomy = spine
    vert = anatomy.at(anatomy.centre)
    box = anatomy.box(vert, 5, 5)
    body = body_of(box, vert, 0.0)
    shell = np.broadcast_to((body.wall > -0.9) & (body.wall < -0.5), box.shape)
    core = np.broadcast_to(body.wall < -6, box.shape)
    hu = canvas.hu[box.where]
    # cortex + (.4 T + 330)
    rise = 0.4 * anatomy.trabecular + 330
    assert hu[shell].mean() - hu[core].mean() == pytest.approx(rise, rel=0.25)


def test_bodies_take_up_more_than_arches(spine: tuple[Canvas, Anatomy]) -> None:
    """1.0 and .85, both in a spine box of .95."""
    canvas, _ = spine
    body, arch = canvas.body > 0.999, (canvas.posterior > 0.999) & (canvas.body == 0)
    assert canvas.activity[arch].mean() == pytest.approx(0.85 * 0.95, abs=0.01)
    found = canvas.activity[body]
    assert found.min() == pytest.approx(0.95, abs=0.002)
    assert found.max() == pytest.approx(0.95 * 1.1, abs=0.002)  # 10 % more in the cortex


def test_discs_have_their_value_and_no_bone(spine: tuple[Canvas, Anatomy]) -> None:
    canvas, anatomy = spine
    vert = anatomy.at(anatomy.centre)
    box = anatomy.box(vert, vert.height / 2 + vert.disc, 0, 8)
    middle = np.abs(box.w + (vert.height + vert.disc) / 2) < vert.disc / 2 - 1.5
    soft = np.broadcast_to(middle & (np.abs(box.v) < 8), box.shape)
    assert canvas.hu[box.where][soft].mean() == pytest.approx(92, abs=4 * 8)
    assert canvas.body[box.where][soft].max() == 0
