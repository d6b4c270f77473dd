"""What the models and readers reach on one synthetic cohort, measured through the study's own pipeline."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np
from scipy.stats import rankdata

from radiomics.features import extract
from radiomics.features.preparation import prepare
from radiomics.image import Slice
from radiomics.model import RadiomicsModel
from radiomics.phantom.draws import FloatArray, IntArray
from radiomics.phantom.people import Drawing, delineations, expert_answers, flat_lesions
from radiomics.phantom.pictures import PatientImages
from radiomics.phantom.plan import Plan
from radiomics.phantom.records import METASTASIS
from radiomics.phantom.render import render_patient

CT_WINDOW = (-500.0, 1300.0)
TRAIN_SHARE = 0.7
N_SPLITS = 5
MODELS = ("ct", "spect", "combined")


@dataclass(frozen=True)
class Table:
    """Features of every lesion: `ct` and `spect` (n, 279), labels (n,) 1 = metastasis by truth, patients (n,)."""

    ct: FloatArray
    spect: FloatArray
    labels: IntArray
    patients: IntArray

    def columns(self, model: str) -> FloatArray:
        """The columns (n, p) of one model that are defined and vary in every lesion."""
        parts = {"ct": (self.ct,), "spect": (self.spect,), "combined": (self.ct, self.spect)}
        rows = np.concatenate(parts[model], axis=1)
        return rows[:, np.isfinite(rows).all(axis=0)]


def auc(labels: IntArray, scores: FloatArray) -> float:
    """Area under the ROC curve by ranks, ties halved."""
    ranks, positive = rankdata(scores), labels == 1
    n_pos = int(positive.sum())
    excess = float(ranks[positive].sum()) - n_pos * (n_pos + 1) / 2
    return excess / (n_pos * (len(labels) - n_pos))


def slices(images: PatientImages, drawing: Drawing) -> tuple[Slice, Slice]:
    """The CT slice and the SPECT frame that were drawn on."""
    ct = one_slice(
        images.ct_hu, images.ct_origin_mm, images.ct_spacing_mm, float(drawing.ct_mm[0, 2])
    )
    z = float(drawing.spect_mm[0, 2])
    spect = one_slice(images.spect_counts, images.spect_origin_mm, images.spect_spacing_mm, z)
    return ct, spect


def one_slice(
    volume: np.ndarray[tuple[int, ...], np.dtype[np.generic]],
    origin: tuple[float, float, float],
    spacing: tuple[float, float, float],
    z: float,
) -> Slice:
    """The axial slice at z."""
    k = round((z - origin[2]) / spacing[2])
    return Slice(
        pixels=volume[k], position_mm=(origin[0], origin[1], z), row_direction=(1.0, 0.0, 0.0),
        column_direction=(0.0, 1.0, 0.0), spacing_mm=spacing[:2],
    )  # fmt: skip


def features_of(
    plan: Plan, index: int, delineators: Sequence[int] = (0,)
) -> list[list[tuple[FloatArray, FloatArray]]]:
    """For each delineator, the CT and SPECT features (279,) of each lesion of a patient from the first drawing."""
    images = render_patient(plan, index)
    return [measured(plan, index, images, delineator) for delineator in delineators]


def measured(
    plan: Plan, index: int, images: PatientImages, delineator: int
) -> list[tuple[FloatArray, FloatArray]]:
    """CT and SPECT features (279,) of each lesion of a rendered patient from one delineator's first drawing."""
    top = float(images.spect_counts.max())
    found = []
    for drawing in delineations(plan, index, images, delineator, 1).values():
        ct, spect = slices(images, drawing)
        ready = (
            prepare(ct, drawing.ct_mm, low=CT_WINDOW[0], high=CT_WINDOW[1]),
            prepare(spect, drawing.spect_mm, low=0.0, high=top),
        )
        one, two = (np.array(list(extract(r.image, r.mask).values())) for r in ready)
        found.append((one, two))
    return found


def tables_of(
    plan: Plan, delineators: Sequence[int] = (0,), *, workers: int = 1
) -> tuple[Table, ...]:
    """Render the whole cohort once and measure every lesion: one table per delineator, whatever the worker count."""
    indices = [p.index for p in plan.patients]
    measure = partial(features_of, plan, delineators=tuple(delineators))
    if workers == 1:
        patients = [measure(index) for index in indices]
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            patients = list(pool.map(measure, indices, chunksize=4))
    lesions = flat_lesions(plan)
    labels = np.array([int(le.truth == METASTASIS) for le in lesions])
    ids = np.array([le.patient for le in lesions])
    tables = []
    for k in range(len(delineators)):
        rows = [pair for patient in patients for pair in patient[k]]
        ct, spect = (np.array([row[m] for row in rows]) for m in (0, 1))
        tables.append(Table(ct, spect, labels, ids))
    return tuple(tables)


def table_of(plan: Plan, *, workers: int = 1) -> Table:
    """Render the whole cohort and measure every lesion from the first delineator's drawings."""
    return tables_of(plan, workers=workers)[0]


def split(table: Table, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Rows (n,) of the training part: 7 of 10 patients, all lesions of a patient together."""
    ids = np.unique(table.patients)
    chosen = np.random.default_rng(seed).permutation(ids)[: round(TRAIN_SHARE * len(ids))]
    return np.isin(table.patients, chosen)


def validation_aucs(table: Table, seed: int, *, refit: str = "logistic") -> dict[str, float]:
    """AUC of each model on the held-out patients of one split; `refit` as `RadiomicsModel` takes it."""
    train = split(table, seed)
    scores = {}
    for name in MODELS:
        X = table.columns(name)
        model = RadiomicsModel(seed=seed, refit=refit)
        model.fit(X[train], table.labels[train], table.patients[train])
        scores[name] = auc(table.labels[~train], model.predict_proba(X[~train])[:, 1])
    return scores


def expert_auc(plan: Plan) -> float:
    """Mean AUC of the two experts' calls over all lesions."""
    lesions = flat_lesions(plan)
    labels = np.array([int(le.truth == METASTASIS) for le in lesions])
    both = []
    for expert in (0, 1):
        answers = expert_answers(plan, expert)
        calls = [float(answers[le.patient, le.slot].call == METASTASIS) for le in lesions]
        both.append(auc(labels, np.array(calls)))
    return float(np.mean(both))


def calibrated(plan: Plan, n_splits: int = N_SPLITS, *, workers: int = 1) -> list[str]:
    """One line per split with the AUC of each model, then their means and the experts."""
    table = table_of(plan, workers=workers)
    every = [validation_aucs(table, seed) for seed in range(1, n_splits + 1)]
    lines = ["\t".join(f"{name} {scores[name]:.3f}" for name in MODELS) for scores in every]
    means = [f"{name} {np.mean([s[name] for s in every]):.3f}" for name in MODELS]
    return [*lines, "mean\t" + "\t".join(means), f"experts {expert_auc(plan):.3f}"]
