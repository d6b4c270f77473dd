"""What the reading room asks of the study's steps."""

from portal.study.life import Check, register_check
from portal.study.models import State, Study
from readers.models import Assignment, ReadingDesign, ReadingSession


def design_is_drafted(study: Study) -> tuple[Check, ...]:
    exists = ReadingDesign.objects.filter(study=study).exists()
    return (
        Check(
            "design", "A reading design is drafted", exists, "Draft the design on the readers page."
        ),
    )


def order_is_stored(study: Study) -> tuple[Check, ...]:
    is_locked = ReadingDesign.objects.filter(study=study, locked_at__isnull=False).exists()
    is_planned = ReadingSession.objects.filter(study=study).exists()
    return (
        Check(
            "design-lock", "The design is locked", is_locked, "Lock the design on the readers page."
        ),
        Check(
            "order", "Sessions are planned", is_planned, "Plan the sessions on the readers page."
        ),
    )


def reads_are_settled(study: Study) -> tuple[Check, ...]:
    """Every main assignment is locked or declared missing, and no session is open."""
    left = Assignment.objects.of_study(study).main().unsettled().count()
    n_open = ReadingSession.objects.filter(study=study, state=ReadingSession.State.OPEN).count()
    return (
        Check(
            "reads",
            "Every main case is locked or missing",
            left == 0,
            f"{left} cases are neither locked nor declared missing.",
        ),
        Check(
            "sessions",
            "No reading session is open",
            n_open == 0,
            f"{n_open} sessions are still open.",
        ),
    )


register_check(State.SCREENING, design_is_drafted)
register_check(State.READING, order_is_stored)
register_check(State.READS_LOCKED, reads_are_settled)
