"""Places that take no more images, asked while a batch is written, when nobody can close one beside it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from portal.archive.context import Context
from portal.archive.models import Import
from portal.errors import Conflict

# of a study's key: the sentence why it takes no more, '' while it does
Closed = Callable[[str], str]
ASKED: list[Closed] = []
# an import without an end that began earlier was broken off
LONGEST_IMPORT = timedelta(hours=1)


def ask_while_writing(closed: Closed) -> None:
    """Have this asked in the transaction of every batch that goes into a study."""
    if closed not in ASKED:
        ASKED.append(closed)


def why_closed(study_key: str) -> str:
    return next((why for ask in ASKED if (why := ask(study_key))), "") if study_key else ""


def under_way(study_key: str) -> QuerySet[Import]:
    """Imports into a study, or with '' onto shelves, that have not ended and were not broken off."""
    since = timezone.now() - LONGEST_IMPORT
    return Import.objects.filter(study_key=study_key, ended_at__isnull=True, started_at__gt=since)


def shelved(context: Context, row: Import, why: str) -> Context:
    """The rest of an import waits on its importer's shelf; its report says why.

    Raises Conflict where there is no importer who has one.
    """
    if context.actor is None:
        raise Conflict(why)
    row.warning = why
    if row._state.adding:
        row.study_key = ""
    else:
        row.save(update_fields=["warning"])
    return replace(context, study_key="")
