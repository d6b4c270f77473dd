"""Kinds of jobs of this floor."""

from portal.analysis import extraction, perturbing, training
from portal.jobs.queue import register_kind

register_kind(extraction.KIND, extraction.work)
register_kind(training.KIND, training.work)
register_kind(perturbing.KIND, perturbing.work)
register_kind(training.REPEAT, training.repeat_work)
