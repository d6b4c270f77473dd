"""Verifying the archive: every frame, native and as it came, is read again and hashed."""

import hashlib
from dataclasses import dataclass

from portal.archive import packs
from portal.archive.models import Instance


@dataclass(frozen=True)
class Verified:
    """How many frames were read, and the UIDs of the images of which one does not match."""

    n_frames: int
    uids: tuple[str, ...]


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
    except FileNotFoundError:
        return False
    return hashlib.sha256(data).hexdigest() == wanted


def damaged() -> Verified:
    """Check the whole archive, series by series."""
    count, bad = 0, []
    rows = Instance.objects.select_related("series").order_by("series_id", "rank")
    for instance in rows.iterator(chunk_size=200):
        count += len(instance.native_frames)
        if not is_sound(instance):
            bad.append(instance.uid)
    return Verified(count, tuple(bad))
