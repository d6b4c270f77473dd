"""A run's frozen row as arrays: training rows, second drawings and batches; fitted, but nothing stored."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from portal.analysis.batches import batches_of, by_block
from portal.analysis.clinical import training_rows
from portal.analysis.models import ModelRun
from portal.analysis.parameters import modalities_of, wanted_columns
from portal.analysis.reliability import Drawings, comparisons, drawings
from portal.analysis.results import Fitted, Told, fit_everything, modality_of, silent
from portal.analysis.steps import Pair, StepPlan
from portal.analysis.table import (
    FeatureTable,
    TrainingData,
    build_for,
    column_names,
    numbers,
    unusable_columns,
)
from portal.truth.strata import train_labels
from radiomics.clinical import ClinicalRow

FloatArray = npt.NDArray[np.float64]


def fit(run: ModelRun, *, told: Told = silent) -> tuple[TrainingData, Fitted]:
    """Fit from the row alone; the same row and data give the same bytes."""
    data = training_data(run)
    plan = step_plan(run, data)
    return data, fit_everything(data, plan, run.parameters, seed=run.seed, told=told)


def training_data(run: ModelRun) -> TrainingData:
    """The rows that may be fitted: included lesions of `train` with a label and a vector."""
    table = build_for(run.study, run.feature_set, modalities_of(run.kind, run.parameters))
    labels = train_labels(run.split)
    rows = [i for i, lesion in enumerate(table.lesion_ids) if lesion in labels]
    if not rows:
        raise ValueError(
            "No lesion of the training part has both a reference standard and features."
        )
    train = tuple(table.lesion_ids[i] for i in rows)
    wanted = wanted_places(run, table)
    unusable = unusable_columns(table, train)
    return TrainingData(
        table=table,
        lesion_ids=train,
        groups=tuple(table.groups[i] for i in rows),
        y=tuple(labels[lesion] for lesion in train),
        columns=tuple(i for i in wanted if table.names[i] not in unusable),
        wanted=wanted,
        unusable={name: why for name, why in unusable.items() if table.names.index(name) in wanted},
    )


def wanted_places(run: ModelRun, table: FeatureTable) -> tuple[int, ...]:
    asked = set(wanted_columns(run.kind, run.parameters))
    return tuple(i for i, name in enumerate(table.names) if name in asked)


def step_plan(run: ModelRun, data: TrainingData) -> StepPlan:
    """What the fitted steps of this run rest on."""
    names = [data.table.names[i] for i in data.columns]
    p = run.parameters
    return StepPlan(
        blocks=tuple(data.table.blocks[i] for i in data.columns),
        pairs=second_drawings(run, data, names),
        threshold=p.get("icc_threshold"),
        basis=p.get("icc_basis", "estimate"),
        batches=batches(p.get("harmonise"), data),
        clinical=clinical(run, data),
    )


def batches(by: str | None, data: TrainingData) -> dict[str, tuple[str, ...]]:
    if not by:
        return {}
    modalities = tuple(dict.fromkeys(data.table.blocks))
    found = batches_of(data.lesion_ids, by, modalities)
    return {m: by_block(data.lesion_ids, found, by, m) for m in modalities}


def clinical(run: ModelRun, data: TrainingData) -> tuple[ClinicalRow, ...]:
    if run.kind != ModelRun.Kind.CLINICAL:
        return ()
    return training_rows(run.feature_set, data.lesion_ids)


def second_drawings(run: ModelRun, data: TrainingData, names: Sequence[str]) -> tuple[Pair, ...]:
    """Each comparison of two drawings, aligned with training rows and columns; NaN where there is none."""
    pairs: dict[str, list[FloatArray]] = {}
    for modality in dict.fromkeys(data.table.blocks):
        drawn = drawings(run.feature_set, modality, set(data.lesion_ids))
        for found in comparisons(drawn):
            tables = pairs.setdefault(found.between, blank(data, names))
            for table, drawing in zip(tables, (found.first, found.second), strict=True):
                fill(table, drawing, data.lesion_ids, names, modality)
    return tuple(Pair(between, first, second) for between, (first, second) in pairs.items())


def blank(data: TrainingData, names: Sequence[str]) -> list[FloatArray]:
    shape = (len(data.lesion_ids), len(names))
    return [np.full(shape, np.nan), np.full(shape, np.nan)]


def fill(
    table: FloatArray,
    drawing: Drawings,
    lesion_ids: Sequence[int],
    names: Sequence[str],
    modality: str,
) -> None:
    """Write one drawing's vectors of a modality into its columns."""
    place = {name: k for k, name in enumerate(column_names((modality,)))}
    columns = [j for j, name in enumerate(names) if modality_of(name) == modality]
    source = [place[names[j]] for j in columns]
    for row, lesion in enumerate(lesion_ids):
        if lesion in drawing:
            table[row, columns] = np.asarray(numbers(drawing[lesion]))[source]
