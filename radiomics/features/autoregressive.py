"""First-order autoregressive model with four neighbours."""

import numpy as np

from radiomics.features.outcome import (
    SINGULAR,
    TOO_FEW,
    ZERO_VARIANCE,
    BoolArray,
    FloatArray,
    IntArray,
    Outcome,
    undefined,
)

RATIO = 1e-10
MIN_EQUATIONS = 5


def equations(f: FloatArray, mask: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Design (n, 4) and response (n,): left, upper-left, upper, upper-right neighbours, all in the region."""
    if mask.shape[0] < 2 or mask.shape[1] < 3:
        return np.empty((0, 4)), np.empty(0)
    here = (slice(1, None), slice(1, -1))
    neighbours = (
        (slice(1, None), slice(0, -2)),
        (slice(0, -1), slice(0, -2)),
        (slice(0, -1), slice(1, -1)),
        (slice(0, -1), slice(2, None)),
    )
    inside = mask[here].copy()
    for place in neighbours:
        inside &= mask[place]
    return np.stack([f[place][inside] for place in neighbours], axis=1), f[here][inside]


def autoregressive(levels: IntArray, mask: BoolArray) -> Outcome:
    """Teta1 … Teta4 and Sigma in units of the region's SD; `levels` 0 … 255 (rows, columns) inside `mask`.

    Least squares without intercept on levels standardised over the region. Undefined for a constant region, fewer
    than five equations, or a design whose eigenvalue ratio is below 1e-10.
    """
    inside = levels[mask].astype(np.float64)
    if inside.max() == inside.min():
        return undefined(5, ZERO_VARIANCE)
    f = (levels - inside.mean()) / inside.std()
    design, response = equations(f, mask)
    if response.size < MIN_EQUATIONS:
        return undefined(5, TOO_FEW)
    gram = design.T @ design
    eigenvalues = np.linalg.eigvalsh(gram)
    if eigenvalues[-1] <= 0 or eigenvalues[0] < RATIO * eigenvalues[-1]:
        return undefined(5, SINGULAR)
    theta = np.linalg.solve(gram, design.T @ response)
    theta = theta + np.linalg.solve(gram, design.T @ (response - design @ theta))
    residual = response - design @ theta
    sigma = float(np.sqrt((residual @ residual) / response.size))
    return Outcome([*theta.tolist(), sigma], [""] * 5)
