"""The ranking numbers of fitting: AUC by counting pairs, the Youden threshold by a search, ties and single classes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomics.discrimination import rank_auc, youden_threshold


@st.composite
def samples(draw):
    """Labels with both classes and tied scores, each (n,)."""
    rows = draw(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=0, max_size=8))
    both = [*rows, (True, draw(st.integers(0, 4))), (False, draw(st.integers(0, 4)))]
    return np.array([y for y, _ in both], dtype=float), np.array([s for _, s in both], dtype=float)


def gain(y, p, threshold):
    called = p >= threshold
    return called[y == 1].mean() - called[y == 0].mean()


@pytest.mark.parametrize(
    ("score", "area"),
    [([1, 2, 3, 4], 1.0), ([4, 3, 2, 1], 0.0), ([1, 3, 2, 4], 0.75), ([1, 2, 2, 4], 0.875), ([5, 5, 5, 5], 0.5)],
)  # fmt: skip
def test_the_area_of_four_rows_by_hand(score, area):
    assert rank_auc(np.array([0.0, 0, 1, 1]), np.array(score, dtype=float)) == area


@given(samples())
def test_the_area_counts_pairs_in_order_and_half_the_ties(sample):
    y, score = sample
    pairs = [np.sign(a - b) / 2 + 0.5 for a in score[y == 1] for b in score[y == 0]]
    assert rank_auc(y, score) == pytest.approx(np.mean(pairs))


@given(samples())
def test_swapped_classes_and_negated_scores_each_give_the_rest(sample):
    y, score = sample
    assert rank_auc(1 - y, score) == pytest.approx(1 - rank_auc(y, score))
    assert rank_auc(y, -score) == pytest.approx(1 - rank_auc(y, score))
    assert rank_auc(y, np.exp(score)) == rank_auc(y, score)


@pytest.mark.parametrize("y", [[], [1, 1], [0, 0, 0]])
def test_one_class_or_none_has_no_area(y):
    assert math.isnan(rank_auc(np.array(y, dtype=float), np.arange(len(y), dtype=float)))


@pytest.mark.parametrize(
    ("p", "threshold"),
    [
        ([0.1, 0.2, 0.6, 0.8], 0.4),
        ([0.1, 0.6, 0.2, 0.8], 0.15),  # 0.7 gains as much: the smaller one is taken
        ([0.1, 0.7, 0.7, 0.8], 0.4),
        ([0.5, 0.5, 0.5, 0.5], -np.inf),
        ([0.8, 0.9, 0.1, 0.2], -np.inf),
    ],
)
def test_the_youden_threshold_of_four_rows_by_hand(p, threshold):
    assert youden_threshold(np.array([0.0, 0, 1, 1]), np.array(p)) == pytest.approx(threshold)


@given(samples())
def test_no_threshold_gains_more_and_no_smaller_one_as_much(sample):
    y, p = sample
    chosen = youden_threshold(y, p)
    tried = [-np.inf, *(np.unique(p) + 0.5), np.inf]
    best = max(gain(y, p, t) for t in tried)
    assert gain(y, p, chosen) == pytest.approx(best)
    wider = [t for t in tried if (p >= t).sum() > (p >= chosen).sum()]
    assert all(gain(y, p, t) < best - 1e-9 for t in wider)


@given(samples())
def test_no_prediction_lies_on_the_threshold(sample):
    y, p = sample
    assert youden_threshold(y, p) not in p.tolist()
