"""A reader's own settings of the desk: keys, drawing backend, layout, text size; the same on every machine."""

import re
from typing import Any

from django.db import transaction

from portal.accounts.models import User
from portal.audit.trail import record
from portal.errors import Invalid

DEFAULTS: dict[str, Any] = {
    "backend": "auto",
    "layout": None,
    "text_size": "normal",
    "single_keys": True,
    "keys": {},
}
CHOICES: dict[str, tuple[Any, ...]] = {
    "backend": ("auto", "cpu", "gpu"),
    "layout": ("six", "pair", "axial", "single", None),
    "text_size": ("normal", "large"),
    "single_keys": (True, False),
}
COMMAND = re.compile(r"[a-z][a-z0-9-]{0,39}")
MAX_KEYS = 200
LONGEST_KEY = 24


def preferences(saved: Any) -> dict[str, Any]:
    """The reader's own settings where they are valid, else the defaults."""
    saved = saved if isinstance(saved, dict) else {}
    chosen = dict(DEFAULTS)
    for name in CHOICES:
        if name in saved and is_choice(name, saved[name]):
            chosen[name] = saved[name]
    keys = saved.get("keys")
    if isinstance(keys, dict):
        chosen["keys"] = {str(k): v for k, v in keys.items() if is_assignment(k, v)}
    return chosen


def is_choice(name: str, value: Any) -> bool:
    """Strictly one of the choices: 1 is not True."""
    return any(type(value) is type(known) and value == known for known in CHOICES[name])


def is_assignment(command: Any, key: Any) -> bool:
    """A command and the key that calls it; an empty key switches the command's key off."""
    return (
        isinstance(command, str)
        and COMMAND.fullmatch(command) is not None
        and isinstance(key, str)
        and len(key) <= LONGEST_KEY
        and key.isprintable()
    )


def checked(wanted: Any) -> dict[str, Any]:
    """All settings at once, nothing else; the first that is wrong is named."""
    if not isinstance(wanted, dict) or set(wanted) != set(DEFAULTS):
        raise Invalid("Settings are keys, backend, layout, text_size and single_keys.")
    for name in CHOICES:
        if not is_choice(name, wanted[name]):
            known = ", ".join(str(choice) for choice in CHOICES[name])
            raise Invalid(f"{name} is one of {known}.", field=name)
    keys = wanted["keys"]
    if not isinstance(keys, dict) or len(keys) > MAX_KEYS:
        raise Invalid(f"Keys are at most {MAX_KEYS} commands with one key each.", field="keys")
    for command, key in keys.items():
        if not is_assignment(command, key):
            raise Invalid("Each key is a text of at most 24 characters.", field="keys")
    return dict(wanted)


@transaction.atomic
def save_preferences(reader: User, wanted: Any) -> dict[str, Any]:
    """Keep the settings; they hold from the next opened case, on any machine."""
    settings = checked(wanted)
    User.objects.filter(pk=reader.pk).update(preferences=settings)
    record(
        "preferences.save",
        obj=f"user:{reader.code}",
        role="reader",
        scope="own",
        actor=f"u:{reader.pk}",
        new=settings,
    )
    return settings
