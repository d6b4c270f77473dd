"""Table 1: patients and lesions by class and by part, each row with the test that its numbers allow."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from portal.analysis.cases import Part
from portal.analysis.feature_figures import FEWEST, none_of_nan
from portal.study.models import Lesion
from portal.truth.models import ReferenceStandard
from radiomics.stats.groups import adjust_p, compare_categorical, compare_continuous

SEED = 132192
NOT_RECORDED = "not recorded"
REGIONS = {"C": "cervical", "T": "thoracic", "L": "lumbar", "S": "sacral"}
METASTASIS, BENIGN = "metastasis", "benign"


@dataclass(frozen=True)
class Subject:
    """A patient or lesion of the comparison with what Table 1 says of it."""

    is_lesion: bool
    group: str
    age_years: float | None = None
    sex: str = ""
    primary: str = ""
    region: str = ""
    diameter_mm: float | None = None
    method: str = ""


def lesions_of(part: Part) -> list[Lesion]:
    """In the order of the part."""
    rows = Lesion.objects.filter(pk__in=part.lesion_ids).select_related("patient").in_bulk()
    return [rows[i] for i in part.lesion_ids]


def methods_of(part: Part) -> dict[int, str]:
    rows = ReferenceStandard.objects.current().filter(lesion__in=part.lesion_ids)
    return dict(rows.values_list("lesion_id", "method"))


def by_class(part: Part) -> dict[str, Any]:
    """Metastasis against benign: a patient with any metastasis counts as metastasis."""
    lesions = lesions_of(part)
    answers = [METASTASIS if value else BENIGN for value in part.y]
    return table((METASTASIS, BENIGN), subjects(part, lesions, answers))


def by_part(train: Part, validation: Part) -> dict[str, Any]:
    """Training against validation part."""
    people = [
        subject
        for part in (train, validation)
        for subject in subjects(part, lesions_of(part), [part.name] * len(part.y))
    ]
    return table((train.name, validation.name), people)


def subjects(part: Part, lesions: Sequence[Lesion], groups: Sequence[str]) -> list[Subject]:
    """One row per lesion and one per patient."""
    methods = methods_of(part)
    found = [
        Subject(
            True, group, region=REGIONS[lesion.level[0]], diameter_mm=lesion.longest_diameter_mm,
            method=methods[lesion.pk].replace("_", " "),
        )
        for lesion, group in zip(lesions, groups, strict=True)
    ]  # fmt: skip
    group_of: dict[int, str] = {}
    for lesion, group in zip(lesions, groups, strict=True):
        if group == METASTASIS or lesion.patient_id not in group_of:
            group_of[lesion.patient_id] = group
    patients = {lesion.patient_id: lesion.patient for lesion in lesions}
    return found + [
        Subject(False, group_of[pk], age_years=p.age_years, sex=p.sex, primary=p.primary_tumour)
        for pk, p in patients.items()
    ]


def table(groups: tuple[str, str], everyone: Iterable[Subject]) -> dict[str, Any]:
    """Every characteristic, raw and Holm P over the table."""
    people = list(everyone)
    patients = [s for s in people if not s.is_lesion]
    lesions = [s for s in people if s.is_lesion]
    rows = [
        continuous("Age, years", groups, [(s.group, s.age_years) for s in patients]),
        categorical("Sex", groups, [(s.group, s.sex) for s in patients]),
        categorical("Primary tumour", groups, [(s.group, s.primary) for s in patients]),
        categorical("Level of the lesion", groups, [(s.group, s.region) for s in lesions]),
        continuous("Longest diameter, mm", groups, [(s.group, s.diameter_mm) for s in lesions]),
        categorical("Reference standard by", groups, [(s.group, s.method) for s in lesions]),
    ]
    raw = [np.nan if r["p_value"] is None else r["p_value"] for r in rows]
    for row, holm in zip(rows, adjust_p(raw), strict=True):
        row["p_holm"] = none_of_nan(float(holm))
    return {
        "groups": list(groups),
        "patients": [sum(s.group == g for s in patients) for g in groups],
        "lesions": [sum(s.group == g for s in lesions) for g in groups],
        "rows": rows,
    }


def continuous(
    label: str, groups: tuple[str, str], values: list[tuple[str, float | None]]
) -> dict[str, Any]:
    """Mean, SD, SEM and the chosen test; without two values in each group no test."""
    a, b = ([v for g, v in values if g == group and v is not None] for group in groups)
    missing = [sum(g == group and v is None for g, v in values) for group in groups]
    row: dict[str, Any] = {"label": label, "kind": "continuous", "missing": missing}
    if min(len(a), len(b)) < FEWEST or np.ptp([*a, *b]) == 0:
        return {**row, "n": [len(a), len(b)], "mean": None, "sd": None, "sem": None, "test": "",
                "p_value": None, "flags": []}  # fmt: skip
    found = compare_continuous(a, b).to_dict()
    kept = {key: found[key] for key in ("n", "mean", "sd", "sem", "p_value", "flags")}
    return {**row, **kept, "test": found["chosen"]}


def categorical(
    label: str, groups: tuple[str, str], values: list[tuple[str, str]]
) -> dict[str, Any]:
    """Counts per category and the chosen test; what is not recorded is counted, not tested."""
    categories = sorted({v for _, v in values if v})
    counts = [
        [Counter(v for g, v in values if g == group)[name] for name in categories]
        for group in groups
    ]
    missing = [sum(g == group and not v for g, v in values) for group in groups]
    row: dict[str, Any] = {"label": label, "kind": "categorical", "categories": categories,
                           "counts": counts, "missing": missing}  # fmt: skip
    if not categories:
        return {**row, "test": "", "p_value": None, "flags": []}
    found = compare_categorical(np.asarray(counts), seed=SEED).to_dict()
    return {**row, "test": found["chosen"], "p_value": found["p_value"], "flags": found["flags"]}
