"""What may be chosen for a run: each parameter with its default and the sentence that refuses the rest."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from portal.analysis.models import ModelRun
from portal.analysis.table import MODALITIES, PREFIX, column_names
from portal.errors import Invalid
from radiomics.features import CATALOGUE
from radiomics.model import REFITS

FAMILIES = tuple(dict.fromkeys(entry.family for entry in CATALOGUE))
COLUMNS = frozenset(column_names(tuple(PREFIX)))
BATCHES = ("scanner", "site")
LARGEST_SEED = 2**63 - 1
SUBSET = ("modalities", "families", "features")


@dataclass(frozen=True)
class Parameter:
    """A default, what a value must satisfy, and what it may be in words."""

    default: Any
    holds: Callable[[Any], bool]
    words: str


def is_number(value: Any, low: float, high: float) -> bool:
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and math.isfinite(value) and low <= value <= high


def whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and is_number(value, low, high)


def one_of(*values: Any) -> Callable[[Any], bool]:
    return lambda value: any(value is v or (isinstance(v, str) and value == v) for v in values)


def list_of(known: Callable[[], frozenset[str]]) -> Callable[[Any], bool]:
    """None, or a list without repeats of known names."""

    def holds(value: Any) -> bool:
        if value is None:
            return True
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            return False
        return 0 < len(value) == len(set(value)) and set(value) <= known()

    return holds


PARAMETERS: Mapping[str, Parameter] = MappingProxyType(
    {
        "cutoff": Parameter(
            0.9, lambda v: is_number(v, 0.05, 0.999), "a number from 0.05 to 0.999"
        ),
        "rule": Parameter("min", one_of("min", "1se"), "min or 1se"),
        "refit": Parameter("logistic", one_of(*REFITS), f"one of {', '.join(REFITS)}"),
        "n_folds": Parameter(10, whole(3, 20), "a whole number from 3 to 20"),
        "n_boot": Parameter(200, whole(0, 2000), "a whole number from 0 to 2000"),
        "n_outer": Parameter(10, whole(3, 20), "a whole number from 3 to 20"),
        "icc_threshold": Parameter(
            None, lambda v: v is None or is_number(v, 0, 1), "empty or a number from 0 to 1"
        ),
        "icc_basis": Parameter("estimate", one_of("estimate", "low"), "estimate or low"),
        "harmonise": Parameter(None, one_of(None, *BATCHES), f"empty, {' or '.join(BATCHES)}"),
        "modalities": Parameter(
            None, list_of(lambda: frozenset(PREFIX)), f"a list of {' and '.join(PREFIX)}"
        ),
        "families": Parameter(
            None, list_of(lambda: frozenset(FAMILIES)), f"a list of {', '.join(FAMILIES)}"
        ),
        "features": Parameter(
            None, list_of(lambda: COLUMNS), "a list of column names such as CT_Mean or SP_Mean"
        ),
    }
)
DEFAULTS: Mapping[str, Any] = MappingProxyType({k: p.default for k, p in PARAMETERS.items()})


def checked(kind: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """All parameters of a run with defaults filled in; what is unknown or impossible is refused."""
    if kind not in ModelRun.Kind.values:
        raise Invalid(
            "Choose CT, SPECT, combined, clinical + radiomics or a named subset.", field="kind"
        )
    found = dict(given or {})
    unknown = sorted(set(found) - set(PARAMETERS))
    if unknown:
        raise Invalid(f"Unknown run parameter {unknown[0]}; known are {', '.join(PARAMETERS)}.")
    for name, value in found.items():
        if not PARAMETERS[name].holds(value):
            raise Invalid(f"{name} must be {PARAMETERS[name].words}.", field=name)
    full = {**DEFAULTS, **found}
    check_subset(kind, full)
    return full


def check_subset(kind: str, parameters: Mapping[str, Any]) -> None:
    """A subset says what it takes; CT, SPECT and combined take everything, or they would not be those."""
    asked = [name for name in SUBSET if parameters[name] is not None]
    if kind == ModelRun.Kind.SUBSET and not asked:
        raise Invalid("A named subset needs modalities, families or features.", field="features")
    if kind != ModelRun.Kind.SUBSET and asked:
        raise Invalid(f"Only a named subset may choose {asked[0]}.", field=asked[0])
    if kind == ModelRun.Kind.SUBSET and not wanted_columns(kind, parameters):
        raise Invalid("No feature is in all of what the subset asks for.", field="features")


def wanted_columns(kind: str, parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the columns that a run may use, in catalogue order, CT first."""
    modalities = MODALITIES.get(kind) or parameters.get("modalities") or tuple(PREFIX)
    families = parameters.get("families") or FAMILIES
    chosen = parameters.get("features") or COLUMNS
    return tuple(
        PREFIX[m] + entry.name
        for m in PREFIX
        if m in modalities
        for entry in CATALOGUE
        if entry.family in families and PREFIX[m] + entry.name in chosen
    )


def modalities_of(kind: str, parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """The modalities whose ROIs a run needs, CT first."""
    columns = wanted_columns(kind, parameters)
    return tuple(m for m in PREFIX if any(c.startswith(PREFIX[m]) for c in columns))
