"""Reset the second factor of a person whose device is lost."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from portal.accounts.models import User
from portal.accounts.resetting import reset_second_factor
from portal.errors import StudyError


class Command(BaseCommand):
    requires_system_checks = ()
    help = "Removes USER's authenticators and recovery codes and ends their sessions; an act in the trail."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="user name of whoever lost the device")
        parser.add_argument(
            "--reason",
            metavar="TEXT",
            required=True,
            help="at least 10 characters, kept in the trail",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']}.", returncode=2)
        try:
            count = reset_second_factor(user, reason=options["reason"], now=timezone.now())
        except StudyError as error:
            raise CommandError(error.sentence, returncode=2) from error
        removed = "authenticator or code list" if count == 1 else "authenticators and code lists"
        self.stdout.write(f"{count} {removed} of {user.username} removed, every session ended.")
