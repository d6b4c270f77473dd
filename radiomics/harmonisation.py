"""ComBat: location and scale of batches (sites, scanners) drawn together, fitted on training lesions alone."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from radiomics.checks import finite_matrix
from radiomics.result import FloatArray, frozen, to_json

MIN_LESIONS = 10
MAX_ROUNDS = 1000
TOLERANCE = 1e-4
FORMAT = "combat-1"


class UnknownBatchError(ValueError):
    """A row of a batch that the training part did not hold; it is not scored."""


@dataclass(frozen=True)
class Combat:
    """A fitted harmonisation: `mean` and `deviation` (p,), per batch `shift` and `scale` (b, p).

    With one batch it is the identity.
    """

    batches: tuple[str, ...]
    mean: FloatArray
    deviation: FloatArray
    shift: FloatArray
    scale: FloatArray

    def apply(self, X: npt.ArrayLike, batches: Sequence[Hashable]) -> FloatArray:
        """Harmonised copy of X (n, p), whose rows come from `batches` (n,).

        Raises UnknownBatchError, naming the batch, for one that was not fitted; ValueError on other shapes.
        """
        rows = finite_matrix(X)
        if rows.shape[1] != self.mean.size:
            raise ValueError(f"X must have {self.mean.size} columns, got {rows.shape[1]}")
        codes = self.codes(batches, rows.shape[0])
        if len(self.batches) == 1:
            return rows.copy()
        z = (rows - self.mean) / self.deviation
        return (z - self.shift[codes]) / self.scale[codes] * self.deviation + self.mean

    def codes(self, batches: Sequence[Hashable], n_rows: int) -> npt.NDArray[np.int64]:
        """Number of each row's batch."""
        if len(batches) != n_rows:
            raise ValueError(f"batches must have {n_rows} entries, got {len(batches)}")
        place = {name: k for k, name in enumerate(self.batches)}
        unknown = sorted({str(b) for b in batches} - set(place))
        if unknown:
            raise UnknownBatchError(
                f"batch {unknown[0]} did not occur in training; its lesions are not scored"
            )
        return np.array([place[str(b)] for b in batches], dtype=np.int64)

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON form."""
        names = ("batches", "mean", "deviation", "shift", "scale")
        return {"format": FORMAT, **{name: to_json(getattr(self, name)) for name in names}}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Combat":
        """Back from JSON; raises ValueError for another format."""
        if document.get("format") != FORMAT:
            raise ValueError(f"format must be {FORMAT}, got {document.get('format')}")
        arrays = (frozen(document[name]) for name in ("mean", "deviation", "shift", "scale"))
        return cls(tuple(document["batches"]), *arrays)


def fit_combat(X: npt.ArrayLike, batches: Sequence[Hashable]) -> Combat:
    """Fit the parametric empirical-Bayes harmonisation to training rows.

    X is (n, p), finite and no column constant; `batches` (n,) names each row's site or scanner. The diagnosis is
    never an argument. Raises ValueError for a batch of fewer than 10 rows, a constant column or wrong shapes.
    Source: Johnson, Li, Rabinovic 2007; Fortin et al. 2018; without covariates.
    """
    rows = finite_matrix(X)
    names, codes = batch_codes(batches, rows.shape[0])
    counts = np.bincount(codes)
    if counts.min() < MIN_LESIONS:
        few = names[int(np.argmin(counts))]
        raise ValueError(
            f"batch {few} has {counts.min()} training lesions; at least {MIN_LESIONS} are needed"
        )
    means = np.stack([rows[codes == k].mean(axis=0) for k in range(len(names))])
    grand = counts @ means / rows.shape[0]
    deviation = np.sqrt(((rows - means[codes]) ** 2).mean(axis=0))
    if (deviation == 0).any():
        raise ValueError(f"X column {int(np.argmin(deviation))} is constant within the batches")
    if len(names) == 1:
        one = np.ones((1, rows.shape[1]))
        return Combat(names, frozen(grand), frozen(deviation), frozen(0 * one), frozen(one))
    z = (rows - grand) / deviation
    shrunk = [posterior(z[codes == k]) for k in range(len(names))]
    shift, variance = (np.stack(part) for part in zip(*shrunk, strict=True))
    return Combat(names, frozen(grand), frozen(deviation), frozen(shift), frozen(np.sqrt(variance)))


def batch_codes(
    batches: Sequence[Hashable], n_rows: int
) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Sorted names of the batches and the number of each row's."""
    if len(batches) != n_rows:
        raise ValueError(f"batches must have {n_rows} entries, got {len(batches)}")
    names, codes = np.unique(np.array([str(b) for b in batches]), return_inverse=True)
    return tuple(names.tolist()), np.asarray(codes, dtype=np.int64)


def posterior(z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shift and variance (p,) of one batch's standardised rows (n, p), drawn towards those of all features.

    Normal prior of the shifts, inverse gamma prior of the variances, their parameters by moments. Where there is nothing
    to draw towards (one feature, or all alike) they stay as they are; a variance of 0 counts as the pooled one, 1.
    """
    n = z.shape[0]
    shift = z.mean(axis=0)
    variance = z.var(axis=0, ddof=1)
    if np.ptp(shift) == 0 or np.ptp(variance) == 0:
        return shift, np.where(variance > 0, variance, 1.0)
    centre, spread = shift.mean(), shift.var(ddof=1)
    v_mean, v_spread = variance.mean(), variance.var(ddof=1)
    a = (2 * v_spread + v_mean**2) / v_spread
    b = (v_mean * v_spread + v_mean**3) / v_spread
    gamma, delta = shift, variance
    for _ in range(MAX_ROUNDS):
        new_gamma = (spread * n * shift + delta * centre) / (spread * n + delta)
        squares = ((z - new_gamma) ** 2).sum(axis=0)
        new_delta = (squares / 2 + b) / (n / 2 + a - 1)
        moved = max(np.max(np.abs(new_gamma - gamma) / np.maximum(np.abs(gamma), 1e-300)),
                    np.max(np.abs(new_delta - delta) / np.maximum(delta, 1e-300)))  # fmt: skip
        gamma, delta = new_gamma, new_delta
        if moved < TOLERANCE:
            break
    return gamma, delta
