"""Create model runs of a study."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from portal.accounts.models import User
from portal.analysis import feature_sets, training
from portal.analysis.models import ModelRun
from portal.errors import StudyError
from portal.jobs.models import Job
from portal.jobs.work import run
from portal.study.models import Split, Study


class Command(BaseCommand):
    help = "Creates one run per model kind on the newest locked split; with --here fits in this process."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study")
        parser.add_argument(
            "--user", required=True, help="the analyst in whose name the runs are made"
        )
        parser.add_argument("--seed", type=int, required=True)
        parser.add_argument("--kinds", nargs="+", default=list(ModelRun.Kind.values))
        parser.add_argument("--here", action="store_true", help="fit in this process")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(code=options["study"]).first()
        user = User.objects.filter(username=options["user"]).first()
        if study is None or user is None:
            raise CommandError("There is no such study or user.")
        split = (
            Split.objects.filter(study=study, locked_at__isnull=False).order_by("-version").first()
        )
        feature_set = feature_sets.current(study)
        if split is None or feature_set is None:
            raise CommandError("Lock a split and extract features before a model is trained.")
        try:
            runs = [
                training.create_run(
                    study, kind, split=split, feature_set=feature_set, seed=options["seed"],
                    actor=user, now=timezone.now(),
                )
                for kind in options["kinds"]
            ]  # fmt: skip
        except StudyError as error:
            raise CommandError(error.sentence) from error
        if options["here"]:
            fit_here(study)
        codes = [made.code for made in runs]
        self.stdout.write(json.dumps({"runs": codes}) if options["json"] else "\n".join(codes))


def fit_here(study: Study) -> None:
    for job in Job.objects.of_study(study.code).active().filter(kind=training.KIND):
        run(job.pk)
