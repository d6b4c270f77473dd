"""Operating points by hand, against a search over all thresholds, and their refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomics.stats.confusion import confusion
from radiomics.stats.operating import operating_point

Y = np.array([0, 0, 0, 0, 1, 1, 1, 1])
S = np.array([1, 2, 3, 6, 4, 5, 7, 8.0])


@pytest.mark.parametrize(
    ("fixed", "threshold", "sensitivity", "specificity"),
    [(1.0, 6.5, 0.5, 1.0), (0.75, 3.5, 1.0, 0.75), (0.9, 6.5, 0.5, 1.0), (0.0, -np.inf, 1.0, 0.0)],
)
def test_sensitivity_at_a_fixed_specificity_by_hand(fixed, threshold, sensitivity, specificity):
    found = operating_point(Y, S, fixed)
    if fixed:
        assert found.threshold == threshold
    assert found.sensitivity.value == sensitivity
    assert found.specificity.value >= fixed
    assert found.flags == ("threshold_from_test",)
    if fixed:
        assert found.specificity.value == specificity


@pytest.mark.parametrize(("fixed", "specificity"), [(1.0, 0.75), (0.5, 1.0), (0.6, 0.75)])
def test_specificity_at_a_fixed_sensitivity_by_hand(fixed, specificity):
    found = operating_point(Y, S, fixed, focus="sensitivity")
    assert found.specificity.value == specificity
    assert found.sensitivity.value >= fixed


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), fixed=st.floats(0, 1))
def test_no_threshold_does_better(seed, fixed):
    rng = np.random.default_rng(seed)
    y, s = rng.integers(0, 2, 30), rng.integers(0, 9, 30).astype(float)
    y[:2] = 0, 1
    best = max(
        (s >= t)[y == 1].mean() for t in [-1, *np.unique(s), 99] if (s < t)[y == 0].mean() >= fixed - 1e-12
    )  # fmt: skip
    assert operating_point(y, s, fixed).sensitivity.value == pytest.approx(best, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), fixed=st.floats(0, 1))
def test_both_directions_mirror_each_other(seed, fixed):
    rng = np.random.default_rng(seed)
    y, s = rng.integers(0, 2, 25), rng.normal(size=25)
    y[:2] = 0, 1
    here = operating_point(y, s, fixed)
    there = operating_point(1 - y, -s, fixed, focus="sensitivity")
    assert here.sensitivity.value == pytest.approx(there.specificity.value, abs=1e-12)


def test_the_limits_are_those_of_the_confusion_matrix_and_widen_with_patients():
    groups = np.repeat(np.arange(4), 2)
    found = operating_point(Y, S, 0.75, groups=groups, interval="wilson")
    wanted = confusion(Y, (found.threshold <= S).astype(int), groups=groups, interval="wilson")
    assert found.sensitivity == wanted.sensitivity
    assert found.specificity == wanted.specificity


@pytest.mark.parametrize("bad", [{"fixed": 1.2}, {"fixed": -0.1}, {"fixed": 0.5, "focus": "ppv"}])
def test_an_impossible_point_is_refused(bad):
    with pytest.raises(ValueError, match="fixed must lie"):
        operating_point(Y, S, **bad)
