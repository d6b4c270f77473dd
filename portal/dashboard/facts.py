"""What the database says of a study, one sentence per topic of the reporting guidelines; nothing is made up."""

import platform
from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy
import scipy
import sklearn

from portal import __version__
from portal.analysis.cases import NAMES, locked_runs
from portal.analysis.comparison import latest, n_looks
from portal.analysis.models import FeatureSet, ModelRun
from portal.study.flow import flow, in_words
from portal.study.models import Criterion, Split, SplitPart, Study
from portal.truth.strata import inconclusive, standards_of
from readers.models import ReadingDesign, ReadingSession

NOT_RECORDED = "not recorded"
Facts = Mapping[str, str]


def facts_of(study: Study) -> dict[str, str]:
    """Topic -> sentence; a topic of which the database says nothing is not there."""
    found = {
        "software": software(),
        "protocol": f"Protocol of {len(study.protocol)} characters, digest {study.digests.get('protocol', NOT_RECORDED)}."
        if study.protocol
        else "",
        "plan": f"Analysis plan fixed under digest {study.digests['analysis_plan']}."
        if study.digests.get("analysis_plan")
        else "",
        "eligibility": eligibility(study),
        "flow": in_words(flow(study)),
        "reference": reference(study),
        "split": split(study),
        **reading(study),
        **modelling(study),
        **results(study),
    }
    return {key: text for key, text in found.items() if text}


def software() -> str:
    libraries = ", ".join(
        f"{module.__name__} {module.__version__}" for module in (numpy, scipy, sklearn, matplotlib)
    )
    return f"Osteon {__version__}, Python {platform.python_version()}, {libraries}."


def eligibility(study: Study) -> str:
    rows = Criterion.objects.filter(study=study).order_by("order", "code")
    return " ".join(f"{row.code} ({row.kind}): {row.text}." for row in rows).replace("..", ".")


def reference(study: Study) -> str:
    counts: dict[str, int] = {}
    for method in standards_of(study).order_by("method").values_list("method", flat=True):
        counts[method] = counts.get(method, 0) + 1
    shown = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in counts.items())
    unclear = [
        f"{row.lesion} ({row.reason or row.note or NOT_RECORDED})" for row in inconclusive(study)
    ]
    left_out = (
        f" Inconclusive and left out of fits and figures: {', '.join(unclear)}." if unclear else ""
    )
    return f"Reference standard per lesion by {shown}.{left_out}" if shown else ""


def split(study: Study) -> str:
    row = Split.objects.filter(study=study, locked_at__isnull=False).order_by("-version").first()
    if row is None:
        return ""
    parts = SplitPart.objects.filter(split=row).values_list("part", flat=True)
    sizes = {name: sum(part == name for part in parts) for name in ("train", "validation")}
    return (
        f"Split by patient, version {row.version}: {sizes['train']} training and {sizes['validation']} validation "
        f"patients, digest {row.digest}."
    )


def reading(study: Study) -> dict[str, str]:
    design = ReadingDesign.objects.filter(study=study, locked_at__isnull=False).last()
    sessions = ReadingSession.objects.of_study(study).select_related("reader")
    who = {task: {s.reader_id for s in sessions if s.task == task} for task in ("read", "outline")}
    if design is None:
        return {}
    noun = "simulated readers" if study.is_synthetic else "readers"
    return {
        "readers": f"{len(who['read'])} {noun} classified each lesion, {len(who['outline'])} delineators drew it.",
        "blinding": "Reading requests cannot reach the reference standard, other reads, model output or clinical data: "
        "the database refuses them.",
        "design": f"Reading design {design.version}, scale {design.scale}, washout {design.washout_days} days, at least "
        f"{design.patient_gap} lesions between lesions of a patient, {design.n_repeats} repeats, digest {design.digest}.",
        "told": " | ".join(sorted({s.told for s in sessions if s.told})),
    }


def modelling(study: Study) -> dict[str, str]:
    runs = locked_runs(study)
    if not runs:
        return {}
    feature_set = next(iter(runs.values())).feature_set
    p = feature_set.parameters
    return {
        "preparation": preparation(feature_set),
        "features": f"279 features per modality, extractor {feature_set.extractor_version}, feature set {feature_set.digest}.",
        "selection": " ".join(selection(run) for run in runs.values()),
        "model": "Logistic refit of the features that the LASSO selected; "
        + ", ".join(f"{NAMES[k]} run {r.digest}" for k, r in runs.items())
        + ".",
        "threshold": "; ".join(f"{NAMES[k]} {r.model['threshold']:.4f}" for k, r in runs.items())
        + ", each chosen on the training predictions (Youden).",
        "parameters": f"Grid {p['grid_mm']} mm, {p['interpolator']} interpolation, values {p['values']}, CT window {p['ct_window_hu']} HU.",
    }


def preparation(feature_set: FeatureSet) -> str:
    p: dict[str, Any] = feature_set.parameters
    return f"In-plane resampling to {p['grid_mm']} mm ({p['interpolator']}), values {p['values']}."


def selection(run: ModelRun) -> str:
    m = run.model
    return (
        f"{NAMES[run.kind]}: {len(m['kept'])} of {len(m['names'])} features after the correlation filter, "
        f"{len(m['selected'])} selected at lambda {m['lambda']:.4f}."
    )


def results(study: Study) -> dict[str, str]:
    """Figures of the newest evaluation, which exists after unblinding only."""
    rows = {part: r.figures for part, r in latest(study).items() if "reason" not in r.figures}
    if not rows:
        return {}
    return {
        "looks": f"The validation part was looked at {n_looks(study)} times; every look is counted.",
        "auc": " ".join(f"{part.capitalize()}: {aucs(f)}." for part, f in rows.items()),
        "counts": " ".join(
            f"{part.capitalize()}: {f['counts']['lesions']} lesions of {f['counts']['patients']} patients, "
            f"{f['counts']['positive']} metastases, {f['counts']['dropped']} left out."
            for part, f in rows.items()
        ),
        "statistics": "AUC intervals on the logit scale, cluster-aware wherever patients repeat; paired AUC differences with Holm's "
        "correction; exact intervals of rates; Obuchowski–Rockette for reader averages.",
        "agreement": " ".join(agreement(part, f) for part, f in rows.items()),
        "calibration": " ".join(
            f"{part.capitalize()}: " + ", ".join(f"{NAMES[k]} Brier {v['brier']:.3f}" for k, v in f["calibration"].items()) + "."
            for part, f in rows.items()
        ),
    }  # fmt: skip


def aucs(figures: Mapping[str, Any]) -> str:
    named = [(NAMES[k], v) for k, v in figures["auc"]["models"].items()]
    if figures["auc"]["experts"]:
        named.append(("experts' calls", figures["auc"]["experts"]["calls"]))
    return ", ".join(f"{name} {v['auc']:.3f} ({v['low']:.3f}–{v['high']:.3f})" for name, v in named)


def agreement(part: str, figures: Mapping[str, Any]) -> str:
    pairs = figures["agreement"]["pairs"]
    shown = ", ".join(
        f"{p['first']} and {p['second']} kappa {number(p['calls']['value'])}" for p in pairs
    )
    return f"{part.capitalize()}: {shown}." if shown else ""


def number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
