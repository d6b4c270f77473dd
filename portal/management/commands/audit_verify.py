"""Verify the audit trail."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from portal.audit.verify import acknowledge, verify

SHORTEST = 10


class Command(BaseCommand):
    requires_system_checks = ()
    help = "Checks every row of the audit trail; exit status 1 names the first broken one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
        parser.add_argument(
            "--acknowledge", metavar="REASON", default="",
            help="accept a head that differs from the side file; the reason stands in the trail",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        reason = options["acknowledge"].strip()
        if options["acknowledge"] and len(reason) < SHORTEST:
            raise CommandError(f"Give the reason in at least {SHORTEST} characters.", returncode=2)
        if reason:
            acknowledge(reason=reason, now=timezone.now())
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
