"""Decision curves: net benefit over threshold probabilities."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiomics.checks import binary_labels
from radiomics.result import Result, frozen
from radiomics.stats.calibration import probabilities

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DecisionCurve(Result):
    """Net benefit of the model, of treating all and none, and avoided interventions, each (T,)."""

    thresholds: FloatArray
    net_benefit: FloatArray
    net_benefit_all: FloatArray
    net_benefit_none: FloatArray
    interventions_avoided: FloatArray
    tp_rate: FloatArray
    fp_rate: FloatArray
    flags: tuple[str, ...] = ()


def decision_curve(
    y: npt.ArrayLike, p: npt.ArrayLike, thresholds: npt.ArrayLike | None = None
) -> DecisionCurve:
    """Net benefit TP/n - FP/n t/(1 - t) with `p >= t` as positive; thresholds default to 0, .01 … .99.

    `y` (n,) of 0 and 1, `p` (n,) probabilities (binary calls: 0 and 1). Raises ValueError for t < 0 or t >= 1.
    Source: Vickers & Elkin 2006.
    """
    predicted = probabilities(p)
    labels = binary_labels(y, predicted.size)
    t = np.arange(100) / 100 if thresholds is None else np.asarray(thresholds, dtype=np.float64)
    if not ((t >= 0) & (t < 1)).all():
        raise ValueError("thresholds must lie in 0 <= t < 1")
    n = labels.size
    called = predicted[None, :] >= t[:, None]
    tp, fp = (called * labels).sum(axis=1) / n, (called * (1 - labels)).sum(axis=1) / n
    odds = t / (1 - t)
    benefit = tp - fp * odds
    everyone = labels.mean() - (1 - labels.mean()) * odds
    with np.errstate(invalid="ignore", divide="ignore"):
        avoided = np.where(t > 0, (benefit - everyone) / odds, np.nan)
    return DecisionCurve(
        frozen(t), frozen(benefit), frozen(everyone), frozen(np.zeros(t.size)), frozen(avoided),
        frozen(tp), frozen(fp),
    )  # fmt: skip
