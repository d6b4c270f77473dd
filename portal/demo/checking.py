"""The demo's options checked before anything is touched."""

import shutil
from pathlib import Path

from portal.demo.options import BYTES_PER_PATIENT, ENCODINGS, Options
from portal.errors import Invalid


def check(options: Options, folder: Path) -> None:
    """One sentence for the first thing that cannot be; nothing is changed."""
    if not 8 <= options.patients <= 100_000:
        raise Invalid("The demo needs 8 to 100,000 patients.", field="patients")
    if not 0 <= options.seed < 2**32:
        raise Invalid("The seed is a whole number from 0 to 4294967295.", field="seed")
    if not 0 <= options.difficulty <= 1:
        raise Invalid("The difficulty lies between 0 and 1.", field="difficulty")
    if options.encoding not in ENCODINGS:
        raise Invalid(f"The encoding is one of {', '.join(ENCODINGS)}.", field="encoding")
    free = shutil.disk_usage(folder).free
    needed = options.patients * BYTES_PER_PATIENT
    if free < needed:
        raise Invalid(
            f"The demo needs {needed // 2**20} MB of free disk; {free // 2**20} MB are there."
        )
