"""Which series a remote store holds: pushing what is new, bringing back what is asked for, room for the cache."""

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from portal.archive import packs
from portal.archive.appending import locked
from portal.archive.models import RemoteCopy, Series
from portal.archive.packs import Damaged
from portal.archive.peer import Server, server
from portal.archive.remote import DicomwebServer
from portal.archive.store import Down, Holding, LocalFolder, from_pack, holdings, is_remote
from portal.audit.trail import record
from portal.errors import Invalid
from portal.jobs.models import Job
from portal.jobs.work import progress

OPEN_ARCHIVE = (
    "A public portal keeps no images at a server without a password; add it to OSTEON_ARCHIVE."
)
NO_ARCHIVE = "Name the address of a DICOMweb server, in OSTEON_ARCHIVE or with --to."
# how often a series is brought back that leaves again before it is needed
TRIES = 3


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


def as_they_are() -> QuerySet[RemoteCopy]:
    """Copies that hold all that their series are now."""
    return RemoteCopy.objects.filter(digest=F("series__digest"))


def pending(server_url: str) -> QuerySet[Series]:
    """Ready series that this server does not hold as they are now.

    What is held stays here: some of it is held because an identity may be burned into its pixels.
    """
    current = as_they_are().filter(server=server_url)
    return Series.objects.ready().exclude(pk__in=current.values("series_id")).order_by("pk")


def push(series: Series, to: Server, *, now: datetime) -> RemoteCopy:
    """Send what a series has that the remote has not; safe to run twice and after a crash."""
    return keep_copy(series, to, sent(series, to), now=now)


def sent(series: Series, to: Server) -> dict[str, str]:
    """Addresses of the images at the remote; one that was there already keeps what it was told then."""
    rows = holdings(series)
    bring_here(series)
    found = DicomwebServer(to).put(from_pack(one) for one in rows)
    copy = copy_of(series)
    return {**(copy.addresses if copy else {}), **found}


def keep_copy(
    series: Series, to: Server, addresses: dict[str, str], *, now: datetime
) -> RemoteCopy:
    """From here on the packs of the series may leave."""
    found = {"server": to.url, "digest": series.digest, "addresses": addresses, "pushed_at": now}
    copy, _ = RemoteCopy.objects.update_or_create(series=series, defaults=found)
    return copy


def is_here(series: Series) -> bool:
    rows = known(series)
    return LocalFolder().present(rows) == {one.uid for one in rows}


def bring_here(series: Series) -> None:
    """Make sure that the packs of a series are here."""
    if not is_here(series):
        fetch(series.folder)


def fetch(folder: str) -> bool:
    """Bring a series back from the remote that holds it; False where none does."""
    series = Series.objects.filter(folder=folder).select_related("exam").first()
    copy = copy_of(series) if series else None
    if series is None or copy is None:
        return False
    packs.open_packs.close(folder)
    DicomwebServer(as_reached(copy)).fetch(known(series))
    make_room(keep=folder, waits=False)  # a reader is waiting, perhaps in a transaction
    return True


def as_reached(copy: RemoteCopy) -> Server:
    """The server of a copy, with the credentials of the settings where it is the configured one."""
    if is_remote() and configured().url == copy.server:
        return configured()
    return server(copy.server)


def evictable() -> list[Path]:
    """Folders that a remote holds as they are, the least recently used first."""
    names = as_they_are().values_list("series__folder", flat=True)
    used = {folder: used_at(folder) for folder in map(packs.folder_of, names)}
    return sorted((f for f in used if used[f]), key=lambda f: used[f])


def used_at(folder: Path) -> float:
    """0 where it has left."""
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def size_of(folder: Path) -> int:
    try:
        return sum(entry.stat().st_size for entry in os.scandir(folder))
    except FileNotFoundError:  # another process makes room as well
        return 0


def make_room(*, keep: str = "", waits: bool = True) -> int:
    """Empty the cache down to its size; the number of series that had to go.

    Only a series that a remote holds as it is now is ever removed from here. Where nobody `waits` for the archive's
    writer, what cannot go now goes the next time.
    """
    if keep:
        with suppress(FileNotFoundError):
            os.utime(packs.folder_of(keep))
    folders = evictable()
    left = sum(size_of(folder) for folder in folders)
    gone = 0
    for folder in folders:
        if left <= settings.ARCHIVE_CACHE_BYTES or folder.name == keep:
            continue
        size = size_of(folder)
        if has_left(folder.name, waits=waits):
            left -= size
            gone += 1
    return gone


def has_left(folder: str, *, waits: bool = True) -> bool:
    """Drop a series where a remote holds it as it is now, which is asked while no image can come to it."""
    with locked(waits=waits) as is_mine:
        copy = copy_now(folder) if is_mine else None
        if copy is None:
            return False
        # who has it open must not take what no commit followed for images that come to it after its return
        packs.cut(folder, packs.NATIVE, copy.series.native_size)
        packs.cut(folder, packs.STORED, copy.series.stored_size)
        packs.drop(folder)
    return True


def copy_now(folder: str) -> RemoteCopy | None:
    """The copy that holds a series as it is now; None where that cannot be known.

    Asked in a transaction, which SQLite begins only for one that sees the last commit: who has a cursor open does not.
    """
    here = as_they_are().filter(series__folder=folder).select_related("series")
    try:
        with transaction.atomic():
            return here.first()
    except OperationalError:
        return None


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
    addresses = sent(series, to)
    if DicomwebServer(to).verify(holdings(series, addresses)):
        raise Damaged
    keep_copy(series, to, addresses, now=now)
    note_move(series, to.url)
    make_room()
    return True


def move_home(series: Series) -> bool:
    """Bring a series back, verify it here, and rely on this folder alone from now on. Audited."""
    if copy_of(series) is None:
        return False
    bring_here(series)
    if LocalFolder().verify(known(series)):
        if not has_left(series.folder):
            raise Damaged
        bring_here(series)
        if LocalFolder().verify(known(series)):
            raise Damaged
    forget_copy(series)
    return True


def forget_copy(series: Series) -> None:
    """While nobody makes room, for what has left by then would be gone for good."""
    for _ in range(TRIES):
        with locked():
            if is_here(series):
                with transaction.atomic():
                    RemoteCopy.objects.filter(series=series).delete()
                    note_move(series, "local")
                return
        bring_here(series)
    raise Down


def note_move(series: Series, to: str) -> None:
    record(
        "series.move", obj=f"series:{series.pk}", study=series.exam.study_key, role="administrator",
        scope="system", new={"to": to, "digest": series.digest},
    )  # fmt: skip
