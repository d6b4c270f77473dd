"""Exact active-set Newton solver of the L1-penalised logistic problem, one lambda at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack
from scipy.special import expit

from radiomics.result import FloatArray, IntArray

MAX_ITERATIONS = 2000
MAX_HALVINGS = 40
ADDED_AT_ONCE = 10


@dataclass
class Point:
    """Where the solver stands: intercept, the active columns with their coefficients and signs, eta (n,)."""

    b0: float
    active: IntArray
    b: FloatArray
    signs: FloatArray
    eta: FloatArray


@dataclass(frozen=True)
class Problem:
    """The data of all lambdas: standardised columns as rows of `ZT` (p, n), labels `y` (n,) of 0 and 1."""

    ZT: FloatArray
    y: FloatArray

    def start(self) -> Point:
        """Return the null model: b = 0, b0 = logit of the mean label."""
        share = float(self.y.mean())
        b0 = float(np.log(share / (1.0 - share)))
        none = np.empty(0)
        return Point(b0, none.astype(np.int64), none, none, np.full(self.y.size, b0))

    def loss(self, eta: FloatArray) -> float:
        """Return (1/n) sum of log(1 + exp(eta)) - y eta."""
        return float((np.logaddexp(0.0, eta).sum() - self.y @ eta) / self.y.size)

    def objective(self, point: Point, lam: float) -> float:
        """Return the penalised objective at a point."""
        return self.loss(point.eta) + lam * float(np.abs(point.b).sum())


def solve(problem: Problem, lam: float, point: Point, tol: float) -> tuple[Point, int]:
    """Minimise the problem at `lam` from a warm start; return the solution and the iterations spent.

    Stops once every optimality condition holds within tol/2 * lam, or after 2000 iterations: the caller's
    certificate then tells. Columns enter while the restricted problem is still being solved.
    """
    target = tol / 2 * lam
    for iteration in range(MAX_ITERATIONS):
        m = expit(point.eta)
        residual = (problem.y - m) / problem.y.size
        c = problem.ZT @ residual
        gradient = np.append(residual.sum(), c[point.active] - lam * point.signs)
        inside = float(np.abs(gradient).max())
        excess = np.abs(c) - lam
        excess[point.active] = 0.0
        outside = float(excess.max(initial=0.0))
        if max(inside, outside) <= target:
            return point, iteration
        if outside > max(0.3 * inside, target):
            point, gradient = _admit(point, c, excess, lam, gradient)
        point = _newton(problem, lam, point, m, gradient)
    return point, MAX_ITERATIONS


def _admit(
    point: Point, c: FloatArray, excess: FloatArray, lam: float, gradient: FloatArray
) -> tuple[Point, FloatArray]:
    """Let the worst violators (at most ten, each at least a quarter of the worst) into the active set."""
    worst = np.flatnonzero(excess >= excess.max() / 4)
    if worst.size > ADDED_AT_ONCE:
        worst = worst[np.argsort(-excess[worst], kind="stable")[:ADDED_AT_ONCE]]
    signs = np.sign(c[worst])
    wider = Point(
        point.b0,
        np.concatenate([point.active, worst]),
        np.concatenate([point.b, np.zeros(worst.size)]),
        np.concatenate([point.signs, signs]),
        point.eta,
    )
    return wider, np.concatenate([gradient, c[worst] - lam * signs])


def _newton(
    problem: Problem, lam: float, point: Point, m: FloatArray, gradient: FloatArray
) -> Point:
    """Take one Newton step on the active columns, cut at the first sign change, halved until nothing gets worse."""
    design = np.empty((point.active.size + 1, problem.y.size))
    design[0] = 1.0
    design[1:] = problem.ZT[point.active]
    weights = np.maximum(m * (1.0 - m), 1e-12) / problem.y.size
    hessian = (design * weights) @ design.T
    hessian.flat[:: hessian.shape[0] + 1] *= 1.0 + 1e-13
    step = _direction(hessian, gradient)
    newcomers = point.b == 0.0
    while True:
        wrong = newcomers & (step[1:] * point.signs <= 0.0)
        if not wrong.any():
            break
        stay = ~wrong
        rows = np.concatenate([[True], stay])
        point = Point(point.b0, point.active[stay], point.b[stay], point.signs[stay], point.eta)
        newcomers, design, gradient = newcomers[stay], design[rows], gradient[rows]
        hessian = hessian[np.ix_(rows, rows)]
        step = _direction(hessian, gradient)
    return _move(problem, lam, point, step, design)


def _direction(hessian: FloatArray, gradient: FloatArray) -> FloatArray:
    """Solve hessian @ step = gradient; least squares if duplicate columns leave the matrix singular."""
    _, step, info = lapack.dposv(hessian, gradient)
    if info == 0:
        return np.asarray(step)
    return np.asarray(np.linalg.lstsq(hessian, gradient, rcond=1e-12)[0])


def _move(
    problem: Problem, lam: float, point: Point, step: FloatArray, design: FloatArray
) -> Point:
    """Walk along `step` as far as signs and objective allow."""
    ahead = step[1:]
    crossing = (point.b != 0.0) & ((point.b + ahead) * point.signs <= 0.0)
    length, leaver = 1.0, -1
    if crossing.any():
        lengths = np.where(crossing, -point.b / np.where(crossing, ahead, 1.0), np.inf)
        leaver = int(np.argmin(lengths))
        length = float(lengths[leaver])
    before = problem.objective(point, lam)
    slope = step @ design
    for _ in range(MAX_HALVINGS):
        b = point.b + length * ahead
        if leaver >= 0:
            b[leaver] = 0.0
        moved = Point(
            point.b0 + length * step[0], point.active, b, point.signs, point.eta + length * slope
        )
        if problem.objective(moved, lam) <= before + 1e-14 * max(1.0, abs(before)):
            break
        length, leaver = length / 2, -1
    return _without_zeros(problem, moved)


def _without_zeros(problem: Problem, point: Point) -> Point:
    """Drop columns that reached zero and recompute eta, so that rounding never piles up."""
    stay = point.b != 0.0
    active, b = point.active[stay], point.b[stay]
    return Point(point.b0, active, b, point.signs[stay], point.b0 + b @ problem.ZT[active])
