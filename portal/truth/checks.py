"""What the step to READING needs of the truth."""

from portal.study.life import Check, register_check
from portal.study.models import Lesion, State, Study
from portal.truth.strata import LABELS, inconclusive, standards_of


def standards_check(study: Study) -> tuple[Check, ...]:
    """What reading needs of the truth: a conclusive standard for each included lesion."""
    included = Lesion.objects.of_study(study).included().count()
    rows = standards_of(study)
    conclusive = rows.filter(diagnosis__in=LABELS).count()
    unclear = inconclusive(study).count()
    lacking = included - conclusive - unclear
    return (
        Check("truth", "Each included lesion has a reference standard", lacking == 0,
              f"Enter the reference standard of {lacking} more lesions."),
        Check("inconclusive", "No included lesion is inconclusive", unclear == 0,
              f"Exclude the {unclear} inconclusive lesions in the screening."),
    )  # fmt: skip


register_check(State.READING, standards_check)
