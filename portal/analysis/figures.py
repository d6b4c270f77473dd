"""The figures of one part: AUCs, differences, rates, calibration, decisions, agreement, failures.

Every number is computed by `radiomics.stats`; here they are only put side by side.
"""

from itertools import combinations
from typing import Any

import numpy as np

from portal.analysis.cases import NAMES, FloatArray, Part
from radiomics.stats.agreement import fleiss_kappa, gwet_ac1, icc, kappa
from radiomics.stats.calibration import calibration
from radiomics.stats.confusion import confusion, mcnemar
from radiomics.stats.decision import decision_curve
from radiomics.stats.groups import adjust_p
from radiomics.stats.mrmc import compare_with_readers, obuchowski_rockette
from radiomics.stats.roc import auc_interval, compare_auc, roc_curve, youden

FEWEST_CALLS = 5
INTERVALS = ("logit_delong", "delong", "binomial", "clustered")


def all_figures(part: Part) -> dict[str, Any]:
    """Everything that follows from the arrays of a part with both classes, as strict JSON."""
    left_out = {"left_out": dict(part.left_out)} if part.left_out else {}
    return {
        **left_out,
        "counts": counts(part),
        "auc": {
            "models": model_aucs(part),
            "nested": nested_aucs(part),
            "experts": expert_aucs(part),
        },
        "roc": curves(part),
        "comparisons": comparisons(part),
        "confusion": confusions(part),
        "calibration": {k: calibration(part.y, p).to_dict() for k, p in part.probability.items()},
        "decision": decisions(part),
        "agreement": agreement(part),
        "mrmc": reader_average(part),
        "times": {r.name: times(r.seconds) for r in part.readers},
        "failures": failures(part),
        "dropped": dict(part.dropped),
        "inputs_digest": part.inputs_digest,
    }


def counts(part: Part) -> dict[str, int]:
    return {
        "lesions": len(part.y),
        "patients": len(set(part.groups.tolist())),
        "positive": int(part.y.sum()),
        "negative": int(len(part.y) - part.y.sum()),
        "dropped": len(part.dropped),
    }


def has_repeats(part: Part) -> bool:
    return len(set(part.groups.tolist())) < len(part.groups)


def default_method(part: Part) -> str:
    return "clustered" if has_repeats(part) else "logit_delong"


def intervals(part: Part, score: FloatArray) -> dict[str, Any]:
    """The default interval first, the other methods by name beside it."""
    methods = INTERVALS if has_repeats(part) else INTERVALS[:3]
    found = {
        m: auc_interval(part.y, score, method=m, groups=part.groups).to_dict() for m in methods
    }
    return {**found[default_method(part)], "methods": found}


def model_aucs(part: Part) -> dict[str, Any]:
    return {k: intervals(part, p) for k, p in part.probability.items()}


def nested_aucs(part: Part) -> dict[str, Any]:
    return {k: intervals(part, p) for k, p in part.nested.items()}


def expert_aucs(part: Part) -> dict[str, Any]:
    """Mean AUC of the readers' calls (the paper's only possible reading), scores beside it."""
    calls = [r.calls.astype(np.float64) for r in part.readers]
    scores = [r.scores for r in part.readers]
    if not calls:
        return {}
    return {
        "calls": mean_auc(part, calls),
        "scores": mean_auc(part, scores),
        "readers": {
            r.name: {
                "calls": intervals(part, r.calls.astype(np.float64)),
                "scores": intervals(part, r.scores),
            }
            for r in part.readers
        },
    }


def mean_auc(part: Part, ratings: list[FloatArray]) -> dict[str, Any]:
    """Mean of the readers' AUCs, these readers fixed, lesions random; one reader: his interval."""
    if len(ratings) == 1:
        return intervals(part, ratings[0])
    result = obuchowski_rockette(
        part.y,
        np.asarray([ratings]),
        covariance="clustered" if has_repeats(part) else "delong",
        design="fixed_readers",
        groups=part.groups if has_repeats(part) else None,
    )
    mean = (
        result.means[0].to_dict() if hasattr(result.means[0], "to_dict") else vars(result.means[0])
    )
    return {
        "auc": mean["estimate"],
        "low": mean["low"],
        "high": mean["high"],
        "se": mean["se"],
        "method": "mean of these readers, lesions random",
        "n_readers": len(ratings),
        "flags": list(result.flags),
    }


def curves(part: Part) -> dict[str, Any]:
    models = {k: curve(part, p) for k, p in part.probability.items()}
    readers = {r.name: curve(part, r.scores) for r in part.readers}
    points = {r.name: operating_point(part, r.calls) for r in part.readers}
    return {"models": models, "readers": readers, "operating_points": points}


def curve(part: Part, score: FloatArray) -> list[list[float]]:
    """Points (1 - specificity, sensitivity) from (1, 1) to (0, 0)."""
    found = roc_curve(part.y, score)
    return [
        [round(float(1 - sp), 6), round(float(se), 6)]
        for sp, se in zip(found.specificity, found.sensitivity, strict=True)
    ]


def operating_point(part: Part, calls: Any) -> dict[str, float]:
    found = confusion(part.y, calls)
    return {"x": 1 - found.specificity.value, "y": found.sensitivity.value}


def score_of(part: Part) -> dict[str, FloatArray]:
    """Models and, as readers, the calls: what the AUC comparisons of a cohort are between."""
    named = {NAMES[k]: p for k, p in part.probability.items()}
    named.update({r.name: r.calls.astype(np.float64) for r in part.readers})
    return named


def comparisons(part: Part) -> dict[str, Any]:
    """All paired AUC differences of the cohort with raw and Holm P, and models against the readers."""
    named = score_of(part)
    names = list(named)
    rows = [
        {"first": first, "second": second, **compared(part, named[first], named[second])}
        for first, second in combinations(names, 2)
    ]
    contrasts = {k: contrast(part, k) for k in part.probability} if len(part.readers) else {}
    p_values = [np.nan if r["p_value"] is None else r["p_value"] for r in rows]
    for row, holm in zip(rows, adjust_p(p_values), strict=True):
        row["p_holm"] = None if np.isnan(holm) else float(holm)
    return {"pairs": rows, "family": len(rows), "with_readers": contrasts}


def compared(part: Part, first: FloatArray, second: FloatArray) -> dict[str, Any]:
    """The cluster-aware comparison wherever patients repeat, DeLong's own beside it."""
    found: dict[str, Any] = compare_auc(part.y, first, second, groups=part.groups).to_dict()
    return {**found, "delong": compare_auc(part.y, first, second).to_dict()}


def contrast(part: Part, kind: str) -> dict[str, Any]:
    ratings = np.asarray([r.calls for r in part.readers], dtype=np.float64)
    groups = part.groups if has_repeats(part) else None
    found: dict[str, Any] = compare_with_readers(
        part.y, part.probability[kind], ratings, readers="fixed", groups=groups
    ).to_dict()
    return found


def confusions(part: Part) -> dict[str, Any]:
    """Rates at the threshold fixed on train, the readers' calls, and models at the readers' specificity."""
    models = {
        k: confusion(part.y, p >= part.thresholds[k], groups=part.groups).to_dict()
        | {"threshold": part.thresholds[k]}
        for k, p in part.probability.items()
    }
    readers = {
        r.name: confusion(part.y, r.calls, groups=part.groups).to_dict() for r in part.readers
    }
    best = {k: youden(part.y, p).to_dict() for k, p in part.probability.items()}
    tests = {
        k: {
            r.name: mcnemar(part.y, p >= part.thresholds[k], r.calls).to_dict()
            for r in part.readers
        }
        for k, p in part.probability.items()
    }
    return {"models": models, "readers": readers, "youden_here": best, "mcnemar": tests,
            "matched": matched(part)}  # fmt: skip


def matched(part: Part) -> dict[str, dict[str, float]]:
    """Sensitivity of each model at each reader's own specificity."""
    found: dict[str, dict[str, float]] = {}
    for kind, p in part.probability.items():
        roc = roc_curve(part.y, p)
        for reader in part.readers:
            wanted = confusion(part.y, reader.calls).specificity.value
            ok = np.asarray(roc.specificity) >= wanted - 1e-12
            found.setdefault(kind, {})[reader.name] = float(np.asarray(roc.sensitivity)[ok].max())
    return found


def decisions(part: Part) -> dict[str, Any]:
    """Net benefit of models and calls, and from which threshold on fewer than five are called positive."""
    scores = part.probability
    models = {k: decision_curve(part.y, p) for k, p in scores.items()}
    readers = {r.name: decision_curve(part.y, r.calls.astype(np.float64)) for r in part.readers}
    return {
        "models": {k: curve.to_dict() for k, curve in models.items()},
        "readers": {k: curve.to_dict() for k, curve in readers.items()},
        "few_from": {k: few_from(p) for k, p in scores.items()},
    }


def few_from(probability: FloatArray) -> float | None:
    """The smallest threshold of the curve at which fewer than five lesions are called positive."""
    thresholds = np.arange(100) / 100
    few = [t for t in thresholds if (probability >= t).sum() < FEWEST_CALLS]
    return float(few[0]) if few else None


def agreement(part: Part) -> dict[str, Any]:
    """Kappa of the calls and linearly weighted kappa of the scores for each pair; Fleiss for more than two."""
    readers = part.readers
    pairs = [
        {
            "first": a.name,
            "second": b.name,
            "calls": kappa(a.calls, b.calls).to_dict(),
            "scores": kappa(a.scores, b.scores, weights="linear").to_dict(),
            "ac1": gwet_ac1(np.asarray([a.calls, b.calls]).T).to_dict(),
        }
        for i, a in enumerate(readers)
        for b in readers[i + 1 :]
    ]
    if len(readers) < 2:
        return {"pairs": pairs}
    scores = np.asarray([r.scores for r in readers]).T
    found: dict[str, Any] = {"pairs": pairs, "icc_scores": icc(scores).to_dict()}
    if len(readers) > 2:
        found["fleiss"] = fleiss_kappa(np.asarray([r.calls for r in readers]).T).to_dict()
    return found


def reader_average(part: Part) -> dict[str, Any] | None:
    """Obuchowski–Rockette over the readers' scores; needs two readers."""
    if len(part.readers) < 2:
        return None
    ratings = np.asarray([[r.scores for r in part.readers]])
    groups = part.groups if has_repeats(part) else None
    found: dict[str, Any] = obuchowski_rockette(
        part.y,
        ratings,
        covariance="clustered" if has_repeats(part) else "delong",
        design="fixed_readers" if len(part.readers) < 3 else "random",
        groups=groups,
    ).to_dict()
    return found


def times(seconds: FloatArray) -> dict[str, float | int | None]:
    """Median and quartiles of the active reading time in seconds."""
    known = seconds[~np.isnan(seconds)]
    if not known.size:
        return {"n": 0, "median": None, "low": None, "high": None}
    low, median, high = (float(q) for q in np.percentile(known, [25, 50, 75]))
    return {"n": int(known.size), "median": median, "low": low, "high": high}


def failures(part: Part) -> list[dict[str, Any]]:
    """Lesions that every model and every reader got wrong."""
    wrong = [
        (p >= part.thresholds[k]).astype(np.int64) != part.y for k, p in part.probability.items()
    ]
    wrong += [r.calls != part.y for r in part.readers]
    everywhere = np.logical_and.reduce(wrong)
    return [
        {"lesion": part.labels[i], "lesion_id": part.lesion_ids[i], "truth": int(part.y[i])}
        for i in np.flatnonzero(everywhere)
    ]
