"""Kinds of jobs of this floor."""

from portal.jobs.later import Later
from portal.jobs.queue import register_kind

register_kind("archive.pull", Later("portal.study.pulling.work"))
