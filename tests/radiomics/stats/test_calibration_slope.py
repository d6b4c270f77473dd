"""The calibration slope of two groups of predictions by hand, however near they lie, and of classes that are separated."""

import math

import numpy as np
import pytest

from radiomics.stats.calibration import calibration

Y = np.array([0, 0, 0, 1, 0, 1, 1, 1])  # one of four and three of four
SIDE = np.repeat([-1.0, 1.0], 4)


def probability(log_odds):
    return 1 / (1 + np.exp(-log_odds))


@pytest.mark.parametrize("apart", [2.0, 0.5, 1e-2, 1e-3, 1e-4, 1e-5])
def test_the_slope_of_two_groups_is_that_of_their_log_odds(apart):
    found = calibration(Y, probability(SIDE * apart))
    assert found.slope == pytest.approx(math.log(3) / apart, rel=1e-8)
    assert found.intercept == pytest.approx(0.0, abs=1e-5)
    assert found.slope_se == pytest.approx(1 / (apart * math.sqrt(1.5)), rel=1e-8)
    assert "separated" not in found.flags


@pytest.mark.parametrize("seed", [395, 512, 541, 1])
def test_predictions_refitted_to_hardly_any_signal_have_slope_one(seed):
    rng = np.random.default_rng(seed)
    eta, y = rng.normal(size=40), rng.integers(0, 2, 40)
    eta -= eta[y == 1].mean() * y + eta[y == 0].mean() * (1 - y) - 1e-4 * y
    first = calibration(y, probability(eta))
    again = calibration(y, probability(first.intercept + first.slope * eta))
    assert abs(first.slope) < 0.01
    assert again.slope == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("apart", [3.0, 0.5, 1e-2, 1e-4])
@pytest.mark.parametrize("turned", [1.0, -1.0])
def test_separated_classes_have_no_slope_however_near_they_lie(apart, turned):
    found = calibration([0, 0, 0, 0, 1, 1, 1, 1], probability(SIDE * apart * turned))
    assert math.isnan(found.slope)
    assert "separated" in found.flags
