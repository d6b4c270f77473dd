"""Write every open table and figure of a study into a folder."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.accounts.models import User
from portal.dashboard.bundle import write_folder
from portal.errors import StudyError
from portal.study.models import Study


class Command(BaseCommand):
    requires_system_checks = ()
    help = (
        "Writes each table (CSV and JSON) and figure (CSV and SVG) that the study's state opens into an empty folder; "
        "each table taken is an act in the trail, in the name of USER, who must coordinate or analyse the study."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="code of the study")
        parser.add_argument("folder", type=Path, help="an empty folder, or one to be made")
        parser.add_argument("--user", required=True, help="name of who takes the tables")
        parser.add_argument("--json", action="store_true", help="one JSON object as the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(code=options["study"]).first()
        user = User.objects.filter(username=options["user"]).first()
        if study is None or user is None:
            raise CommandError("There is no such study or user.")
        try:
            digests = write_folder(study, options["folder"], actor=user)
        except StudyError as error:
            raise CommandError(error.sentence) from error
        except OSError as error:
            raise CommandError(f"The files could not be written: {error.strerror}.") from error
        body = {"study": study.code, "files": digests}
        sentence = f"{len(digests)} files written to {options['folder']}."
        self.stdout.write(json.dumps(body) if options["json"] else sentence)
