"""The counts of the cohort, scaled to any size by largest remainders."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PRIMARIES = {
    "breast": 27, "lung": 50, "prostate": 25, "colon": 5, "renal": 5, "thyroid": 5, "stomach": 4, "cervical": 3,
    "hepatocellular": 3, "pancreatic": 2, "nasopharyngeal": 2, "ureteral": 1,
}  # fmt: skip
BENIGN = {"degenerative": 23, "fracture": 15, "osteoarthritis": 8, "tuberculosis": 7}
MIXED_SECOND = {"degenerative": 4, "osteoarthritis": 2}
METHODS = {
    "metastasis": {"pathology": 21, "follow-up imaging": 69, "clinical course": 25},
    "benign": {"pathology": 8, "follow-up imaging": 52, "clinical course": 17},
}
SEXES = {"metastasis": {"M": 46, "F": 33}, "benign": {"M": 32, "F": 21}}


@dataclass(frozen=True)
class Quotas:
    """How many patients of each kind a cohort holds."""

    metastasis: int
    benign: int
    two_metastasis: int
    two_benign: int
    mixed: int


def scaled(counts: dict[str, int], total: int) -> dict[str, int]:
    """`counts` scaled to sum to `total` (>= 0) by largest remainders; ties go to the earlier name."""
    whole = sum(counts.values())
    parts = {name: divmod(count * total, whole) for name, count in counts.items()}
    left = total - sum(quotient for quotient, _ in parts.values())
    lucky = sorted(parts, key=lambda name: -parts[name][1])[:left]
    return {name: quotient + (name in lucky) for name, (quotient, _) in parts.items()}


def expanded(counts: dict[str, int], total: int) -> list[str]:
    """Each name of `counts`, scaled to `total`, as often as it occurs."""
    return [name for name, count in scaled(counts, total).items() for _ in range(count)]


def quotas(n_patients: int) -> Quotas:
    """Patients by class and number of lesions for a cohort of `n_patients` (8..100,000).

    Raises ValueError outside that range.
    """
    if not 8 <= n_patients <= 100_000:
        raise ValueError(f"n_patients must lie in 8..100000, got {n_patients}")
    classes = scaled({"metastasis": 79, "benign": 53}, n_patients)
    two, two_benign, mixed = (int(k * n_patients / 132 + 0.5) for k in (60, 18, 6))
    return Quotas(
        classes["metastasis"], classes["benign"], two - two_benign, two_benign, max(1, mixed)
    )


def systematic(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A permuted systematic sample of `n` numbers in 0..1, float64 (n,)."""
    return rng.permutation((np.arange(n) + rng.random()) / max(n, 1))
