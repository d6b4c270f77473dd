"""Kinds of jobs of this floor."""

from portal.jobs.later import Later
from portal.jobs.queue import register_kind

register_kind("extract", Later("portal.analysis.extraction.work"))
register_kind("train", Later("portal.analysis.training.work"))
register_kind("perturb", Later("portal.analysis.perturbing.work"))
register_kind("repeat", Later("portal.analysis.training.repeat_work"))
