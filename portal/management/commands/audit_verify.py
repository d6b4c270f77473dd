"""Verify the audit trail."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from portal.audit.verify import verify


class Command(BaseCommand):
    help = "Checks every row of the audit trail; exit status 1 names the first broken one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        result = verify()
        if options["json"]:
            body = {
                "intact": result.is_intact,
                "events": result.n_events,
                "head": result.head,
                "sentence": result.sentence,
            }
            self.stdout.write(json.dumps(body))
        else:
            self.stdout.write(f"{result.sentence} Head {result.head}")
        if not result.is_intact:
            sys.exit(1)
