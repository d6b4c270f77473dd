"""What coordinators follow: sessions with their progress, and the state of each reader's cases."""

from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from portal.study.models import Study
from readers.models import Assignment, ReadingSession
from readers.worklist import DONE


@dataclass(frozen=True)
class Row:
    """One lesion on the board: its name and, per reader, the state of its case ('' if none)."""

    lesion: str
    states: tuple[str, ...]


@dataclass(frozen=True)
class Board:
    readers: tuple[str, ...]
    rows: tuple[Row, ...]


def sessions(study: Study) -> QuerySet[ReadingSession]:
    """Every session with `n_cases` and `n_done`, in one query."""
    return (
        ReadingSession.objects.of_study(study)
        .select_related("reader")
        .annotate(
            n_cases=Count("assignments", distinct=True),
            n_done=Count("assignments", filter=Q(assignments__state__in=DONE), distinct=True),
        )
        .order_by("reader__username", "number")
    )


def board(study: Study, *, task: str, kind: str = ReadingSession.Kind.MAIN) -> Board:
    """Reader x lesion: how far each main case is."""
    cases = Assignment.objects.of_study(study).filter(session__task=task, session__kind=kind)
    found = list(
        cases.values_list(
            "session__reader__username", "lesion__patient__subject", "lesion__number", "state"
        )
    )
    states = {(reader, (subject, n)): state for reader, subject, n, state in found}
    readers = sorted({reader for reader, _ in states})
    lesions = sorted({lesion for _, lesion in states})
    return Board(
        tuple(readers),
        tuple(
            Row(f"{subject}/{n}", tuple(states.get((r, (subject, n)), "") for r in readers))
            for subject, n in lesions
        ),
    )


def unsettled(study: Study) -> QuerySet[Assignment]:
    """Main cases that keep the reads from being locked."""
    return (
        Assignment.objects.of_study(study)
        .main()
        .unsettled()
        .select_related("session__reader", "lesion__patient")
        .order_by("session__reader__username", "session__number", "position")
    )


def locked_cases(study: Study) -> QuerySet[Assignment]:
    """Cases that a coordinator may reopen."""
    return (
        Assignment.objects.of_study(study)
        .filter(state=Assignment.State.LOCKED)
        .select_related("session__reader", "lesion__patient")
        .order_by("session__reader__username", "session__number", "position")
    )
