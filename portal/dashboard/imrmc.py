"""The reads of a part in the input format of iMRMC: truth of every case once, then one score per line."""

import re
from collections.abc import Sequence
from itertools import count

from portal.analysis.cases import Part

TRUTH_READER, TRUTH_MODALITY = "-1", "0"
CONDITION = "unaided"


def imrmc_text(part: Part, *, comments: list[str]) -> str:
    """Cases are lesions; only commas part the four fields, so names lose everything but letters and digits."""
    cases = fields(part.labels)
    readers = fields([reader.name for reader in part.readers])
    lines = [
        *(f"# {comment}" for comment in comments),
        "# Cases are lesions; lesions of one patient are not independent, which iMRMC does not know.",
        f"N0: {int((part.y == 0).sum())}",
        f"N1: {int((part.y == 1).sum())}",
        f"NR: {len(part.readers)}",
        "NM: 1",
        "BEGIN DATA:",
        *(
            f"{TRUTH_READER},{case},{TRUTH_MODALITY},{y}"
            for case, y in zip(cases, part.y, strict=True)
        ),
    ]
    for name, reader in zip(readers, part.readers, strict=True):
        lines += [
            f"{name},{case},{CONDITION},{score:g}"
            for case, score in zip(cases, reader.scores, strict=True)
        ]
    return "\n".join(lines) + "\n"


def fields(names: Sequence[str]) -> list[str]:
    """Each name as a field of its own: two that would be written alike, or like the truth, get a number."""
    taken = {TRUTH_READER}
    found = []
    for name in names:
        plain = field(name)
        numbered = (f"{plain}_{n}" for n in count(2))
        text = plain if plain not in taken else next(t for t in numbered if t not in taken)
        taken.add(text)
        found.append(text)
    return found


def field(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "_", text)
