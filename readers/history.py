"""The outlines of every saved version of a draft, so that undo goes on after a reload or elsewhere."""

from dataclasses import dataclass
from typing import Any

from readers.documents import EMPTY
from readers.models import Assignment, DraftSave, Read

STEPS = 200


@dataclass(frozen=True)
class SavedDraft:
    """A draft as saved, and the outlines of its versions, oldest first, each different from the last."""

    version: int
    document: dict[str, Any] | None
    outlines: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


def saved_draft(case: Assignment) -> SavedDraft:
    """Of the revision on the desk alone: what an earlier revision went through stays in the past."""
    read = Read.objects.current().filter(assignment=case).first()
    if read is None:
        return SavedDraft(0, None, [])
    return SavedDraft(read.version, read.document or None, versions(read))


def versions(read: Read) -> list[dict[str, Any]]:
    """What the revision began with, then its newest saves."""
    saves = DraftSave.objects.filter(
        assignment=read.assignment_id, version__lte=read.version, saved_at__gte=read.started_at
    )
    newest = saves.order_by("-version").values_list("document", flat=True)[: 2 * STEPS]
    documents = [beginning(read), *reversed(newest)]
    found: list[dict[str, Any]] = []
    for document in documents:
        outlines = document["outlines"]
        if not found or found[-1] != outlines:
            found.append(outlines)
    return found[-STEPS:]


def beginning(read: Read) -> dict[str, Any]:
    """A reopened read begins with the document of the revision before it."""
    earlier = Read.objects.filter(assignment=read.assignment_id, revision=read.revision - 1).first()
    return (earlier.document if earlier else None) or EMPTY
