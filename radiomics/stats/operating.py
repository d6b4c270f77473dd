"""Operating points: what a score reaches on one axis of its ROC curve at a value fixed on the other."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiomics.checks import confidence_level
from radiomics.result import Result
from radiomics.stats.confusion import Rate, confusion
from radiomics.stats.roc import TIE, roc_curve


@dataclass(frozen=True)
class OperatingPoint(Result):
    """The threshold that keeps `focus` at least at `fixed`, and both rates there with their limits."""

    focus: str
    fixed: float
    threshold: float
    sensitivity: Rate
    specificity: Rate
    flags: tuple[str, ...]


def operating_point(
    y: npt.ArrayLike,
    score: npt.ArrayLike,
    fixed: float,
    *,
    focus: str = "specificity",
    interval: str = "exact",
    level: float = 0.95,
    groups: npt.ArrayLike | None = None,
) -> OperatingPoint:
    """Largest sensitivity with a specificity of at least `fixed`, or with `focus` "sensitivity" the other way round.

    `y` (n,) of 0 and 1, `score` (n,), `fixed` in 0..1, `groups` (n,) patient ids that widen the limits where they
    repeat. No point between two thresholds is interpolated. The threshold is found on these rows, hence the flag
    `threshold_from_test`: limits hold for a threshold given beforehand. Raises ValueError for bad input.
    """
    confidence_level(level)
    if focus not in ("specificity", "sensitivity") or not 0 <= fixed <= 1:
        raise ValueError(
            f"fixed must lie in 0..1 of specificity or sensitivity, got {fixed} of {focus!r}"
        )
    curve = roc_curve(y, score)
    held = curve.specificity if focus == "specificity" else curve.sensitivity
    enough = np.flatnonzero(held >= fixed - TIE)
    # thresholds ascend: specificity grows and sensitivity falls with them
    chosen = enough[0] if focus == "specificity" else enough[-1]
    threshold = float(curve.thresholds[chosen])
    calls = (np.asarray(score, dtype=np.float64) >= threshold).astype(np.int64)
    found = confusion(y, calls, interval=interval, level=level, groups=groups)
    return OperatingPoint(
        focus, fixed, threshold, found.sensitivity, found.specificity, ("threshold_from_test",)
    )
