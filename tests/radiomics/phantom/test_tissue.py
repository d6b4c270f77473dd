"""Soft tissue, ribs, table and the whole-body skeleton: places, values, and what tells nothing of the class."""

from dataclasses import replace

import numpy as np
import pytest

from radiomics.phantom.anatomy import Anatomy, anatomy_of
from radiomics.phantom.plan import make_plan
from radiomics.phantom.records import LesionPlan, PatientPlan
from radiomics.phantom.shapes import X, Y, Z
from radiomics.phantom.skeleton import CENTRE, COLUMNS, HEAD_ROW, ROWS, skeleton, vertebra_row
from radiomics.phantom.soft_tissue import (
    Torso,
    organs,
    paint_ribs,
    paint_soft_tissue,
    paint_table,
    torso_of,
    wavy,
)
from radiomics.phantom.whole_body import (
    Build,
    Spot,
    add_extras,
    add_lesion,
    add_spot,
    to_whole_body,
)

PEOPLE = make_plan(seed=2022).patients


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def person(level: str, **changes: object) -> PatientPlan:
    return replace(PEOPLE[0], centre_level=level, **changes)  # type: ignore[arg-type]


def spine(level: str, **changes: object) -> Anatomy:
    return anatomy_of(1, person(level, **changes), {})


def painted(level: str) -> tuple[np.ndarray, np.ndarray, Torso]:
    hu, activity = (np.zeros((56, 256, 256), dtype=np.float32) for _ in range(2))
    torso = paint_soft_tissue(hu, activity, spine(level), rng(1), rng(2))
    return hu, activity, torso


@pytest.fixture(scope="module")
def chest() -> tuple[np.ndarray, np.ndarray, Torso]:
    return painted("T8")


@pytest.fixture(scope="module")
def belly() -> tuple[np.ndarray, np.ndarray, Torso]:
    return painted("L2")


def around(volume: np.ndarray, x: float, y: float, reach: float = 4.0) -> np.ndarray:
    """Values within `reach` mm of (x, y) on the middle slices."""
    columns, rows = np.abs(X - x) < reach, np.abs(Y - y) < reach
    return volume[24:32][:, rows][:, :, columns]


@pytest.mark.parametrize(("sex", "a", "b", "wall"), [("M", 172, 112, 15.0), ("F", 160, 104, 21.0)])
def test_bodies_have_the_size_of_their_sex(sex: str, a: float, b: float, wall: float) -> None:
    found = [torso_of(spine("L2", sex=sex), rng(k)) for k in range(200)]
    assert np.mean([t.a for t in found]) == pytest.approx(a, abs=4 * 0.06 * a / np.sqrt(200))
    assert np.mean([t.b for t in found]) == pytest.approx(b, abs=4 * 0.07 * b / np.sqrt(200))
    assert {t.wall for t in found} == {wall}
    backs = [t.y + t.b for t in found]
    assert np.mean(backs) == pytest.approx(84, abs=4 * 6 / np.sqrt(200))


@pytest.mark.parametrize(("age", "share"), [(40, 5 / 70), (60, 25 / 70), (80, 45 / 70)])
def test_back_muscles_get_fatter_with_age(age: int, share: float) -> None:
    found = [torso_of(spine("L2", age=age), rng(k)).fat for k in range(200)]
    assert np.median(found) == pytest.approx(share, abs=0.05)
    assert min(found) >= 0.05
    assert max(found) <= 0.7


@pytest.mark.parametrize(
    ("x", "y", "a", "b", "hu"),
    [(5, -78, 52, 34, 42), (3, -27, 8, 6, 40), (23, -9, 11, 11, 44), (31, 43, 27, 19, 50)],
)
def test_the_chest_has_its_organs(x: float, y: float, a: float, b: float, hu: float) -> None:
    found = {(o.x, o.y, o.a, o.b, o.hu) for o in organs(spine("T8"), rng())}
    assert (x, y, a, b, hu) in found


@pytest.mark.parametrize(
    ("x", "y", "a", "b", "hu"),
    [
        (72, 26, 26, 13, 50),
        (-72, 26, 26, 13, 50),
        (11, -34, 10.5, 10.5, 42),
        (-15, -31, 11, 8, 38),
        (68, -8, 27, 22, 34),
        (-68, -8, 27, 22, 34),
    ],
)
def test_the_abdomen_has_its_organs(x: float, y: float, a: float, b: float, hu: float) -> None:
    found = {(o.x, o.y, o.a, o.b, o.hu) for o in organs(spine("L2"), rng())}
    assert (x, y, a, b, hu) in found


@pytest.mark.parametrize(
    ("level", "kidneys"), [("T12", True), ("L1", True), ("L2", True), ("L3", False), ("L4", False)]
)
def test_kidneys_lie_in_scans_centred_on_l2_or_above(level: str, kidneys: bool) -> None:
    assert any((o.a, o.b) == (27, 22) for o in organs(spine(level), rng())) == kidneys


def test_bowel_loops_differ_in_size_and_content() -> None:
    loops = organs(spine("L4"), rng(5))[6:18:2]
    inner = organs(spine("L4"), rng(5))[7:18:2]
    assert len({round(o.a, 3) for o in loops}) == 6
    assert {o.hu for o in inner} <= {-120.0, 20.0, -600.0}
    assert len({o.hu for o in inner}) > 1


def test_organ_centres_drift_by_one_to_five_millimetres() -> None:
    """a sin(phi + 3 zeta): no key picture moves an organ further, and the keys are not all alike."""
    drifts = np.stack([wavy(key, rng(7), 40) for key in range(5)])
    assert np.abs(drifts).max() <= 5
    assert np.ptp(drifts, axis=0).max() > 1


def test_lungs_are_air_with_vessels(chest: tuple[np.ndarray, np.ndarray, Torso]) -> None:
    lung = around(chest[0], 66, -30, 14)
    assert np.median(lung) == pytest.approx(-855, abs=2)
    assert 0.005 < (lung > -800).mean() < 0.2


def test_lungs_take_up_half_of_what_soft_tissue_does(
    chest: tuple[np.ndarray, np.ndarray, Torso], belly: tuple[np.ndarray, np.ndarray, Torso]
) -> None:
    assert around(chest[1], 66, -30, 14).mean() == pytest.approx(0.06, abs=0.002)
    assert around(belly[1], 0, -60).mean() == pytest.approx(0.13, abs=0.002)


def test_kidneys_take_up_between_a_half_and_1_3() -> None:
    levels = []
    for seed in range(6):
        hu, activity = (np.zeros((56, 256, 256), dtype=np.float32) for _ in range(2))
        paint_soft_tissue(hu, activity, spine("L2"), rng(seed), rng(2))
        levels.append(activity.max())
        left, right = (around(activity, s * 68, -6).mean() for s in (1, -1))
        assert left == pytest.approx(right, rel=1e-5)
    assert 0.5 <= min(levels) <= max(levels) <= 1.3 + 1e-6
    assert len(set(levels)) == 6


def test_skin_lies_on_fat_and_air_outside(belly: tuple[np.ndarray, np.ndarray, Torso]) -> None:
    hu, _, torso = belly
    column = hu[28, :, 128]
    back = torso.y + torso.b
    at = {name: column[np.argmin(np.abs(Y - y))] for name, y in (("out", back + 5), ("fat", back - 8))}  # fmt: skip
    assert at["out"] == pytest.approx(-1000)
    assert at["fat"] == pytest.approx(-104, abs=3)


@pytest.mark.parametrize(
    ("level", "ribs"), [("T8", True), ("T12", True), ("L1", True), ("L2", False), ("L4", False)]
)
def test_ribs_are_drawn_for_centres_down_to_l1(level: str, ribs: bool) -> None:
    hu, activity = (np.zeros((56, 256, 256), dtype=np.float32) for _ in range(2))
    paint_ribs(hu, activity, spine(level))
    assert (hu.max() > 500) == ribs
    assert activity.max() == pytest.approx(0.62 if ribs else 0.0, abs=1e-5)


def test_ribs_keep_clear_of_the_spine_and_are_even_on_both_sides() -> None:
    hu, activity = (np.zeros((56, 256, 256), dtype=np.float32) for _ in range(2))
    paint_ribs(hu, activity, spine("T8"))
    np.testing.assert_array_equal(hu, hu[:, :, ::-1])
    assert hu[:, :, np.abs(X) < 10].max() == 0
    assert hu.max() == pytest.approx(600, abs=1)  # 180 + 420 in the outer .8 mm


def test_the_table_lies_under_the_back() -> None:
    hu = np.full((56, 256, 256), -1000, dtype=np.float32)
    torso = Torso(172.0, 112.0, -28.0, 0.3, 15.0, 52.0)
    paint_table(hu, torso)
    rows = np.flatnonzero(hu[0, :, 128] > -500)
    assert np.abs(Y[rows] - (torso.y + torso.b + 6)).max() < 2
    assert hu.max() <= 90
    assert np.array_equal(hu[0], hu[55])


@pytest.mark.parametrize(("level", "row"), [("T5", 0), ("L5", 12)])
def test_vertebrae_of_the_skeleton_run_down_in_their_steps(level: str, row: int) -> None:
    """From row 160: 7 of 6.2, 12 of 8.6 + .28 i, 5 of 13.5 rows, .6 apart; centres by adding up."""
    tops = [6.2] * 7 + [8.6 + 0.28 * i for i in range(12)] + [13.5] * 5
    k = 11 + row
    start = 160 + sum(tops[:k]) + 0.6 * k
    assert vertebra_row(row) == pytest.approx(start + tops[k] / 2, abs=0.01)


def test_the_skeleton_is_symmetric_and_stays_in_the_picture() -> None:
    bones, kidneys, bladder = skeleton()
    for view in bones:
        assert view.shape == (ROWS, COLUMNS) == (1024, 256)
        assert view.min() >= 0
        # the skull starts at row 70, the soles end about row 860
        rows = np.flatnonzero(view.max(axis=1) > 0.02)
        assert rows[0] == pytest.approx(70, abs=6)
        assert rows[-1] == pytest.approx(860, abs=20)
    assert kidneys[1].max() > kidneys[0].max()  # they lie at the back
    assert bladder[0].max() > bladder[1].max()  # and this in front


def test_the_skeleton_is_drawn_once() -> None:
    assert skeleton() is skeleton()


def test_a_build_stretches_about_the_head_and_the_middle() -> None:
    build = Build(0.94, 1.1)
    assert build.place(CENTRE, HEAD_ROW) == (CENTRE, HEAD_ROW)
    assert build.place(CENTRE + 10, HEAD_ROW + 100) == pytest.approx((CENTRE + 11, HEAD_ROW + 94))


def test_a_spot_is_a_gaussian_of_its_height() -> None:
    view = np.zeros((ROWS, COLUMNS), dtype=np.float32)
    add_spot(view, 100.0, 300.0, 3.6, 2.0)
    assert view[300, 100] == pytest.approx(2.0)
    assert view[300, 104] == pytest.approx(2 * np.exp(-0.5 * (4 / 3.6) ** 2), rel=1e-5)
    assert view.sum() == pytest.approx(2 * 2 * np.pi * 3.6**2, rel=0.02)


def lesion(shape: str) -> LesionPlan:
    return replace(PEOPLE[0].lesions[0], shape=shape, level="L2")


@pytest.mark.parametrize(
    ("shape", "aside"),
    [("facet", 11.0), ("focal_pedicle", 7.0), ("focal", 4.0), ("wedge", 0.0), ("disc", 0.0)],
)
@pytest.mark.parametrize("side", [1, -1])
def test_lesions_lie_on_their_side_of_the_whole_body_scan(
    shape: str, aside: float, side: int
) -> None:
    views = [np.zeros((ROWS, COLUMNS), dtype=np.float32) for _ in range(2)]
    column, row = add_lesion(views, Build(1.0, 1.0), Spot(lesion(shape), side, 5.0))
    assert (column, row) == (CENTRE + side * aside, vertebra_row(9))
    front, back = views
    # weights .35 and 1 of .30 (TBR - 1): the same uptake however many spots show it
    assert back.sum() == pytest.approx(1.2 * 2 * np.pi * 3.6**2, rel=0.02)
    np.testing.assert_allclose(front, 0.35 * back, atol=1e-5)


def test_band_lesions_are_wider_than_nodules() -> None:
    def spread(shape: str) -> float:
        views = [np.zeros((ROWS, COLUMNS), dtype=np.float32) for _ in range(2)]
        add_lesion(views, Build(1.0, 1.0), Spot(lesion(shape), 1, 5.0))
        profile, at = views[1].sum(axis=0), np.arange(COLUMNS)
        mean = (at * profile).sum() / profile.sum()
        return float(((at - mean) ** 2 * profile).sum() / profile.sum())

    # three spots at -5, 0, 5 add the variance 50/3
    assert spread("end_plate") - spread("focal") == pytest.approx(50 / 3, abs=0.3)


@pytest.mark.parametrize(("metastatic", "share"), [(True, 0.55), (False, 0.60)])
def test_extra_spots_come_in_their_shares(metastatic: bool, share: float) -> None:
    shown = 0
    for seed in range(200):
        views = [np.zeros((ROWS, COLUMNS), dtype=np.float32) for _ in range(2)]
        add_extras(views, Build(1.0, 1.0), metastatic, rng(seed))
        shown += bool(views[1].max() > 0)
        if not metastatic and views[1].max() > 0:  # a knee
            row = int(np.argmax(views[1].max(axis=1)))
            assert 590 < row < 635
    assert shown / 200 == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 200))


def test_extra_spots_follow_the_image_class_not_the_truth() -> None:
    """In null mode a whole-body scan must not betray the truth."""
    benign_image = replace(lesion("focal"), truth="metastasis", image_class="benign")
    same = replace(benign_image, truth="benign")
    one, two = (
        to_whole_body(PEOPLE[0], [Spot(le, 1, 3.0)], rng(4))[0] for le in (benign_image, same)
    )
    assert np.array_equal(one, two)
    other = replace(benign_image, image_class="metastasis")
    pictures = [to_whole_body(PEOPLE[0], [Spot(other, 1, 3.0)], rng(k))[0] for k in range(3)]
    plain = [to_whole_body(PEOPLE[0], [Spot(benign_image, 1, 3.0)], rng(k))[0] for k in range(3)]
    assert any(not np.array_equal(a, b) for a, b in zip(pictures, plain, strict=True))


def test_the_posterior_view_is_stored_as_seen_from_behind() -> None:
    """The patient's left is on the right in front and on the left behind."""
    views, marks = to_whole_body(PEOPLE[0], [Spot(lesion("facet"), 1, 12.0)], rng(2))
    (front, row), (back, same) = marks[0]["anterior"], marks[0]["posterior"]
    assert front > CENTRE > back
    assert row == same
    window = views[1, round(row) - 12 : round(row) + 13].astype(np.int64).sum(axis=0)
    assert abs(int(np.argmax(np.convolve(window, np.ones(7), "same"))) - back) <= 3


@pytest.mark.parametrize(("sex", "height"), [("M", 1.0), ("F", 0.94)])
def test_women_are_shorter_on_the_whole_body_scan(sex: str, height: float) -> None:
    rows = []
    for k in range(8):
        _, marks = to_whole_body(replace(PEOPLE[0], sex=sex), [Spot(lesion("wedge"), 1, 3.0)], rng(k))  # fmt: skip
        rows.append((marks[0]["anterior"][1] - HEAD_ROW) / (vertebra_row(9) - HEAD_ROW))
    assert np.mean(rows) == pytest.approx(height, abs=4 * 0.025 / np.sqrt(8))


def test_slices_change_smoothly_between_the_key_pictures(
    belly: tuple[np.ndarray, np.ndarray, Torso],
) -> None:
    """Linear blending: halfway between two keys (35 mm apart) a slice is the mean of its neighbours' sum."""
    hu = belly[0]
    k = int(np.argmin(np.abs(Z - 17.5)))
    np.testing.assert_allclose(hu[k], (hu[k - 2] + hu[k + 2]) / 2, atol=0.5)
