"""A fitted model on rows with known labels: the answer says by itself whether the model was fitted on their patients."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from radiomics.checks import binary_labels, finite_matrix, group_codes
from radiomics.lasso import Groups
from radiomics.result import Result
from radiomics.stats.roc import AucInterval, auc_interval

APPARENT, HELD_OUT = "apparent", "held_out"


class Fitted(Protocol):
    """A fitted classifier of this package; `patients_` are the ids of its training rows, unless it was rebuilt."""

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return (m, 2) probabilities."""


@dataclass(frozen=True)
class Performance(Result):
    """AUC and Brier score of a model on `n` rows; `label` follows from `n_trained_on`, the rows of training patients."""

    auc: AucInterval
    brier: float
    n: int
    n_trained_on: int
    label: str
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        wanted = APPARENT if self.n_trained_on else HELD_OUT
        if self.label != wanted:
            raise ValueError(
                f"label must be {wanted} where {self.n_trained_on} of {self.n} rows are of patients that the model was "
                f"fitted on, got {self.label!r}"
            )
        if (wanted == APPARENT) != (APPARENT in self.flags):
            raise ValueError(f"flags must name {APPARENT} exactly where label does")


def performance(
    model: Fitted,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    groups: Groups,
    *,
    trained_on: Collection[Hashable] | None = None,
    level: float = 0.95,
) -> Performance:
    """Return AUC (clustered where patients repeat) and Brier score of `model` on `X` (n, p), `y` (n,), `groups` (n,).

    Nobody chooses the label: it is "apparent" as soon as one row is of a patient that the model was fitted on, and
    "held_out" otherwise. The patients are those of `fit`; a model rebuilt from its document has forgotten them, so
    that `trained_on` must name them. Raises ValueError if neither is known or both are and differ, and for bad input.
    """
    rows = finite_matrix(X)
    labels, ids = binary_labels(y, rows.shape[0]), list(groups)
    codes = group_codes(ids, labels.size)
    patients = patients_of(model, trained_on)
    n_trained_on = sum(patient in patients for patient in ids)
    p = model.predict_proba(rows)[:, 1]
    repeats = np.unique(codes).size < codes.size
    method = "clustered" if repeats else "logit_delong"
    found = auc_interval(labels, p, method=method, groups=codes, level=level)
    own = (APPARENT,) if n_trained_on else ()
    return Performance(
        found,
        float(((p - labels) ** 2).mean()),
        labels.size,
        n_trained_on,
        APPARENT if n_trained_on else HELD_OUT,
        (*own, *found.flags),
    )


def patients_of(model: Fitted, trained_on: Collection[Hashable] | None) -> frozenset[Hashable]:
    """Return the training patients of a model; raises ValueError where nobody knows them."""
    known: frozenset[Hashable] | None = getattr(model, "patients_", None)
    if known is None and trained_on is None:
        raise ValueError("trained_on must name the training patients: the model does not know them")
    given = known if trained_on is None else frozenset(trained_on)
    if known is not None and given != known:
        raise ValueError("trained_on must be the patients that the model was fitted on")
    return given or frozenset()
