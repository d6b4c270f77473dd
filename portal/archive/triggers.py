"""Pixels and their digests never change once indexed."""

from portal.fence.triggers import Trigger, append_only

FROZEN = ("uid", "series_id", "file_digest", "content_digest")
CHANGED = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in FROZEN)
TRIGGERS = (
    Trigger(
        "archive_instance_frozen",
        "archive_instance",
        "UPDATE",
        CHANGED,
        "A stored image never changes.",
    ),
    *append_only("archive_importfile", "An import report"),
)
