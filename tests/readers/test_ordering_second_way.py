"""The order of cases by a second way, its digest, and what the repair of the gap may do."""

import hashlib
from functools import cache
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.errors import Invalid
from readers.ordering import below, is_spaced, shuffle, spaced, words

GOLDEN = "3dabfa06910788eb323cdeb915e76f0ab98d41a85ceccd7f3a9d61703d92106b"


def drawn(key, n):
    """Fisher–Yates by its definition: for each place from the last, one of the not yet placed."""
    left, placed, counter = list(range(n)), [], 0
    while left:
        size = len(left)
        if size == 1:
            placed.append(left.pop())
            break
        while True:
            head = hashlib.sha256(f"{key}|{counter}".encode()).hexdigest()[:16]
            counter += 1
            if int(head, 16) < 2**64 - 2**64 % size:
                break
        chosen = int(head, 16) % size
        placed.append(left[chosen])
        left[chosen] = left[-1]
        left.pop()
    return placed[::-1]


@settings(max_examples=60)
@given(st.text(max_size=12), st.integers(0, 60))
def test_a_shuffle_is_fisher_yates_drawn_from_sha256(key, n):
    assert shuffle(range(n), key=key) == drawn(key, n)


def test_the_order_of_192_lesions_is_the_golden_one_everywhere():
    order = shuffle(range(192), key="2022|read|main|1|expert1")
    # sha256 of the comma-joined order that `drawn` gives
    assert hashlib.sha256(",".join(map(str, order)).encode()).hexdigest() == GOLDEN


@pytest.mark.parametrize(
    "key", ["1|read|main|1|a", "1|read|main|1|b", "1|read|main|2|a", "2|read|main|1|a"]
)
def test_seed_occasion_and_reader_each_give_another_order(key):
    assert shuffle(range(40), key=key) != shuffle(range(40), key="1|outline|main|1|a")


@pytest.mark.parametrize(
    ("limit", "word", "kept"),
    [
        (1, 2**64 - 1, True),
        (2, 2**64 - 1, True),
        (3, 2**64 - 1, False),
        (3, 2**64 - 2, True),
        (5, 2**64 - 1, False),
        (5, 2**64 - 2, True),
        (6, 2**64 - 4, False),
        (6, 2**64 - 5, True),
        (2**63 + 1, 2**63 + 1, False),
        (2**63 + 1, 2**63, True),
    ],
)
def test_only_words_above_the_last_full_multiple_are_passed_over(limit, word, kept):
    assert below(limit, iter([word, 0])) == (word % limit if kept else 0)


def test_every_order_of_three_is_equally_likely():
    counts = dict.fromkeys(permutations("abc"), 0)
    for seed in range(3000):
        counts[tuple(shuffle("abc", key=str(seed)))] += 1
    # binomial(3000, 1/6): standard deviation 20.4, so 102 is five of them
    assert all(abs(n - 500) < 102 for n in counts.values())


def test_words_are_whole_numbers_of_64_bits_and_do_not_repeat():
    stream = words("k")
    first = [next(stream) for _ in range(500)]
    assert len(set(first)) == 500
    assert all(0 <= word < 2**64 for word in first)
    assert max(first) > 2**63


ORDERS = st.lists(st.sampled_from("abcdefgh"), max_size=12)


@given(ORDERS, st.integers(1, 4))
def test_is_spaced_is_what_all_pairs_say(groups, gap):
    pairs = [
        j - i
        for i in range(len(groups))
        for j in range(i + 1, len(groups))
        if groups[i] == groups[j]
    ]
    assert is_spaced(groups, gap=gap) is all(apart >= gap for apart in pairs)


@given(ORDERS, st.integers(1, 3))
def test_a_repair_either_keeps_every_item_and_the_gap_or_refuses(groups, gap):
    items = list(enumerate(groups))
    try:
        order = spaced(items, lambda item: item[1], gap=gap)
    except Invalid:
        return
    assert sorted(order) == items
    assert is_spaced([group for _, group in order], gap=gap)


@pytest.mark.parametrize("gap", [1, 2, 3, 4])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6])
def test_a_list_is_refused_only_if_none_of_its_orders_keeps_the_gap(n, gap):
    """Every list of up to six cases of up to four patients, against all of its orders."""
    for groups in product("abcd", repeat=n):
        can_be = any(is_spaced(way, gap=gap) for way in orders_of(tuple(sorted(groups))))
        try:
            order = spaced(groups, str, gap=gap)
        except Invalid:
            assert not can_be, groups
            continue
        assert sorted(order) == sorted(groups)
        assert is_spaced(order, gap=gap)


@cache
def orders_of(groups):
    return set(permutations(groups))


@given(ORDERS, st.integers(1, 4))
def test_what_keeps_the_gap_is_never_touched(groups, gap):
    items = list(enumerate(groups))
    if is_spaced(groups, gap=gap):
        assert spaced(items, lambda item: item[1], gap=gap) == items


@pytest.mark.parametrize(
    ("order", "gap", "repaired"),
    [
        ("aabb", 1, "aabb"),
        ("aabb", 2, "abab"),
        ("aabcd", 2, "abacd"),
        ("aabcd", 3, "abcad"),
        ("abbacc", 2, "abacbc"),
        ("", 3, ""),
        ("a", 4, "a"),
    ],
)
def test_repairs_worked_by_hand(order, gap, repaired):
    assert "".join(spaced(order, str, gap=gap)) == repaired


@pytest.mark.parametrize(("order", "gap"), [("aa", 2), ("aab", 3), ("aaab", 2), ("abab", 4)])
def test_a_gap_that_no_order_can_keep_is_refused(order, gap):
    assert not any(is_spaced(p, gap=gap) for p in permutations(order))
    with pytest.raises(Invalid) as refusal:
        spaced(order, str, gap=gap)
    assert refusal.value.sentence == (
        f"One patient has too many lesions for a gap of {gap} cases; lower the gap of the design."
    )
