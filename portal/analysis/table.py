"""Feature tables: one row per lesion, the columns of the modalities that a run uses."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from portal.analysis.models import FeatureSet, FeatureVector
from portal.study.models import Lesion, Split, SplitPart, Study
from radiomics.features import CATALOGUE
from readers.models import ReadingSession

FloatArray = npt.NDArray[np.float64]
MODALITIES: Mapping[str, tuple[str, ...]] = {
    "ct": ("CT",),
    "spect": ("SPECT",),
    "combined": ("CT", "SPECT"),
    "clinical": ("CT", "SPECT"),
}
PREFIX = {"CT": "CT_", "SPECT": "SP_"}


@dataclass(frozen=True)
class FeatureTable:
    """`X` (lesions, features) with NaN where undefined; `without` names lesions that have no row."""

    lesion_ids: tuple[int, ...]
    groups: tuple[str, ...]
    names: tuple[str, ...]
    blocks: tuple[str, ...]
    X: FloatArray
    without: Mapping[int, str]

    def rows(self, lesion_ids: Iterable[int]) -> FloatArray:
        place = {lesion: i for i, lesion in enumerate(self.lesion_ids)}
        return self.X[[place[lesion] for lesion in lesion_ids]]


@dataclass(frozen=True)
class TrainingData:
    """Rows of `train` that can be fitted, and what was left out of them with its reason."""

    table: FeatureTable
    lesion_ids: tuple[int, ...]
    groups: tuple[str, ...]
    y: tuple[int, ...]
    columns: tuple[int, ...]
    wanted: tuple[int, ...]
    unusable: Mapping[str, Mapping[str, Any]]


def column_names(modalities: Sequence[str]) -> tuple[str, ...]:
    return tuple(PREFIX[m] + entry.name for m in modalities for entry in CATALOGUE)


def primary_vectors(feature_set: FeatureSet, modality: str) -> dict[int, FeatureVector]:
    """Lesion -> vector of the first drawing of the first delineator (the stated ROI rule), practice left out."""
    rows = (
        FeatureVector.objects.filter(
            feature_set=feature_set,
            roi__modality=modality,
            roi__read__is_current=True,
            roi__read__assignment__occasion=1,
            roi__read__assignment__session__kind=ReadingSession.Kind.MAIN,
        )
        .select_related(
            "roi__read__assignment__session__reader", "roi__read__assignment__lesion__patient"
        )
        .order_by("roi__read__assignment__session__reader__username", "roi__pk")
    )
    chosen: dict[int, FeatureVector] = {}
    for row in rows.iterator(chunk_size=500):
        chosen.setdefault(row.roi.read.assignment.lesion_id, row)
    return chosen


def numbers(vector: FeatureVector) -> list[float]:
    return [float("nan") if value is None else float(value) for value in vector.values]


def build(study: Study, feature_set: FeatureSet, kind: str) -> FeatureTable:
    """The table of all included lesions for a CT, SPECT or combined model."""
    return build_for(study, feature_set, MODALITIES[kind])


def build_for(study: Study, feature_set: FeatureSet, modalities: Sequence[str]) -> FeatureTable:
    """The table of all included lesions with the columns of these modalities."""
    vectors = {m: primary_vectors(feature_set, m) for m in modalities}
    lesions = Lesion.objects.of_study(study).included().select_related("patient")
    rows: list[list[float]] = []
    kept: list[Lesion] = []
    without: dict[int, str] = {}
    for lesion in lesions.order_by("patient__subject", "number"):
        reason = why_not(lesion.pk, vectors)
        if reason:
            without[lesion.pk] = reason
            continue
        kept.append(lesion)
        rows.append([value for m in modalities for value in numbers(vectors[m][lesion.pk])])
    names = column_names(modalities)
    return FeatureTable(
        lesion_ids=tuple(lesion.pk for lesion in kept),
        groups=tuple(lesion.patient.subject for lesion in kept),
        names=names,
        blocks=tuple(m for m in modalities for _ in CATALOGUE),
        X=np.asarray(rows, dtype=np.float64).reshape(len(rows), len(names)),
        without=without,
    )


def why_not(lesion_id: int, vectors: Mapping[str, Mapping[int, FeatureVector]]) -> str:
    """Why a lesion has no row: the first modality without a usable vector, '' if all are there."""
    for modality, found in vectors.items():
        if lesion_id not in found:
            return f"no locked {modality} ROI with features"
        if found[lesion_id].failure:
            return f"{modality}: {found[lesion_id].failure}"
    return ""


def parts(split: Split) -> dict[int, str]:
    """Lesion -> part of its patient under a split (a truth-class table: truth-seeing callers only)."""
    part_of = dict(SplitPart.objects.filter(split=split).values_list("patient_id", "part"))
    lesions = Lesion.objects.of_study(split.study).included().values_list("pk", "patient_id")
    return {pk: part_of[patient] for pk, patient in lesions if patient in part_of}


def unusable_columns(table: FeatureTable, train: Sequence[int]) -> dict[str, dict[str, Any]]:
    """Columns that cannot be fitted: undefined or constant among the training rows, with the lesions."""
    X = table.rows(train)
    found: dict[str, dict[str, Any]] = {}
    for column, name in enumerate(table.names):
        values = X[:, column]
        undefined = [train[int(i)] for i in np.flatnonzero(np.isnan(values))]
        if undefined:
            found[name] = {"reason": "undefined", "lesions": undefined}
        elif values.size and float(values.max()) == float(values.min()):
            found[name] = {"reason": "constant", "lesions": []}
    return found
