"""A nomogram says what the formula says: points add up to the log odds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from radiomics.nomogram import Nomogram, nomogram

FLOAT = st.floats(-3, 3).filter(lambda v: abs(v) > 0.01)


def two() -> Nomogram:
    """log odds = 0.5 + 2 (a - 1) / 2 - 1 (b - 10) / 5 over a in 0..4, b in 0..20."""
    return nomogram(
        ["a", "b"], [2.0, -1.0], 0.5, mean=[1.0, 10.0], scale=[2.0, 5.0], low=[0.0, 0.0], high=[4.0, 20.0]
    )  # fmt: skip


def test_a_hand_computed_nomogram() -> None:
    # a contributes -1..3 (reach 4: 100 points), b contributes 2..-2 (reach 4, falling)
    found = two()
    assert [(x.low_points, x.high_points) for x in found.axes] == [(0.0, 100.0), (100.0, 0.0)]
    assert (found.base, found.slope, found.largest) == (0.5 - 1 - 2, 0.04, 200.0)


def test_a_model_on_raw_columns_by_hand() -> None:
    """log-odds = -2 + 0.1 age - 1 sex, age 40..80 (4 log-odds = 100 points), sex 0..1 (1 log-odds = 25 points)."""
    found = nomogram(
        ["age", "sex"], [0.1, -1.0], -2.0, mean=[0, 0], scale=[1, 1], low=[40, 0], high=[80, 1]
    )
    age, sex = found.axes
    assert [age.points(v) for v in (40, 60, 80)] == pytest.approx([0, 50, 100])
    # a negative coefficient counts backwards: sex 0 has the points
    assert [sex.points(v) for v in (0, 1)] == pytest.approx([25, 0])
    assert (found.base, found.slope, found.largest) == pytest.approx((1.0, 0.04, 125.0))
    assert [found.probability(t) for t in (0, 125)] == pytest.approx([expit(1.0), expit(6.0)])


def test_points_of_a_value_between_the_ends() -> None:
    a, b = two().axes
    assert (a.points(1.0), b.points(5.0)) == (25.0, 75.0)


def test_a_value_outside_the_axis_keeps_to_the_line() -> None:
    assert two().axes[0].points(6.0) == 150.0
    assert two().axes[0].points(-1.0) == -25.0


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(FLOAT, st.floats(-9, 9), st.floats(0.1, 5), st.floats(-9, 0), st.floats(0.1, 9)), min_size=1, max_size=5),
    st.floats(-2, 2),
    st.data(),
)  # fmt: skip
def test_points_add_up_to_the_probability_of_the_formula(terms, intercept, data) -> None:  # type: ignore[no-untyped-def]
    coef, mean, scale, low, width = (np.array(x) for x in zip(*terms, strict=True))
    names = [f"f{j}" for j in range(len(terms))]
    found = nomogram(names, coef, intercept, mean=mean, scale=scale, low=low, high=low + width)
    x = np.array([data.draw(st.floats(lo, lo + w)) for lo, w in zip(low, width, strict=True)])
    total = sum(axis.points(v) for axis, v in zip(found.axes, x, strict=True))
    assert found.probability(total) == pytest.approx(
        expit(intercept + (coef * (x - mean) / scale).sum()), abs=1e-9
    )
    assert -1e-6 <= total <= found.largest + 1e-6


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(FLOAT, st.floats(0.1, 5), st.floats(0.1, 9)), min_size=1, max_size=6))
def test_every_axis_begins_at_nought_and_the_longest_ends_at_a_hundred(terms) -> None:  # type: ignore[no-untyped-def]
    coef, scale, width = (np.array(x) for x in zip(*terms, strict=True))
    zeros = np.zeros(len(terms))
    found = nomogram([str(j) for j in range(len(terms))], coef, 0.0, mean=zeros, scale=scale, low=zeros, high=width)  # fmt: skip
    ends = [(axis.low_points, axis.high_points) for axis in found.axes]
    assert all(min(pair) == pytest.approx(0, abs=1e-9) for pair in ends)
    assert max(max(pair) for pair in ends) == pytest.approx(100)
    assert found.largest == pytest.approx(sum(max(pair) for pair in ends))


@pytest.mark.parametrize("p", [0.01, 0.25, 0.5, 0.9])
def test_total_and_probability_undo_each_other(p: float) -> None:
    assert two().probability(two().total(p)) == pytest.approx(p, rel=1e-12)


def test_a_positive_coefficient_earns_points_upwards() -> None:
    first, second = two().axes
    assert first.high_points > first.low_points
    assert second.high_points < second.low_points


def test_its_json_holds_every_axis() -> None:
    document = two().to_dict()
    assert [axis["name"] for axis in document["axes"]] == ["a", "b"]
    assert document["slope"] == 0.04


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"names": []}, "one per name"),
        ({"coef": [1.0]}, "2 entries"),
        ({"low": [0.0, 20.0]}, "not so for b"),
        ({"coef": [0.0, 0.0]}, "must not be 0 throughout"),
        ({"low": [0.0, np.nan]}, "must be finite"),
        ({"coef": [np.inf, 1.0]}, "must be finite"),
        ({"scale": [2.0, 0.0]}, "scale above 0"),
    ],
)
def test_what_is_no_model_is_refused(change: dict[str, list[float]], sentence: str) -> None:
    given_ = {"names": ["a", "b"], "coef": [2.0, -1.0], "mean": [1.0, 10.0], "scale": [2.0, 5.0], "low": [0.0, 0.0], "high": [4.0, 20.0], **change}  # fmt: skip
    names, coef = given_.pop("names"), given_.pop("coef")
    with pytest.raises(ValueError, match=sentence):
        nomogram(names, coef, 0.5, **given_)  # type: ignore[arg-type]
