"""LOWESS: as Cleveland's program, also where predictions tie."""

import numpy as np
import pytest
from statsmodels.nonparametric.smoothers_lowess import lowess as statsmodels_lowess

from radiomics.stats.calibration import calibration
from radiomics.stats.local_regression import lowess


@pytest.mark.parametrize("n", [8, 30, 134])
@pytest.mark.parametrize("delta", [0.0, 0.01, 0.1])
@pytest.mark.parametrize("span", [0.3, 2 / 3, 1.0])
def test_without_ties_it_is_what_statsmodels_says(n, delta, span):
    rng = np.random.default_rng(n)
    x = np.sort(rng.random(n))
    y = (rng.random(n) < x).astype(float)
    wanted = statsmodels_lowess(
        y, x, frac=span, it=0, delta=delta, is_sorted=True, return_sorted=False
    )
    # theirs skips to other places than R's at delta > 0; R's are the golden values
    slack = 1e-9 if delta == 0 else 0.02
    assert lowess(x, y, span=span, delta=delta) == pytest.approx(wanted, abs=slack)


def test_a_line_stays_a_line():
    x = np.linspace(0, 1, 40)
    assert lowess(x, 3 * x - 1, span=0.5, delta=0.0) == pytest.approx(3 * x - 1)


def test_a_neighbourhood_of_one_x_is_fitted_by_its_mean():
    x = np.r_[np.full(12, 0.001), np.linspace(0.2, 0.9, 4)]
    y = np.r_[1.0, 1.0, 1.0, np.zeros(9), 1, 0, 1, 1]
    found = lowess(x, y, span=2 / 3, delta=0.0)
    assert np.ptp(found[:12]) == 0
    assert found[0] == pytest.approx(3 / 12)  # statsmodels says 0


def test_equal_x_have_equal_fits():
    rng = np.random.default_rng(1)
    x = np.sort(rng.integers(0, 6, 50) / 5)
    found = lowess(x, rng.random(50), span=2 / 3, delta=0.01)
    for value in np.unique(x):
        assert np.ptp(found[x == value]) < 1e-12


@pytest.mark.parametrize("seed", range(6))
def test_a_fit_lies_near_the_data_even_with_most_predictions_at_the_ends(seed):
    rng = np.random.default_rng(seed)
    p = np.r_[np.full(20, 0.01), rng.random(8), np.full(20, 0.99)]
    y = np.r_[rng.random(20) < 0.1, rng.random(8) < 0.5, rng.random(20) < 0.9].astype(float)
    found = calibration(y, p)
    assert np.isfinite(found.smooth_y).all()
    assert found.smooth_y.min() > -0.2
    assert found.smooth_y.max() < 1.2
    order = np.argsort(p)
    assert np.asarray(found.smooth_y)[order][:20].mean() == pytest.approx(y[:20].mean(), abs=0.12)
