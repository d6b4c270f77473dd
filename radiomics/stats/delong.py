"""Components and covariances of AUCs: DeLong for independent rows, Obuchowski for clustered ones."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiomics.checks import binary_labels, finite_matrix, group_codes

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Components:
    """AUCs (k,) of k scores with V10 (k, n1) of the positive and V01 (k, n0) of the negative rows."""

    auc: FloatArray
    v10: FloatArray
    v01: FloatArray
    positive: BoolArray


def components(y: npt.ArrayLike, scores: npt.ArrayLike) -> Components:
    """DeLong's components by mid-ranks; `y` (n,) of 0 and 1, `scores` (k, n), larger means more positive.

    Raises ValueError for non-finite scores, wrong shapes or one class only.
    Source: DeLong 1988; mid-rank form of Sun & Xu 2014.
    """
    table = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    table = finite_matrix(table, name="score")
    labels = binary_labels(y, table.shape[1])
    positive = labels == 1.0
    shares = np.stack([placements(row, positive) for row in table])
    v10 = shares[:, positive]
    return Components(v10.mean(axis=1), v10, shares[:, ~positive], positive)


def placements(score: FloatArray, positive: BoolArray) -> FloatArray:
    """For each row of `score` (n,) the share of the other class that it beats; ties count one half.

    A positive row beats the negatives below it, a negative row the positives above it. One sort, counts of whole and
    half rows: the same bits as differences of mid-ranks.
    """
    n, n1 = score.size, int(positive.sum())
    order = np.argsort(score)
    ordered, is_positive = score[order], positive[order]
    start = np.concatenate([[0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1])
    end = np.append(start[1:], n)
    positives_before = np.concatenate([[0], np.cumsum(is_positive)])
    positives = (positives_before[start] + positives_before[end]) / 2
    negatives = (start + end) / 2 - positives
    if start.size < n:
        tied = end - start
        positives, negatives = np.repeat(positives, tied), np.repeat(negatives, tied)
    share = np.empty(n)
    share[order] = np.where(is_positive, negatives / (n - n1), 1.0 - positives / n1)
    return share


def sample_covariance(rows: FloatArray) -> FloatArray:
    """Covariance (k, k) with n - 1 of k variables (k, n); NaN for a single observation."""
    n = rows.shape[1]
    if n < 2:
        return np.full((rows.shape[0], rows.shape[0]), np.nan)
    centred = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(centred @ centred.T / (n - 1))


def delong_covariance(found: Components) -> FloatArray:
    """Covariance (k, k) of the AUCs of independent rows."""
    n1, n0 = found.v10.shape[1], found.v01.shape[1]
    return np.asarray(sample_covariance(found.v10) / n1 + sample_covariance(found.v01) / n0)


def jackknife_covariance(found: Components) -> FloatArray:
    """Covariance (k, k) of the AUCs from leaving one row out at a time."""
    n1, n0 = found.v10.shape[1], found.v01.shape[1]
    n = n1 + n0
    without_positive = (n1 * found.auc[:, None] - found.v10) / (n1 - 1)
    without_negative = (n0 * found.auc[:, None] - found.v01) / (n0 - 1)
    left_out = np.concatenate([without_positive, without_negative], axis=1)
    return np.asarray(sample_covariance(left_out) * (n - 1) ** 2 / n)


def clustered_covariance(found: Components, groups: npt.ArrayLike) -> FloatArray:
    """Covariance (k, k) of the AUCs when rows come in clusters; singletons give DeLong's.

    `groups` (n,) ids. Raises ValueError if fewer than two clusters hold positives or negatives.
    Source: Obuchowski 1997.
    """
    codes = group_codes(list(np.asarray(groups).tolist()), found.positive.size)
    of_positive, of_negative = codes[found.positive], codes[~found.positive]
    i10, i01, i = (
        len(set(of_positive.tolist())),
        len(set(of_negative.tolist())),
        int(codes.max()) + 1,
    )
    if i10 < 2 or i01 < 2:
        raise ValueError(
            "groups: at least two clusters with positives and two with negatives are needed"
        )
    n1, n0 = found.v10.shape[1], found.v01.shape[1]
    a = cluster_sums(found.v10 - found.auc[:, None], of_positive, i)
    b = cluster_sums(found.v01 - found.auc[:, None], of_negative, i)
    cross = a @ b.T
    return np.asarray(
        i10 / ((i10 - 1) * n1**2) * (a @ a.T)
        + i01 / ((i01 - 1) * n0**2) * (b @ b.T)
        + i / ((i - 1) * n1 * n0) * (cross + cross.T)
    )


def cluster_sums(rows: FloatArray, codes: IntArray, n: int) -> FloatArray:
    """Sums (k, n) of the columns of `rows` (k, m) by cluster code (m,)."""
    return np.stack([np.bincount(codes, weights=row, minlength=n) for row in rows])


def unbiased_covariance(y: npt.ArrayLike, scores: npt.ArrayLike) -> FloatArray:
    """Unbiased covariance (k, k) of AUCs from the four second moments of the pair kernel (Gallas 2006)."""
    table = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    positive = binary_labels(y, table.shape[1]) == 1.0
    up, down = table[:, positive], table[:, ~positive]
    kernel = (up[:, :, None] > down[:, None, :]) + 0.5 * (up[:, :, None] == down[:, None, :])
    k, n1, n0 = kernel.shape
    flat = kernel.reshape(k, -1)
    same_pair = flat @ flat.T
    by_negative, by_positive, total = kernel.sum(axis=1), kernel.sum(axis=2), flat.sum(axis=1)
    same_negative = by_negative @ by_negative.T - same_pair
    same_positive = by_positive @ by_positive.T - same_pair
    neither = np.outer(total, total) - same_pair - same_negative - same_positive
    m1 = same_pair / (n1 * n0)
    m2 = same_negative / (n0 * n1 * (n1 - 1))
    m3 = same_positive / (n1 * n0 * (n0 - 1))
    m4 = neither / (n1 * n0 * (n1 - 1) * (n0 - 1))
    weight4 = (n1 - 1) * (n0 - 1) - n1 * n0
    return np.asarray((m1 + (n1 - 1) * m2 + (n0 - 1) * m3 + weight4 * m4) / (n1 * n0))
