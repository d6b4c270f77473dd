"""Do two drawings of a lesion give the same feature: ICC per feature over the training part's repeated outlines."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from portal.analysis.models import FeatureSet, FeatureVector
from portal.analysis.table import numbers, parts
from portal.study.models import Split, Study
from radiomics.features import NAMES
from radiomics.stats.agreement import IccForm, icc
from readers.models import ReadingSession

FEWEST = 10
MODALITIES = ("CT", "SPECT")
KINDS = (ReadingSession.Kind.MAIN, ReadingSession.Kind.REPEAT)
Drawings = Mapping[int, FeatureVector]


@dataclass(frozen=True)
class Reliability:
    """ICC of one feature with its 95 % limits over `n` lesions; without it the reason."""

    modality: str
    feature: str
    between: str
    form: str
    n: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Comparison:
    """Two drawings per lesion, and which forms of the ICC are asked of them."""

    between: str
    forms: tuple[str, ...]
    first: Drawings
    second: Drawings


def reliability(study: Study, feature_set: FeatureSet) -> Iterator[Reliability]:
    """Every feature of both modalities, between delineators and within one, lesions of `train` only.

    Between two delineators the first drawings and ICC(2,1); within one the drawing and its repeat, ICC(2,1) and
    ICC(3,1). Source: features.md section 10; Koo & Li 2016.
    """
    train = training_lesions(study)
    for modality in MODALITIES:
        drawn = drawings(feature_set, modality, train)
        for comparison in comparisons(drawn):
            yield from compared(modality, comparison)


def training_lesions(study: Study) -> set[int]:
    """Lesions of the training part of the newest locked split; none without one."""
    split = Split.objects.filter(study=study, locked_at__isnull=False).order_by("-version").first()
    return set() if split is None else {pk for pk, part in parts(split).items() if part == "train"}


def drawings(
    feature_set: FeatureSet, modality: str, lesions: set[int]
) -> dict[tuple[str, int], dict[int, FeatureVector]]:
    """(delineator, occasion) -> lesion -> the usable vector of the current read's ROI."""
    rows = FeatureVector.objects.filter(
        feature_set=feature_set, roi__modality=modality, roi__read__is_current=True, failure="",
        roi__read__assignment__lesion__in=lesions,
        roi__read__assignment__session__kind__in=KINDS,
    ).select_related("roi__read__assignment__session__reader")  # fmt: skip
    found: dict[tuple[str, int], dict[int, FeatureVector]] = {}
    for row in rows.order_by("pk").iterator(chunk_size=500):
        case = row.roi.read.assignment
        key = (case.session.reader.username, case.occasion)
        # of a region on several slices the largest cross-section was stored first
        found.setdefault(key, {}).setdefault(case.lesion_id, row)
    return found


def comparisons(drawn: Mapping[tuple[str, int], Drawings]) -> Iterator[Comparison]:
    """The first two delineators, then each one's repeats."""
    firsts = sorted(name for name, occasion in drawn if occasion == 1)
    if len(firsts) > 1:
        one, two = firsts[:2]
        yield Comparison(f"{one} and {two}", ("icc2",), drawn[one, 1], drawn[two, 1])
    for name in firsts:
        if (name, 2) in drawn:
            yield Comparison(f"{name}, repeat", ("icc2", "icc3"), drawn[name, 1], drawn[name, 2])


def compared(modality: str, comparison: Comparison) -> Iterator[Reliability]:
    """One row per feature and form."""
    lesions = sorted(set(comparison.first) & set(comparison.second))
    tables = np.array(
        [[numbers(d[i]) for i in lesions] for d in (comparison.first, comparison.second)]
    ).reshape(2, len(lesions), len(NAMES))
    for column, name in enumerate(NAMES):
        pairs = tables[:, :, column].T
        pairs = pairs[np.isfinite(pairs).all(axis=1)]
        for form in comparison.forms:
            head = (modality, name, comparison.between, form.upper(), len(pairs))
            yield row(head, pairs, form)


def row(
    head: tuple[str, str, str, str, int],
    pairs: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    form: str,
) -> Reliability:
    """The ICC, or why there is none."""
    if len(pairs) < FEWEST:
        return Reliability(*head, reason=f"fewer than {FEWEST} complete pairs")
    if np.ptp(pairs) == 0:
        return Reliability(*head, reason="constant")
    found: IccForm = getattr(icc(pairs), form)
    if math.isnan(found.value):
        return Reliability(*head, reason="undefined: the lesions do not differ")
    return Reliability(*head, value=found.value, low=known(found.low), high=known(found.high))


def known(limit: float) -> float | None:
    """Two equal drawings have an ICC of 1 and no limits; JSON has no NaN for them."""
    return None if math.isnan(limit) else limit
