"""Which lesion is drawn how: image class, shape, CT type and latents, by stratified draws."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from radiomics.phantom.cohort_counts import Finding
from radiomics.phantom.draws import FloatArray, normal_scores, pick, systematic
from radiomics.phantom.records import BENIGN, METASTASIS, LesionPlan, PatientPlan

SEP_CT, SEP_SPECT = 1.65, 3.05
SHAPES = ("focal", "focal_pedicle", "diffuse", "end_plate", "wedge", "facet", "disc")
TYPICAL_METASTASIS = (0.30, 0.62, 0.08)
ATYPICAL_METASTASIS = ("wedge", "end_plate", "focal")
ATYPICAL_WEIGHTS = (0.40, 0.25, 0.35)
TYPICAL_BENIGN = MappingProxyType(
    {
        "degenerative": "end_plate",
        "fracture": "wedge",
        "osteoarthritis": "facet",
        "tuberculosis": "disc",
    }
)
CAN_BE_NODULAR = ("degenerative", "osteoarthritis")
METASTASIS_TYPES = ("lytic", "blastic", "mixed")
TYPE_WEIGHTS: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {
        "prostate": (0.05, 0.80, 0.15),
        "breast": (0.35, 0.35, 0.30),
        "lung": (0.42, 0.26, 0.32),
        "renal": (0.85, 0.05, 0.10),
        "thyroid": (0.85, 0.05, 0.10),
        "hepatocellular": (0.80, 0.05, 0.15),
    }
)
OTHER_WEIGHTS = (0.45, 0.25, 0.30)
BENIGN_TYPES, BENIGN_WEIGHTS = ("sclerotic", "erosive", "mixed"), (0.58, 0.24, 0.18)
Strata = dict[tuple[str, ...], list[int]]


def assign(
    rng: np.random.Generator,
    people: Sequence[PatientPlan],
    findings: Sequence[Sequence[Finding]],
    difficulty: float,
    null: bool,
) -> list[list[LesionPlan]]:
    """Lesion plans per patient: what `findings` say is true, drawn by stratified recipes of the image class."""
    flat = [
        (p, slot, f)
        for p, own in zip(people, findings, strict=True)
        for slot, f in enumerate(own, 1)
    ]
    n = len(flat)
    source = rng.permutation(n) if null else np.arange(n)
    classes = [flat[i][2].truth for i in source]
    kinds = [flat[i][2].subtype for i in source]
    t_ct, t_sp = (latents(rng, classes, sep * difficulty) for sep in (SEP_CT, SEP_SPECT))
    atypical = unusual(rng, classes, kinds, 0.50 - 0.22 * difficulty)
    shapes = draw_shapes(rng, classes, kinds, atypical)
    types = draw_types(rng, classes, [p.primary for p, _, _ in flat], 0.5 * (1 - difficulty))
    plans: list[list[LesionPlan]] = [[] for _ in people]
    for i, (person, slot, f) in enumerate(flat):
        plans[person.index].append(
            LesionPlan(
                person.index, slot, f.level, f.truth, f.subtype, f.method, f.determined_on, classes[i],
                shapes[i], types[i], float(t_ct[i]), float(t_sp[i]), bool(atypical[i]),
            )
        )  # fmt: skip
    return plans


def strata(keys: Iterable[tuple[str, ...]]) -> Strata:
    """Places of each key, in the order of the sorted keys."""
    groups: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, key in enumerate(keys):
        groups[key].append(i)
    return dict(sorted(groups.items()))


def latents(rng: np.random.Generator, classes: Sequence[str], separation: float) -> FloatArray:
    """Normal scores within each image class around plus or minus half the separation."""
    values = np.zeros(len(classes))
    for (name,), places in strata((c,) for c in classes).items():
        sign = 1 if name == METASTASIS else -1
        values[places] = normal_scores(rng, len(places)) + sign * separation / 2
    return values


def unusual(
    rng: np.random.Generator, classes: Sequence[str], kinds: Sequence[str], share: float
) -> list[bool]:
    """Which lesions get a shape of the other class; fractures and tuberculoses keep theirs."""
    chosen = [False] * len(classes)
    for places in strata((c,) for c in classes).values():
        for i, u in zip(places, systematic(rng, len(places)), strict=True):
            able = classes[i] == METASTASIS or kinds[i] in CAN_BE_NODULAR
            chosen[i] = bool(u < share) and able
    return chosen


def draw_shapes(
    rng: np.random.Generator, classes: Sequence[str], kinds: Sequence[str], atypical: Sequence[bool]
) -> list[str]:
    """A shape for each lesion."""
    shapes = [
        "focal" if odd else TYPICAL_BENIGN.get(kind, "")
        for kind, odd in zip(kinds, atypical, strict=True)
    ]
    options: Mapping[bool, tuple[Sequence[str], Sequence[float]]] = {
        False: (SHAPES[:3], TYPICAL_METASTASIS),
        True: (ATYPICAL_METASTASIS, ATYPICAL_WEIGHTS),
    }
    keys = [(c, str(odd)) for c, odd in zip(classes, atypical, strict=True)]
    for (name, _), places in strata(keys).items():
        if name == METASTASIS:
            names, weights = options[atypical[places[0]]]
            fill(rng, shapes, places, names, weights)
    return shapes


def fill(
    rng: np.random.Generator, target: list[str], places: Sequence[int], names: Sequence[str], weights: Sequence[float]
) -> None:  # fmt: skip
    """Put systematic draws of `names` into the places of the target."""
    for i, k in zip(places, pick(systematic(rng, len(places)), weights), strict=True):
        target[i] = names[k]


def draw_types(
    rng: np.random.Generator, classes: Sequence[str], primaries: Sequence[str], flip: float
) -> list[str]:
    """A CT type for each lesion: by primary if drawn as metastasis, else as benign; `flip` of them crosswise."""
    other = {METASTASIS: BENIGN, BENIGN: METASTASIS}
    drawn_as = list(classes)
    for places in strata((c,) for c in classes).values():
        for i, u in zip(places, systematic(rng, len(places)), strict=True):
            drawn_as[i] = other[classes[i]] if u < flip else classes[i]

    def key(i: int) -> tuple[str, ...]:
        return (METASTASIS, primaries[i]) if drawn_as[i] == METASTASIS else (BENIGN,)

    types = [""] * len(classes)
    for group, places in strata(key(i) for i in range(len(classes))).items():
        if group[0] == BENIGN:
            fill(rng, types, places, BENIGN_TYPES, BENIGN_WEIGHTS)
        else:
            fill(rng, types, places, METASTASIS_TYPES, TYPE_WEIGHTS.get(group[1], OTHER_WEIGHTS))
    return types
