import numpy as np
import pytest

from radiomics.phantom.draws import (
    Stream,
    generator,
    largest_remainder,
    normal_scores,
    pick,
    rounded,
    systematic,
)
from radiomics.phantom.levels import CENTRE_WEIGHTS, CENTRES, LEVELS, is_thoracic, number, size_of


@pytest.mark.parametrize(
    ("weights", "total", "counts"),
    [
        ((1, 1, 1), 4, [2, 1, 1]),
        ((46, 33, 32, 21), 24, [8, 6, 6, 4]),
        ((7, 4, 9), 0, [0, 0, 0]),
        ((5, 3), 8, [5, 3]),
    ],
)
def test_largest_remainders_sum_to_the_total(
    weights: tuple[int, ...], total: int, counts: list[int]
) -> None:
    assert largest_remainder(weights, total) == counts


@pytest.mark.parametrize(("value", "whole"), [(0.49, 0), (0.5, 1), (1.5, 2), (2.5, 3)])
def test_halves_round_upwards(value: float, whole: int) -> None:
    assert rounded(value) == whole


def test_streams_do_not_depend_on_each_other() -> None:
    a = generator(1, Stream.TEXTURE, 3).random(4)
    generator(1, Stream.CT_NOISE, 3).random(100)
    assert np.array_equal(generator(1, Stream.TEXTURE, 3).random(4), a)
    assert not np.array_equal(generator(1, Stream.CT_NOISE, 3).random(4), a)
    assert not np.array_equal(generator(1, Stream.TEXTURE, 4).random(4), a)


def test_normal_scores_are_the_same_set_for_every_seed() -> None:
    one, two = (normal_scores(np.random.default_rng(s), 50) for s in (1, 2))
    assert not np.array_equal(one, two)
    assert np.allclose(np.sort(one), np.sort(two))
    assert one.mean() == pytest.approx(0, abs=1e-12)


def test_systematic_samples_hit_every_stratum_once() -> None:
    u = systematic(np.random.default_rng(3), 20)
    assert sorted(np.floor(u * 20).astype(int)) == list(range(20))
    assert systematic(np.random.default_rng(3), 0).size == 0


def test_picks_follow_the_weights_within_one() -> None:
    u = systematic(np.random.default_rng(4), 100)
    assert np.abs(np.bincount(pick(u, (0.62, 0.30, 0.08)), minlength=3) - [62, 30, 8]).max() <= 1


def test_levels_run_from_t5_to_l5_and_know_their_size() -> None:
    assert len(LEVELS) == 13
    assert len(CENTRES) == len(CENTRE_WEIGHTS) == 11
    assert size_of("L3").width == 46
    assert is_thoracic("T11")
    assert not is_thoracic("T12")
    with pytest.raises(ValueError, match="C7"):
        number("C7")
