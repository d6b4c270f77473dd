"""What screening left out of a synthetic cohort: patients by criterion, further lesions by reason."""

import numpy as np

from radiomics.phantom.cohort_counts import ONLY, PAPER_PATIENTS, PRIMARIES, shuffled
from radiomics.phantom.draws import largest_remainder, rounded
from radiomics.phantom.levels import LEVELS
from radiomics.phantom.records import ExcludedLesion, ExcludedPatient, PatientPlan

CRITERIA = {
    "no_primary": 7, "other_reason": 4, "incomplete": 9, "no_lesion_1cm": 6, "not_delineable": 4, "no_ct_lesion": 5,
    "prior_treatment": 4,
}  # fmt: skip
WITH_IMAGES = {"no_ct_lesion": 2, "no_lesion_1cm": 1, "not_delineable": 1}
REASONS = {"beyond_two": 8, "inconclusive": 3, "not_delineable": 2}


def excluded_patients(rng: np.random.Generator, n_patients: int) -> tuple[ExcludedPatient, ...]:
    """Excluded patients, numbered after the included ones; at most four of them have images."""
    total = rounded(sum(CRITERIA.values()) * n_patients / PAPER_PATIENTS)
    codes = shuffled(rng, tuple(CRITERIA), largest_remainder(list(CRITERIA.values()), total))
    left = dict(WITH_IMAGES)
    names, weights = tuple(PRIMARIES), np.array(list(PRIMARIES.values())) / sum(PRIMARIES.values())
    excluded = []
    for i, code in enumerate(codes, n_patients):
        primary = "" if code == "no_primary" else str(rng.choice(names, p=weights))
        sex = ONLY.get(primary) or str(rng.choice(("M", "F")))
        age = int(np.clip(round(rng.normal(62, 9)), 32, 88))
        has_images = left.get(code, 0) > 0
        left[code] = left.get(code, 0) - 1
        excluded.append(ExcludedPatient(i, f"SYN{i + 1:04d}", sex, age, primary, code, has_images))
    return tuple(excluded)


def excluded_lesions(
    rng: np.random.Generator, patients: tuple[PatientPlan, ...]
) -> tuple[ExcludedLesion, ...]:
    """Further lesions of included patients, each in another patient who has two lesions."""
    two = [p for p in patients if len(p.lesions) == 2]
    total = min(len(two), rounded(sum(REASONS.values()) * len(patients) / PAPER_PATIENTS))
    reasons = shuffled(rng, tuple(REASONS), largest_remainder(list(REASONS.values()), total))
    chosen = sorted(int(i) for i in rng.permutation(len(two))[:total])
    found = []
    for i, reason in zip(chosen, reasons, strict=True):
        free = [name for name in LEVELS if name not in {le.level for le in two[i].lesions}]
        level = free[int(rng.integers(len(free)))]
        found.append(ExcludedLesion(two[i].index, 3, level, reason))
    return tuple(found)
