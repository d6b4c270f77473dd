"""The shared form of every result."""

import json
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pytest

from radiomics.result import Result, frozen, frozen_bools, frozen_ints, to_json


@dataclass(frozen=True)
class Inner(Result):
    value: float


@dataclass(frozen=True)
class Outer(Result):
    curve: np.ndarray
    inner: Inner
    parts: tuple
    table: dict


def test_nested_results_become_strict_json():
    outer = Outer(
        frozen([[1.0, np.nan], [np.inf, 2.0]]),
        Inner(-np.inf),
        (np.int64(3), np.bool_(True)),
        {1: None},
    )
    assert json.loads(json.dumps(outer.to_dict(), allow_nan=False)) == {
        "curve": [[1.0, None], [None, 2.0]],
        "inner": {"value": None},
        "parts": [3, True],
        "table": {"1": None},
    }


@pytest.mark.parametrize("freeze", [frozen, frozen_ints, frozen_bools])
def test_frozen_arrays_are_copies_that_cannot_change(freeze):
    source = np.array([1, 0, 1])
    copy = freeze(source)
    source[0] = 0
    assert copy[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        copy[0] = 0


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="date"):
        to_json({"when": date(2020, 1, 1)})


def test_floats_survive_the_text_bit_for_bit():
    values = np.random.Generator(np.random.PCG64(1)).normal(size=100)
    inner = replace(Inner(0.0), value=float(values[0]))
    assert json.loads(json.dumps(to_json(values))) == values.tolist()
    assert json.loads(json.dumps(inner.to_dict()))["value"] == values[0]
