"""Which series a remote store holds: pushing what is new, bringing back what is asked for, room for the cache."""

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from portal.archive import packs
from portal.archive.models import RemoteCopy, Series
from portal.archive.peer import Server, server
from portal.archive.remote import DicomwebServer
from portal.archive.store import Damaged, Holding, LocalFolder, from_pack, holdings, is_remote
from portal.audit.trail import record
from portal.errors import Invalid
from portal.jobs.models import Job
from portal.jobs.work import progress

OPEN_ARCHIVE = (
    "A public portal keeps no images at a server without a password; add it to OSTEON_ARCHIVE."
)
NO_ARCHIVE = "Name the address of a DICOMweb server, in OSTEON_ARCHIVE or with --to."


def configured() -> Server:
    """The remote store of the settings; raises Invalid where they name none."""
    if not is_remote():
        raise Invalid(NO_ARCHIVE)
    found = server(settings.ARCHIVE)
    if settings.PUBLIC and not found.password:
        raise Invalid(OPEN_ARCHIVE)
    return found


def copy_of(series: Series) -> RemoteCopy | None:
    return RemoteCopy.objects.filter(series=series).first()


def known(series: Series) -> list[Holding]:
    """The images of a series with the addresses that a remote gave them."""
    copy = copy_of(series)
    return holdings(series, copy.addresses if copy else {})


def pending(server_url: str) -> QuerySet[Series]:
    """Ready series that this server does not hold as they are now.

    What is held stays here: some of it is held because an identity may be burned into its pixels.
    """
    current = RemoteCopy.objects.filter(server=server_url, digest=F("series__digest"))
    return Series.objects.ready().exclude(pk__in=current.values("series_id")).order_by("pk")


def push(series: Series, to: Server, *, now: datetime) -> RemoteCopy:
    """Send what a series has that the remote has not; safe to run twice and after a crash."""
    rows = holdings(series)
    bring_here(series)
    found = DicomwebServer(to).put(from_pack(one) for one in rows)
    copy, _ = RemoteCopy.objects.update_or_create(
        series=series,
        defaults={
            "server": to.url, "digest": series.digest, "addresses": addresses_after(series, found),
            "pushed_at": now,
        },
    )  # fmt: skip
    return copy


def addresses_after(series: Series, found: dict[str, str]) -> dict[str, str]:
    """An image that was there already keeps the address it was told then."""
    copy = copy_of(series)
    return {**(copy.addresses if copy else {}), **found}


def bring_here(series: Series) -> None:
    """Make sure that the packs of a series are here."""
    rows = known(series)
    if rows and LocalFolder().present(rows) != {one.uid for one in rows}:
        fetch(series.folder)


def fetch(folder: str) -> bool:
    """Bring a series back from the remote that holds it; False where none does."""
    series = Series.objects.filter(folder=folder).select_related("exam").first()
    copy = copy_of(series) if series else None
    if series is None or copy is None:
        return False
    packs.open_packs.close(folder)
    DicomwebServer(as_reached(copy)).fetch(known(series))
    make_room(keep=folder)
    return True


def as_reached(copy: RemoteCopy) -> Server:
    """The server of a copy, with the credentials of the settings where it is the configured one."""
    if is_remote() and configured().url == copy.server:
        return configured()
    return server(copy.server)


def evictable() -> Iterator[Path]:
    """Folders that a remote holds as they are, the least recently used first."""
    rows = RemoteCopy.objects.filter(digest=F("series__digest"))
    folders = [packs.folder_of(name) for name in rows.values_list("series__folder", flat=True)]
    yield from sorted((f for f in folders if f.exists()), key=lambda f: f.stat().st_mtime)


def size_of(folder: Path) -> int:
    return sum(entry.stat().st_size for entry in os.scandir(folder))


def make_room(*, keep: str = "") -> int:
    """Empty the cache down to its size; the number of series that had to go.

    Only a series that a remote holds as it is now is ever removed from here.
    """
    if keep:
        with suppress(FileNotFoundError):
            os.utime(packs.folder_of(keep))
    folders = list(evictable())
    left = sum(size_of(folder) for folder in folders)
    gone = 0
    for folder in folders:
        if left <= settings.ARCHIVE_CACHE_BYTES or folder.name == keep:
            continue
        left -= size_of(folder)
        packs.drop(folder.name)
        gone += 1
    return gone


def push_pending(job: Job) -> None:
    """The job after an import: everything that is ready goes to the configured store, verified by its answer."""
    if not is_remote():
        return
    to = configured()
    todo = list(pending(to.url).select_related("exam"))
    for number, series in enumerate(todo, start=1):
        push(series, to, now=timezone.now())
        progress(job, number, len(todo))
    make_room()


def move_out(series: Series, to: Server, *, now: datetime) -> bool:
    """Push a series and read it back; False where it was there, verified before. Audited."""
    copy = copy_of(series)
    if copy and copy.server == to.url and copy.digest == series.digest:
        return False
    push(series, to, now=now)
    if DicomwebServer(to).verify(known(series)):
        RemoteCopy.objects.filter(series=series).delete()
        raise Damaged
    note_move(series, to.url)
    make_room()
    return True


def move_home(series: Series) -> bool:
    """Bring a series back, verify it here, and rely on this folder alone from now on. Audited."""
    copy = copy_of(series)
    if copy is None:
        return False
    rows = known(series)
    bring_here(series)
    wrong = LocalFolder().verify(rows)
    if wrong:
        packs.drop(series.folder)
        bring_here(series)
        if LocalFolder().verify(rows):
            raise Damaged
    with transaction.atomic():
        copy.delete()
        note_move(series, "local")
    return True


def note_move(series: Series, to: str) -> None:
    record(
        "series.move", obj=f"series:{series.pk}", study=series.exam.study_key, role="administrator",
        scope="system", new={"to": to, "digest": series.digest},
    )  # fmt: skip
