"""The 279 entries in their one fixed order, and the frozen constants of the profile."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

PROFILE: Mapping[str, Any] = MappingProxyType(
    {
        "profile": "mazda279-v1",
        "norm_scope": "roi",
        "sd": "population",
        "bits": {
            "gradient": 4,
            "run_length": 6,
            "co_occurrence": 6,
            "autoregressive": 8,
            "wavelet": 8,
        },
        "tie_epsilon": 1e-9,
        "hist_source": "raw",
        "log_base": 10,
        "glcm": "symmetric",
        "haar_norm": "average",
        "haar_min_blocks": 1,
    }
)
PERCENTS = (1, 10, 50, 90, 99)
DISTANCES = (1, 2, 3, 4, 5)
SCALES = (1, 2, 3, 4, 5)
BANDS = ("LL", "LH", "HL", "HH")
DIRECTIONS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"Horzl": (1, 0), "Vertl": (0, 1), "45dgr": (1, -1), "135dr": (1, 1)}
)
OFFSETS: tuple[tuple[int, int], ...] = tuple(
    offset for d in DISTANCES for offset in ((d, 0), (0, d), (d, d), (d, -d))
)
RUN_FEATURES: Mapping[str, str] = MappingProxyType(
    {
        "RLNonUni": "rlm_rlnu",
        "GLevNonU": "rlm_glnu",
        "LngREmph": "rlm_lre",
        "ShrtREmp": "rlm_sre",
        "Fraction": "rlm_r_perc",
    }
)
PAIR_FEATURES: Mapping[str, str] = MappingProxyType(
    {
        "AngScMom": "cm_energy",
        "Contrast": "cm_contrast",
        "Correlat": "cm_corr",
        "SumOfSqs": "cm_joint_var",
        "InvDfMom": "cm_inv_diff_mom",
        "SumAverg": "cm_sum_avg",
        "SumVarnc": "cm_sum_var",
        "SumEntrp": "cm_sum_entr",
        "Entropy": "cm_joint_entr",
        "DifVarnc": "cm_diff_var",
        "DifEntrp": "cm_diff_entr",
    }
)
MOMENTS: Mapping[str, str] = MappingProxyType(
    {"Mean": "stat_mean", "Variance": "stat_var", "Skewness": "stat_skew", "Kurtosis": "stat_kurt"}
)
PERCENTILE_TAGS: Mapping[int, str | None] = MappingProxyType(
    {1: None, 10: "stat_p10", 50: "stat_median", 90: "stat_p90", 99: None}
)


@dataclass(frozen=True)
class Entry:
    """One feature: canonical name, family, parameters, and the IBSI-1 tag of the same formula, if any."""

    name: str
    family: str
    parameters: Mapping[str, Any]
    ibsi: str | None


def entry(name: str, family: str, ibsi: str | None = None, **parameters: Any) -> Entry:
    """Make a catalogue entry with read-only parameters."""
    return Entry(name, family, MappingProxyType(parameters), ibsi)


def histogram_entries() -> Iterator[Entry]:
    """Entries 0–8."""
    for name, tag in MOMENTS.items():
        yield entry(name, "histogram", tag)
    for percent in PERCENTS:
        yield entry(f"Perc.{percent:02d}%", "histogram", PERCENTILE_TAGS[percent], percent=percent)


def gradient_entries() -> Iterator[Entry]:
    """Entries 9–13."""
    for name in ("GrMean", "GrVariance", "GrSkewness", "GrKurtosis", "GrNonZeros"):
        yield entry(name, "gradient", bits=4)


def run_length_entries() -> Iterator[Entry]:
    """Entries 14–33."""
    for direction, (dx, dy) in DIRECTIONS.items():
        for feature, tag in RUN_FEATURES.items():
            yield entry(
                f"{direction}_{feature}",
                "run_length",
                tag,
                bits=6,
                direction=direction,
                dx=dx,
                dy=dy,
            )


def co_occurrence_entries() -> Iterator[Entry]:
    """Entries 34–253."""
    for dx, dy in OFFSETS:
        for feature, tag in PAIR_FEATURES.items():
            distance = max(abs(dx), abs(dy))
            yield entry(
                f"S({dx},{dy}){feature}",
                "co_occurrence",
                tag,
                bits=6,
                distance=distance,
                dx=dx,
                dy=dy,
            )


def autoregressive_entries() -> Iterator[Entry]:
    """Entries 254–258."""
    for name in ("Teta1", "Teta2", "Teta3", "Teta4", "Sigma"):
        yield entry(name, "autoregressive", bits=8)


def wavelet_entries() -> Iterator[Entry]:
    """Entries 259–278."""
    for scale in SCALES:
        for band in BANDS:
            yield entry(f"WavEn{band}_s-{scale}", "wavelet", bits=8, scale=scale, band=band)


CATALOGUE: tuple[Entry, ...] = (
    *histogram_entries(),
    *gradient_entries(),
    *run_length_entries(),
    *co_occurrence_entries(),
    *autoregressive_entries(),
    *wavelet_entries(),
)
NAMES: tuple[str, ...] = tuple(e.name for e in CATALOGUE)
