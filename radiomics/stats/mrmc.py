"""Multi-reader multi-case analysis of AUCs (Obuchowski–Rockette) and models against readers."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2
from scipy.stats import f as f_distribution

from radiomics.checks import binary_labels, confidence_level, group_codes
from radiomics.result import Result, frozen, require_inside
from radiomics.stats.contrast import ReaderContrast, compare_with_readers
from radiomics.stats.delong import (
    Components,
    clustered_covariance,
    components,
    delong_covariance,
    jackknife_covariance,
    unbiased_covariance,
)
from radiomics.stats.reader_table import Table, p_of

FloatArray = npt.NDArray[np.float64]
__all__ = ["ObuchowskiRockette", "ReaderContrast", "compare_with_readers", "obuchowski_rockette"]

NAN = float("nan")
COVARIANCES = ("delong", "jackknife", "unbiased", "clustered")
DESIGNS = ("random", "fixed_readers", "fixed_cases")
FEW_READERS = 3


@dataclass(frozen=True)
class Difference(Result):
    """Difference a - b of two modalities' mean AUCs."""

    a: int
    b: int
    estimate: float
    se: float
    df: float
    statistic: float
    p_value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        require_inside("difference", self.estimate, self.low, self.high)


@dataclass(frozen=True)
class Mean(Result):
    """Mean AUC of a modality over readers."""

    modality: int
    estimate: float
    se: float
    df: float
    low: float
    high: float

    def __post_init__(self) -> None:
        require_inside("mean", self.estimate, self.low, self.high)


@dataclass(frozen=True)
class ReaderDifference(Result):
    """Difference a - b of two modalities for one reader."""

    reader: int
    a: int
    b: int
    estimate: float
    se: float
    statistic: float
    p_value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        require_inside("difference", self.estimate, self.low, self.high)


@dataclass(frozen=True)
class ObuchowskiRockette(Result):
    """AUCs (M, R), variance components, the test of equal modalities, and differences and means with limits."""

    auc: FloatArray
    mean_auc: FloatArray
    ms_t: float
    ms_tr: float
    ms_r: float
    var_error: float
    cov1: float
    cov2: float
    cov3: float
    var_reader: float
    var_tr: float
    denominator: float
    statistic: float
    statistic_name: str
    df1: float
    df2: float
    p_value: float
    differences: tuple[Difference, ...]
    means: tuple[Mean, ...]
    reader_differences: tuple[ReaderDifference, ...]
    covariance_matrix: FloatArray
    n_cases: int
    n_pos: int
    n_neg: int
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Test:
    """Denominator, statistic and degrees of freedom of the test of equal modalities."""

    denominator: float
    statistic: float
    name: str
    df1: float
    df2: float
    p_value: float


def checked(
    y: npt.ArrayLike, ratings: npt.ArrayLike, missing: str, groups: npt.ArrayLike | None
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.int64] | None, list[str]]:
    """Labels (N,), ratings (M, R, N), group codes and flags; missing ratings refused or their cases dropped."""
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 3 or table.shape[1] < 2:
        raise ValueError(
            f"ratings must have shape (modalities, at least 2 readers, cases), got {table.shape}"
        )
    labels = np.asarray(y, dtype=np.float64)
    codes = (
        None if groups is None else group_codes(list(np.asarray(groups).tolist()), table.shape[2])
    )
    flags: list[str] = []
    bad = np.isnan(table)
    if bad.any():
        if missing != "common_cases":
            modality, reader, case = (int(i[0]) for i in np.nonzero(bad))
            raise ValueError(
                f"ratings: modality {modality}, reader {reader}, case {case} is missing"
            )
        keep = ~bad.any(axis=(0, 1))
        if not keep.any():
            raise ValueError("ratings: no case was read by every reader in every modality")
        flags.append(f"cases_dropped:{int((~keep).sum())}")
        table, labels = table[:, :, keep], labels[keep]
        codes = None if codes is None else codes[keep]
    labels = binary_labels(labels, table.shape[2])
    if min(int(labels.sum()), int((1 - labels).sum())) < 2:
        raise ValueError("y must hold at least 2 cases of each class")
    return labels, table, codes, flags


def covariance_of(
    found: Components,
    y: FloatArray,
    flat: FloatArray,
    method: str,
    codes: npt.NDArray[np.int64] | None,
) -> FloatArray:
    """Covariance (MR, MR) of all AUCs by the named method."""
    if method == "jackknife":
        return jackknife_covariance(found)
    if method == "unbiased":
        return unbiased_covariance(y, flat)
    if method == "clustered":
        return clustered_covariance(found, np.asarray(codes))
    return delong_covariance(found)


def obuchowski_rockette(
    y: npt.ArrayLike,
    ratings: npt.ArrayLike,
    *,
    covariance: str = "delong",
    design: str = "random",
    groups: npt.ArrayLike | None = None,
    missing: str = "error",
    level: float = 0.95,
) -> ObuchowskiRockette:
    """Compare modalities by their readers' AUCs; `y` (N,) of 0 and 1, `ratings` (M, R, N), R >= 2.

    `covariance` delong, jackknife, unbiased or clustered (needs `groups`); `design` random (readers and cases),
    fixed_readers or fixed_cases; `missing` error or common_cases. Raises ValueError for bad input.
    Source: Obuchowski & Rockette 1995; Hillis 2007 (df); Gallas 2006 (unbiased).
    """
    confidence_level(level)
    if (
        covariance not in COVARIANCES
        or design not in DESIGNS
        or missing not in ("error", "common_cases")
    ):
        raise ValueError(
            f"unknown covariance {covariance!r}, design {design!r} or missing {missing!r}"
        )
    if covariance == "clustered" and groups is None:
        raise ValueError("groups must be given for a clustered covariance")
    labels, table, codes, flags = checked(y, ratings, missing, groups)
    flat = table.reshape(-1, table.shape[2])
    found = components(labels, flat)
    auc = found.auc.reshape(table.shape[:2])
    work = Table(auc, covariance_of(found, labels, flat, covariance, codes), level)
    if covariance == "unbiased" and is_negative(work, design):
        flags.append("unbiased_negative")
        work = Table(auc, delong_covariance(found), level)
    if codes is not None and int(codes.max()) + 1 < codes.size and covariance != "clustered":
        flags.append("clusters_ignored")
    if work.r < FEW_READERS:
        flags.append("few_readers")
    return assemble(work, design, labels, flags)


def is_negative(work: Table, design: str) -> bool:
    """Whether an unbiased estimate gives a variance that cannot be."""
    if (np.diag(work.C) <= 0).any():
        return True
    if any(reader_variance(work, r, a, b) <= 0 for r in range(work.r) for a, b in pairs(work.m)):
        return True
    return design == "fixed_readers" and work.m > 1 and fixed_reader_denominator(work) <= 0


def pairs(m: int) -> list[tuple[int, int]]:
    """Index pairs a < b of m modalities."""
    return [(a, b) for a in range(m) for b in range(a + 1, m)]


def reader_variance(work: Table, r: int, a: int, b: int) -> float:
    """Variance of one reader's difference between two modalities."""
    c = work.blocks
    return float(c[a, r, a, r] + c[b, r, b, r] - 2 * c[a, r, b, r])


def fixed_reader_denominator(work: Table) -> float:
    """Denominator of the test for these readers only; not forced to be positive."""
    return work.var_error - work.cov1 + (work.r - 1) * (work.cov2 - work.cov3)


def test_of(work: Table, design: str, flags: list[str]) -> Test:
    """The test that all modalities have one mean AUC."""
    df1, ms_t, ms_tr, r = float(work.m - 1), work.ms_t, work.ms_tr, work.r
    rest = df1 * (r - 1)
    if design == "fixed_readers":
        d = fixed_reader_denominator(work)
        if d <= 0:
            flags.append("zero_variance")
            return Test(d, NAN, "chi2", df1, NAN, NAN)
        x = df1 * ms_t / d
        return Test(d, x, "chi2", df1, NAN, float(chi2.sf(x, df1)))
    if design == "fixed_cases":
        d, df2 = ms_tr, rest
    else:
        d = ms_tr + r * max(work.cov2 - work.cov3, 0.0)
        df2 = d**2 / (ms_tr**2 / rest) if ms_tr > 0 else math.inf
    if d <= 0:
        flags.append("zero_variance")
        return Test(d, NAN, "F", df1, NAN, NAN)
    f = ms_t / d
    p = float(chi2.sf(f * df1, df1)) if math.isinf(df2) else float(f_distribution.sf(f, df1, df2))
    return Test(d, f, "F", df1, df2, p)


def difference(work: Table, test: Test, a: int, b: int) -> Difference:
    """Difference of two modalities with its limits."""
    estimate = float(work.auc[a].mean() - work.auc[b].mean())
    se = math.sqrt(2 * test.denominator / work.r) if test.denominator > 0 else NAN
    statistic = estimate / se if se and not math.isnan(se) else NAN
    half = work.quantile(test.df2) * se
    return Difference(
        a,
        b,
        estimate,
        se,
        test.df2,
        statistic,
        p_of(statistic, test.df2),
        estimate - half,
        estimate + half,
    )


def mean_of(work: Table, design: str, a: int) -> Mean:
    """Mean AUC of one modality with the limits of the design."""
    estimate, r, ms_r, cov2 = float(work.auc[a].mean()), work.r, work.ms_r_of(a), work.cov2_of(a)
    if design == "fixed_readers":
        block = work.blocks[a, :, a, :]
        variance, df = (float(np.trace(block)) / r + (r - 1) * cov2) / r, NAN
    elif design == "fixed_cases":
        variance, df = ms_r / r, r - 1.0
    else:
        d = ms_r + r * max(cov2, 0.0)
        variance, df = d / r, d**2 / (ms_r**2 / (r - 1)) if ms_r > 0 else math.inf
    se = math.sqrt(variance) if variance >= 0 else NAN
    half = work.quantile(df) * se
    return Mean(a, estimate, se, df, estimate - half, estimate + half)


def reader_difference(work: Table, r: int, a: int, b: int) -> ReaderDifference:
    """One reader's difference, normal limits from the covariance."""
    estimate = float(work.auc[a, r] - work.auc[b, r])
    variance = reader_variance(work, r, a, b)
    se = math.sqrt(variance) if variance > 0 else 0.0
    statistic = estimate / se if se else (0.0 if estimate == 0 else NAN)
    half = work.quantile(math.inf) * se
    return ReaderDifference(
        r,
        a,
        b,
        estimate,
        se,
        statistic,
        p_of(statistic, math.inf),
        estimate - half,
        estimate + half,
    )


def assemble(work: Table, design: str, labels: FloatArray, flags: list[str]) -> ObuchowskiRockette:
    """All figures of the analysis from the table of AUCs."""
    test = test_of(work, design, flags) if work.m > 1 else Test(NAN, NAN, "F", NAN, NAN, NAN)
    var_reader = (work.ms_r - work.ms_tr) / work.m - work.cov1 + work.cov3
    var_tr = work.ms_tr - work.var_error + work.cov1 + (work.cov2 - work.cov3)
    if work.m > 1 and min(var_reader, var_tr) < 0:
        flags.append("negative_variance_component")
    many = pairs(work.m)
    n_pos = int(labels.sum())
    return ObuchowskiRockette(
        frozen(work.auc), frozen(work.auc.mean(axis=1)), work.ms_t, work.ms_tr, work.ms_r,
        work.var_error, work.cov1, work.cov2, work.cov3, var_reader, var_tr, test.denominator,
        test.statistic, test.name, test.df1, test.df2, test.p_value,
        tuple(difference(work, test, a, b) for a, b in many),
        tuple(mean_of(work, design, a) for a in range(work.m)),
        tuple(reader_difference(work, r, a, b) for r in range(work.r) for a, b in many),
        frozen(work.C), labels.size, n_pos, labels.size - n_pos, tuple(flags),
    )  # fmt: skip
