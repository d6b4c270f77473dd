"""The active-set Newton solver beside slower ways, and step by step where it must not go wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, logit

from radiomics.lasso import lambda_sequence, lasso_path
from radiomics.result import FloatArray
from radiomics.solver import Point, Problem, _Descent, _solved, _worst, solve

SEED = st.integers(0, 10**6)


def problem(seed: int = 0, n: int = 40, p: int = 6, signal: float = 1.0) -> Problem:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = (signal * X[:, 0] + rng.normal(size=n) > 0).astype(float)
    y[:2] = 0, 1
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    return Problem(np.ascontiguousarray(Z.T), y)


def largest(found: Problem) -> float:
    return float(np.abs(found.ZT @ (found.y - found.y.mean())).max() / found.y.size)


def coefficients(found: Problem, point: Point) -> FloatArray:
    b = np.zeros(len(found.ZT))
    b[point.active] = point.b
    return b


def by_splitting(found: Problem, lam: float) -> FloatArray:
    """The same problem as a smooth one with bounds, b = u - v, u, v >= 0: a second way."""
    Z, y = found.ZT.T, found.y
    p = Z.shape[1]

    def value(x: FloatArray) -> tuple[float, FloatArray]:
        eta = x[0] + Z @ (x[1 : p + 1] - x[p + 1 :])
        slope = Z.T @ (expit(eta) - y) / y.size
        loss = found.loss(eta) + lam * x[1:].sum()
        return loss, np.concatenate([[(expit(eta) - y).mean()], slope + lam, lam - slope])

    bounds = [(None, None)] + [(0, None)] * (2 * p)
    best = minimize(
        value, np.zeros(2 * p + 1), jac=True, bounds=bounds, method="L-BFGS-B",
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 5000, "maxfun": 20000},
    ).x  # fmt: skip
    return np.concatenate([[best[0]], best[1 : p + 1] - best[p + 1 :]])


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1, 0.01])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_solution_is_that_of_a_bounded_smooth_problem(seed: int, share: float) -> None:
    found = problem(seed)
    lam = share * largest(found)
    point, _ = solve(found, lam, found.start(), 1e-9)
    other = by_splitting(found, lam)
    assert point.b0 == pytest.approx(other[0], abs=1e-4)
    np.testing.assert_allclose(coefficients(found, point), other[1:], atol=1e-4)
    eta = other[0] + found.ZT.T @ other[1:]
    assert found.objective(point, lam) <= found.loss(eta) + lam * np.abs(other[1:]).sum() + 1e-12


@settings(max_examples=25, deadline=None)
@given(SEED, st.floats(0.02, 0.98))
def test_every_optimality_condition_holds(seed: int, share: float) -> None:
    found = problem(seed, n=30, p=12)
    lam = share * largest(found)
    point, _ = solve(found, lam, found.start(), 1e-9)
    c = found.ZT @ (found.y - expit(point.eta)) / found.y.size
    assert abs((found.y - expit(point.eta)).mean()) <= 1e-9 * lam
    assert np.abs(c).max() <= lam * (1 + 1e-9)
    np.testing.assert_allclose(c[point.active], lam * np.sign(point.b), atol=1e-9 * lam)


@settings(max_examples=20, deadline=None)
@given(SEED)
def test_a_warm_start_ends_where_a_cold_one_does(seed: int) -> None:
    found = problem(seed, p=10)
    lam = 0.1 * largest(found)
    warm, _ = solve(found, 3 * lam, found.start(), 1e-9)
    warm, _ = solve(found, lam, warm, 1e-9)
    cold, _ = solve(found, lam, found.start(), 1e-9)
    np.testing.assert_allclose(coefficients(found, warm), coefficients(found, cold), atol=1e-8)


def test_a_solution_is_recognised_without_a_step() -> None:
    found = problem()
    point, first = solve(found, 0.1, found.start(), 1e-9)
    again, steps = solve(found, 0.1, point, 1e-9)
    assert first > 0
    assert steps == 0
    assert again is point


@pytest.mark.parametrize("factor", [1.0 + 1e-9, 2.0, 100.0])
def test_from_the_largest_lambda_on_the_model_is_empty(factor: float) -> None:
    found = problem(3)
    point, _ = solve(found, factor * largest(found), found.start(), 1e-9)
    assert point.active.size == 0
    assert point.b0 == pytest.approx(logit(found.y.mean()))


def test_just_below_the_largest_lambda_one_column_enters() -> None:
    found = problem(3)
    point, _ = solve(found, 0.999 * largest(found), found.start(), 1e-9)
    c = found.ZT @ (found.y - found.y.mean())
    assert point.active.tolist() == [int(np.argmax(np.abs(c)))]
    assert point.signs.tolist() == [np.sign(c[point.active[0]])]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_start_is_the_log_odds_of_the_prevalence(share: float) -> None:
    y = np.repeat([1.0, 0.0], [int(share * 20), 20 - int(share * 20)])
    start = Problem(np.zeros((1, 20)), y).start()
    assert start.b0 == pytest.approx(logit(share))
    assert (start.eta == start.b0).all()


def test_the_loss_by_hand() -> None:
    """log 2 at eta 0; log(1 + e^-2) for a certain right answer, two more for a wrong one."""
    found = Problem(np.zeros((1, 2)), np.array([1.0, 0.0]))
    assert found.loss(np.zeros(2)) == pytest.approx(np.log(2))
    assert found.loss(np.array([2.0, -2.0])) == pytest.approx(np.log1p(np.exp(-2)))
    assert found.loss(np.array([-2.0, 2.0])) == pytest.approx(2 + np.log1p(np.exp(-2)))


def test_the_loss_stays_finite_far_out() -> None:
    found = Problem(np.zeros((1, 2)), np.array([1.0, 0.0]))
    assert found.loss(np.array([-1e4, 1e4])) == pytest.approx(1e4)


def test_at_most_ten_columns_enter_at_once_and_none_far_below_the_worst() -> None:
    assert _worst(np.linspace(1.0, 0.01, 30)).tolist() == list(range(10))
    few = np.where(np.arange(30) < 3, 1.0, 0.1)
    assert _worst(few).tolist() == [0, 1, 2]


def at_the_start(found: Problem, lam: float = 0.1) -> _Descent:
    return _Descent(found, lam, found.start(), np.arange(len(found.ZT)))


def test_a_newcomer_starts_at_nought_with_the_sign_of_its_slope() -> None:
    descent = at_the_start(problem(p=2))
    gradient = descent.admit(np.array([1, 0]), np.array([0.5, -0.4]), np.array([0.0]))
    assert descent.sign.tolist() == [0.0, -1.0, 1.0]
    assert descent.coef[1:].tolist() == [0.0, 0.0]
    assert descent.place.tolist() == [1, 0]
    np.testing.assert_allclose(gradient, [0.0, -0.3, 0.4])
    np.testing.assert_array_equal(descent.design[1:], descent.problem.ZT[[1, 0]])


def test_a_newcomer_that_would_turn_round_leaves_before_the_step() -> None:
    """Two nearly equal columns, of which one is far worse: together they would go opposite ways."""
    found = problem(7, p=2)
    found.ZT[1] = found.ZT[0] + 0.01 * found.ZT[1]
    descent = at_the_start(found)
    gradient = descent.admit(np.array([0, 1]), np.array([1.0, 0.2]), np.array([0.0]))
    step = descent.direction(np.full(found.y.size, 0.5), gradient, 1e-12)
    assert descent.place.tolist() == [0]
    assert step.shape == descent.coef.shape == (2,)
    assert step[1] > 0


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e4])
def test_a_step_of_any_length_never_raises_the_objective(scale: float) -> None:
    found = problem(8, p=3, signal=4.0)
    descent = at_the_start(found, 0.001)
    slopes = found.ZT @ found.residual(descent.eta)
    descent.admit(np.arange(3), slopes, np.array([0.0]))
    before = found.objective(descent.point(), 0.001)
    descent.move(scale * np.concatenate([[0.0], slopes]))
    assert found.objective(descent.point(), 0.001) <= before


def test_a_step_ends_where_the_first_coefficient_reaches_nought() -> None:
    found = problem(9, n=200, p=3, signal=0.2)
    start, _ = solve(found, 0.02 * largest(found), found.start(), 1e-9)
    assert start.active.size == 3
    assert 0.5 * np.abs(start.b[0] * found.ZT[start.active[0]]).max() < 1.0
    descent = _Descent(found, 0.02, start, np.arange(3))
    descent.move(np.concatenate([[0.0], -2.0 * start.b * [1.0, 0.1, 0.2]]))
    assert descent.place.tolist() == start.active[1:].tolist()
    np.testing.assert_allclose(descent.coef[1:], start.b[1:] * [0.9, 0.8])
    np.testing.assert_allclose(descent.eta, descent.coef @ descent.design)


def test_a_factor_is_used_again_only_where_it_takes_the_rest_of_the_way() -> None:
    found = problem(10, p=3)
    lam = 0.1 * largest(found)
    near, _ = solve(found, 1.001 * lam, found.start(), 1e-9)
    descent = _Descent(found, lam, near, np.arange(3))
    m = expit(near.eta)
    first = descent.direction(m, np.append([0.0], -1e-3 * lam * near.signs), 1e-12)
    descent.drift = 1e-3
    small = np.full(first.size, 1e-8)
    again = descent.direction(np.full(m.size, 0.1), small, 1e-12)
    hessian = (descent.design * (m * (1 - m) / m.size)) @ descent.design.T
    np.testing.assert_allclose(hessian @ again, small, rtol=1e-6)
    descent.drift = 0.5
    anew = descent.direction(np.full(m.size, 0.1), small, 1e-12)
    np.testing.assert_allclose(0.09 / m.size * (descent.design @ descent.design.T) @ anew, small, rtol=1e-6)  # fmt: skip
    assert descent.drift == 0.0


def test_columns_that_the_strong_rule_leaves_out_are_found_in_the_end() -> None:
    """A jump over most of the path: the rule errs, the last look at all columns does not."""
    for seed in range(20):
        found = problem(seed, n=30, p=60)
        lam = 0.3 * largest(found)
        warm, _ = solve(found, 0.99 * largest(found), found.start(), 1e-9)
        warm.slopes = np.where(np.arange(60) == np.argmax(np.abs(warm.slopes)), warm.slopes, 0.0)
        point, _ = solve(found, lam, warm, 1e-9)
        cold, _ = solve(found, lam, found.start(), 1e-9)
        assert cold.active.size > 1
        np.testing.assert_allclose(coefficients(found, point), coefficients(found, cold), atol=1e-8)


def test_the_slopes_of_a_solution_are_those_of_all_columns() -> None:
    found = problem(2, p=40)
    point, _ = solve(found, 0.3 * largest(found), found.start(), 1e-9)
    np.testing.assert_array_equal(point.slopes, found.ZT @ found.residual(point.eta))


def test_a_singular_system_is_solved_by_least_squares() -> None:
    step, factor = _solved(np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([2.0, 2.0]))
    np.testing.assert_allclose(step, [1.0, 1.0])
    assert factor is None


def test_a_regular_system_is_solved_exactly_from_its_upper_triangle() -> None:
    upper = np.array([[2.0, 0.5], [9.0, 1.0]])
    step, factor = _solved(upper, np.array([1.0, -1.0]))
    np.testing.assert_allclose([[2.0, 0.5], [0.5, 1.0]] @ step, [1.0, -1.0], atol=1e-14)
    np.testing.assert_allclose(np.triu(factor).T @ np.triu(factor), [[2.0, 0.5], [0.5, 1.0]])


@pytest.mark.parametrize("copies", [2, 5])
def test_copies_of_a_column_share_what_one_would_get(copies: int) -> None:
    found = problem(4, p=3)
    lam = 0.1 * largest(found)
    single, _ = solve(found, lam, found.start(), 1e-9)
    wide = Problem(np.vstack([found.ZT[:1]] * copies + [found.ZT[1:]]), found.y)
    several, _ = solve(wide, lam, wide.start(), 1e-9)
    b, c = coefficients(found, single), coefficients(wide, several)
    assert c[:copies].sum() == pytest.approx(b[0], abs=1e-8)
    np.testing.assert_allclose(c[copies:], b[1:], atol=1e-8)
    assert (np.sign(c[:copies]) * np.sign(b[0]) >= 0).all()


def test_mirrored_columns_get_mirrored_coefficients() -> None:
    found = problem(5)
    lam = 0.05 * largest(found)
    one, _ = solve(found, lam, found.start(), 1e-9)
    two, _ = solve(Problem(-found.ZT, found.y), lam, found.start(), 1e-9)
    np.testing.assert_allclose(coefficients(found, one), -coefficients(found, two), atol=1e-12)


def test_swapped_classes_get_mirrored_models() -> None:
    found = problem(6)
    turned = Problem(found.ZT, 1 - found.y)
    lam = 0.05 * largest(found)
    one, _ = solve(found, lam, found.start(), 1e-9)
    two, _ = solve(turned, lam, turned.start(), 1e-9)
    assert one.b0 == pytest.approx(-two.b0, abs=1e-9)
    np.testing.assert_allclose(coefficients(found, one), -coefficients(turned, two), atol=1e-9)


@pytest.mark.parametrize(
    ("case", "X"),
    [
        ("one column", np.arange(12.0)[:, None]),
        ("a constant beside it", np.column_stack([np.arange(12.0), np.full(12, 3.0)])),
        ("a duplicate", np.column_stack([np.arange(12.0)] * 2)),
        ("a tiny scale", np.arange(12.0)[:, None] * 1e-6),
        ("a huge scale", np.arange(12.0)[:, None] * 1e6),
        ("an offset", np.arange(12.0)[:, None] + 1e6),
    ],
)
def test_edge_cases_of_the_description_end_with_a_certificate(case: str, X: FloatArray) -> None:
    y = np.array([0, 0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1.0])
    path = lasso_path(X, y)
    assert path.flags == (), case
    assert path.kkt.max() <= 1e-9
    assert path.df[0] == 0
    # all these are one column in different dress: the fitted log-odds are the same
    plain = lasso_path(np.arange(12.0)[:, None], y)
    np.testing.assert_allclose(path.lambdas, plain.lambdas, rtol=1e-6)
    np.testing.assert_allclose(
        path.linear_predictor(X), plain.linear_predictor(np.arange(12.0)[:, None]), atol=1e-5
    )


def test_a_separable_path_ends_at_the_share_of_deviance() -> None:
    """Section 13: it ends where dev_ratio exceeds .999."""
    path = lasso_path(np.arange(20.0)[:, None], np.repeat([0.0, 1.0], 10))
    assert path.dev_ratio[-1] > 0.999
    assert len(path.lambdas) < 100
    assert (path.dev_ratio[:-1] <= 0.999).all()


@pytest.mark.parametrize(
    ("n", "p", "ratio"), [(20, 5, 1e-4), (20, 19, 1e-4), (20, 20, 1e-4), (20, 21, 0.01)]
)
def test_the_sequence_reaches_further_down_with_more_rows_than_columns(
    n: int, p: int, ratio: float
) -> None:
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(n, p)), np.repeat([0.0, 1.0], n // 2)
    found = lambda_sequence(X, y)
    assert found[-1] / found[0] == pytest.approx(ratio)
    np.testing.assert_allclose(np.diff(np.log(found)), np.log(ratio) / 99)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"n_lambda": 0}, "n_lambda must be at least 1"),
        ({"lambda_min_ratio": 0.0}, "between 0 and 1"),
        ({"lambda_min_ratio": 1.0}, "between 0 and 1"),
    ],
)
def test_a_sequence_that_is_none_is_refused(change: dict[str, float], sentence: str) -> None:
    X, y = np.arange(6.0)[:, None], np.array([0, 1, 0, 1, 0, 1.0])
    with pytest.raises(ValueError, match=sentence):
        lambda_sequence(X, y, **change)  # type: ignore[arg-type]
