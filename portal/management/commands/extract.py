"""Queue the feature extraction of a study, or do it here."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from portal.analysis import extraction, feature_sets
from portal.analysis.models import FeatureVector
from portal.jobs.work import run
from portal.study.models import Study


class Command(BaseCommand):
    requires_system_checks = ()
    help = (
        "Queues the extraction of all locked ROIs without a vector for the workers; with --here does it in this "
        "process. What was extracted before is kept, a ROI that fails keeps its reason and stops nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="code of the study")
        parser.add_argument("--here", action="store_true", help="do the work in this process")
        parser.add_argument("--json", action="store_true", help="one JSON object as the last line")

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
        failed = FeatureVector.objects.filter(feature_set=feature_set).exclude(failure="").count()
        body = {
            "jobs": len(jobs), "pending": pending, "failed": failed, "digest": feature_set.digest,
        }  # fmt: skip
        sentence = f"{len(jobs)} jobs, {pending} ROIs without a vector, {failed} failed."
        self.stdout.write(json.dumps(body) if options["json"] else sentence)
        if options["here"] and pending:
            raise CommandError(f"{pending} ROIs are still without a vector; see the jobs page.")
