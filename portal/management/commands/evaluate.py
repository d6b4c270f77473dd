"""Evaluate an unblinded study."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from portal.accounts.models import User
from portal.analysis.comparison import evaluate, n_looks
from portal.errors import StudyError
from portal.study.models import Study


class Command(BaseCommand):
    help = "Evaluates both parts of an unblinded study; the look is counted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study")
        parser.add_argument("--user", required=True)
        parser.add_argument("--reason", required=True)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(code=options["study"]).first()
        user = User.objects.filter(username=options["user"]).first()
        if study is None or user is None:
            raise CommandError("There is no such study or user.")
        try:
            rows = evaluate(study, actor=user, now=timezone.now(), reason=options["reason"])
        except StudyError as error:
            raise CommandError(error.sentence) from error
        body = {
            "looks": n_looks(study),
            "digests": {part: row.digest for part, row in rows.items()},
        }
        self.stdout.write(
            json.dumps(body) if options["json"] else f"Look {body['looks']} evaluated."
        )
