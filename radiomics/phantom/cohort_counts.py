"""How many of what: the counts of the cohort, scaled to any size, and their shuffle over patients."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radiomics.phantom.draws import largest_remainder, rounded
from radiomics.phantom.records import BENIGN, METASTASIS, PatientPlan

PAPER_PATIENTS, PAPER_LESIONS = 132, 192
GROUPS = ((METASTASIS, "M", 46), (METASTASIS, "F", 33), (BENIGN, "M", 32), (BENIGN, "F", 21))
PRIMARIES = {
    "breast": 27, "lung": 50, "prostate": 25, "colon": 5, "renal": 5, "thyroid": 5, "stomach": 4, "cervical": 3,
    "hepatocellular": 3, "pancreatic": 2, "nasopharyngeal": 2, "ureteral": 1,
}  # fmt: skip
ONLY = {"prostate": "M", "breast": "F", "cervical": "F"}
SUBTYPES = {"degenerative": 23, "fracture": 15, "osteoarthritis": 8, "tuberculosis": 7}
SECOND_IN_METASTATIC = {"degenerative": 4, "osteoarthritis": 2}
METHODS = ("pathology", "follow_up", "clinical")
METHOD_COUNTS = {METASTASIS: (21, 69, 25), BENIGN: (8, 52, 17)}


@dataclass(frozen=True)
class Counts:
    """Counts of one cohort: patients by group, two-lesion patients by kind, lesions by class, repeated drawings."""

    groups: tuple[int, ...]
    two_metastatic: int
    two_benign: int
    mixed: int
    metastases: int
    benign: int
    repeats: int


@dataclass(frozen=True)
class Person:
    """A patient before age and dates."""

    sex: str
    primary: str
    diagnosis: str


@dataclass
class Finding:
    """Truth of one lesion while the plan is being made."""

    truth: str
    subtype: str
    method: str = ""
    level: str = ""
    determined_on: dt.date = dt.date.min


def scaled(n: int) -> Counts:
    """The counts for n patients (>= 8): exact at 132, by largest remainders elsewhere."""
    groups = largest_remainder([group[2] for group in GROUPS], n)
    two, two_benign = rounded(60 * n / PAPER_PATIENTS), rounded(18 * n / PAPER_PATIENTS)
    mixed = max(1, rounded(6 * n / PAPER_PATIENTS))
    metastases = groups[0] + groups[1] + two - two_benign - mixed
    benign = groups[2] + groups[3] + two_benign + mixed
    repeats = min(30, max(4, rounded(30 * (metastases + benign) / PAPER_LESIONS)))
    return Counts(tuple(groups), two - two_benign, two_benign, mixed, metastases, benign, repeats)


def shuffled(rng: np.random.Generator, names: Sequence[str], counts: Sequence[int]) -> list[str]:
    """Each name as often as its count, in random order."""
    every = np.repeat(np.arange(len(names)), counts)
    return [names[i] for i in rng.permutation(every)]


def people(rng: np.random.Generator, counts: Counts) -> list[Person]:
    """Patients with class, sex and primary; the primary that has a sex gets it, the rest fills the quotas."""
    males, females = counts.groups[0::2], counts.groups[1::2]
    n_class = [m + f for m, f in zip(males, females, strict=True)]
    classes = shuffled(rng, (METASTASIS, BENIGN), n_class)
    numbers = largest_remainder(list(PRIMARIES.values()), sum(n_class))
    while True:
        primaries = shuffled(rng, tuple(PRIMARIES), numbers)
        sexes = fitting_sexes(rng, classes, primaries, counts)
        if sexes:
            return [Person(s, p, c) for s, p, c in zip(sexes, primaries, classes, strict=True)]


def fitting_sexes(
    rng: np.random.Generator, classes: list[str], primaries: list[str], counts: Counts
) -> list[str]:
    """Sexes that meet the quota of each class, or none if the primaries make that impossible."""
    sexes = [ONLY.get(primary, "") for primary in primaries]
    for k, name in enumerate((METASTASIS, BENIGN)):
        own = [i for i, c in enumerate(classes) if c == name]
        males = counts.groups[2 * k] - sum(sexes[i] == "M" for i in own)
        females = counts.groups[2 * k + 1] - sum(sexes[i] == "F" for i in own)
        if males < 0 or females < 0:
            return []
        rest = iter(shuffled(rng, ("M", "F"), (males, females)))
        for i in own:
            sexes[i] = sexes[i] or next(rest)
    return sexes


def findings(
    rng: np.random.Generator, counts: Counts, patients: list[PatientPlan]
) -> list[list[Finding]]:
    """One or two findings per patient with class, kind and method of the truth."""
    own: list[list[Finding]] = [[] for _ in patients]
    metastatic = [p.index for p in patients if p.diagnosis == METASTASIS]
    benign = [p.index for p in patients if p.diagnosis == BENIGN]
    for i in metastatic:
        own[i].append(Finding(METASTASIS, METASTASIS))
    kinds = shuffled(rng, tuple(SUBTYPES), largest_remainder(list(SUBTYPES.values()), len(benign)))
    for i, kind in zip(benign, kinds, strict=True):
        own[i].append(Finding(BENIGN, kind))
    add_seconds(rng, counts, own, metastatic, benign)
    assign_methods(rng, [finding for both in own for finding in both])
    return own


def add_seconds(
    rng: np.random.Generator, counts: Counts, own: list[list[Finding]], metastatic: list[int],
    benign: list[int],
) -> None:  # fmt: skip
    """Give the chosen patients their second lesion; a few metastatic ones a benign one."""
    chosen = rng.permutation(metastatic)[: counts.two_metastatic]
    names = tuple(SECOND_IN_METASTATIC)
    mixed = shuffled(
        rng, names, largest_remainder(list(SECOND_IN_METASTATIC.values()), counts.mixed)
    )
    for k, i in enumerate(chosen):
        own[i].append(
            Finding(BENIGN, mixed[k]) if k < counts.mixed else Finding(METASTASIS, METASTASIS)
        )
    for i in rng.permutation(benign)[: counts.two_benign]:
        kind = own[i][0].subtype
        own[i].append(
            Finding(BENIGN, "degenerative" if kind in ("fracture", "tuberculosis") else kind)
        )


def assign_methods(rng: np.random.Generator, every: list[Finding]) -> None:
    """Methods of the truth in the shares of each class; tuberculoses take the benign pathologies first."""
    for truth, weights in METHOD_COUNTS.items():
        mine = [finding for finding in every if finding.truth == truth]
        names = shuffled(rng, METHODS, largest_remainder(weights, len(mine)))
        queue = sorted(mine, key=lambda f: f.subtype != "tuberculosis")
        n_first = sum(f.subtype == "tuberculosis" for f in mine)
        names = pathology_first(names, n_first)
        for finding, method in zip(queue, names, strict=True):
            finding.method = method


def pathology_first(names: list[str], places: int) -> list[str]:
    """The same names with pathology, as far as there is any, in the first places."""
    moved = min(places, names.count("pathology"))
    rest = list(names)
    for _ in range(moved):
        rest.remove("pathology")
    return ["pathology"] * moved + rest
