"""Builders of the truth floor."""

from portal.study.models import Lesion, Study
from portal.truth.entry import enter
from portal.truth.models import ReferenceStandard
from tests.cohort import NOW
from tests.study.builders import coordinator


def make_standard(
    lesion: Lesion, diagnosis: str, *, reason: str = "", subtype: str = ""
) -> ReferenceStandard:
    return enter(
        lesion, diagnosis=diagnosis, subtype=subtype, method="pathology", determined_on=None,
        actor=coordinator(), now=NOW, reason=reason,
    )  # fmt: skip


def give_standards(study: Study) -> None:
    """Every included lesion gets one: three metastases, two benign lesions, in turn."""
    for i, lesion in enumerate(Lesion.objects.of_study(study).included().order_by("pk")):
        make_standard(lesion, "metastasis" if i % 5 < 3 else "benign")
