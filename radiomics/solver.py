"""Exact active-set Newton solver of the L1-penalised logistic problem, one lambda at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas, lapack
from scipy.special import expit

from radiomics.result import FloatArray, IntArray

MAX_ITERATIONS = 2000
MAX_HALVINGS = 40
ADDED_AT_ONCE = 10
# a step that moves no log-odds by more than this lowers the objective: (e^s - 1 - s) / s^2 < 1
SURE = 1.0
RIDGE = 1.0 + 1e-13
# weights have changed by less than two thirds where log-odds moved by less than this
STALE = 0.5


@dataclass
class Point:
    """Where the solver stands: intercept, the active columns with their coefficients and signs, eta (n,).

    The rest is what the next lambda can use again, where it is known: `slopes` (p,), z_j'(y - m)/n of all columns;
    `design` (k + 1, n), the rows of the intercept and of the active columns; `factor`, the Cholesky factor of their
    Hessian, and `drift`, by how much log-odds moved since it was computed.
    """

    b0: float
    active: IntArray
    b: FloatArray
    signs: FloatArray
    eta: FloatArray
    slopes: FloatArray | None = None
    design: FloatArray | None = None
    factor: FloatArray | None = None
    drift: float = 0.0


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

    def residual(self, eta: FloatArray) -> FloatArray:
        """Return (n,) (y - m)/n."""
        return np.asarray((self.y - expit(eta)) / self.y.size)


def solve(problem: Problem, lam: float, point: Point, tol: float) -> tuple[Point, int]:
    """Minimise the problem at `lam` from a warm start; return the solution and the steps spent.

    Works on the columns that may enter by the strong rule, then looks at all and takes those in that it missed. Stops
    once every optimality condition holds within tol/2 * lam, or after 2000 steps: the caller's certificate then tells.
    Source of the rule: Tibshirani et al. 2012.
    """
    target, spent = tol / 2 * lam, 0
    residual = problem.residual(point.eta)
    slopes = problem.ZT @ residual if point.slopes is None else point.slopes
    inside, excess = _violations(residual, slopes, point, lam)
    if max(inside, float(excess.max(initial=0.0))) <= target:
        return point, 0
    size = np.abs(slopes)
    size[point.active] = np.inf
    near = np.flatnonzero(size >= 2.0 * lam - float(np.abs(slopes).max(initial=0.0)))
    while True:
        descent = _Descent(problem, lam, point, near)
        spent += descent.run(target, MAX_ITERATIONS - spent)
        point = descent.point()
        point.slopes = problem.ZT @ problem.residual(point.eta)
        excess = np.abs(point.slopes) - lam
        excess[near] = 0.0
        missed = np.flatnonzero(excess > target)
        if not missed.size or spent >= MAX_ITERATIONS:
            return point, spent
        near = np.concatenate([near, missed])


def _violations(
    residual: FloatArray, slopes: FloatArray, point: Point, lam: float
) -> tuple[float, FloatArray]:
    """Return the worst violation of the intercept and the active columns, and that of each other column (p,)."""
    excess = np.abs(slopes) - lam
    excess[point.active] = 0.0
    inside = np.abs(slopes[point.active] - lam * point.signs).max(initial=0.0)
    return max(float(inside), abs(float(residual.sum()))), excess


def _worst(excess: FloatArray) -> IntArray:
    """Return which violators to let in: at most ten, each at least a quarter of the worst."""
    worst = np.flatnonzero(excess >= excess.max() / 4)
    if worst.size > ADDED_AT_ONCE:
        worst = worst[np.argsort(-excess[worst], kind="stable")[:ADDED_AT_ONCE]]
    return worst


class _Descent:
    """Newton steps at one lambda on a few columns (q of them, rows of `Z`).

    `place` (k,) are the rows of Z that are active; `coef` (k + 1,) and the rows of `design` (k + 1, n) begin with the
    intercept's, `sign` with 0. `factor` is the Cholesky factor of a Hessian, `drift` by how much log-odds moved since.
    """

    def __init__(self, problem: Problem, lam: float, point: Point, columns: IntArray) -> None:
        self.problem, self.lam, self.columns = problem, lam, columns
        self.Z = problem.ZT[columns]
        order = np.argsort(columns, kind="stable")
        self.place = order[np.searchsorted(columns, point.active, sorter=order)]
        self.coef = np.concatenate([[point.b0], point.b])
        self.sign = np.concatenate([[0.0], point.signs])
        self.eta, self.factor, self.drift = point.eta, point.factor, point.drift
        if point.design is None:
            intercept = np.ones((1, problem.y.size))
            self.design = np.concatenate([intercept, problem.ZT[point.active]])
        else:
            self.design = point.design

    def point(self) -> Point:
        """Return where it stands, in columns of the whole problem."""
        active = self.columns[self.place]
        found = Point(float(self.coef[0]), active, self.coef[1:], self.sign[1:], self.eta)
        found.design, found.factor, found.drift = self.design, self.factor, self.drift
        return found

    def run(self, target: float, steps: int) -> int:
        """Step until every condition on these columns holds within `target`; return the steps spent.

        The first step follows the factor of the lambda before, if there is one: the path's tangent. Columns enter while
        the problem restricted to the active ones is still being solved.
        """
        for step in range(steps):
            m = expit(self.eta)
            residual = (self.problem.y - m) / m.size
            slopes = self.Z @ residual
            gradient = -self.lam * self.sign
            gradient[0] += residual.sum()
            gradient[1:] += slopes[self.place]
            inside = float(np.abs(gradient).max())
            excess = np.abs(slopes) - self.lam
            excess[self.place] = 0.0
            outside = float(excess.max(initial=0.0))
            if max(inside, outside) <= target:
                return step
            if step == 0 and self.factor is not None and self.drift < STALE:
                # along the path of the active columns, before newcomers are judged
                self.move(lapack.dpotrs(self.factor, gradient)[0])
                continue
            if outside > max(0.3 * inside, target):
                gradient = self.admit(_worst(excess), slopes, gradient)
            self.move(self.direction(m, gradient, target))
        return steps

    def admit(self, worst: IntArray, slopes: FloatArray, gradient: FloatArray) -> FloatArray:
        """Let columns in at nought, with the sign of their slope; return the longer gradient."""
        sign = np.sign(slopes[worst])
        self.place = np.concatenate([self.place, worst])
        self.coef = np.concatenate([self.coef, np.zeros(worst.size)])
        self.sign = np.concatenate([self.sign, sign])
        self.design = np.concatenate([self.design, self.Z[worst]])
        self.factor = None
        return np.concatenate([gradient, slopes[worst] - self.lam * sign])

    def keep(self, stay: FloatArray) -> None:
        """Let the columns go that are not told to stay (k + 1,) bool."""
        self.place = self.place[stay[1:]]
        self.coef, self.sign, self.design = self.coef[stay], self.sign[stay], self.design[stay]
        self.factor = None

    def direction(self, m: FloatArray, gradient: FloatArray, target: float) -> FloatArray:
        """Return the Newton step of the active columns; newcomers that it would turn round leave first.

        A factor of before is used again where two steps with it reach the target.
        """
        worst = float(np.abs(gradient).max())
        if self.factor is not None and worst * np.expm1(self.drift) ** 2 <= target:
            return np.asarray(lapack.dpotrs(self.factor, gradient)[0])
        hessian = _hessian(self.design, m)
        while True:
            step, self.factor = _solved(hessian, gradient)
            self.drift = 0.0
            wrong = (self.coef == 0.0) & (step * self.sign <= 0.0) & (self.sign != 0.0)
            if not wrong.any():
                return step
            stay = ~wrong
            self.keep(stay)
            rows = np.flatnonzero(stay)
            hessian, gradient = hessian[np.ix_(rows, rows)], gradient[stay]

    def move(self, step: FloatArray) -> None:
        """Walk along `step` as far as signs allow, and no further than the objective falls."""
        ahead = self.coef + step
        onward = ahead * self.sign
        onward[0] = 1.0
        length, leaves = 1.0, bool(onward.min() <= 0.0)
        if leaves:
            where = np.flatnonzero(onward <= 0.0)
            lengths = -self.coef[where] / step[where]
            length = float(lengths.min())
            ahead = self.coef + length * step
            ahead[where[lengths == length]] = 0.0
        eta = ahead @ self.design
        moved = float(np.abs(eta - self.eta).max())
        if moved > SURE:
            ahead, eta = self.shortened(step, ahead, eta, length)
        self.coef, self.eta = ahead, eta
        self.drift += moved
        if leaves:
            self.keep((ahead != 0.0) | (self.sign == 0.0))

    def shortened(
        self, step: FloatArray, ahead: FloatArray, eta: FloatArray, length: float
    ) -> tuple[FloatArray, FloatArray]:
        """Halve a long step until the objective does not rise."""
        before = self.objective(self.coef, self.eta)
        for _ in range(MAX_HALVINGS):
            if self.objective(ahead, eta) <= before + 1e-14 * max(1.0, abs(before)):
                break
            length /= 2
            ahead = self.coef + length * step
            eta = ahead @ self.design
        return ahead, eta

    def objective(self, coef: FloatArray, eta: FloatArray) -> float:
        return self.problem.loss(eta) + self.lam * float(np.abs(coef[1:]).sum())


def _hessian(design: FloatArray, m: FloatArray) -> FloatArray:
    """Return the upper triangle (k, k) of X' diag(m (1 - m)) X / n for `design` = X' (k, n); the rest is 0."""
    weights = np.sqrt(np.maximum(m * (1.0 - m), 1e-12))
    hessian = np.asarray(blas.dsyrk(1.0 / m.size, (design * weights).T, trans=1))
    hessian.T.reshape(-1)[:: hessian.shape[0] + 1] *= RIDGE
    return hessian


def _solved(hessian: FloatArray, gradient: FloatArray) -> tuple[FloatArray, FloatArray | None]:
    """Solve hessian @ step = gradient for an upper triangle; return the step and the factor.

    Least squares and no factor if duplicate columns leave the matrix singular.
    """
    factor, info = lapack.dpotrf(hessian, clean=0)
    if info == 0:
        return np.asarray(lapack.dpotrs(factor, gradient)[0]), factor
    whole = np.triu(hessian) + np.triu(hessian, 1).T
    return np.asarray(np.linalg.lstsq(whole, gradient, rcond=1e-12)[0]), None
