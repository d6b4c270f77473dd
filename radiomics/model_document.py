"""The stored form of a fitted model: plain JSON, checked when it is read back."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np

from radiomics.logistic import LogisticFit
from radiomics.result import frozen, to_json

FORMAT = "radiomics-model"
VERSION = 1
KEYS = [
    "format",
    "version",
    "params",
    "names",
    "blocks",
    "constant",
    "kept",
    "removed",
    "mean",
    "scale",
    "selected",
    "coef",
    "intercept",
    "lambda",
    "threshold",
    "path",
    "cv",
    "refit",
    "training",
    "libraries",
    "flags",
]
STORED = [
    "names",
    "blocks",
    "constant",
    "kept",
    "removed",
    "mean",
    "scale",
    "selected",
    "coef",
    "intercept",
    "lambda",
    "threshold",
    "flags",
]
NESTED_KEYS = {
    "path": ["lambdas", "df", "dev_ratio", "kkt", "row", "col", "val", "intercept"],
    "cv": ["cvm", "cvsd", "index_min", "index_1se", "folds"],
    "training": ["n", "n_pos", "n_groups", "sha256"],
}
REFIT_ARRAYS = ("coef", "se", "z", "p_value", "low", "high")
REFIT_NUMBERS = ("deviance", "null_deviance", "aic", "bic")
REFIT_REST = ("terms", "n_used", "converged", "separated", "method", "flags")


def compose(model: Any) -> dict[str, Any]:
    """Return the document of a freshly fitted RadiomicsModel, strict JSON types throughout."""
    path, cv = model.cv_.path, model.cv_
    row, col = np.nonzero(path.coef)
    document = {
        "format": FORMAT,
        "version": VERSION,
        "params": model.get_params(),
        **{key: getattr(model, f"{key}_") for key in STORED},
        "path": {
            **{
                key: getattr(path, key)
                for key in ("lambdas", "df", "dev_ratio", "kkt", "intercept")
            },
            "row": row,
            "col": col,
            "val": path.coef[row, col],
        },
        "cv": {key: getattr(cv, key) for key in NESTED_KEYS["cv"]},
        "refit": model.refit_.to_dict(),
        "training": {
            "n": model.n_,
            "n_pos": model.n_pos_,
            "n_groups": model.n_groups_,
            "sha256": model.data_sha256_,
        },
        "libraries": {
            name: version(name) for name in ("numpy", "scipy", "statsmodels", "scikit-learn")
        },
    }
    answer: dict[str, Any] = to_json(document)
    return answer


def lock_id(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the canonical JSON (sorted keys, no spaces) of a document."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def check(document: Mapping[str, Any], parameters: Collection[str]) -> None:
    """Raise ValueError unless a document has this format and version, every key, these model parameters and finite numbers."""
    if document.get("format") != FORMAT or document.get("version") != VERSION:
        raise ValueError(
            f"not a {FORMAT} of version {VERSION}: {document.get('format')!r}, version {document.get('version')!r}"
        )
    _require(document, KEYS, "the model")
    for part, keys in NESTED_KEYS.items():
        _require(document[part], keys, part)
    _require(document["params"], parameters, "params")
    unknown = sorted(set(document["params"]) - set(parameters))
    if unknown:
        raise ValueError(f"params has unknown {', '.join(unknown)}")
    check_fit(document["refit"], "refit")
    for key in KEYS:
        if key not in ("params", "refit"):
            _require_finite(document[key], key)
    _require_finite(document["params"], "params", null_allowed=True)
    _require_sizes(document)


def check_fit(stored: Any, where: str) -> None:
    """Raise ValueError unless a stored fit has every key and one entry per term; null stands for nan."""
    _require(stored, (*REFIT_ARRAYS, *REFIT_NUMBERS, *REFIT_REST), where)
    _require_finite(stored, where, null_allowed=True)
    for key in REFIT_ARRAYS:
        if len(stored[key]) != len(stored["terms"]):
            raise ValueError(f"{where}.{key} must have one entry per term")


def _require(part: Any, keys: Any, where: str) -> None:
    if not isinstance(part, Mapping):
        raise ValueError(f"{where} must be an object, got {type(part).__name__}")
    missing = [key for key in keys if key not in part]
    if missing:
        raise ValueError(f"{where} lacks {', '.join(missing)}")


def _require_finite(value: Any, where: str, *, null_allowed: bool = False) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            _require_finite(item, f"{where}.{key}", null_allowed=null_allowed)
    elif isinstance(value, list | tuple):
        for item in value:
            _require_finite(item, where, null_allowed=null_allowed)
    elif (value is None and not null_allowed) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        raise ValueError(f"{where} holds a number that is not finite")


def _require_sizes(document: Mapping[str, Any]) -> None:
    pairs = (("mean", "kept"), ("scale", "kept"), ("coef", "selected"), ("blocks", "names"))
    for first, second in pairs:
        if len(document[first]) != len(document[second]):
            raise ValueError(f"{first} and {second} differ in length")
    for inner, outer in (("selected", "kept"), ("kept", "names")):
        if not set(document[inner]) <= set(document[outer]):
            raise ValueError(f"{inner} names a column that is not in {outer}")


def refit_from(stored: Mapping[str, Any]) -> LogisticFit:
    """Rebuild the refit; null becomes nan."""
    arrays: dict[str, Any] = {
        key: frozen([math.nan if v is None else v for v in stored[key]]) for key in REFIT_ARRAYS
    }
    numbers = {key: math.nan if stored[key] is None else stored[key] for key in REFIT_NUMBERS}
    rest = {
        key: tuple(stored[key]) if isinstance(stored[key], list) else stored[key]
        for key in REFIT_REST
    }
    return LogisticFit(**(arrays | numbers | rest))
