"""One part of the cohort as arrays: labels, patients, the models' probabilities, the readers' calls."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from portal.accounts.models import User
from portal.analysis.models import ModelRun, Prediction
from portal.analysis.table import parts
from portal.audit.chain import digest
from portal.errors import Conflict
from portal.study.models import Lesion, Split, Study
from portal.truth.strata import all_labels
from readers.models import Read, Roi

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
# raised when the same inputs give other or more figures
FIGURES_VERSION = 2
KINDS = ("ct", "spect", "combined", "clinical")
NAMES = {
    "ct": "CT", "spect": "SPECT", "combined": "Combined", "clinical": "Clinical + radiomics",
    "experts": "Experts",
}  # fmt: skip
# a further model, which never costs the others a lesion
FURTHER = "clinical"


@dataclass(frozen=True)
class Reader:
    """One expert's reads of a part: `calls` 0/1, `scores` ordinal, `seconds` active time (NaN: none)."""

    name: str
    calls: IntArray
    scores: FloatArray
    seconds: FloatArray


@dataclass(frozen=True)
class Part:
    """Lesions of one part that every model scored and every expert read; `dropped` names the rest, `left_out` a model."""

    name: str
    lesion_ids: tuple[int, ...]
    labels: tuple[str, ...]
    y: IntArray
    groups: npt.NDArray[np.str_]
    probability: Mapping[str, FloatArray]
    nested: Mapping[str, FloatArray]
    thresholds: Mapping[str, float]
    readers: tuple[Reader, ...]
    dropped: Mapping[str, str]
    inputs_digest: str
    left_out: Mapping[str, str] = field(default_factory=dict)


def locked_runs(study: Study) -> dict[str, ModelRun]:
    """The newest locked run of each kind; named subsets stand beside the comparison, not in it."""
    runs: dict[str, ModelRun] = {}
    rows = ModelRun.objects.filter(study=study, state=ModelRun.State.LOCKED, kind__in=KINDS)
    for run in rows.select_related("split", "feature_set").order_by("pk"):
        runs[run.kind] = run
    return runs


def split_of(runs: Mapping[str, ModelRun]) -> Split:
    splits = {run.split_id: run.split for run in runs.values()}
    if len(splits) != 1:
        raise Conflict(
            "The locked runs use different splits; lock runs of one split to compare them."
        )
    return next(iter(splits.values()))


def predictions(run: ModelRun, kind: str) -> dict[int, float]:
    rows = Prediction.objects.filter(run=run, kind=kind, probability__isnull=False)
    return {lesion: float(p or 0.0) for lesion, p in rows.values_list("lesion_id", "probability")}


def expert_reads(study: Study) -> dict[str, dict[int, Read]]:
    """Reader name -> lesion -> locked current read of the main unaided sessions."""
    reads = (
        Read.objects.filter(
            assignment__session__study=study,
            assignment__session__task="read",
            assignment__session__kind="main",
            assignment__session__condition="unaided",
            is_current=True,
            state=Read.State.LOCKED,
        )
        .exclude(call="")
        .select_related("assignment__session__reader")
        .order_by("assignment__session__reader__username", "assignment_id")
    )
    by_reader: dict[User, dict[int, Read]] = {}
    for read in reads:
        by_reader.setdefault(read.assignment.session.reader, {})[read.assignment.lesion_id] = read
    names = told_apart(by_reader)
    return {names[reader]: found for reader, found in by_reader.items()}


def told_apart(readers: Iterable[User]) -> dict[User, str]:
    """The printed name of each; of two who print the same name, the user name beside it."""
    everyone = list(readers)
    times = Counter(reader.printed_name for reader in everyone)
    return {
        r: r.printed_name if times[r.printed_name] == 1 else f"{r.printed_name} ({r.username})"
        for r in everyone
    }


def complete(
    lesions: list[Lesion],
    y: Mapping[int, int],
    scored: Mapping[str, Mapping[int, float]],
    reads: Mapping[str, Mapping[int, Read]],
) -> tuple[list[Lesion], dict[str, str]]:
    """Lesions with everything, and for each other one the first thing it lacks."""
    kept: list[Lesion] = []
    dropped: dict[str, str] = {}
    for lesion in lesions:
        lacks = [
            f"not scored by the {NAMES[k]} model" for k, p in scored.items() if lesion.pk not in p
        ]
        lacks += [f"no call by {name}" for name, found in reads.items() if lesion.pk not in found]
        if lesion.pk not in y:
            lacks.insert(0, "no conclusive reference standard")
        if lacks:
            dropped[str(lesion)] = lacks[0]
        else:
            kept.append(lesion)
    return kept, dropped


def reader_arrays(name: str, reads: Mapping[int, Read], lesions: list[Lesion]) -> Reader:
    mine = [reads[lesion.pk] for lesion in lesions]
    seconds = [float("nan") if r.active_seconds is None else r.active_seconds for r in mine]
    return Reader(
        name=name,
        calls=np.asarray([int(r.call == Read.Call.METASTASIS) for r in mine], dtype=np.int64),
        scores=np.asarray([r.score for r in mine], dtype=np.float64),
        seconds=np.asarray(seconds, dtype=np.float64),
    )


def gather(study: Study, part: str) -> Part:
    """All arrays of one part, lesions ordered by subject and number."""
    runs = locked_runs(study)
    if not runs:
        raise Conflict("No model run is locked; train and lock runs before they are compared.")
    part_of = parts(split_of(runs))
    kind = "validation" if part == "validation" else "apparent"
    scored = {k: predictions(runs[k], kind) for k in KINDS if k in runs}
    held_out = {k: predictions(runs[k], "out_of_fold") for k in scored} if part == "train" else {}
    y = all_labels(study)
    reads = expert_reads(study)
    everyone = Lesion.objects.of_study(study).included().select_related("patient")
    lesions = [
        x for x in everyone.order_by("patient__subject", "number") if part_of.get(x.pk) == part
    ]
    kept, dropped = complete(
        lesions, y, {k: p for k, p in scored.items() if k != FURTHER} or scored, reads
    )
    left_out = without_scores(scored, kept)
    scored = {k: p for k, p in scored.items() if k not in left_out}
    held_out = {k: p for k, p in held_out.items() if k in scored}
    ids = [lesion.pk for lesion in kept]
    return Part(
        name=part,
        lesion_ids=tuple(ids),
        labels=tuple(str(lesion) for lesion in kept),
        y=np.asarray([y[i] for i in ids], dtype=np.int64),
        groups=np.asarray([lesion.patient.subject for lesion in kept], dtype=np.str_),
        probability={k: picked(p, ids) for k, p in scored.items()},
        nested={k: picked(p, ids) for k, p in held_out.items()},
        thresholds={k: float(runs[k].model["threshold"]) for k in scored},
        readers=tuple(reader_arrays(name, found, kept) for name, found in reads.items()),
        dropped=dropped,
        inputs_digest=inputs_digest(part, runs, kept, y, reads),
        left_out=left_out,
    )


def without_scores(scored: Mapping[str, Mapping[int, float]], kept: list[Lesion]) -> dict[str, str]:
    """The further model, where a lesion of the comparison has no score of it, with the sentence that says so."""
    n = sum(lesion.pk not in scored[FURTHER] for lesion in kept) if FURTHER in scored else 0
    if not n:
        return {}
    return {
        FURTHER: f"The {NAMES[FURTHER]} model is not compared: {n} of these {len(kept)} lesions have no score "
        "from it; the export of the predictions says why."
    }


def picked(values: Mapping[int, float], lesion_ids: list[int]) -> FloatArray:
    return np.asarray([values[i] for i in lesion_ids], dtype=np.float64)


def described(lesion: Lesion) -> tuple[str | float | None, ...]:
    """What Table 1 says of a lesion and its patient."""
    p = lesion.patient
    return (lesion.level, lesion.longest_diameter_mm, p.sex, p.age_years, p.primary_tumour)


def outlines_of(lesions: list[Lesion]) -> list[list[str]]:
    """Masks of the locked ROIs of these lesions, drawings and repeats."""
    rows = Roi.objects.locked().filter(read__assignment__lesion__in=lesions)
    return [
        list(row) for row in rows.order_by("mask_digest").values_list("modality", "mask_digest")
    ]


def inputs_digest(
    part: str,
    runs: Mapping[str, ModelRun],
    lesions: list[Lesion],
    y: Mapping[int, int],
    reads: Mapping[str, Mapping[int, Read]],
) -> str:
    """Digest of everything the figures rest on, by public names only."""
    body: dict[str, Any] = {
        "part": part,
        "runs": {kind: run.digest for kind, run in runs.items()},
        "figures": FIGURES_VERSION,
        "lesions": [[str(lesion), y[lesion.pk], *described(lesion)] for lesion in lesions],
        "outlines": outlines_of(lesions),
        "reads": {
            name: [
                [str(lesion), r.call, r.score, r.active_seconds]
                for lesion in lesions
                for r in (found[lesion.pk],)
            ]
            for name, found in reads.items()
        },
    }
    return digest(body)
