"""Kinds of jobs of this floor."""

from portal.jobs.queue import register_kind
from portal.study import pulling

register_kind(pulling.KIND, pulling.work)
