"""Where the lines of a nomogram stand: ends on their values, words apart, probabilities that can be reached only."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.analysis.nomogram_drawing import (
    APART,
    LEFT,
    PROBABILITIES,
    ROW,
    TOP,
    WIDTH,
    Line,
    Tick,
    draw,
    parted,
    place,
    short,
)
from radiomics.nomogram import Nomogram, nomogram

NAMES = ("CT_Mean", "SP_Mean", "CT_Skewness")


def of(*coefficients: float, intercept: float = 0.0) -> Nomogram:
    """A nomogram of as many features, each from -2 to 2."""
    n = len(coefficients)
    return nomogram(
        NAMES[:n],
        coefficients,
        intercept,
        mean=[0.0] * n,
        scale=[1.0] * n,
        low=[-2.0] * n,
        high=[2.0] * n,
    )


def line(found: Nomogram, label: str) -> Line:
    (one,) = [x for x in draw(found).lines if x.label == label]
    return one


def test_there_is_a_line_for_points_each_feature_the_total_and_the_probability_in_that_order():
    drawing = draw(of(1.0, -0.5, 0.25))
    labels = [x.label for x in drawing.lines]
    assert labels == ["Points", *NAMES, "Total points", "Probability of metastasis"]
    assert [x.y for x in drawing.lines] == [TOP + k * ROW for k in range(6)]
    assert drawing.height > drawing.lines[-1].y
    assert drawing.width > LEFT + WIDTH


def test_the_feature_of_the_largest_effect_takes_the_whole_width():
    strong, weak = line(of(1.0, 0.5), "CT_Mean"), line(of(1.0, 0.5), "SP_Mean")
    assert (strong.x1, strong.x2) == (LEFT, LEFT + WIDTH)
    assert weak.x2 - weak.x1 == pytest.approx(WIDTH / 2, abs=0.1)


def test_a_negative_coefficient_gives_its_points_to_the_low_end():
    falling = line(of(1.0, -1.0), "SP_Mean")
    assert [(t.x, t.text) for t in falling.ticks] == [(LEFT, "2"), (LEFT + WIDTH, "-2")]


def test_the_points_go_from_0_to_100_in_steps_of_20():
    points = line(of(1.0), "Points")
    assert [t.text for t in points.ticks] == ["0", "20", "40", "60", "80", "100"]
    assert [t.x for t in points.ticks] == [LEFT + WIDTH * k / 5 for k in range(6)]


@pytest.mark.parametrize("coefficients", [(1.0,), (1.0, 0.5), (0.4, -0.3, 0.2)])
@pytest.mark.parametrize("intercept", [-1.0, 0.0, 1.5])
def test_a_probability_stands_below_the_total_that_gives_it(coefficients, intercept):
    found = of(*coefficients, intercept=intercept)
    shown = line(found, "Probability of metastasis")
    reached = [p for p in PROBABILITIES if 0 <= found.total(p) <= found.largest]
    assert len(shown.ticks) == len(reached)
    for tick, p in zip(shown.ticks, reached, strict=True):
        assert tick.x == pytest.approx(place(found.total(p), found.largest), abs=0.05)
        assert tick.text in {"", f"{p:g}"}


def test_a_model_that_never_leaves_one_probability_has_none_to_show():
    shown = line(of(0.001, intercept=30.0), "Probability of metastasis")
    assert shown.ticks == ()
    assert math.isfinite(shown.x1)


def test_words_too_near_to_the_one_before_are_dropped_and_their_marks_stay():
    ticks = tuple(Tick(x, str(x)) for x in (0.0, 10.0, 25.9, 26.0, 40.0, 52.0))
    kept = parted(ticks)
    assert [t.x for t in kept] == [t.x for t in ticks]
    assert [t.text for t in kept] == ["0.0", "", "", "26.0", "", "52.0"]


@given(st.lists(st.floats(0, 500), max_size=30))
def test_no_two_words_run_into_each_other_whatever_the_ticks(places):
    kept = parted(tuple(Tick(x, "word") for x in places))
    words = [t.x for t in kept if t.text]
    assert all(b - a >= APART for a, b in itertools.pairwise(words))
    assert sorted(places) == [t.x for t in kept]
    assert bool(words) == bool(places)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1234.5, "1.23e+03"), (-0.00012345, "-0.000123"), (99.95, "100"), (12.0, "12")],
)
def test_the_ends_of_a_feature_are_said_in_three_digits(value, text):
    assert short(value) == text
