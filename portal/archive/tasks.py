"""Kinds of jobs of this floor, and who brings back a series that lies at a remote store."""

from portal.archive import copies, packs, store
from portal.jobs.queue import register_kind

register_kind(store.PUSH, copies.push_pending)
packs.fetch_with(copies.fetch)
