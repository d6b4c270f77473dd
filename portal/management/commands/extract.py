"""Queue the feature extraction of a study and wait for it."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from portal.analysis import extraction, feature_sets
from portal.jobs.work import run
from portal.study.models import Study


class Command(BaseCommand):
    help = "Extracts the features of all locked ROIs without a vector; with --here in this process."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study")
        parser.add_argument("--here", action="store_true", help="do the work in this process")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(code=options["study"]).first()
        if study is None:
            raise CommandError(f"There is no study {options['study']}.")
        feature_set = feature_sets.current(study) or feature_sets.use(
            study, actor=None, now=timezone.now()
        )
        jobs = extraction.start(feature_set, user=None, shards=settings.WORKERS)
        for job in jobs if options["here"] else []:
            run(job.pk)
        pending = extraction.pending(feature_set).count()
        body = {"jobs": len(jobs), "pending": pending, "digest": feature_set.digest}
        sentence = f"{len(jobs)} jobs queued, {pending} ROIs without a vector."
        self.stdout.write(json.dumps(body) if options["json"] else sentence)
