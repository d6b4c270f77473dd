"""Verifying the archive: every frame, native and as it came, and every sealed header is read again and hashed."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Model, QuerySet

from portal.archive import packs
from portal.archive.identities import read, record_of
from portal.archive.models import Instance, SourceUid
from portal.errors import Unavailable

AT_ONCE = 200
M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Verified:
    """How many frames were read, and the UIDs of the images of which one, or the header, does not match."""

    n_frames: int
    uids: tuple[str, ...]
    headers: tuple[str, ...] = ()


def is_sound(instance: Instance) -> bool:
    native = zip(instance.native_frames, instance.frame_digests, strict=True)
    stored = zip(instance.stored_frames, instance.stored_digests, strict=True)
    folder = instance.series.folder
    return all(
        is_as_written(folder, pack, packs.Extent(*extent), wanted)
        for pack, pairs in ((packs.NATIVE, native), (packs.STORED, stored))
        for extent, wanted in pairs
    )


def is_as_written(folder: str, pack: str, extent: packs.Extent, wanted: str) -> bool:
    """The frame is there and has its digest; a machine out of handles is no damage and raises."""
    try:
        data = packs.read(folder, pack, extent)
    except (FileNotFoundError, packs.Damaged):
        return False
    return hashlib.sha256(data).hexdigest() == wanted


def damaged() -> Verified:
    """Check the whole archive, series by series."""
    count, bad = 0, []
    rows = Instance.objects.select_related("series").order_by("series_id", "rank")
    for instance in in_turn(rows):
        if not is_sound(instance):
            if was_removed(instance):
                continue
            bad.append(instance.uid)
        count += len(instance.native_frames)
    return Verified(count, tuple(bad), tuple(unlike_headers()))


def in_turn(rows: QuerySet[M], n: int = AT_ONCE) -> Iterator[M]:
    """Some rows after the others, as they are then: while a cursor is open, SQLite shows the past to all who ask."""
    keys = list(rows.values_list("pk", flat=True))
    for first in range(0, len(keys), n):
        yield from list(rows.filter(pk__in=keys[first : first + n]))


def was_removed(row: Instance | SourceUid) -> bool:
    """Since it was asked for: its series was taken out of the archive meanwhile."""
    return not type(row)._default_manager.filter(pk=row.pk).exists()


def unlike_headers() -> Iterator[str]:
    """Archive UIDs of images whose sealed header is not as it was written, or not there."""
    rows = SourceUid.objects.exclude(series=None).select_related("series").order_by("series_id")
    for row in in_turn(rows.defer("series__row")):
        record = record_of(row, row.series.folder) if row.series else None
        try:
            whole = record and read(record.folder, [(record.offset, sum(record.lengths))])[0]
        except Unavailable:
            whole = None
        is_sealed = whole and hashlib.sha256(whole).hexdigest() == row.digest
        if not is_sealed and not was_removed(row):
            yield str(row.instance_id)
