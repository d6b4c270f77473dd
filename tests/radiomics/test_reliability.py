"""ICC(2,1) of many columns at once is the ICC of each; the filter keeps what every comparison bears out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from radiomics.reliability import FEWEST_PAIRS, ColumnIcc, icc2_columns, reliable_columns
from radiomics.stats.agreement import icc

RNG = np.random.default_rng(20)


def drawings(n: int = 14, p: int = 6, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    first = RNG.normal(size=(n, p))
    return first, first + 0.3 + noise * RNG.normal(size=(n, p))


def found(values: list[float], n: list[int] | None = None) -> ColumnIcc:
    column = np.array(values)
    counts = np.array(n or [FEWEST_PAIRS] * len(values), dtype=np.int64)
    return ColumnIcc(counts, column, column - 0.1, column + 0.1)


def test_a_hand_computed_icc() -> None:
    # lesions 1..10, second drawing one more: MS lesions 18.3333, drawings 5, error 0: 18.3333 / (18.3333 + 2 * 5 / 10)
    first = np.arange(1.0, 11.0)[:, None]
    answer = icc2_columns(first, first + 1)
    assert answer.value[0] == pytest.approx((55 / 3) / (55 / 3 + 1), rel=1e-12)
    assert answer.n[0] == 10


def test_each_column_agrees_with_the_icc_of_its_pairs_alone() -> None:
    first, second = drawings()
    answer = icc2_columns(first, second)
    for j in range(first.shape[1]):
        alone = icc(np.column_stack([first[:, j], second[:, j]])).icc2
        assert answer.value[j] == pytest.approx(alone.value, rel=1e-10)
        assert answer.low[j] == pytest.approx(alone.low, rel=1e-9)
        assert answer.high[j] == pytest.approx(alone.high, rel=1e-9)


def test_an_incomplete_pair_is_left_out_of_its_column_only() -> None:
    first, second = drawings()
    whole = icc2_columns(first, second)
    first[0, 0], second[3, 0] = np.nan, np.nan
    answer = icc2_columns(first, second)
    rest = [i for i in range(14) if i not in (0, 3)]
    alone = icc2_columns(first[rest], second[rest])
    assert answer.n.tolist() == [12, 14, 14, 14, 14, 14]
    assert answer.value[0] == alone.value[0]
    assert answer.value[1:].tolist() == whole.value[1:].tolist()


@pytest.mark.parametrize(("n", "has_one"), [(FEWEST_PAIRS - 1, False), (FEWEST_PAIRS, True)])
def test_fewer_than_ten_complete_pairs_give_none(n: int, has_one: bool) -> None:
    first, second = drawings(n)
    answer = icc2_columns(first, second)
    assert np.isfinite(answer.value).all() == has_one
    assert answer.n.tolist() == [n] * 6


def test_a_constant_feature_has_none() -> None:
    answer = icc2_columns(np.full((12, 1), 3.0), np.full((12, 1), 3.0))
    assert np.isnan([answer.value[0], answer.low[0], answer.high[0]]).all()


def test_drawings_that_agree_exactly_have_an_icc_of_one_and_no_doubt() -> None:
    first, _ = drawings()
    answer = icc2_columns(first, first)
    assert (answer.value == 1).all()
    assert (answer.low == 1).all()
    assert (answer.high == 1).all()


def test_no_pair_at_all_is_no_icc() -> None:
    empty = np.full((12, 3), np.nan)
    answer = icc2_columns(empty, empty)
    assert answer.n.tolist() == [0, 0, 0]
    assert np.isnan(answer.value).all()


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float64, (12, 2), elements=st.floats(-50, 50).map(lambda v: round(v, 3))),
    arrays(np.float64, (12, 2), elements=st.floats(-50, 50).map(lambda v: round(v, 3))),
    st.floats(0.1, 9),
    st.floats(-20, 20),
)
def test_unit_and_origin_of_a_feature_do_not_matter(
    first: np.ndarray, second: np.ndarray, unit: float, origin: float
) -> None:
    before = icc2_columns(first, second)
    after = icc2_columns(first * unit + origin, second * unit + origin)
    usable = np.ptp(np.vstack([first, second]), axis=0) > 0.1
    assert after.value[usable] == pytest.approx(before.value[usable], abs=1e-6, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, (11, 3), elements=st.floats(-5, 5)), st.randoms(use_true_random=False))
def test_the_order_of_drawings_and_lesions_does_not_matter(first: np.ndarray, random) -> None:  # type: ignore[no-untyped-def] # fmt: skip
    second = first + RNG.normal(size=first.shape)
    order = list(range(11))
    random.shuffle(order)
    swapped = icc2_columns(second[order], first[order])
    assert swapped.value == pytest.approx(icc2_columns(first, second).value, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("shapes", [((12,), (12,)), ((12, 2), (12, 3)), ((12, 2), (11, 2))])
def test_shapes_that_do_not_fit_are_named(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="must share one 2-D shape"):
        icc2_columns(np.zeros(shapes[0]), np.zeros(shapes[1]))


def test_a_column_passes_when_it_reaches_the_threshold_exactly() -> None:
    passes = reliable_columns([found([0.75, 0.7499, 0.9])], threshold=0.75, basis="estimate")
    assert passes.tolist() == [True, False, True]


def test_every_comparison_must_bear_a_column_out() -> None:
    rows = [found([0.9, 0.9, 0.2]), found([0.9, 0.3, 0.9])]
    assert reliable_columns(rows, threshold=0.75, basis="estimate").tolist() == [True, False, False]


def test_a_comparison_without_enough_pairs_has_no_say() -> None:
    rows = [found([0.9, 0.9]), found([float("nan"), 0.1], [4, 10])]
    assert reliable_columns(rows, threshold=0.75, basis="estimate").tolist() == [True, False]


def test_a_column_that_nobody_can_judge_does_not_pass() -> None:
    rows = [found([float("nan"), 0.9], [9, 10])]
    assert reliable_columns(rows, threshold=0.0, basis="estimate").tolist() == [False, True]


def test_a_constant_column_does_not_pass_even_at_zero() -> None:
    assert reliable_columns([found([float("nan"), 0.2])], threshold=0.0, basis="estimate").tolist() == [False, True]  # fmt: skip


def test_the_lower_limit_is_the_stricter_basis() -> None:
    rows = [found([0.8, 0.9])]
    assert reliable_columns(rows, threshold=0.75, basis="low").tolist() == [False, True]


@pytest.mark.parametrize("rows", [[], [found([0.9, 0.9], [3, 9])]])
def test_without_ten_lesions_drawn_twice_there_is_no_filter(rows: list[ColumnIcc]) -> None:
    with pytest.raises(ValueError, match="fewer than 10 training lesions are drawn twice"):
        reliable_columns(rows, threshold=0.75, basis="estimate")
