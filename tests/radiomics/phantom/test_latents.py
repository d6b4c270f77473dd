import numpy as np
import pytest

from radiomics.phantom.latents import latents, separation


@pytest.mark.parametrize("difficulty", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_difficulty_outside_its_range_is_refused(difficulty):
    with pytest.raises(ValueError, match="difficulty"):
        separation(difficulty)


def test_difficulty_nought_carries_no_separation():
    settings = separation(0.0)
    assert (settings.ct, settings.spect, settings.atypical, settings.flipped) == (
        0.0,
        0.0,
        0.5,
        0.5,
    )


def test_class_means_lie_exactly_the_separation_apart():
    metastatic = np.arange(192) < 115
    t = latents(metastatic, 2.8, np.random.default_rng(3))
    assert t[metastatic].mean() - t[~metastatic].mean() == pytest.approx(2.8, abs=1e-12)


def test_latents_repeat_for_a_seed_and_differ_between_seeds():
    metastatic = np.arange(20) % 2 == 0
    first, again, other = (latents(metastatic, 1.0, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
