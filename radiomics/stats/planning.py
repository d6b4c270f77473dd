"""How many cases a study of two modalities read by the same readers needs, from the variances of a pilot."""

from dataclasses import dataclass
from typing import Protocol

from scipy import stats

from radiomics.result import Result

SMALLEST = 4


class Pilot(Protocol):
    """What is taken from a pilot: variance components of Obuchowski and Rockette, and its number of cases."""

    @property
    def var_tr(self) -> float: ...  # noqa: D102
    @property
    def var_error(self) -> float: ...  # noqa: D102
    @property
    def cov1(self) -> float: ...  # noqa: D102
    @property
    def cov2(self) -> float: ...  # noqa: D102
    @property
    def cov3(self) -> float: ...  # noqa: D102
    @property
    def n_cases(self) -> int: ...  # noqa: D102


@dataclass(frozen=True)
class Power(Result):
    """Power of the F test with its second degrees of freedom and non-centrality."""

    power: float
    df2: float
    ncp: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class SampleSize(Result):
    """The least number of cases that reaches the wanted power; None if `max_cases` do not."""

    n_cases: int | None
    power: float
    df2: float
    ncp: float
    reached: bool
    flags: tuple[str, ...] = ()


def power(
    pilot: Pilot, *, n_readers: int, n_cases: int, effect: float, alpha: float = 0.05
) -> Power:
    """Power to find a difference `effect` of two mean AUCs, readers and cases random.

    The case variances shrink in proportion to the number of cases, whose mix is the pilot's. Raises ValueError for
    fewer than two readers, fewer than four cases, an effect outside 0..1 or an alpha outside 0..1.
    Source: Hillis, Obuchowski, Berbaum 2011; statistics.md section 10.
    """
    require(n_readers=n_readers, effect=effect, alpha=alpha)
    if n_cases < SMALLEST:
        raise ValueError(f"n_cases must be at least {SMALLEST}, got {n_cases}")
    share = pilot.n_cases / n_cases
    reader, group = max(pilot.var_tr, 0.0), max(pilot.cov2 - pilot.cov3, 0.0)
    error = pilot.var_error - pilot.cov1
    denominator = reader + share * (error + (n_readers - 1) * group)
    own = reader + share * (error - group)
    if denominator <= 0 or own <= 0:
        raise ValueError("pilot must have positive variances of reader and case")
    df2 = denominator**2 / (own**2 / (n_readers - 1))
    ncp = n_readers * effect**2 / (2 * denominator)
    critical = stats.f.isf(alpha, 1, df2)
    return Power(float(stats.ncf.sf(critical, 1, df2, ncp)), float(df2), float(ncp))


def sample_size(
    pilot: Pilot,
    *,
    n_readers: int,
    effect: float,
    alpha: float = 0.05,
    power: float = 0.8,
    max_cases: int = 2000,
) -> SampleSize:
    """The least number of cases with at least `power`; arguments, errors and source as in `power`."""
    if not 0 < power < 1:
        raise ValueError(f"power must lie between 0 and 1, got {power}")

    def at(n_cases: int) -> Power:
        return power_at(pilot, n_readers, n_cases, effect, alpha)

    most = at(max_cases)
    if most.power < power:
        return SampleSize(None, most.power, most.df2, most.ncp, reached=False)
    low, high = SMALLEST, max_cases
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if at(middle).power >= power else (middle + 1, high)
    found = at(low)
    return SampleSize(low, found.power, found.df2, found.ncp, reached=True)


def power_at(pilot: Pilot, n_readers: int, n_cases: int, effect: float, alpha: float) -> Power:
    """`power` by position, for where a keyword of that name hides it."""
    return power(pilot, n_readers=n_readers, n_cases=n_cases, effect=effect, alpha=alpha)


def design_table(
    pilot: Pilot,
    *,
    readers: tuple[int, ...],
    effect: float,
    alpha: float = 0.05,
    power: float = 0.8,
) -> tuple[tuple[int, SampleSize], ...]:
    """Numbers of readers, each with the cases that reach the power: the readers x cases table of a plan."""
    return tuple(
        (n, sample_size(pilot, n_readers=n, effect=effect, alpha=alpha, power=power))
        for n in readers
    )


def require(*, n_readers: int, effect: float, alpha: float) -> None:
    """Raise ValueError for a plan that is none."""
    if n_readers < 2:
        raise ValueError(f"n_readers must be at least 2, got {n_readers}")
    if not 0 < effect < 1:
        raise ValueError(f"effect must lie between 0 and 1, got {effect}")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")
