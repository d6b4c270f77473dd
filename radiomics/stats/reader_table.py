"""AUCs of readers and modalities with their covariance: what the mean squares and components are made of."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, t

FloatArray = npt.NDArray[np.float64]
ROUNDING = 1e-24  # a mean square of areas that differ by less than 1e-12


def settled(square: float) -> float:
    """A mean square of AUCs, 0 where it is what rounding leaves of equal ones."""
    return 0.0 if square <= ROUNDING else square


@dataclass(frozen=True)
class Table:
    """AUCs (M, R), their covariance (MR, MR) and what the mean squares are made of."""

    auc: FloatArray
    C: FloatArray
    level: float

    @property
    def m(self) -> int:
        """Number of modalities."""
        return int(self.auc.shape[0])

    @property
    def r(self) -> int:
        """Number of readers."""
        return int(self.auc.shape[1])

    @property
    def blocks(self) -> FloatArray:
        """Covariances as (m, r, m', r')."""
        return self.C.reshape(self.m, self.r, self.m, self.r)

    @property
    def var_error(self) -> float:
        """Mean variance of the AUCs."""
        return float(np.diag(self.C).mean())

    @property
    def cov1(self) -> float:
        """Same reader, different modality."""
        same = np.einsum("arbr->abr", self.blocks)
        return (
            float(np.mean([same[a, b] for a in range(self.m) for b in range(self.m) if a != b]))
            if self.m > 1
            else 0.0
        )

    def cov2_of(self, modality: int) -> float:
        """Different readers of one modality."""
        block = self.blocks[modality, :, modality, :]
        return float((block.sum() - np.trace(block)) / (self.r * (self.r - 1)))

    @property
    def cov2(self) -> float:
        """Mean of the modalities' cov2."""
        return float(np.mean([self.cov2_of(a) for a in range(self.m)]))

    @property
    def cov3(self) -> float:
        """Both different."""
        if self.m < 2:
            return 0.0
        total, count = 0.0, 0
        for a in range(self.m):
            for b in range(self.m):
                if a != b:
                    block = self.blocks[a, :, b, :]
                    total += float(block.sum() - np.trace(block))
                    count += self.r * (self.r - 1)
        return total / count

    @property
    def ms_t(self) -> float:
        """Mean square of modalities."""
        means = self.auc.mean(axis=1)
        return (
            settled(self.r * float(((means - means.mean()) ** 2).sum()) / (self.m - 1))
            if self.m > 1
            else 0.0
        )

    @property
    def ms_tr(self) -> float:
        """Mean square of modality by reader."""
        if self.m < 2:
            return 0.0
        rest = (
            self.auc
            - self.auc.mean(axis=1, keepdims=True)
            - self.auc.mean(axis=0)
            + self.auc.mean()
        )
        return settled(float((rest**2).sum()) / ((self.m - 1) * (self.r - 1)))

    @property
    def ms_r(self) -> float:
        """Mean square of readers."""
        readers = self.auc.mean(axis=0)
        return settled(self.m * float(((readers - readers.mean()) ** 2).sum()) / (self.r - 1))

    def ms_r_of(self, modality: int) -> float:
        """Mean square of readers within one modality."""
        return settled(float(self.auc[modality].var(ddof=1)))

    def quantile(self, df: float) -> float:
        """Two-sided t quantile, normal for infinite or undefined df."""
        tail = 0.5 + self.level / 2
        return float(norm.ppf(tail)) if math.isinf(df) or math.isnan(df) else float(t.ppf(tail, df))


def p_of(statistic: float, df: float) -> float:
    """Two-sided P of a t statistic; normal for infinite or undefined df."""
    if math.isinf(df) or math.isnan(df):
        return float(2 * norm.sf(abs(statistic)))
    return float(2 * t.sf(abs(statistic), df))
