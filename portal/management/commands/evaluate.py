"""Evaluate an unblinded study."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from portal.accounts.models import User
from portal.analysis.comparison import evaluate, n_looks
from portal.errors import StudyError
from portal.study.models import Membership, Study


class Command(BaseCommand):
    requires_system_checks = ()
    help = "Evaluates both parts of an unblinded study; the look is counted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="code of the unblinded study")
        parser.add_argument("--user", required=True, help="the analyst who looks")
        parser.add_argument(
            "--reason",
            required=True,
            help="why the validation part is looked at; stands in the ledger",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object as the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(code=options["study"]).first()
        user = User.objects.filter(username=options["user"]).first()
        if study is None or user is None:
            raise CommandError("There is no such study or user.")
        if not Membership.objects.filter(study=study, user=user, can_analyse=True).exists():
            raise CommandError(f"{user.username} does not analyse study {study.code}.")
        if len(options["reason"].strip()) < 10:
            raise CommandError(
                "Say in at least 10 characters why the validation part is looked at."
            )
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
