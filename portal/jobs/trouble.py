"""What the launcher knows and the web must tell: a process that dies again and again."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings

RESTARTS = 10
WINDOW_SECONDS = 300.0


def file_of_installation() -> Path:
    path: Path = settings.DATA_DIR / "trouble.json"
    return path


def write(restarts: Mapping[str, int], path: Path) -> None:
    """Replace the file in one step: the web may be reading it."""
    part = path.with_suffix(".part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as out:
        json.dump(dict(restarts), out)
    part.rename(path)


def sentences(path: Path | None = None) -> tuple[str, ...]:
    """One for each process with ten restarts in five minutes; none where no launcher runs."""
    try:
        restarts = json.loads((path or file_of_installation()).read_text())
    except FileNotFoundError:
        return ()
    return tuple(
        f"The {name} was restarted {count} times in five minutes; look at its log."
        for name, count in sorted(restarts.items())
        if count >= RESTARTS
    )
