"""Verifying the archive: every native frame is read again and hashed."""

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
    pairs = zip(instance.native_frames, instance.frame_digests, strict=True)
    for (offset, length), wanted in pairs:
        try:
            data = packs.read(instance.series.folder, packs.NATIVE, packs.Extent(offset, length))
        except OSError:
            return False
        if hashlib.sha256(data).hexdigest() != wanted:
            return False
    return True


def damaged() -> Verified:
    """Check the whole archive, series by series."""
    count, bad = 0, []
    rows = Instance.objects.select_related("series").order_by("series_id", "rank")
    for instance in rows.iterator(chunk_size=200):
        count += len(instance.native_frames)
        if not is_sound(instance):
            bad.append(instance.uid)
    return Verified(count, tuple(bad))
