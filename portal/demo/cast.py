"""The people of the demo: accounts with random passwords, shown once, kept in a 0600 file."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from django.conf import settings

from portal.accounts.models import User

PEOPLE: Mapping[str, str] = MappingProxyType(
    {
        "coordinator": "coordinator",
        "analyst": "analyst",
        "expert1": "expert",
        "expert2": "expert",
        "delineator1": "delineator",
        "delineator2": "delineator",
        "monitor": "monitor",
    }
)
PRINTED = {
    "coordinator": ("Clara", "Coordinator"),
    "analyst": ("Ana", "Analyst"),
    "expert1": ("Expert", "One"),
    "expert2": ("Expert", "Two"),
    "delineator1": ("Delineator", "One"),
    "delineator2": ("Delineator", "Two"),
    "monitor": ("Mona", "Monitor"),
}


@dataclass(frozen=True)
class Cast:
    """Users by name; `new_passwords` only of those made in this call."""

    users: Mapping[str, User]
    new_passwords: Mapping[str, str]


def accounts_file() -> Path:
    path: Path = settings.DATA_DIR / "demo-accounts.json"
    return path


def assemble() -> Cast:
    """Find or make the cast; new passwords are written to the private file."""
    users: dict[str, User] = {}
    made: dict[str, str] = {}
    for name in PEOPLE:
        user = User.objects.filter(username=name).first()
        if user is None:
            made[name] = secrets.token_urlsafe(12)
            first, last = PRINTED[name]
            user = User.objects.create_user(
                name, password=made[name], first_name=first, last_name=last
            )
        users[name] = user
    if made:
        keep(made)
    return Cast(users, made)


def keep(passwords: Mapping[str, str]) -> None:
    path = accounts_file()
    known = json.loads(path.read_text()) if path.exists() else {}
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as out:
        json.dump({**known, **passwords}, out, indent=1)
