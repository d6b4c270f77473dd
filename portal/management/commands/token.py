"""Issue or revoke a user's API token."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.accounts.models import User
from portal.accounts.tokens import issue, revoke_all
from portal.audit.trail import record
from portal.errors import StudyError


class Command(BaseCommand):
    requires_system_checks = ()
    help = "Prints a new API token of USER as its last line; it is shown this once only."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="user name of an account")
        parser.add_argument("--label", default="command line", help="what the token is for")
        parser.add_argument("--days", type=int, default=90, help="how long it lives, 90 at most")
        parser.add_argument(
            "--revoke", action="store_true", help="revoke all tokens of USER instead"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']}.")
        if options["revoke"]:
            count = revoke_all(user)
            record("token.revoke", obj=f"user:{user.pk}", new={"count": count})
            self.stdout.write(f"{count} tokens revoked.")
            return
        try:
            token = issue(user, label=options["label"], days=options["days"])
        except StudyError as error:
            raise CommandError(error.sentence) from error
        record("token.issue", obj=f"user:{user.pk}", new={"label": token.row.label})
        self.stdout.write(token.text)
