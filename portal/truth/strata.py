"""The answers as other floors may have them: patient strata, labels, a digest."""

from typing import Any

from django.db.models import QuerySet

from portal.audit.chain import digest
from portal.errors import Conflict
from portal.study.models import Split, SplitPart, State, Study
from portal.truth.models import ReferenceStandard, TrainLabel

METASTASIS, BENIGN = "metastasis", "benign"
LABELS = {METASTASIS: 1, BENIGN: 0}


def standards_of(study: Study) -> QuerySet[ReferenceStandard]:
    """Current reference standards of the included lesions."""
    return ReferenceStandard.objects.current().filter(
        lesion__patient__study=study, lesion__is_included=True
    )


def inconclusive(study: Study) -> QuerySet[ReferenceStandard]:
    """Of included lesions: no fit and no figure counts them, so whoever sees truth is told of each."""
    rows = standards_of(study).exclude(diagnosis__in=LABELS).select_related("lesion__patient")
    return rows.order_by("lesion__patient__subject", "lesion__number")


def patient_strata(study: Study) -> dict[int, str]:
    """Patient id -> `metastasis` when any included lesion is one, else `benign`."""
    strata: dict[int, str] = {}
    rows = standards_of(study).filter(diagnosis__in=LABELS)
    for patient, diagnosis in rows.values_list("lesion__patient_id", "diagnosis"):
        if diagnosis == METASTASIS or patient not in strata:
            strata[patient] = diagnosis
    return strata


def labels(study: Study, part: str | None = None, split: Split | None = None) -> dict[int, int]:
    """Lesion id -> 1 (metastasis) or 0; the caller guards what is not yet to be seen."""
    rows = standards_of(study).filter(diagnosis__in=LABELS)
    if part is not None:
        inside = SplitPart.objects.filter(split=split, part=part).values("patient")
        rows = rows.filter(lesion__patient__in=inside)
    return {lesion: LABELS[d] for lesion, d in rows.values_list("lesion_id", "diagnosis")}


def train_labels(split: Split) -> dict[int, int]:
    """Lesion id -> label of the split's train part, through the view that holds no other."""
    rows = TrainLabel.objects.filter(split_id=split.pk).order_by("lesion_id")
    return dict(rows.values_list("lesion_id", "label"))


def all_labels(study: Study) -> dict[int, int]:
    """Every label, once the study is unblinded; refused before."""
    if not study.has_reached(State.UNBLINDED):
        raise Conflict("The answers of this study are sealed until it is unblinded.")
    return labels(study)


def truth_digest(study: Study) -> str:
    """SHA-256 over the current standards of the included lesions, by subject and number."""
    rows = standards_of(study).values(
        "lesion__patient__subject", "lesion__number", "revision", "diagnosis", "subtype",
        "method", "determined_on",
    )  # fmt: skip
    return digest(sorted(rows, key=place))


def place(row: dict[str, Any]) -> tuple[str, int]:
    return (row["lesion__patient__subject"], row["lesion__number"])
