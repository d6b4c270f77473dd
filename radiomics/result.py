"""What every numeric answer has in common: read-only arrays and a strict JSON form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def frozen(values: npt.ArrayLike) -> FloatArray:
    """Return a read-only float64 copy of `values`, same shape."""
    copy = np.array(values, dtype=np.float64)
    copy.flags.writeable = False
    return copy


def frozen_ints(values: npt.ArrayLike) -> IntArray:
    """Return a read-only int64 copy of `values`, same shape."""
    copy = np.array(values, dtype=np.int64)
    copy.flags.writeable = False
    return copy


def frozen_bools(values: npt.ArrayLike) -> BoolArray:
    """Return a read-only boolean copy of `values`, same shape."""
    copy = np.array(values, dtype=np.bool_)
    copy.flags.writeable = False
    return copy


def to_json(value: Any) -> Any:
    """Translate a value into strict JSON types.

    Arrays and tuples become lists, numpy scalars become Python ones, NaN and infinities become None, dataclasses
    and mappings become dicts with string keys. Raises TypeError for anything that JSON cannot hold.
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")


class Result:
    """Mixin of the frozen result dataclasses."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as strict JSON types: arrays as nested lists, NaN and infinities as None."""
        return {field.name: to_json(getattr(self, field.name)) for field in fields(self)}  # type: ignore[arg-type]


def require_inside(name: str, value: float, low: float, high: float) -> None:
    """Raise ValueError unless an interval contains its estimate; limits that are nan say nothing.

    The play of 1e-9 (of the value where it is large) is rounding, not statistics.
    """
    play = 1e-9 * max(1.0, abs(value)) if math.isfinite(value) else 0.0
    if low > value + play or high < value - play:
        raise ValueError(f"interval {low}..{high} does not contain {name} {value}")
