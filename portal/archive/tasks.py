"""Kinds of jobs of this floor, and who brings back a series that lies at a remote store."""

from portal.archive import packs
from portal.jobs.later import Later
from portal.jobs.queue import register_kind

register_kind("archive.push", Later("portal.archive.copies.push_pending"))
packs.fetch_with(Later("portal.archive.copies.fetch"))
