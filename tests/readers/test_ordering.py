import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import Invalid
from readers.ordering import below, is_spaced, shuffle, spaced, words


def test_words_are_the_heads_of_sha256_over_key_and_counter():
    # first 16 hex digits of: printf 'seed|0' | sha256sum, and of 'seed|1'
    stream = words("seed")
    assert f"{next(stream):016x}" == "9e39640e7f602667"
    assert f"{next(stream):016x}" == "eb1e60768783e52e"


def test_the_shuffle_of_a_key_is_the_same_for_ever():
    assert shuffle("abcdefgh", key="2022|read|main|1|expert1") == list("aebdhfgc")


def test_another_key_gives_another_order():
    items = range(30)
    assert shuffle(items, key="1") != shuffle(items, key="2")


@given(st.lists(st.integers(), max_size=40), st.text(max_size=10))
def test_a_shuffle_loses_and_doubles_nothing(items, key):
    assert sorted(shuffle(items, key=key)) == sorted(items)


def test_a_number_below_a_limit_skips_the_words_that_would_bias_it():
    top = (1 << 64) - 1
    assert below(10, iter([top, 7])) == 7


def test_every_position_is_equally_likely():
    counts = [0] * 5
    for seed in range(2000):
        counts[shuffle(range(5), key=f"{seed}").index(0)] += 1
    # binomial(2000, 0.2): standard deviation 17.9, so 90 is five of them
    assert all(abs(c - 400) < 90 for c in counts)


@given(
    st.lists(st.integers(0, 25), min_size=25, max_size=60).filter(
        lambda groups: max(groups.count(g) for g in groups) <= 4
    ),
    st.integers(1, 4),
)
def test_repaired_orders_keep_the_gap(groups, gap):
    items = list(enumerate(groups))
    order = spaced(items, lambda item: str(item[1]), gap=gap)
    assert sorted(order) == items
    assert is_spaced([str(group) for _, group in order], gap=gap)


def test_an_order_that_keeps_the_gap_already_is_left_alone():
    assert spaced("abcabc", str, gap=3) == list("abcabc")


def test_items_left_at_the_end_go_to_the_nearest_earlier_place():
    assert is_spaced(spaced("abcdxx", str, gap=3), gap=3)


def test_an_impossible_gap_is_refused_with_a_sentence():
    with pytest.raises(Invalid, match="lower the gap"):
        spaced("aab", str, gap=3)


def test_gap_of_neighbours_two_apart():
    assert is_spaced("aba", gap=2)
    assert not is_spaced("aba", gap=3)


@pytest.mark.promise("B3")
def test_position_tells_nothing_of_a_class_that_goes_with_the_number_of_lesions():
    """Mean Spearman rho of position and class over 200 seeds within 3 / sqrt(191 x 200)."""
    patients = [(p, p < 60) for p in range(132)]
    lesions = [(p, n) for p, two in patients for n in ((1, 2) if two else (1,))]
    rank = {lesion: float(lesion[0] < 79) for lesion in lesions}
    rhos = []
    for seed in range(200):
        order = spaced(shuffle(lesions, key=f"{seed}"), lambda lesion: str(lesion[0]), gap=3)
        rhos.append(statistics.correlation(range(192), [rank[x] for x in order]))
    assert abs(statistics.fmean(rhos)) < 0.0154
