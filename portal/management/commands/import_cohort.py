"""Import the patients and lesions of a study from a cohort CSV."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from portal.accounts.models import User
from portal.errors import StudyError
from portal.study.cohort_import import COLUMNS, CohortPlan, read_cohort_csv, write
from portal.study.models import Study


class Command(BaseCommand):
    requires_system_checks = ()
    help = (
        "Registers the patients and lesions of a CSV file: all rows or, with a problem in any, none. "
        "The same file twice changes nothing. Columns: "
        + "; ".join(f"{c.name} ({c.text})" for c in COLUMNS)
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="the CSV file, UTF-8")
        parser.add_argument("--study", required=True, help="code of the study")
        parser.add_argument("--user", required=True, help="name of the coordinator who imports")
        parser.add_argument("--dry-run", action="store_true", help="only list every row's problem")
        parser.add_argument("--json", action="store_true", help="one JSON object as the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            plan = self.plan(options)
            if not options["dry_run"] and not plan.problems:
                write(plan, actor=coordinator(options), now=timezone.now())
        except StudyError as error:
            raise CommandError(error.sentence) from error
        self.report(plan, as_json=options["json"])
        if plan.problems:
            raise CommandError(f"{len(plan.problems)} problems; nothing was written.")

    def plan(self, options: dict[str, Any]) -> CohortPlan:
        study = Study.objects.filter(code=options["study"]).first()
        if study is None:
            raise CommandError(f"There is no study {options['study']}.")
        try:
            text = options["path"].read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{options['path']} cannot be read: {error}.") from error
        return read_cohort_csv(text, study)

    def report(self, plan: CohortPlan, *, as_json: bool) -> None:
        rows = [{"row": p.row, "column": p.column, "sentence": p.sentence} for p in plan.problems]
        counts = {"patients": len(plan.new_patients), "lesions": len(plan.new_lesions)}
        if as_json:
            self.stdout.write(json.dumps({**counts, "problems": rows}))
            return
        for row in rows:
            self.stdout.write(f"row {row['row']}, {row['column']}: {row['sentence']}")
        self.stdout.write(f"{counts['patients']} new patients, {counts['lesions']} new lesions.")


def coordinator(options: dict[str, Any]) -> User:
    user = User.objects.filter(
        username=options["user"],
        memberships__study__code=options["study"],
        memberships__can_coordinate=True,
    ).first()
    if user is None:
        raise CommandError(f"{options['user']} does not coordinate study {options['study']}.")
    return user
