"""A stored model is read back only if every part is there, finite and of the right size."""

import copy
import hashlib
import json
import math
from typing import Any

import numpy as np
import pytest

from radiomics.logistic import fit_logistic
from radiomics.model_document import KEYS, NESTED_KEYS, check, check_fit, lock_id, refit_from

PARAMETERS = ("seed", "cutoff")
X = np.array([[0.0], [1], [2], [3], [4], [5], [6], [7]])
FIT = fit_logistic(X, [0, 0, 1, 0, 1, 0, 1, 1], names=["a"])


def document() -> dict[str, Any]:
    """The smallest document that passes: columns a and b, of which a was selected."""
    return {
        "format": "radiomics-model", "version": 1, "params": {"seed": 1, "cutoff": 0.9}, "names": ["a", "b"],
        "blocks": ["all", "all"], "constant": [], "kept": ["a", "b"], "removed": [], "mean": [1.0, 2.0],
        "scale": [1.0, 1.0], "selected": ["a"], "coef": [0.5], "intercept": -0.1, "lambda": 0.02,
        "threshold": 0.5, "flags": [],
        "path": {"lambdas": [0.1], "df": [0], "dev_ratio": [0.0], "kkt": [0.0], "row": [], "col": [], "val": [], "intercept": [0.0]},
        "cv": {"cvm": [1.0], "cvsd": [0.1], "index_min": 0, "index_1se": 0, "folds": [1, 2, 3]},
        "refit": FIT.to_dict(), "training": {"n": 8, "n_pos": 4, "n_groups": 8, "sha256": "0"},
        "libraries": {"numpy": "2"},
    }  # fmt: skip


def changed(path: str, value: Any) -> dict[str, Any]:
    """The document with one place, `part` or `part.key`, set to a value."""
    found = document()
    *parts, last = path.split(".")
    place = found
    for part in parts:
        place = place[part]
    place[last] = value
    return found


def test_the_plain_document_passes() -> None:
    check(document(), PARAMETERS)


@pytest.mark.parametrize("key", [k for k in KEYS if k not in ("format", "version")])
def test_every_part_is_needed(key: str) -> None:
    found = document()
    del found[key]
    with pytest.raises(ValueError, match=f"the model lacks {key}"):
        check(found, PARAMETERS)


@pytest.mark.parametrize(
    ("part", "key"), [(part, key) for part, keys in NESTED_KEYS.items() for key in keys]
)
def test_every_part_of_a_part_is_needed(part: str, key: str) -> None:
    found = document()
    del found[part][key]
    with pytest.raises(ValueError, match=f"{part} lacks {key}"):
        check(found, PARAMETERS)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("format", "other", "not a radiomics-model of version 1: 'other'"),
        ("version", 2, "version 2"),
        ("version", None, "version None"),
        ("params", {"seed": 1}, "params lacks cutoff"),
        ("params.colour", 3, "params has unknown colour"),
        ("params", None, "params must be an object, got NoneType"),
        ("path", [], "path must be an object, got list"),
        ("cv", "x", "cv must be an object, got str"),
        ("refit", None, "refit must be an object"),
        ("intercept", None, "intercept holds a number that is not finite"),
        ("intercept", math.nan, "intercept holds a number that is not finite"),
        ("lambda", math.inf, "lambda holds a number that is not finite"),
        ("threshold", None, "threshold holds a number that is not finite"),
        ("mean", [1.0, None], "mean holds a number that is not finite"),
        ("scale", [1.0, math.nan], "scale holds a number that is not finite"),
        ("coef", [-math.inf], "coef holds a number that is not finite"),
        ("path.kkt", [None], "path.kkt holds a number that is not finite"),
        ("cv.cvm", [math.nan], "cv.cvm holds a number that is not finite"),
        ("params.cutoff", math.nan, "params.cutoff holds a number that is not finite"),
        ("mean", [1.0], "mean and kept differ in length"),
        ("scale", [1.0, 1.0, 1.0], "scale and kept differ in length"),
        ("coef", [0.5, 0.1], "coef and selected differ in length"),
        ("blocks", ["all"], "blocks and names differ in length"),
        ("selected", ["c"], "selected names a column that is not in kept"),
        ("kept", ["a", "z"], "kept names a column that is not in names"),
        ("refit.coef", [0.1], "refit.coef must have one entry per term"),
        ("refit.low", [0.1, 0.2, 0.3], "refit.low must have one entry per term"),
        ("refit.aic", math.inf, "refit.aic holds a number that is not finite"),
    ],
)
def test_a_part_that_does_not_fit_is_named(path: str, value: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check(changed(path, value), PARAMETERS)


@pytest.mark.parametrize("value", [None, 0.5])
def test_a_parameter_may_be_null(value: float | None) -> None:
    check(changed("params.cutoff", value), PARAMETERS)


def test_a_refit_may_hold_null_for_what_has_no_value() -> None:
    check(changed("refit.se", [None, None]), PARAMETERS)


def test_a_stored_fit_comes_back_bit_for_bit() -> None:
    again = refit_from(json.loads(json.dumps(FIT.to_dict(), allow_nan=False)))
    for name in ("coef", "se", "z", "p_value", "low", "high"):
        np.testing.assert_array_equal(getattr(again, name), getattr(FIT, name))
    assert (again.terms, again.flags) == (FIT.terms, FIT.flags)
    assert (again.deviance, again.aic, again.bic) == (FIT.deviance, FIT.aic, FIT.bic)
    with pytest.raises(ValueError, match="read-only"):
        again.coef[0] = 1.0


def test_null_comes_back_as_no_number() -> None:
    stored = FIT.to_dict() | {"se": [None, None], "deviance": None}
    again = refit_from(stored)
    assert np.isnan(again.se).all()
    assert math.isnan(again.deviance)


def test_a_fit_s_limits_must_contain_it_when_it_is_read_back() -> None:
    stored = FIT.to_dict()
    check_fit(stored, "refit")
    with pytest.raises(ValueError, match="does not contain a"):
        refit_from(stored | {"low": [9.0, 9.0], "high": [10.0, 10.0]} | {"terms": ["a", "b"]})


def test_the_lock_is_the_digest_of_the_canonical_text() -> None:
    wanted = hashlib.sha256(b'{"a":[1,0.5],"b":null}').hexdigest()
    assert lock_id({"b": None, "a": [1, 0.5]}) == wanted


def test_the_lock_knows_no_order_of_keys_but_every_value() -> None:
    plain = document()
    turned = dict(reversed(list(plain.items())))
    assert lock_id(turned) == lock_id(plain)
    for path, value in (("coef", [0.5000000000000001]), ("params.seed", 2), ("names", ["b", "a"])):
        assert lock_id(changed(path, value)) != lock_id(plain)


def test_a_number_that_is_not_finite_has_no_lock() -> None:
    with pytest.raises(ValueError, match="JSON"):
        lock_id(changed("intercept", math.nan))


def test_checking_changes_nothing() -> None:
    found = document()
    before = copy.deepcopy(found)
    check(found, PARAMETERS)
    assert found == before
