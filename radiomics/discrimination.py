"""The two ranking numbers that fitting itself needs: AUC and the Youden threshold."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from radiomics.result import FloatArray


def rank_auc(y: FloatArray, score: FloatArray) -> float:
    """Return the area under the ROC curve, ties counting one half; nan if only one class is present.

    `y` (n,) holds 0 and 1, `score` (n,) is larger for 1. Source: Mann-Whitney statistic by mid-ranks.
    """
    n_pos = float(y.sum())
    n_neg = y.size - n_pos
    if n_pos == 0 or n_neg == 0:
        return float("nan")
    ranks = rankdata(score)[y == 1].sum()
    return float((ranks - n_pos * (n_pos + 1) / 2) / (n_pos * n_neg))


def youden_threshold(y: FloatArray, p: FloatArray) -> float:
    """Return the smallest threshold with maximal sensitivity + specificity - 1; -inf if nothing beats calling all positive.

    Candidates are -inf, the midpoints of neighbouring distinct predictions and +inf; optima within 1e-12 are ties.
    """
    distinct = np.unique(p)
    thresholds = np.concatenate([[-np.inf], (distinct[:-1] + distinct[1:]) / 2, [np.inf]])
    positive, negative = np.sort(p[y == 1]), np.sort(p[y == 0])
    sensitivity = 1.0 - np.searchsorted(positive, thresholds, side="left") / positive.size
    specificity = np.searchsorted(negative, thresholds, side="left") / negative.size
    index = sensitivity + specificity - 1.0
    return float(thresholds[np.flatnonzero(index >= index.max() - 1e-12)[0]])
