"""Queue the perturbations that tell how robust each feature of a study is."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.analysis import feature_sets, perturbing
from portal.errors import StudyError
from portal.jobs.work import run
from portal.study.models import Study


class Command(BaseCommand):
    requires_system_checks = ()
    help = "Perturbs one ROI of every training lesion 44 times; with --here in this process."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="code of the study")
        parser.add_argument("--here", action="store_true", help="do the work in this process")
        parser.add_argument("--json", action="store_true", help="one JSON object as the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(code=options["study"]).first()
        if study is None:
            raise CommandError(f"There is no study {options['study']}.")
        try:
            feature_set = perturbing.require_set(feature_sets.current(study))
        except StudyError as error:
            raise CommandError(str(error)) from error
        job = perturbing.start(feature_set, user=None)
        if job is not None and options["here"]:
            run(job.pk)
        left = len(perturbing.pending(feature_set))
        body = {"jobs": int(job is not None), "pending": left, "digest": feature_set.digest}
        self.stdout.write(json.dumps(body) if options["json"] else f"{left} ROIs are pending.")
