"""The features behind the models: coefficients, values by class, correlations, reliability."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from portal.analysis.cases import FloatArray, Part
from portal.analysis.models import FeatureSet, ModelRun
from portal.analysis.reliability import Reliability, reliability
from portal.analysis.table import build
from portal.study.models import Study
from radiomics.stats.groups import adjust_p, compare_continuous

BINS = tuple(round(0.1 * k, 1) for k in range(11))
GOOD, EXCELLENT = 0.75, 0.90
FEWEST = 2


def feature_figures(study: Study, part: Part, runs: Mapping[str, ModelRun]) -> dict[str, Any]:
    """Per model the features it selected, over the lesions of this part."""
    return {kind: selected(study, part, run) for kind, run in runs.items()}


def selected(study: Study, part: Part, run: ModelRun) -> dict[str, Any]:
    names = list(run.model["selected"])
    table = build(study, run.feature_set, run.kind)
    place = {name: i for i, name in enumerate(table.names)}
    X = table.rows(part.lesion_ids)[:, [place[name] for name in names]]
    fit = run.model.get("clinical", {}).get("fit")
    return {
        **({"last_fit": coefficients({"refit": fit})} if fit else {}),
        "run": run.digest,  # not its code, which is drawn: equal inputs have equal figures
        "names": names,
        "coefficients": coefficients(run.model),
        "by_class": by_class(standardised(X, run.model), part, names),
        "correlation": correlation(X),
    }


def standardised(X: FloatArray, model: Mapping[str, Any]) -> FloatArray:
    """Selected columns in standard deviations of the training part, as the model sees them."""
    place = [model["kept"].index(name) for name in model["selected"]]
    mean, scale = np.asarray(model["mean"])[place], np.asarray(model["scale"])[place]
    return np.asarray((X - mean) / scale)


def coefficients(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Terms of the refit with Wald limits, of the LASSO where no refit was possible."""
    refit = model.get("refit") or {}
    if not refit.get("terms"):
        terms = ["(Intercept)", *model["selected"]]
        values = [model["intercept"], *model["coef"]]
        return [
            {"term": t, "coef": v, "low": None, "high": None, "p_value": None}
            for t, v in zip(terms, values, strict=True)
        ]
    keys = ("coef", "low", "high", "p_value")
    columns = [refit.get(key) or [None] * len(refit["terms"]) for key in keys]
    return [
        {"term": term, **dict(zip(keys, values, strict=True))}
        for term, *values in zip(refit["terms"], *columns, strict=True)
    ]


def by_class(X: FloatArray, part: Part, names: list[str]) -> list[dict[str, Any]]:
    """Five numbers per class and the test of the difference, Holm over the features of the model."""
    rows = []
    for name, values in zip(names, X.T, strict=True):
        a, b = values[part.y == 1], values[part.y == 0]
        rows.append(
            {
                "feature": name,
                "metastasis": five_numbers(a),
                "benign": five_numbers(b),
                **tested(a, b),
            }
        )
    adjusted = adjust_p([np.nan if r["p_value"] is None else r["p_value"] for r in rows])
    for row, holm in zip(rows, adjusted, strict=True):
        row["p_holm"] = none_of_nan(float(holm))
    return rows


def tested(a: FloatArray, b: FloatArray) -> dict[str, Any]:
    """The test that the two samples allow; none for a single value in a class or one value throughout."""
    if min(a.size, b.size) < FEWEST or np.ptp(np.concatenate([a, b])) == 0:
        return {"test": "", "p_value": None}
    found = compare_continuous(a, b)
    return {"test": found.chosen, "p_value": none_of_nan(found.p_value)}


def five_numbers(values: FloatArray) -> list[float]:
    return [float(q) for q in np.percentile(values, [0, 25, 50, 75, 100])]


def none_of_nan(value: float) -> float | None:
    return None if np.isnan(value) else value


def correlation(X: FloatArray) -> list[list[float | None]]:
    """Pearson's r between the features; none where one is constant in these lesions."""
    n = X.shape[1]
    spread = X.std(axis=0) > 0
    found = np.full((n, n), np.nan)
    if spread.any():
        place = np.flatnonzero(spread)
        found[np.ix_(place, place)] = np.atleast_2d(np.corrcoef(X[:, place], rowvar=False))
    return [[none_of_nan(round(float(r), 6)) for r in row] for row in found]


def reliability_figures(study: Study, feature_set: FeatureSet) -> list[dict[str, Any]]:
    """Distribution of the ICC over the features, per modality, pair of drawings and form."""
    groups: dict[tuple[str, str, str], list[Reliability]] = {}
    for row in reliability(study, feature_set):
        groups.setdefault((row.modality, row.between, row.form), []).append(row)
    return [
        {"modality": modality, "between": between, "form": form, **distribution(rows)}
        for (modality, between, form), rows in groups.items()
    ]


def distribution(rows: list[Reliability]) -> dict[str, Any]:
    """Counts in tenths (values below 0 in the first), shares of good and excellent reliability."""
    known = np.array([r.value for r in rows if r.value is not None and not np.isnan(r.value)])
    counts, _ = np.histogram(np.clip(known, 0.0, 1.0), bins=np.array(BINS))
    return {
        "features": len(rows),
        "defined": int(known.size),
        "lesions": max((r.n for r in rows), default=0),
        "median": float(np.median(known)) if known.size else None,
        "good": int((known >= GOOD).sum()),
        "excellent": int((known >= EXCELLENT).sum()),
        "counts": [int(c) for c in counts],
    }
