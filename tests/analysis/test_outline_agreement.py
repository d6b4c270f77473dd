"""Agreement of drawings: squares whose overlap, shift and area can be counted by hand."""

import numpy as np
import pytest

from portal.analysis.outline_agreement import (
    areas,
    drawn,
    mask_of,
    outline_agreement,
    shift_mm,
    summary,
)
from portal.study.models import Lesion
from radiomics.stats.agreement import bland_altman
from readers.models import Assignment, Read, ReadingDesign, ReadingSession, Roi
from tests.cohort import NOW, make_patient, make_study, make_user
from tests.readers.builders import make_read_lesion, make_reading_study

pytestmark = pytest.mark.django_db


def square(z: float, *, left: float = 10.0, top: float = 60.0, side: float = 10.0) -> list[list[float]]:  # fmt: skip
    """Corners between pixel centres of the CT of the tests (1 mm, centres at .5)."""
    return [
        [left, top, z],
        [left + side, top, z],
        [left + side, top + side, z],
        [left, top + side, z],
    ]


class Desk:
    """Writes locked drawings of a study's lesions directly."""

    def __init__(self, study) -> None:
        self.study = study
        self.design = ReadingDesign.objects.get(study=study)
        self.questionnaire = study.questionnaires.get(task="outline")
        self.n = 0

    def draw(self, name: str, lesion: Lesion, *, occasion: int = 1, index: int = 2, also: tuple[int, ...] = (), state: str = "locked", **place: float) -> Roi:  # fmt: skip
        self.n += 1
        session = ReadingSession.objects.create(
            study=self.study, design=self.design, questionnaire=self.questionnaire, reader=make_user(name),
            number=self.n, task="outline", kind="main" if occasion == 1 else "repeat", order_digest="0" * 64,
        )  # fmt: skip
        case = Assignment.objects.create(
            session=session, lesion=lesion, position=1, occasion=occasion
        )
        read = Read.objects.create(assignment=case, started_at=NOW)
        rois = [self.roi(read, i, **place) for i in (index, *also)]
        for step in ("submitted", "locked")[: 2 if state == "locked" else 1]:
            Read.objects.filter(pk=read.pk).update(state=step)
        return rois[0]

    def roi(self, read: Read, index: int, **place: float) -> Roi:
        series = read.assignment.lesion.ct_series
        z = series.geometry["positions_mm"][index][2]
        side = place.get("side", 10.0) + (index - 2 if place.get("grows") else 0)
        where = {key: value for key, value in place.items() if key in ("left", "top")}
        return Roi.objects.create(
            read=read, modality="CT", series=series, frame=1, slice_index=index,
            sop_instance_uid=series.instances.order_by("rank")[index].uid,
            vertices_mm=square(z, side=side, **where), area_mm2=side * side, n_pixels=int(side * side),
            mask_digest=f"{self.n:064d}", created_at=NOW,
        )  # fmt: skip


@pytest.fixture
def desk() -> Desk:
    return Desk(make_reading_study(n_lesions=4))


def lesions(desk: Desk) -> list[Lesion]:
    return list(Lesion.objects.of_study(desk.study).order_by("pk"))


def agreed(desk: Desk):
    return outline_agreement(desk.study, [x.pk for x in lesions(desk)])


def test_a_square_of_ten_millimetres_covers_a_hundred_pixels(desk):
    assert mask_of(desk.draw("delineator1", lesions(desk)[0])).sum() == 100


def test_half_shifted_squares_share_half_of_their_pixels(desk):
    first = lesions(desk)[0]
    desk.draw("delineator1", first)
    desk.draw("delineator2", first, left=15.0)
    (row,) = agreed(desk)
    assert row["dice_values"] == [0.5]
    assert row["dice"]["median"] == 0.5
    assert row["centroid_shift_mm"]["median"] == pytest.approx(5.0)
    assert (row["modality"], row["between"], row["n"]) == ("CT", "delineator1 and delineator2", 1)


def test_equal_drawings_agree_wholly(desk):
    for lesion in lesions(desk)[:2]:
        desk.draw("delineator1", lesion)
        desk.draw("delineator2", lesion)
    (row,) = agreed(desk)
    assert row["dice_values"] == [1.0, 1.0]
    assert row["centroid_shift_mm"]["high"] == pytest.approx(0.0, abs=1e-12)


def test_drawings_on_different_images_have_a_shift_but_no_dice(desk):
    first = lesions(desk)[0]
    desk.draw("delineator1", first, index=2)
    desk.draw("delineator2", first, index=3)
    (row,) = agreed(desk)
    assert (row["n"], row["n_same_image"], row["dice_values"]) == (1, 0, [])
    assert row["dice"] == {"median": None, "low": None, "high": None}
    assert row["centroid_shift_mm"]["median"] == pytest.approx(2.5)


def test_a_repeat_is_compared_with_the_first_drawing_of_the_same_hand(desk):
    first = lesions(desk)[0]
    desk.draw("delineator1", first)
    desk.draw("delineator1", first, occasion=2, left=12.0)
    (row,) = agreed(desk)
    assert row["between"] == "delineator1, repeat"
    assert row["dice_values"] == [0.8]


def test_areas_are_compared_by_bland_and_altman(desk):
    sides = ((10.0, 8.0), (10.0, 10.0), (9.0, 10.0), (12.0, 8.0))
    for lesion, (one, two) in zip(lesions(desk), sides, strict=True):
        desk.draw("delineator1", lesion, side=one)
        desk.draw("delineator2", lesion, side=two)
    (row,) = agreed(desk)
    wanted = bland_altman([a * a for a, _ in sides], [b * b for _, b in sides])
    assert row["area_mm2"] == {"bias": wanted.bias, "low": wanted.low, "high": wanted.high}
    assert wanted.bias == pytest.approx((36 + 0 - 19 + 80) / 4)


def test_too_few_pairs_have_no_limits_of_area(desk):
    first = lesions(desk)[0]
    pair = (desk.draw("delineator1", first), desk.draw("delineator2", first))
    assert areas([pair, pair]) == {"bias": None, "low": None, "high": None}


def test_the_largest_roi_of_a_case_is_the_one_compared(desk):
    first = lesions(desk)[0]
    small = desk.draw("delineator1", first, also=(3, 4), grows=1.0)
    found = drawn(desk.study, [first.pk])["CT", "delineator1", 1][first.pk]
    assert (found.slice_index, found.area_mm2, small.area_mm2) == (4, 144.0, 100.0)


def test_what_is_not_locked_or_of_another_lesion_is_left_out(desk):
    first, second, *_ = lesions(desk)
    desk.draw("delineator1", first, state="submitted")
    desk.draw("delineator1", second)
    assert drawn(desk.study, [first.pk]) == {}


def test_another_studys_drawings_are_left_out(desk):
    other = make_study("knee")
    lesion = make_read_lesion(other, patient=make_patient(other))
    desk.draw("delineator1", lesions(desk)[0])
    assert outline_agreement(other, [lesion.pk]) == []


def test_the_order_of_the_two_drawings_changes_dice_and_shift_by_nothing(desk):
    first = lesions(desk)[0]
    a, b = desk.draw("delineator1", first), desk.draw("delineator2", first, left=13.0, top=62.0)
    assert shift_mm(a, b) == shift_mm(b, a) == pytest.approx(np.hypot(3, 2))


def test_a_summary_is_median_and_quartiles_of_type_seven():
    assert summary([1.0, 2.0, 3.0, 4.0]) == {"low": 1.75, "median": 2.5, "high": 3.25}
    assert summary([]) == {"low": None, "median": None, "high": None}
