"""What the demo is asked for."""

from dataclasses import dataclass

from radiomics.phantom import GENERATOR_VERSION
from radiomics.phantom.plan import Plan, make_plan, make_practice_plan

PUBLISHED = "Jin et al., Front. Med. 2022;8:792581"
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
    is_practice: bool = False

    @property
    def code(self) -> str:
        """Code of the demo study: another seed, size or difficulty is another study."""
        if self.is_practice:
            return "practice"
        if self == Options():
            return "demo"
        parts = ["demo", f"n{self.patients}", f"s{self.seed}"]
        if self.difficulty != 1.0:
            parts.append(f"d{100 * self.difficulty:g}".replace(".", "_"))
        if self.is_null:
            parts.append("null")
        if self.encoding != "jls":
            parts.append(self.encoding)
        return "-".join(parts)

    @property
    def plan(self) -> Plan:
        """The cohort's plan: truth included, so it is never stored."""
        if self.is_practice:
            return make_practice_plan(self.seed)
        return make_plan(
            seed=self.seed, n_patients=self.patients, difficulty=self.difficulty, null=self.is_null
        )

    @property
    def generator(self) -> dict[str, object]:
        return {
            "reproduces": "" if self.is_practice else PUBLISHED,
            "version": GENERATOR_VERSION,
            "seed": self.seed,
            "patients": self.patients,
            "difficulty": self.difficulty,
            "null": self.is_null,
            "encoding": self.encoding,
        }
