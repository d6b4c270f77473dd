"""Create model runs of a study."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from portal.accounts.models import User
from portal.analysis import feature_sets, training
from portal.analysis.models import ModelRun
from portal.analysis.parameters import PARAMETERS
from portal.errors import StudyError
from portal.jobs.models import Job
from portal.jobs.work import run
from portal.study.models import Membership, Split, Study


class Command(BaseCommand):
    requires_system_checks = ()
    help = (
        "Creates one run per model kind on the newest locked split and the current features; with --here fits them "
        "in this process and ends with an error unless all could be fitted. Parameters: "
        + "; ".join(f"{name} ({p.words})" for name, p in PARAMETERS.items())
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="code of the study, in READING")
        parser.add_argument(
            "--user", required=True, help="the analyst in whose name the runs are made"
        )
        parser.add_argument("--seed", type=int, required=True, help="seed of folds and resamples")
        parser.add_argument(
            "--kinds", nargs="+", choices=ModelRun.Kind.values, default=["ct", "spect", "combined"],
            help="ct, spect, combined (all three by default), clinical or subset",
        )  # fmt: skip
        parser.add_argument("--name", default="", help="name of a subset")
        parser.add_argument("--parameters", default="{}", help="JSON object, as the API takes it")
        parser.add_argument("--here", action="store_true", help="fit in this process")
        parser.add_argument("--json", action="store_true", help="one JSON object as the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        study, user = found(options)
        try:
            made = create(study, user, options)
        except StudyError as error:
            raise CommandError(error.sentence) from error
        if options["here"]:
            fit_here(study)
        runs = list(ModelRun.objects.filter(pk__in=[r.pk for r in made]).order_by("pk"))
        self.report(runs, as_json=options["json"])
        failed = [r for r in runs if r.state == ModelRun.State.FAILED]
        if failed:
            raise CommandError(f"{failed[0].kind} could not be fitted: {failed[0].failure}")

    def report(self, runs: list[ModelRun], *, as_json: bool) -> None:
        rows = [
            {"code": r.code, "kind": r.kind, "state": r.state, "digest": r.digest, "failure": r.failure}
            for r in runs
        ]  # fmt: skip
        if as_json:
            body = {"runs": [r.code for r in runs], "states": rows}
            self.stdout.write(json.dumps(body))
            return
        for row in rows:
            self.stdout.write(
                f"{row['code']} {row['kind']} {row['state']} {row['failure']}".rstrip()
            )


def found(options: dict[str, Any]) -> tuple[Study, User]:
    """The study, and a user who analyses it."""
    study = Study.objects.filter(code=options["study"]).first()
    user = User.objects.filter(username=options["user"]).first()
    if study is None or user is None:
        raise CommandError("There is no such study or user.")
    if not Membership.objects.filter(study=study, user=user, can_analyse=True).exists():
        raise CommandError(f"{user.username} does not analyse study {study.code}.")
    return study, user


def parameters_of(text: str) -> dict[str, Any]:
    try:
        parameters = json.loads(text)
    except ValueError as error:
        raise CommandError(f"--parameters is no JSON: {error}.") from error
    if not isinstance(parameters, dict):
        raise CommandError("--parameters must be a JSON object.")
    return parameters


def create(study: Study, user: User, options: dict[str, Any]) -> list[ModelRun]:
    split = Split.objects.filter(study=study, locked_at__isnull=False).order_by("-version").first()
    feature_set = feature_sets.current(study)
    if split is None or feature_set is None:
        raise CommandError("Lock a split and extract features before a model is trained.")
    parameters = parameters_of(options["parameters"])
    with transaction.atomic():  # all kinds, or none when one is refused
        return [
            training.create_run(
                study, kind, split=split, feature_set=feature_set, seed=options["seed"], actor=user,
                now=timezone.now(), name=options["name"], parameters=parameters,
            )
            for kind in options["kinds"]
        ]  # fmt: skip


def fit_here(study: Study) -> None:
    for job in Job.objects.of_study(study.code).active().filter(kind=training.KIND).order_by("pk"):
        run(job.pk)
