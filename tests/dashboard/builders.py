"""A tiny evaluated study: twelve lesions of ten patients with scores that can be counted by hand."""

from functools import lru_cache
from typing import Any

import numpy as np

from portal.analysis import feature_figures
from portal.analysis.cases import Part, Reader
from portal.analysis.characteristics import Subject, table
from portal.analysis.figures import all_figures
from portal.analysis.models import Evaluation, Look
from portal.study.models import Lesion, State, Study
from tests.cohort import NOW, make_lesion, make_patient, make_study, make_user

Y = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
GROUPS = np.array(["P1", "P1", "P2", "P3", "P4", "P5", "P6", "P6", "P7", "P8", "P9", "P10"])
LABELS = ("P1/1", "P1/2", "P2/1", "P3/1", "P4/1", "P5/1", "P6/1", "P6/2", "P7/1", "P8/1", "P9/1", "P10/1")  # fmt: skip
CT = np.array([0.9, 0.8, 0.7, 0.6, 0.3, 0.2, 0.55, 0.4, 0.35, 0.25, 0.15, 0.1])
SPECT = np.array([0.95, 0.85, 0.75, 0.65, 0.6, 0.1, 0.5, 0.45, 0.3, 0.2, 0.15, 0.05])
SCORES = {
    "Ann": np.array([10, 9, 8, 7, 6, 2, 4, 3, 3, 2, 1, 9.0]),
    "Ben": np.array([9, 9, 7, 6, 3, 1, 6, 4, 2, 2, 2, 1.0]),
}
NAMES = ["CT_Mean", "CT_Skewness"]
VIEWERS = ("coordinator", "analyst")
BLIND = ("expert1", "expert2", "delineator1", "delineator2", "monitor", "outsider")


def make_part(name: str = "validation", **change: Any) -> Part:
    """Ann misses P5/1 and calls P10/1; Ben misses P4/1 and P5/1 and calls P6/1. P5/1 is wrong for all."""
    readers = tuple(
        Reader(who, (scores >= 6).astype(np.int64), scores, np.arange(12.0) + 20)
        for who, scores in SCORES.items()
    )
    fields: dict[str, Any] = {
        "name": name,
        "lesion_ids": tuple(range(1, 13)),
        "labels": LABELS,
        "y": Y,
        "groups": GROUPS,
        "probability": {"ct": CT, "spect": SPECT},
        "nested": {"ct": CT[::-1][::-1] * 0.9, "spect": SPECT * 0.9} if name == "train" else {},
        "thresholds": {"ct": 0.5, "spect": 0.5},
        "readers": readers,
        "dropped": {"P11/1": "no call by Ann"},
        "inputs_digest": f"{name:0<64}",
    }
    return Part(**{**fields, **change})


@lru_cache(maxsize=4)
def figures(name: str = "validation") -> dict[str, Any]:
    """Every stored figure of the part, those of its lesions made of small arrays."""
    part = make_part(name)
    found = all_figures(part)
    found["outlines"] = [outline_row("CT"), outline_row("SPECT")]
    found["features"] = {"ct": feature_row(part), "spect": {**feature_row(part), "names": []}}
    found["table_1"] = table(("metastasis", "benign"), people())
    if name == "train":
        found["parts"] = table(("train", "validation"), [relabelled(s) for s in people()])
        found["reliability"] = [reliability_row("CT")]
    return found


def outline_row(modality: str) -> dict[str, Any]:
    three = {"median": 0.8, "low": 0.7, "high": 0.9}
    return {"modality": modality, "between": "d1 and d2", "n": 12, "n_same_image": 11, "dice": three,
            "centroid_shift_mm": {"median": 1.5, "low": 1.0, "high": 2.0},
            "area_mm2": {"bias": -3.0, "low": -20.0, "high": 14.0}, "dice_values": [0.8]}  # fmt: skip


def feature_row(part: Part) -> dict[str, Any]:
    X = np.column_stack([part.y * 2.0 + np.arange(12) / 10, np.arange(12.0)])
    coefficients = [
        {"term": "(Intercept)", "coef": -1.0, "low": -2.0, "high": 0.0, "p_value": 0.05},
        {"term": NAMES[0], "coef": 2.0, "low": 0.5, "high": 3.5, "p_value": 0.009},
        {"term": NAMES[1], "coef": -0.5, "low": -1.5, "high": 0.5, "p_value": 0.33},
    ]
    return {"run": "abc", "names": NAMES, "coefficients": coefficients,
            "by_class": feature_figures.by_class(X, part, NAMES),
            "correlation": feature_figures.correlation(X)}  # fmt: skip


def reliability_row(modality: str) -> dict[str, Any]:
    return {"modality": modality, "between": "d1 and d2", "form": "ICC2", "features": 279, "defined": 270,
            "lesions": 30, "median": 0.82, "good": 200, "excellent": 90,
            "counts": [1, 2, 3, 4, 5, 6, 7, 42, 110, 90]}  # fmt: skip


def people() -> list[Subject]:
    """Ten patients, five of each class; ages 61–65 against 51–55; two lesions of one region each."""
    found = []
    for i in range(10):
        group = "metastasis" if i < 5 else "benign"
        age = (61 if i < 5 else 51) + i % 5
        found.append(Subject(False, group, age_years=age, sex="MF"[i % 2], primary="lung" if i < 5 else ""))  # fmt: skip
        found.append(Subject(True, group, region="lumbar", diameter_mm=20.0 + i, method="pathology"))  # fmt: skip
    return found


def relabelled(subject: Subject) -> Subject:
    group = "train" if subject.group == "metastasis" else "validation"
    return Subject(**{**vars(subject), "group": group})


def make_evaluated(
    code: str = "bone",
    *,
    state: str = State.UNBLINDED,
    looks: int = 1,
    is_synthetic: bool = False,
    parts: tuple[str, ...] = ("train", "validation"),
) -> Study:
    """A study with the stored figures of these parts; the lesion that all got wrong exists."""
    study = make_study(code, state=state, is_synthetic=is_synthetic)
    lesion = make_lesion(make_patient(study, "P5"))
    for number in range(1, looks + 1):
        look = Look.objects.create(
            study=study, number=number, what="evaluation", reason="planned analysis",
            user=make_user("analyst"), at=NOW,
        )  # fmt: skip
    for part in parts:
        Evaluation.objects.create(
            study=study, part=part, look=look, inputs_digest=f"{part:0<64}", figures=pointed(part, lesion),
            digest="f" * 64, created_at=NOW,
        )  # fmt: skip
    return study


def pointed(part: str, lesion: Lesion) -> dict[str, Any]:
    """The figures with their failure pointing at a lesion that exists."""
    found = dict(figures(part))
    found["failures"] = [{**row, "lesion_id": lesion.pk} for row in found["failures"]]
    return found
