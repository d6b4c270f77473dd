"""Clinical columns of a model: age, sex, uptake ratio and primary tumour as numbers, fitted on the rows given."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from radiomics.region import BoolArray
from radiomics.result import FloatArray, Result

AGE, MALE, UPTAKE, TUMOUR = "age_years", "sex_male", "uptake_ratio", "primary_tumour"
OTHER = "other"
FEWEST_ROWS = 10
TISSUE_FROM = 0.05
KEYS = ("names", "tumours", "reference", "seen")


@dataclass(frozen=True)
class ClinicalRow:
    """One lesion: age in years, 1 for male and 0 for female, uptake ratio (no unit), primary tumour in words."""

    age_years: float
    male: float
    uptake_ratio: float
    tumour: str


@dataclass(frozen=True)
class ClinicalColumns(Result):
    """Which columns a fit has: their `names`, the `tumours` told apart, those of the `reference`, all that were `seen`.

    A tumour that is in none of them counts as "other" where that is a column, and with the reference where it is not.
    """

    names: tuple[str, ...]
    tumours: tuple[str, ...]
    reference: tuple[str, ...]
    seen: tuple[str, ...]
    flags: tuple[str, ...] = ()

    def apply(self, rows: Sequence[ClinicalRow]) -> FloatArray:
        """Return (n, k) columns of `rows` in the order of `names`. Raises ValueError for a number that is not finite."""
        columns = {
            AGE: [row.age_years for row in rows],
            MALE: [row.male for row in rows],
            UPTAKE: [row.uptake_ratio for row in rows],
        }
        said = [folded(row.tumour) for row in rows]
        apart = {*self.tumours, *self.reference}
        columns[named(OTHER)] = [float(tumour not in apart) for tumour in said]
        for name in self.tumours:
            columns[named(name)] = [float(tumour == name) for tumour in said]
        found = np.array([columns[name] for name in self.names], dtype=np.float64).T
        bad = np.flatnonzero(~np.isfinite(found).all(axis=0))
        if bad.size:
            raise ValueError(f"rows have no finite {self.names[bad[0]]}")
        return np.ascontiguousarray(found)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Rebuild from `to_dict`. Raises ValueError for a missing key or a name that is none of its columns."""
        missing = [key for key in KEYS if key not in document]
        if missing:
            raise ValueError(f"the clinical columns lack {', '.join(missing)}")
        found = cls(*(tuple(document[key]) for key in KEYS))
        strange = set(found.names) - {AGE, MALE, UPTAKE, *map(named, (*found.tumours, OTHER))}
        if strange:
            raise ValueError(f"{min(strange)} is no clinical column")
        return found


def folded(tumour: str) -> str:
    """Return a primary tumour as it is compared: without case and doubled or outer spaces."""
    return " ".join(tumour.casefold().split())


def named(tumour: str) -> str:
    """Return the name of the 0/1 column of a tumour."""
    return f"{TUMOUR}: {tumour}"


def fit_columns(rows: Sequence[ClinicalRow], *, fewest: int = FEWEST_ROWS) -> ClinicalColumns:
    """Choose the clinical columns that these rows allow.

    The commonest tumour is the reference (of equals the first by name); a tumour of at least `fewest` rows has a column;
    the rare ones share "other" if they are as many together, else they count with the reference. A column that is
    constant in `rows`, or that the ones before it determine, is left out. Raises ValueError without a row, for a
    number that is not finite, and if no column is left.
    """
    if not rows:
        raise ValueError("rows must not be empty")
    counts = Counter(folded(row.tumour) for row in rows)
    first, *others = sorted(counts, key=lambda name: (-counts[name], name))
    apart = tuple(name for name in others if counts[name] >= fewest)
    rare = [name for name in others if counts[name] < fewest]
    together = sum(counts[name] for name in rare) >= fewest
    names = (AGE, MALE, UPTAKE, *map(named, apart), *([named(OTHER)] if together else []))
    reference = (first,) if together else (first, *rare)
    everything = ClinicalColumns(names, apart, reference, tuple(sorted(counts)))
    kept = independent(everything.apply(rows))
    if not kept.any():
        raise ValueError("rows have no clinical column that varies")
    left = tuple(name for name, stays in zip(names, kept, strict=True) if stays)
    return ClinicalColumns(left, apart, reference, everything.seen)


def independent(X: FloatArray) -> BoolArray:
    """Return (k,) which columns of `X` (n, k) vary and are no linear combination of a constant and those before."""
    kept = np.zeros(X.shape[1], dtype=np.bool_)
    centred = X - X.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=0)
    basis = np.zeros((X.shape[0], 0))
    for j in range(X.shape[1]):
        if lengths[j] <= 1e-12 * math.sqrt(X.shape[0]) * np.abs(X[:, j]).max(initial=0.0):
            continue
        rest = centred[:, j] / lengths[j]
        for _ in range(2):  # once more, because one pass leaves what rounding put back
            rest = rest - basis @ (basis.T @ rest)
        if np.linalg.norm(rest) > 1e-8:
            kept[j] = True
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
    return kept


def uptake_ratio(pixels: FloatArray, mask: BoolArray) -> float:
    """Mean uptake inside a lesion over that of the tissue in the same slice; no unit, no dose or weight needed.

    `pixels` (rows, columns) in counts, any scale; `mask` marks the lesion. Tissue is every pixel outside the lesion
    of at least 5 % of the slice's greatest value, taken by its median. nan where there is no such pixel or no pixel in
    the lesion. Raises ValueError for unequal shapes or a value that is not finite.
    Source: a choice; a body-weight SUV needs dose and times that reconstructed counts do not carry.
    """
    values, inside = np.asarray(pixels, dtype=np.float64), np.asarray(mask, dtype=np.bool_)
    if values.shape != inside.shape:
        raise ValueError(f"mask shape {inside.shape} does not match pixels shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("pixels must be finite")
    if not inside.any() or values.max() <= 0:
        return math.nan
    tissue = values[~inside & (values >= TISSUE_FROM * values.max())]
    return float(values[inside].mean() / np.median(tissue)) if tissue.size else math.nan
