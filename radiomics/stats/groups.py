"""Table 1: two groups compared on continuous and categorical variables; P values adjusted for multiplicity."""

import math
import warnings
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.special import gammaln
from statsmodels.stats.multitest import multipletests

from radiomics.checks import confidence_level
from radiomics.result import Result, frozen, require_inside

FloatArray = npt.NDArray[np.float64]
NAN = float("nan")
ALPHA = 0.05
MAX_TABLES = 2_000_000
DRAWS = 100_000
METHODS = {"holm": "holm", "bonferroni": "bonferroni", "hochberg": "simes-hochberg", "hommel": "hommel",
           "bh": "fdr_bh", "by": "fdr_by"}  # fmt: skip


@dataclass(frozen=True)
class TTest(Result):
    """A t test with the limits of the difference of means."""

    statistic: float
    df: float
    p_value: float
    low: float
    high: float


@dataclass(frozen=True)
class MannWhitney(Result):
    """U of the first group with asymptotic P, with and without continuity correction."""

    u: float
    p_value: float
    p_value_uncorrected: float


@dataclass(frozen=True)
class Continuous(Result):
    """Two groups on a continuous variable; pairs are (a, b)."""

    n: tuple[int, int]
    mean: tuple[float, float]
    sem: tuple[float, float]
    sd: tuple[float, float]
    quartiles: tuple[tuple[float, ...], tuple[float, ...]]
    student: TTest
    welch: TTest
    mann_whitney: MannWhitney
    shapiro: tuple[tuple[float, float], tuple[float, float]]
    levene: tuple[float, float]
    chosen: str
    p_value: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Categorical(Result):
    """Two groups (rows) on a categorical variable (columns)."""

    table: FloatArray
    expected_min: float
    chi2: float
    df: int
    p_chi2: float
    p_chi2_yates: float
    p_fisher: float
    odds_ratio: float
    odds_low: float
    odds_high: float
    fisher_exact: bool
    chosen: str
    p_value: float
    flags: tuple[str, ...]

    def __post_init__(self) -> None:
        require_inside("odds ratio", self.odds_ratio, self.odds_low, self.odds_high)


def sample(values: npt.ArrayLike, name: str) -> FloatArray:
    """A non-empty 1-D sample of finite numbers; raises ValueError naming it otherwise."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise ValueError(
            f"{name} must be a non-empty 1-D array of finite numbers, got shape {array.shape}"
        )
    return array


def t_test(a: FloatArray, b: FloatArray, *, equal: bool, level: float) -> TTest:
    """Student's (equal variances) or Welch's test of two samples."""
    confidence_level(level)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = stats.ttest_ind(a, b, equal_var=equal)
        interval = found.confidence_interval(level)
    return TTest(
        float(found.statistic),
        float(found.df),
        float(found.pvalue),
        float(interval.low),
        float(interval.high),
    )


def mann_whitney(a: FloatArray, b: FloatArray) -> MannWhitney:
    """The rank test of two samples, ties corrected."""
    if np.ptp(np.concatenate([a, b])) == 0:
        return MannWhitney(a.size * b.size / 2, NAN, NAN)
    corrected = stats.mannwhitneyu(a, b, method="asymptotic", use_continuity=True)
    plain = stats.mannwhitneyu(a, b, method="asymptotic", use_continuity=False)
    return MannWhitney(float(corrected.statistic), float(corrected.pvalue), float(plain.pvalue))


def shapiro(values: FloatArray) -> tuple[float, float]:
    """W and P of one sample; NaN for fewer than 3 values or a constant one."""
    if values.size < 3 or np.ptp(values) == 0:
        return NAN, NAN
    found = stats.shapiro(values)
    return float(found.statistic), float(found.pvalue)


def compare_continuous(a: npt.ArrayLike, b: npt.ArrayLike, *, level: float = 0.95) -> Continuous:
    """Compare groups a (n1,) and b (n2,): Student, Welch or Mann–Whitney by Shapiro and Levene tests (P .05).

    Fewer than 3 values in a group: Mann–Whitney only. Raises ValueError for bad input.
    """
    confidence_level(level)
    first, second = sample(a, "a"), sample(b, "b")
    both = (first, second)
    tested = min(first.size, second.size) >= 3
    none = TTest(NAN, NAN, NAN, NAN, NAN)
    student = t_test(first, second, equal=True, level=level) if tested else none
    welch = t_test(first, second, equal=False, level=level) if tested else none
    ranks = mann_whitney(first, second)
    normal = (shapiro(first), shapiro(second))
    spread = [float(np.ptp(x)) for x in both]
    levene = (NAN, NAN)
    if tested and max(spread) > 0:
        levene = stats.levene(first, second, center="mean")
    chosen = choose(tested, normal, float(levene[1]))
    p = {"student": student.p_value, "welch": welch.p_value, "mann_whitney": ranks.p_value}[chosen]
    sd = [float(x.std(ddof=1)) if x.size > 1 else NAN for x in both]
    return Continuous(
        (first.size, second.size), (float(first.mean()), float(second.mean())),
        (sd[0] / math.sqrt(first.size), sd[1] / math.sqrt(second.size)), (sd[0], sd[1]),
        (quartiles(first), quartiles(second)), student, welch, ranks, normal,
        (float(levene[0]), float(levene[1])), chosen, p,
        ("zero_variance",) * (min(spread) == 0),
    )  # fmt: skip


def quartiles(values: FloatArray) -> tuple[float, ...]:
    """Quartiles of type 7."""
    return tuple(float(q) for q in np.percentile(values, [25, 50, 75]))


def choose(
    tested: bool, normal: tuple[tuple[float, float], tuple[float, float]], levene_p: float
) -> str:
    """Which test is shown: Mann–Whitney unless both groups look normal, then Student or Welch by Levene."""
    if not tested or not all(p >= ALPHA for _, p in normal):
        return "mann_whitney"
    return "student" if levene_p >= ALPHA else "welch"


def log_factorial(n: FloatArray | float) -> FloatArray:
    """Log n! of whole numbers of any shape."""
    return np.asarray(gammaln(np.asarray(n, dtype=np.float64) + 1.0))


def fisher_2xk(table: FloatArray, seed: int | None) -> tuple[float, bool]:
    """P of the exact test of a 2 x k table, and whether all tables were enumerated."""
    columns, total = table.sum(axis=0).astype(int), int(table.sum())
    wanted = int(table[0].sum())
    constant = float(log_factorial(columns).sum())

    def log_p(rows: FloatArray) -> FloatArray:
        cells = log_factorial(rows).sum(axis=-1) + log_factorial(columns - rows).sum(axis=-1)
        choose_all = float(
            log_factorial(total) - log_factorial(wanted) - log_factorial(total - wanted)
        )
        return np.asarray(constant - cells - choose_all)

    observed = float(log_p(table[0][None, :])[0])
    limit = observed + math.log1p(1e-7)
    if math.prod(int(c) + 1 for c in columns[:-1]) <= MAX_TABLES:
        rows = np.array(list(product(*(range(int(c) + 1) for c in columns[:-1]))), dtype=np.float64)
        last = wanted - rows.sum(axis=1)
        rows = np.column_stack([rows, last])[(last >= 0) & (last <= columns[-1])]
        p = log_p(rows)
        # all tables together may sum to a little more than 1
        return min(1.0, float(np.exp(p[p <= limit]).sum())), True
    if seed is None:
        raise ValueError("seed must be given: too many tables for the exact test")
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = rng.multivariate_hypergeometric(columns, wanted, size=DRAWS, method="marginals").astype(
        np.float64
    )
    return (1 + int((log_p(drawn) <= limit).sum())) / (1 + DRAWS), False


def compare_categorical(table: npt.ArrayLike, *, seed: int | None = None) -> Categorical:
    """Compare two groups (rows) of counts (2, k) by chi-squared or Fisher's exact test, by expected counts.

    Empty rows and columns are removed with a flag. Raises ValueError for other shapes, negative or broken counts, or
    when a Monte-Carlo test needs a seed.
    """
    counts = np.asarray(table, dtype=np.float64)
    if (
        counts.ndim != 2
        or counts.shape[0] != 2
        or (counts < 0).any()
        or (counts != np.floor(counts)).any()
    ):
        raise ValueError(f"table must hold whole counts of shape (2, k), got shape {counts.shape}")
    kept = counts[:, counts.sum(axis=0) > 0]
    is_short = kept.shape != counts.shape or bool((counts.sum(axis=1) == 0).any())
    flags = ["empty_category"] if is_short else []
    if kept.shape[1] < 2 or (kept.sum(axis=1) == 0).any():
        none = (NAN, NAN, 0, NAN, NAN, NAN, NAN, NAN, NAN, True, "none", NAN)
        return Categorical(frozen(kept), *none, (*flags, "single_category"))
    expected = np.outer(kept.sum(axis=1), kept.sum(axis=0)) / kept.sum()
    plain = stats.chi2_contingency(kept, correction=False)
    is_2x2 = kept.shape[1] == 2
    yates = float(stats.chi2_contingency(kept, correction=True).pvalue) if is_2x2 else NAN
    p_fisher, is_exact = fisher_2xk(kept, seed)
    if not is_exact:
        flags.append("fisher_monte_carlo")
    small = (expected < 5).mean() > 0.2 or (expected < 1).any()
    use_fisher = bool(expected.min() < 5 if is_2x2 else small)
    p = p_fisher if use_fisher else float(plain.pvalue)
    return Categorical(
        frozen(kept), float(expected.min()), float(plain.statistic), int(plain.dof), float(plain.pvalue),
        yates, p_fisher, *odds_of(kept, is_2x2), is_exact, "fisher" if use_fisher else "chi2", p,
        tuple(flags),
    )  # fmt: skip


def odds_of(table: FloatArray, is_2x2: bool) -> tuple[float, float, float]:
    """Conditional odds ratio with exact limits of a 2 x 2 table, NaN for others."""
    if not is_2x2:
        return NAN, NAN, NAN
    found = stats.contingency.odds_ratio(table.astype(int), kind="conditional")
    interval = found.confidence_interval(0.95)
    return float(found.statistic), float(interval.low), float(interval.high)


def adjust_p(p: npt.ArrayLike, *, method: str = "holm") -> FloatArray:
    """Adjusted P values (m,); NaN stays NaN and does not count. Methods: holm, bonferroni, hochberg, hommel, bh, by."""
    if method not in METHODS:
        raise ValueError(f"method must be one of {tuple(METHODS)}, got {method!r}")
    values = np.asarray(p, dtype=np.float64)
    known = ~np.isnan(values)
    if ((values[known] < 0) | (values[known] > 1)).any():
        raise ValueError("p must lie between 0 and 1, NaN where there is none")
    adjusted = np.full(values.shape, NAN)
    if known.any():
        adjusted[known] = multipletests(values[known], method=METHODS[method])[1]
    return adjusted
