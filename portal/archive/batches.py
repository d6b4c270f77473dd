"""A browser's import: begun once, sent in batches that may be sent again, ended once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from portal.accounts.models import User
from portal.archive import packs, uids
from portal.archive.commit import Work, answered_places, counts, next_row
from portal.archive.context import Context
from portal.archive.index import Outcome
from portal.archive.ingest import add, begun, ended, on_own_connection
from portal.archive.models import Import, ImportFile, Instance
from portal.archive.pool import text
from portal.audit.trail import record
from portal.errors import Conflict, Invalid

MAX_FILES = 200
HAS_ENDED = "This import has ended; choose the files again to begin another."


@dataclass(frozen=True)
class Sent:
    """A file as its sender announces it: name, size in bytes, SHA-256 in hexadecimal digits."""

    name: str
    size: int
    sha256: str


def begin(
    *, actor: User, study_key: str, expects_synthetic: bool | None, warning: str = ""
) -> Import:
    """A new import of the browser, empty yet."""
    packs.check_free_space()
    context = context_of(study_key, actor, expects_synthetic)
    row = begun(context, door=Import.Door.BROWSER, warning=warning)
    say(row, "import.begin")
    return row


def context_of(study_key: str, actor: User | None, expects_synthetic: bool | None) -> Context:
    return Context(uids.archive_key(), study_key, actor, expects_synthetic, keeps_subject=False)


def say(row: Import, action: str) -> None:
    study, role = row.study_key, "coordinator"
    record(action, obj=f"import:{row.code}", study=study, new=counts(row), role=role)


def require_open(row: Import) -> None:
    if row.ended_at is not None:
        raise Conflict(HAS_ENDED)


def skip_known(row: Import, sent: Sequence[Sent], *, batch: int) -> list[bool]:
    """Per announced file: is it stored in this study or on the sender's shelf? Known ones are reported.

    What lies in another study is not known here: asking must not tell what others hold.
    """
    require_open(row)
    if len(sent) > MAX_FILES:
        raise Invalid(f"Ask about at most {MAX_FILES} files at once.", field="files")
    digests = [uids.file_digest(uids.archive_key(), one.sha256) for one in sent]
    mine = Instance.objects.filter(series__exam__study_key=row.study_key)
    if not row.study_key:
        mine = mine.filter(series__exam__importer=row.actor)
    stored = set(mine.filter(file_digest__in=digests).values_list("file_digest", flat=True))
    known = [digest in stored for digest in digests]
    places = {
        p: one for p, (one, is_known) in enumerate(zip(sent, known, strict=True), 1) if is_known
    }
    note_known(row, places, batch)
    say(row, "import.known")
    return known


def note_known(row: Import, places: Mapping[int, Sent], batch: int) -> None:
    with transaction.atomic():
        first = next_row(row)
        told = answered_places(row, batch)
        fresh = {place: one for place, one in places.items() if place not in told}
        here = Outcome(ImportFile.Outcome.ALREADY_HERE)
        ImportFile.objects.bulk_create(
            ImportFile(
                source=row, row=number, batch=batch, position=place, name=text(one.name)[:300],
                size=one.size, outcome=here.outcome,
            )
            for number, (place, one) in enumerate(fresh.items(), start=first)
        )  # fmt: skip


def take_batch(
    row: Import,
    names: Mapping[Path, str],
    *,
    batch: int,
    actor: User,
    expects_synthetic: bool | None,
    is_folder: bool = False,
) -> None:
    """Import one batch of spooled files; sent twice, each file is still answered for once."""
    require_open(row)
    context = context_of(row.study_key, actor, expects_synthetic)
    work = Work(list(names), names, settings.WORKERS, None, batch=batch, is_folder=is_folder)
    on_own_connection(lambda: add(row, context, work))
    say(row, "import.batch")


def end(row: Import) -> Import:
    """Close the import; a second end changes nothing."""
    return row if row.ended_at is not None else ended(row)
