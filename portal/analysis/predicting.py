"""Scoring one lesion with a locked run, as an audited act; research use only."""

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from portal.accounts.models import User
from portal.analysis import extraction
from portal.analysis.batches import batch_of
from portal.analysis.clinical import row_of
from portal.analysis.models import FeatureVector, FitRow, ModelRun
from portal.analysis.parameters import modalities_of
from portal.analysis.scoring import Outcome, Scorer, check_kind_of_data
from portal.analysis.table import column_names
from portal.audit.trail import record
from portal.errors import Conflict, NotFound
from portal.study.models import Lesion, Membership, SplitPart, State
from readers.models import ReadingSession, Roi

NO_SUCH_LESION = "There is no such lesion in a study that you analyse or coordinate."


@dataclass(frozen=True)
class Scored:
    """What the run says of the lesion; `is_apparent` when the lesion's patient helped to fit it."""

    lesion: Lesion
    outcome: Outcome
    is_apparent: bool


def predict(run: ModelRun, lesion: Lesion, *, role: str) -> Scored:
    """Score a lesion from its locked ROIs; the same ROIs give the same number."""
    check_allowed(run, lesion)
    found = outcome_of(run, lesion)
    is_apparent = FitRow.objects.filter(run=run, lesion__patient=lesion.patient).exists()
    record(
        "run.predict", obj=f"run:{run.code}", study=run.study.code, role=role,
        new={
            "lesion": lesion.code, "probability": found.probability,
            "not_scored": found.not_scored, "outside": list(found.outside),
        },
    )  # fmt: skip
    return Scored(lesion, found, is_apparent)


def check_allowed(run: ModelRun, lesion: Lesion) -> None:
    """Locked run, data of one kind, and no lesion of a validation part that is still sealed."""
    if run.state != ModelRun.State.LOCKED:
        raise Conflict(f"Only a locked run scores lesions; this one is {run.state}.")
    study = lesion.patient.study
    check_kind_of_data(run, study)
    held_out = SplitPart.objects.filter(
        patient=lesion.patient, part=SplitPart.Part.VALIDATION, split__locked_at__isnull=False
    )
    if not study.has_reached(State.UNBLINDED) and held_out.exists():
        raise Conflict("Lesions of the validation part are scored once their study is unblinded.")


def outcome_of(run: ModelRun, lesion: Lesion) -> Outcome:
    """Features of the first drawing, stored or computed as the run's feature set says, then the model."""
    values: dict[str, float] = {}
    modalities = modalities_of(run.kind, run.parameters)
    for modality in modalities:
        numbers, failure = values_of(run, lesion, modality)
        if failure:
            return Outcome(not_scored=f"{modality}: {failure}")
        pairs = zip(column_names((modality,)), numbers, strict=True)
        values |= {name: float("nan") if v is None else float(v) for name, v in pairs}
    scorer = Scorer(run)
    batches = {m: batch_of(lesion, m, scorer.by) for m in modalities} if scorer.by else {}
    clinical = row_of(lesion, first_roi(lesion, "SPECT")) if scorer.clinical else ""
    return scorer.outcome(values, batches, clinical)


def values_of(run: ModelRun, lesion: Lesion, modality: str) -> tuple[list[float | None], str]:
    """279 values of a lesion's ROI, and the failure sentence when there are none."""
    roi = first_roi(lesion, modality)
    row = FeatureVector.objects.filter(feature_set__digest=run.feature_set.digest, roi=roi).first()
    found = row or extraction.compute(roi, run.feature_set)
    return list(found.values), found.failure


def first_roi(lesion: Lesion, modality: str) -> Roi:
    """The first drawing of the first delineator, as for training."""
    roi = rois_of(lesion).filter(modality=modality).first()
    if roi is None:
        raise Conflict(f"This lesion has no locked {modality} ROI; outline it first.")
    return roi


def rois_of(lesion: Lesion) -> QuerySet[Roi]:
    return (
        Roi.objects.filter(
            read__assignment__lesion=lesion, read__is_current=True, read__state="locked",
            read__assignment__occasion=1,
            read__assignment__session__kind=ReadingSession.Kind.MAIN,
        )
        .select_related("series", "read")
        .order_by("read__assignment__session__reader__username", "pk")
    )  # fmt: skip


def lesion_for(user: User, code: str) -> Lesion:
    """A lesion by its code, in any study that the user analyses or coordinates."""
    members = Membership.objects.filter(user=user)
    studies = members.filter(Q(can_analyse=True) | Q(can_coordinate=True)).values("study")
    lesions = Lesion.objects.filter(code=code, patient__study__in=studies)
    mine = lesions.select_related("patient__study", "patient__site").first()
    if mine is None:
        raise NotFound(NO_SUCH_LESION)
    return mine
