from dataclasses import replace

import numpy as np
import pytest

from radiomics.phantom.anatomy import Anatomy, anatomy_of, stacked
from radiomics.phantom.draws import Stream, generator
from radiomics.phantom.lesion import (
    MARGIN,
    check,
    choices,
    field_of,
    paint_activity,
    paint_ct,
    tbr_of,
)
from radiomics.phantom.plan import make_plan
from radiomics.phantom.records import LesionPlan, PatientPlan
from radiomics.phantom.render import painted
from radiomics.phantom.roi import true_region
from radiomics.phantom.vertebra import Canvas

PLAN = make_plan(seed=2022)
PATIENT = next(p for p in PLAN.patients if p.centre_level == "L2")
LESION = PATIENT.lesions[0]


@pytest.fixture(scope="module")
def scene() -> tuple[Canvas, Anatomy]:
    anatomy = anatomy_of(1, PATIENT, {})
    canvas, _ = painted(1, replace(PATIENT, lesions=()), anatomy)
    return canvas, anatomy


def copied(canvas: Canvas) -> Canvas:
    return Canvas(canvas.hu.copy(), canvas.activity.copy(), canvas.body, canvas.posterior)


def lesion(**changes: object) -> LesionPlan:
    return replace(LESION, **{"t_ct": 0.0, "t_sp": 0.0, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", sorted(MARGIN))
def test_every_shape_has_a_region_in_the_scan(shape: str, scene: tuple[Canvas, Anatomy]) -> None:
    field = field_of(
        *scene, lesion(shape=shape), choices(np.random.default_rng(5)), np.random.default_rng(6)
    )
    region = true_region(field)
    assert region is not None
    assert 8 < region.longest_diameter_mm < 70
    assert field.mask.min() >= 0
    assert field.mask.max() <= 1


@pytest.mark.parametrize(("ct_type", "sign"), [("lytic", -1), ("blastic", 1), ("sclerotic", 1)])
def test_ct_types_darken_or_brighten_the_bone(
    ct_type: str, sign: int, scene: tuple[Canvas, Anatomy]
) -> None:
    canvas, anatomy = copied(scene[0]), scene[1]
    plan = lesion(shape="focal", ct_type=ct_type)
    field = field_of(
        canvas, anatomy, plan, choices(np.random.default_rng(5)), np.random.default_rng(6)
    )
    inside = field.mask > 0.9
    before = float(canvas.hu[field.box.where][inside].mean())
    paint_ct(canvas, field, plan, np.random.default_rng(7))
    assert sign * (float(canvas.hu[field.box.where][inside].mean()) - before) > 25


def test_uptake_rises_with_the_latent_and_adds_the_ratio(scene: tuple[Canvas, Anatomy]) -> None:
    ratios = [tbr_of(lesion(t_sp=t), np.random.default_rng(8)) for t in (-2.0, 0.0, 2.0)]
    assert ratios == sorted(ratios)
    canvas, anatomy = copied(scene[0]), scene[1]
    plan = lesion(shape="focal", ct_type="blastic", t_sp=-3.0)
    field = field_of(
        canvas, anatomy, plan, choices(np.random.default_rng(5)), np.random.default_rng(6)
    )
    before = canvas.activity.copy()
    paint_activity(canvas, field, plan, 4.0, np.random.default_rng(9))
    added = (canvas.activity - before)[field.box.where][field.mask > 0.99]
    assert added.mean() == pytest.approx(3.0, rel=0.15)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"shape": "star"}, "star"),
        ({"ct_type": "glass"}, "glass"),
        ({"t_ct": float("nan")}, "finite"),
        ({"t_sp": float("inf")}, "finite"),
    ],
)
def test_recipes_that_cannot_be_drawn_are_refused_by_name(
    changes: dict[str, object], word: str
) -> None:
    with pytest.raises(ValueError, match=word):
        check(lesion(**changes))


def test_a_lesion_outside_the_scan_is_refused(scene: tuple[Canvas, Anatomy]) -> None:
    with pytest.raises(ValueError, match="outside"):
        field_of(
            *scene, lesion(level="T5"), choices(np.random.default_rng(5)), np.random.default_rng(6)
        )


def test_vertebrae_stack_without_overlap_from_head_to_foot() -> None:
    for centre in range(1, 12):
        places = dict(stacked(centre, 1.0))
        assert places[centre] == 0
        heights = [places[k] for k in sorted(places)]
        assert all(a - b > 17 for a, b in zip(heights, heights[1:], strict=False))
        assert all(abs(z) < 115 for z in heights)


def test_older_patients_have_thinner_bone() -> None:
    def mean_density(age: int) -> float:
        people: list[PatientPlan] = [replace(PATIENT, index=i, age=age) for i in range(30)]
        return float(np.mean([anatomy_of(1, p, {}).trabecular for p in people]))

    assert mean_density(45) > mean_density(80) + 40


def test_normal_cancellous_bone_is_visibly_textured(scene: tuple[Canvas, Anatomy]) -> None:
    canvas, anatomy = scene
    vert = anatomy.at(anatomy.centre)
    box = anatomy.box(vert, 5, 5, 8)
    core = (canvas.body[box.where] > 0.99) & (np.abs(box.v) < 7)
    assert 30 < float(canvas.hu[box.where][core].std()) < 60


def test_choices_repeat_for_the_same_generator() -> None:
    one, two = (choices(generator(3, Stream.LESION, 1, 1)) for _ in range(2))
    assert one == two
    assert one.side in (-1, 1)
