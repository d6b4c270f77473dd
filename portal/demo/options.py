"""What the demo is asked for, checked before anything is touched."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from portal.errors import Invalid
from radiomics.phantom import GENERATOR_VERSION

DEFAULT_SEED = 2022
DEFAULT_PATIENTS = 132
ENCODINGS = ("raw", "rle", "jls")
BYTES_PER_PATIENT = 2 * 1_900_000


@dataclass(frozen=True)
class Options:
    patients: int = DEFAULT_PATIENTS
    seed: int = DEFAULT_SEED
    difficulty: float = 1.0
    is_null: bool = False
    encoding: str = "jls"

    @property
    def code(self) -> str:
        """Code of the demo study: another seed, size or difficulty is another study."""
        if self == Options():
            return "demo"
        parts = ["demo", f"n{self.patients}", f"s{self.seed}"]
        if self.difficulty != 1.0:
            parts.append(f"d{round(100 * self.difficulty)}")
        if self.is_null:
            parts.append("null")
        return "-".join(parts)

    @property
    def generator(self) -> dict[str, object]:
        return {
            "reproduces": "Jin et al., Front. Med. 2022;8:792581",
            "version": GENERATOR_VERSION,
            "seed": self.seed,
            "patients": self.patients,
            "difficulty": self.difficulty,
            "null": self.is_null,
            "encoding": self.encoding,
        }


def check(options: Options, folder: Path) -> None:
    """One sentence for the first thing that cannot be; nothing is changed."""
    if not 8 <= options.patients <= 100_000:
        raise Invalid("The demo needs 8 to 100,000 patients.", field="patients")
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
