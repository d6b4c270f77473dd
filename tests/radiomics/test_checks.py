"""What every function checks at its door: each fault has its sentence, and what is good passes unchanged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomics.checks import binary_labels, finite_matrix, fold_numbers, group_codes

Y = np.array([0.0, 1, 0, 1, 0, 1])
FOLDS = [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_matrix_of_any_memory_order_and_number_type_keeps_its_values(order):
    given_rows = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.int16, order=order)
    found = finite_matrix(given_rows)
    assert found.dtype == np.float64
    assert found.flags["C_CONTIGUOUS"]
    assert found.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_the_columns_to_blame_are_named_each_once_and_no_other():
    rows = [[1, np.nan, 3, np.inf], [1, np.nan, 3, 4]]
    with pytest.raises(ValueError, match=r"^X has missing or infinite values in column\(s\) 1, 3$"):
        finite_matrix(rows)
    with pytest.raises(ValueError, match=r"^ct has .* in column\(s\) b, d$"):
        finite_matrix(rows, names="abcd", name="ct")


def test_no_more_than_twenty_columns_are_named():
    with pytest.raises(ValueError, match=r"column\(s\) 0, 1, .*, 18, 19$"):
        finite_matrix(np.full((2, 25), -np.inf))


@pytest.mark.parametrize(
    ("rows", "shape"), [([1.0, 2.0], r"\(2,\)"), (np.zeros((1, 2, 3)), r"\(1, 2, 3\)")]
)
def test_a_matrix_has_two_dimensions(rows, shape):
    with pytest.raises(ValueError, match=f"two-dimensional .* got shape {shape}"):
        finite_matrix(rows)


@pytest.mark.parametrize("labels", [[True, False], [1, 0], [1.0, 0.0], np.array([1, 0], np.uint8)])
def test_labels_of_any_number_type_become_nought_and_one(labels):
    found = binary_labels(labels, 2)
    assert found.dtype == np.float64
    assert found.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("labels", "n_rows", "sentence"),
    [
        ([0, 1], 3, r"^y must have shape \(3,\), got \(2,\)$"),
        ([[0, 1]], 2, r"^y must have shape \(2,\), got \(1, 2\)$"),
        ([0, 1, np.nan], 3, "^y must hold 0 and 1 only$"),
        ([0, 1, -1], 3, "^y must hold 0 and 1 only$"),
        ([0.5, 1, 0], 3, "^y must hold 0 and 1 only$"),
        ([0, 0], 2, "^y holds one class only$"),
        ([1], 1, "^y holds one class only$"),
        ([], 0, "^y holds no row$"),
    ],
)
def test_labels_that_are_none_are_refused(labels, n_rows, sentence):
    with pytest.raises(ValueError, match=sentence):
        binary_labels(labels, n_rows)


def test_groups_are_numbered_in_the_order_in_which_they_appear():
    assert group_codes(["c", "a", "c", "b", "a"], 5).tolist() == [0, 1, 0, 2, 1]
    assert group_codes([(2, "x"), 2, "2", (2, "x")], 4).tolist() == [0, 1, 2, 0]
    assert group_codes([], 0).tolist() == []


@given(st.lists(st.integers(0, 5), max_size=12))
def test_rows_have_equal_codes_exactly_if_they_have_equal_ids(ids):
    codes = group_codes(ids, len(ids)).tolist()
    assert all(
        (a == b) == (i == j)
        for a, i in zip(codes, ids, strict=True)
        for b, j in zip(codes, ids, strict=True)
    )
    assert sorted(set(codes)) == list(range(len(set(ids))))


@given(st.lists(st.integers(0, 5), max_size=12))
def test_the_names_of_groups_do_not_matter(ids):
    renamed = [f"patient {9 - i}" for i in ids]
    assert group_codes(renamed, len(ids)).tolist() == group_codes(ids, len(ids)).tolist()


@pytest.mark.parametrize(
    ("ids", "sentence"),
    [
        (["a", "b"], "^groups must have 3 entries, got 2$"),
        (["a", None, None], "^groups has no id in row 1$"),
        ([1.0, 2.0, float("nan")], "^groups has no id in row 2$"),
    ],
)
def test_a_row_without_a_group_is_refused_by_its_place(ids, sentence):
    with pytest.raises(ValueError, match=sentence):
        group_codes(ids, 3)


def test_good_folds_pass_as_whole_numbers():
    found = fold_numbers(np.array(FOLDS, dtype=float), Y, np.array([0, 0, 1, 2, 3, 3]))
    assert found.dtype == np.int64
    assert found.tolist() == FOLDS


@pytest.mark.parametrize(
    ("folds", "sentence"),
    [
        ([1, 1, 2, 2, 3], r"whole numbers, shape \(6,\), got shape \(5,\)"),
        ([1, 1, 2, 2, 3, 2.5], "folds must hold whole numbers"),
        ([0, 0, 1, 1, 2, 2], r"K >= 3 and none empty, got \[0, 1, 2\]"),
        ([1, 1, 1, 2, 2, 2], r"K >= 3 and none empty, got \[1, 2\]"),
        ([1, 1, 2, 2, 4, 4], r"K >= 3 and none empty, got \[1, 2, 4\]"),
    ],
)
def test_folds_that_are_not_numbered_from_one_are_refused(folds, sentence):
    with pytest.raises(ValueError, match=sentence):
        fold_numbers(folds, Y, None)


def test_a_patient_in_two_folds_is_refused():
    with pytest.raises(ValueError, match="^folds put rows of one group into two folds$"):
        fold_numbers(FOLDS, Y, np.array([0, 1, 1, 2, 3, 3]))


def test_a_fold_that_takes_the_last_of_a_class_with_it_is_named():
    y = np.array([0.0, 0, 0, 1, 0, 0])
    with pytest.raises(
        ValueError, match="^folds: the training part of fold 2 holds one class only$"
    ):
        fold_numbers(FOLDS, y, None)
