"""What the plan promises, counted in the finished study: a demo that lost or doubled a row says so instead of showing figures."""

from collections.abc import Mapping

from portal.analysis.models import FeatureVector
from portal.errors import Conflict
from portal.study.models import Lesion, Patient, Study
from portal.truth.models import ReferenceStandard
from radiomics.phantom.plan import Plan
from readers.models import Read, Roi

EXPERTS, DELINEATORS, MODALITIES = 2, 2, 2


def planned(plan: Plan) -> dict[str, int]:
    """Rows of a finished demo of this plan (cohort specification, sections 3 and 10)."""
    lesions, out = sum(len(p.lesions) for p in plan.patients), len(plan.excluded_lesions)
    drawn = MODALITIES * DELINEATORS
    return {
        "patients registered": len(plan.patients) + len(plan.excluded),
        "patients included": len(plan.patients),
        "lesions registered": lesions + out,
        "lesions included": lesions,
        "reference standards": lesions,
        "locked reads": EXPERTS * lesions,
        "main ROIs": drawn * lesions,
        "repeated ROIs": drawn * len(plan.repeats),
        "feature vectors": drawn * (lesions + len(plan.repeats)),
    }


def counted(study: Study) -> dict[str, int]:
    """The same rows as the database holds them."""
    included = Lesion.objects.of_study(study).included()
    rois = Roi.objects.of_study(study).locked()
    reads = Read.objects.filter(
        assignment__session__study=study, assignment__session__task="read",
        assignment__session__kind="main", is_current=True, state=Read.State.LOCKED,
    )  # fmt: skip
    return {
        "patients registered": Patient.objects.filter(study=study).count(),
        "patients included": included.values("patient").distinct().count(),
        "lesions registered": Lesion.objects.of_study(study).count(),
        "lesions included": included.count(),
        "reference standards": ReferenceStandard.objects.filter(
            lesion__in=included, is_current=True
        ).count(),
        "locked reads": reads.count(),
        "main ROIs": rois.primary().count(),
        "repeated ROIs": rois.repeats().count(),
        "feature vectors": FeatureVector.objects.filter(feature_set__study=study).count(),
    }


def differences(wanted: Mapping[str, int], found: Mapping[str, int]) -> list[str]:
    return [
        f"{found[name]} {name} instead of {n}" for name, n in wanted.items() if found[name] != n
    ]


def assert_counts(study: Study, plan: Plan) -> None:
    """Refuse a finished demo whose rows are not those of its plan."""
    odd = differences(planned(plan), counted(study))
    if odd:
        raise Conflict(f"The demo is not what was planned: {'; '.join(odd)}.")
