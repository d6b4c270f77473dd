"""Which lesions cost which columns: an undefined value in one row takes the column from the whole model."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from portal.analysis.models import FeatureSet, FeatureVector
from portal.analysis.table import primary_vectors
from portal.study.models import Lesion
from radiomics.features import NAMES


@dataclass(frozen=True)
class Cost:
    """One lesion: columns undefined in it, and those that it alone takes away."""

    lesion: Lesion
    n_pixels: int | None
    undefined: tuple[str, ...]
    alone: tuple[str, ...]
    failure: str


@dataclass(frozen=True)
class ModalityCosts:
    """All lesions of a modality: `usable` of `nominal` columns remain, and who costs the others."""

    modality: str
    n_lesions: int
    nominal: int
    usable: int
    costs: tuple[Cost, ...]


def costs(feature_set: FeatureSet, lesion_ids: set[int] | None = None) -> list[ModalityCosts]:
    """Per modality, dearest lesion first; `lesion_ids` keeps to these (the training part)."""
    found = []
    for modality in ("CT", "SPECT"):
        vectors = primary_vectors(feature_set, modality)
        if lesion_ids is not None:
            vectors = {pk: v for pk, v in vectors.items() if pk in lesion_ids}
        if vectors:
            found.append(of_modality(modality, vectors))
    return found


def of_modality(modality: str, vectors: Mapping[int, FeatureVector]) -> ModalityCosts:
    """Count how often each column is undefined; a column undefined once is that lesion's alone."""
    times = Counter(name for v in vectors.values() for name in v.reasons)
    rows = [cost_of(v, times) for v in vectors.values() if v.reasons or v.failure]
    rows.sort(key=lambda c: (-len(c.alone), -len(c.undefined), str(c.lesion)))
    return ModalityCosts(modality, len(vectors), len(NAMES), len(NAMES) - len(times), tuple(rows))


def cost_of(vector: FeatureVector, times: Mapping[str, int]) -> Cost:
    undefined = in_catalogue_order(vector.reasons)
    return Cost(
        lesion=vector.roi.read.assignment.lesion,
        n_pixels=vector.provenance.get("n_pixels"),
        undefined=undefined,
        alone=tuple(name for name in undefined if times[name] == 1),
        failure=vector.failure,
    )


def in_catalogue_order(names: Sequence[str] | Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name in NAMES if name in names)
